"""What every handler may ask: the arguments, the sizes, the scan, casts and constants."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

from symbackprop.errors import ShapeError, message
from symbackprop.frontend.affine import GUARDS, Affine
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.dispatch import Scope, run
from symbackprop.frontend.scan import Scan
from symbackprop.frontend.sizes import Sizes
from symbackprop.frontend.value import COL, ROW, Axis, Entry, Index, Side, Slot, Value, apply
from symbackprop.ir.dims import ONE, Dim
from symbackprop.ir.node import Const, Iota, Node, Size
from symbackprop.ir.types import TensorType

__all__ = ["Context"]


class Context:
    """The state of one translation.

    Attributes:
        dtype: dtype of every real value.
        sizes: the size symbols.
        scan: what occurs in the expressions.
        arguments: leaf (Symbol, MatrixSymbol, IndexedBase) -> its value.
        indices: free index (Symbol or Idx) -> the output axis it makes.
        batches: names of the batch axes, in the user's order.
        keep: nodes the user has named.
        differentiate: (output, node, upstream) -> the gradient for a node of the output's graph.
        defined: the names that a program defines.
        stand_ins: number of inputs made so far that stand in for other nodes.
        memo: translations so far, by `key`.
    """

    def __init__(
        self,
        dtype: str,
        sizes: Sizes,
        scan: Scan,
        *,
        arguments: Mapping[Any, Value],
        indices: Mapping[Any, Index],
        batches: tuple[str, ...] = (),
    ) -> None:
        self.dtype, self.sizes, self.scan = dtype, sizes, scan
        self.arguments, self.indices, self.batches = arguments, indices, batches
        self.keep: Collection[Node] = set()
        self.differentiate: Callable[[Node, Node, Node], Node] | None = None
        self.defined: Collection[Any] = ()
        self.stand_ins = 0
        self.memo: dict[Any, Value] = {}

    def translate(self, expr: Any) -> Value:
        """Return the translation of a whole expression."""
        return run(self, expr, {})

    def key(self, expr: Any, scope: Scope) -> Any:
        """Return what identifies a translation: the object, and what its free bound symbols stand for."""
        free = self.scan.free(expr)
        return (id(expr), tuple(scope.get(s) for s in free), scope.get(GUARDS)) if free and scope else id(expr)

    def level(self, expr: Any, scope: Scope, axis: Axis) -> int:
        """Return how many axes like `axis` (but for their level) the values in the scope of `expr` already carry."""
        taken: set[Axis] = set()
        for symbol in self.scan.free(expr):
            bound = scope.get(symbol)
            if isinstance(bound, Affine):
                taken.update(bound.indices)
            elif bound is not None:
                taken.update((bound,) if isinstance(bound, Index) else bound.axes)
        level = 0
        while _at_level(axis, level) in taken:
            level += 1
        return level

    def leaf(self, leaf: Any, scope: Scope) -> Value:
        """Return the value of an argument, or of the named intermediate that takes its place."""
        bound = scope.get(leaf)
        found: Value = bound if isinstance(bound, Value) else self.arguments[leaf]
        return found

    def const(self, value: float, dtype: str | None = None) -> Value:
        """Return a scalar constant."""
        return Value(Const(value, TensorType((), dtype or self.dtype)))

    def running(self, symbol: Any, scope: Scope) -> Affine | None:
        """Return what a symbol that is bound to running indices, or is a free index, stands for; None for another."""
        bound = scope.get(symbol)
        if bound is None:
            bound = self.indices.get(symbol)
        return Affine.of(bound) if isinstance(bound, Index | Affine) else None

    def index_number(self, form: Affine) -> Value:
        """Return an affine function of running indices as an integer."""
        offset = form.offset
        parts: list[Value] = []
        for index, stride in form.terms:
            offset = offset + stride * index.low
            count = Value(Iota(index.count), (index,))
            parts.append(count if stride == ONE else apply("mul", self.integer(stride), count))
        if offset.terms or not parts:
            parts.append(self.integer(offset))
        return functools.reduce(lambda a, b: apply("add", a, b), parts)

    def integer(self, dim: Dim) -> Value:
        """Return a size as an integer."""
        return self.const(dim.value, "int64") if dim.is_const else Value(Size(dim, "int64"))

    def size(self, dim: Dim) -> Value:
        """Return a size as a real number."""
        return self.const(dim.value) if dim.is_const else Value(Size(dim, self.dtype))

    def real(self, value: Value) -> Value:
        """Return the value as a real number: integers and truth values are cast."""
        if value.node.type.is_real:
            return value
        return apply("real64" if self.dtype == "float64" else "real32", value)

    def scalar(self, value: Value, expr: Any) -> Value:
        """Return an operand of the scalar operation `expr`, cast to a real number.

        Raises:
            ShapeError: the operand is a matrix or an array.
        """
        if any(isinstance(a, (Side, Slot)) for a in value.axes):
            raise ShapeError(
                message(
                    f"{kind_name(expr)} needs scalars",
                    where=describe(expr),
                    found=f"an operand of shape {self.shape_text(value)}",
                    hint="write X.applyfunc(f) to apply f to every entry",
                )
            )
        return self.real(value)

    def shape_text(self, value: Value) -> str:
        """Return the shape of a matrix (rows x columns) or array in the user's symbols."""
        if value.is_matrix:
            return self.sizes.shape_text((value.extent(ROW), value.extent(COL)))
        slots = [a for a in value.axes if isinstance(a, Slot)]
        return self.sizes.shape_text([value.extent(a) for a in slots])


def _at_level(axis: Axis, level: int) -> Axis:
    if isinstance(axis, Index):
        return replace(axis, level=level)
    assert isinstance(axis, Entry)
    return Entry(axis.side, level)
