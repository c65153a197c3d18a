"""Shapes of arrays declared without one, and ranges of free indices, inferred from how the arrays are indexed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import sympy as sp

from symbackprop.errors import ShapeError, UnsupportedExpressionError, message
from symbackprop.frontend.describe import describe
from symbackprop.frontend.indexed import atoms_of_index, first_and_last
from symbackprop.frontend.scan import Scan, Use
from symbackprop.frontend.sizes import Sizes
from symbackprop.frontend.value import Index
from symbackprop.ir.dims import ZERO, Dim

__all__ = ["infer_shapes"]

#: An array and the number of one of its axes.
Place = tuple[Any, int]


class _Inference:
    """What is known so far about axes and free indices."""

    def __init__(self, scan: Scan, sizes: Sizes, free: Collection[Any]) -> None:
        self.sizes, self.free = sizes, free
        self.axes: dict[Place, Dim | None] = {}
        self.links: dict[Any, list[Place]] = {symbol: [] for symbol in free}
        self.shifted: dict[Any, Use] = {}
        for base, usage in scan.arrays.items():
            declared = base.shape
            for k in range(usage.rank):
                self.axes[base, k] = sizes.dim(declared[k]) if declared is not None else None

    def bounds(self, symbol: Any, use: Use) -> tuple[Dim, Dim] | None:
        """Return first value and count of an index at a use, None if nothing says."""
        pair = use.limits.get(symbol) or range_of(symbol)
        if pair is None:
            return None
        low = self.sizes.dim(pair[0])
        return low, self.sizes.dim(pair[1]) - low + 1

    def need(self, use: Use, k: int) -> Dim | None:
        """Return the size that the use's k-th index needs its axis to have, None if that depends on data.

        A free index without a range is noted as a link between the axes it runs along.
        """
        base, expr = use.expr.args[0], use.expr.args[k + 1]

        def size_of(node: Any) -> Dim | None:
            return None if node in use.limits or node in self.free else self.sizes.atom(node)

        rest, leaves = atoms_of_index(expr, size_of)
        if not leaves:
            return rest + 1
        name, leaf = next(iter(leaves.items()))
        running = isinstance(leaf, (sp.Symbol, sp.Idx)) and (leaf in use.limits or leaf in self.free)
        split = rest.linear_in(name)
        if len(leaves) > 1 or not running or split is None:
            return None
        stride, offset = split
        bounds = self.bounds(leaf, use)
        if bounds is not None:
            return first_and_last(stride, offset, *bounds)[1] + 1
        if (stride, offset) == (1, ZERO):
            self.links[leaf].append((base, k))
        else:
            self.shifted.setdefault(leaf, use)
        return None

    def settle(self, place: Place, needs: Sequence[Dim], use: Use) -> None:
        """Set the size of an undeclared axis to the largest of what its uses need.

        Raises:
            ShapeError: two of them cannot be compared, such as m and n.
        """
        symbolic = [d for d in needs if not d.is_const] or list(needs)
        best = symbolic[0]
        for d in symbolic[1:]:
            gap = d - best
            if not gap.is_const:
                raise ShapeError(
                    message(
                        f"axis {place[1]} of {place[0]} is indexed over two different ranges",
                        where=describe(use.expr),
                        expected=f"{self.sizes.text(best)} entries",
                        found=f"{self.sizes.text(d)} entries",
                        hint=f"declare the shape: IndexedBase({str(place[0])!r}, shape=(...))",
                    )
                )
            best = d if gap.value > 0 else best
        self.axes[place] = best


def range_of(symbol: Any) -> tuple[Any, Any] | None:
    """Return the (low, high) an Idx was declared with."""
    if isinstance(symbol, sp.Idx) and len(symbol.args) > 1:
        return symbol.args[1][0], symbol.args[1][1]
    return None


def infer_shapes(scan: Scan, sizes: Sizes, free: Sequence[Any]) -> tuple[dict[Any, tuple[Dim, ...]], dict[Any, Index]]:
    """Return the shape of every array, and the range of every free index.

    An axis that is addressed through data only gets a size of its own, named after the array and the axis.

    Args:
        scan: what occurs.
        sizes: the size symbols; new ones are added.
        free: symbols and Idx that make output axes.

    Raises:
        ShapeError: an axis is indexed over ranges that cannot be compared.
        UnsupportedExpressionError: a free index without a range is shifted or scaled.
    """
    known = _Inference(scan, sizes, free)
    needs: dict[Place, list[tuple[Dim, Use]]] = {}
    for use in scan.uses():
        for k in range(len(use.expr.args) - 1):
            need = known.need(use, k)
            if need is not None:
                needs.setdefault((use.expr.args[0], k), []).append((need, use))
    for place, found in needs.items():
        if known.axes[place] is None:
            known.settle(place, [d for d, _ in found], found[-1][1])
    _propagate(known)
    indices = {symbol: _free_index(known, symbol) for symbol in free}
    shapes: dict[Any, tuple[Dim, ...]] = {}
    for (base, _), dim in known.axes.items():
        assert dim is not None
        shapes[base] = (*shapes.get(base, ()), dim)
    return shapes, indices


def _propagate(known: _Inference) -> None:
    """Give every axis a size: from an axis that the same free index runs along, else a fresh one."""
    pending = [place for place, dim in known.axes.items() if dim is None]
    while pending:
        changed = True
        while changed:
            changed = False
            for places in known.links.values():
                size = next((known.axes[p] for p in places if known.axes[p] is not None), None)
                for place in places:
                    if size is not None and known.axes[place] is None:
                        known.axes[place] = size
                        changed = True
        pending = [place for place in pending if known.axes[place] is None]
        if pending:
            base, k = pending[0]
            known.axes[base, k] = known.sizes.fresh(f"{base}_{k}")


def _free_index(known: _Inference, symbol: Any) -> Index:
    pair = range_of(symbol)
    if pair is not None:
        low = known.sizes.dim(pair[0])
        return Index(symbol, low, known.sizes.dim(pair[1]) - low + 1)
    places = known.links[symbol]
    if symbol in known.shifted or not places:
        use = known.shifted.get(symbol)
        raise UnsupportedExpressionError(
            message(
                f"the free index {symbol} has no range",
                where=describe(use.expr if use else symbol),
                hint=f"give it one: Idx({str(symbol)!r}, n); or list it in inputs= to pass its value",
            )
        )
    dim = known.axes[places[0]]
    assert dim is not None
    return Index(symbol, ZERO, dim)
