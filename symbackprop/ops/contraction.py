"""Contractions: builders for sums, transposes, products, and the adjoint of an einsum."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from symbackprop.ir.node import Contraction, Node
from symbackprop.ir.types import AxisMap, EinsumSpec
from symbackprop.ops.indexing import scatter
from symbackprop.ops.layout import spread

__all__ = ["contract", "contraction_adjoint", "einsum", "permute", "sum_over"]


def einsum(spec: str, *args: Node) -> Node:
    """Return the contraction of `args` by a NumPy-style spec such as "ij,j->i"."""
    return Contraction(EinsumSpec.parse(spec), args)


def contract(args: Sequence[Node], labels: Sequence[Sequence[Hashable]], out: Sequence[Hashable]) -> Node:
    """Return the contraction of `args` whose axes carry `labels` into axes `out`; labels are any hashables."""
    return Contraction(EinsumSpec.canonical(labels, out), args)


def permute(arg: Node, axes: Sequence[int]) -> Node:
    """Return `arg` with its axes reordered: axis k of the result is axis `axes[k]` of `arg`."""
    if tuple(axes) == tuple(range(arg.rank)):
        return arg
    return contract([arg], [range(arg.rank)], axes)


def sum_over(arg: Node, axes: Sequence[int]) -> Node:
    """Return the sum of `arg` over `axes`."""
    if not axes:
        return arg
    return contract([arg], [range(arg.rank)], [k for k in range(arg.rank) if k not in axes])


def contraction_adjoint(ct: Node, k: int, node: Contraction) -> Node:
    """Return the cotangent of operand k: `ct` contracted with the other operands into k's own labels.

    A label that operand k alone carries was summed away, so the cotangent is repeated along it; a label that occurs
    twice in k was a diagonal, so the cotangent is put on that diagonal. `ct` has the shape of `node`.
    """
    spec = node.spec
    extents = node.extents
    labels = spec.ins[k]
    others = [j for j in range(len(node.args)) if j != k]
    unique = tuple(dict.fromkeys(labels))
    available = {*spec.out, *(label for j in others for label in spec.ins[j])}
    present = tuple(label for label in unique if label in available)
    part = contract([ct, *(node.args[j] for j in others)], [spec.out, *(spec.ins[j] for j in others)], present)
    shape = tuple(extents[label] for label in unique)
    full = spread(part, shape, [unique.index(label) for label in present])
    if len(unique) == len(labels):
        return full
    diagonal = tuple(AxisMap((unique.index(label),)) for label in labels)
    return scatter([(full, (), diagonal)], tuple(extents[label] for label in labels))
