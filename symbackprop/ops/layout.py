"""Broadcasting: the builder, and its adjoint, the one place where cotangents of repeated axes are summed."""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.ir.dims import Dim
from symbackprop.ir.node import Broadcast, Const, Contraction, Node
from symbackprop.ir.types import EinsumSpec, TensorType

__all__ = ["broadcast_adjoint", "fill", "spread"]


def fill(value: float, shape: Sequence[Dim], dtype: str) -> Node:
    """Return the constant `value` filling `shape`."""
    return Const(value, TensorType(tuple(shape), dtype))


def spread(arg: Node, shape: Sequence[Dim], axes: Sequence[int]) -> Node:
    """Return `arg` repeated to `shape`: its axis k becomes axis `axes[k]`. Axes must ascend, or nothing moves."""
    if tuple(shape) == arg.shape and tuple(axes) == tuple(range(arg.rank)):
        return arg
    if isinstance(arg, Const):
        return fill(arg.value, shape, arg.dtype)
    return Broadcast(arg, shape, axes)


def broadcast_adjoint(ct: Node, node: Broadcast) -> Node:
    """Return the cotangent of a broadcast's operand: `ct` summed over the axes the broadcast had added."""
    return Contraction(EinsumSpec.canonical([range(node.rank)], node.axes), [ct])
