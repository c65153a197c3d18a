"""Labelled tensors: an IR node whose axes are named, and `align`, the one place where broadcasting happens."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from symbackprop.frontend.affine import Index
from symbackprop.ir.dims import ONE, Dim
from symbackprop.ir.node import Const, Elementwise, Node
from symbackprop.ir.registry import ELEMENTWISE
from symbackprop.ops.contraction import permute
from symbackprop.ops.layout import fill, spread

__all__ = [
    "COL",
    "ROW",
    "Axis",
    "Batch",
    "Entry",
    "Index",
    "Side",
    "Slot",
    "Value",
    "align",
    "apply",
    "merge_axes",
    "place",
    "relabel",
]


class Side(enum.Enum):
    """The two axes of matrix algebra."""

    ROW = "row"
    COL = "column"


ROW, COL = Side.ROW, Side.COL


@dataclass(frozen=True)
class Batch:
    """The batch axis named by a size symbol."""

    size: str


@dataclass(frozen=True)
class Entry:
    """The rows or columns of the matrix that an elementwise function is applied to, seen from inside the function."""

    side: Side
    level: int = 0


@dataclass(frozen=True)
class Slot:
    """Axis number `position` of an array before it is indexed."""

    position: int


Axis: TypeAlias = Batch | Index | Entry | Slot | Side


class Value(NamedTuple):
    """A node and the labels of its axes, parallel to `node.shape`.

    An axis of a matrix whose size is the constant 1 is absent: a column vector has the one axis ROW, a 1x1 matrix none.
    Labels not involved in an operation are carried along: that is all there is to batching.
    """

    node: Node
    axes: tuple[Axis, ...] = ()

    def extent(self, axis: Axis) -> Dim:
        """Return the size along `axis`, 1 if there is no such axis."""
        return self.node.shape[self.axes.index(axis)] if axis in self.axes else ONE

    @property
    def is_matrix(self) -> bool:
        """Whether a matrix axis is left, so that this is no scalar."""
        return ROW in self.axes or COL in self.axes


def relabel(value: Value, names: dict[Axis, Axis]) -> Value:
    """Return the same node with axes renamed."""
    return Value(value.node, tuple(names.get(a, a) for a in value.axes))


def merge_axes(values: Iterable[Value]) -> tuple[Axis, ...]:
    """Return all axes of `values`: batch axes first, the rest in the order of the largest value.

    Where no value has them all, outer indices come before inner ones.
    """
    values = list(values)
    largest = max(values, key=lambda v: len(v.axes))
    seen = dict.fromkeys(axis for v in (largest, *values) for axis in v.axes)
    if len(seen) > len(largest.axes) and all(isinstance(a, Batch | Index) for a in seen):
        seen = dict.fromkeys(sorted(seen, key=lambda a: a.depth if isinstance(a, Index) else 0))
    return (*(a for a in seen if isinstance(a, Batch)), *(a for a in seen if not isinstance(a, Batch)))


def place(value: Value, axes: Sequence[Axis], shape: Sequence[Dim]) -> Node:
    """Return the value's node with its axes permuted and repeated to `axes` of `shape`."""
    if value.axes == tuple(axes):
        return value.node
    if isinstance(value.node, Const):
        return fill(value.node.value, shape, value.node.dtype)
    at = [axes.index(a) for a in value.axes]
    return spread(permute(value.node, sorted(range(len(at)), key=at.__getitem__)), shape, sorted(at))


def align(values: Sequence[Value]) -> tuple[list[Node], tuple[Axis, ...]]:
    """Return nodes of one shape and their common axes."""
    first = values[0].axes
    if all(v.axes == first for v in values):
        return [v.node for v in values], first
    axes = merge_axes(values)
    size = {axis: d for v in values for axis, d in zip(v.axes, v.node.shape, strict=True)}
    shape = [size[a] for a in axes]
    return [place(v, axes, shape) for v in values], axes


def apply(name: str, *values: Value, attr: tuple[int, ...] = ()) -> Value:
    """Return the elementwise primitive `name` applied to aligned values."""
    nodes, axes = align(values)
    return Value(Elementwise(ELEMENTWISE[name], nodes, attr), axes)
