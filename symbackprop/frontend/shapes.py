"""Shapes of arrays declared without one, and ranges of free indices, inferred from how the arrays are indexed.

A free index without a range stands for itself: it takes the values 0 ... count - 1 with a count still unknown, a symbol
that no user can write. What the arrays then need are polynomials in sizes and such counts, solved one after the other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import sympy as sp

from symbackprop.errors import ShapeError, UnsupportedExpressionError, message
from symbackprop.frontend.affine import GUARDS, NO_GUARDS, Affine, Index, extremes
from symbackprop.frontend.describe import describe
from symbackprop.frontend.dispatch import Scope
from symbackprop.frontend.limits import assume, forms_of, lookup_in, open_limits, range_of, sizes_in
from symbackprop.frontend.positions import Lookup, affine_of, linear
from symbackprop.frontend.scan import Scan, Use
from symbackprop.frontend.sizes import Sizes
from symbackprop.ir.dims import ZERO, Dim, never_negative

__all__ = ["infer_shapes"]

#: An array and the number of one of its axes.
Place = tuple[Any, int]


class _Inference:
    """What is known so far about axes and free indices.

    Attributes:
        axes: size of each axis, None while unknown.
        needs: for each axis, the sizes that its uses need, with the use.
        counts: free index without a range -> the symbol of its count.
        solved: these symbols -> the count.
        known: names of sizes that an argument surely has.
        links: free index -> the axes it runs along by itself.
        shifted: free index -> a use of it that is no link.
        recurrent: array of a recurrence -> the index that counts its steps, one less than the array has rows.
    """

    def __init__(
        self, scan: Scan, sizes: Sizes, free: Collection[Any], given: Collection[Any], recurrent: Mapping[Any, Any]
    ) -> None:
        self.sizes = sizes
        self.recurrent = recurrent
        self.axes: dict[Place, Dim | None] = {}
        self.needs: dict[Place, list[tuple[Dim, Use]]] = {}
        self.counts = {symbol: f"?{k}" for k, symbol in enumerate(free) if range_of(symbol) is None}
        self.solved: dict[str, Dim] = {}
        self.links: dict[Any, list[Place]] = {symbol: [] for symbol in self.counts}
        self.shifted: dict[Any, Use] = {}
        self.free = {symbol: self._free(symbol) for symbol in free}
        for base, usage in scan.arrays.items():
            declared = base.shape
            for k in range(usage.rank):
                self.axes[base, k] = sizes.dim(declared[k]) if declared is not None else None
        self.known = {size for leaf in given if (size := sizes.atom(leaf)) is not None}
        self.known |= {sizes.dim(d) for matrix in scan.matrices for d in matrix.shape}
        for use in scan.uses(self._opened, self._assumed):
            for k in range(len(use.expr.args) - 1):
                self._note(use, k)

    def _free(self, symbol: Any) -> Index:
        pair = range_of(symbol)
        if pair is None:
            return Index(symbol, ZERO, Dim.of(self.counts[symbol]))
        low = self.sizes.dim(pair[0])
        return Index(symbol, low, self.sizes.dim(pair[1]) - low + 1)

    def _opened(self, expr: Any, limits: Sequence[Any], scope: Scope) -> Scope:
        return open_limits(limits, scope, self.free, self.sizes, where=expr)[1]

    def _assumed(self, tests: Sequence[tuple[Any, bool]], scope: Scope) -> Scope:
        for test, truth in tests:
            scope = assume(scope, forms_of(test, truth, scope, self.free, self.sizes))
        return scope

    def _note(self, use: Use, k: int) -> None:
        """Note the size that the use's k-th position needs its axis to have, if that does not depend on data."""
        place = use.expr.args[0], k
        lookup, size_of = lookup_in(use.scope, self.free), sizes_in(use.scope, self.free, self.sizes)
        found = linear(use.expr.args[k + 1], lookup, size_of)
        if found is None or found[1]:
            self._note_remainder(use, k, lookup, size_of)
            return
        affine, _ = found
        extent = self.axes[place]

        def fits(last: Dim) -> bool | None:
            return None if extent is None else never_negative(extent - 1 - last)

        ends = extremes(affine, use.scope.get(GUARDS, NO_GUARDS).forms, (lambda _: None, fits))
        if ends is None:
            return
        self.needs.setdefault(place, []).append((ends[1] + 1, use))
        for index in affine.indices:
            if self.free.get(index.symbol) == index and index.symbol in self.counts:
                if k == 0 and self.recurrent.get(place[0]) == index.symbol:
                    continue
                if affine == Affine.of(index):
                    self.links[index.symbol].append(place)
                else:
                    self.shifted.setdefault(index.symbol, use)

    def _note_remainder(self, use: Use, k: int, lookup: Lookup, size_of: Lookup) -> None:
        """Note that a position `Mod(i + 1, n)`, as at a periodic boundary, needs n entries."""
        expr = use.expr.args[k + 1]
        divisor = affine_of(expr.args[1], lookup, size_of) if isinstance(expr, sp.Mod) else None
        if divisor is not None and not divisor.terms and never_negative(divisor.offset - 1):
            self.needs.setdefault((use.expr.args[0], k), []).append((divisor.offset, use))

    def solve(self) -> None:
        """Give every axis a size and every free index a range.

        Raises:
            ShapeError: an axis is indexed over ranges that cannot be compared.
            UnsupportedExpressionError: nothing gives a free index its range.
        """
        while True:
            while self._follow_links() or self._settle() or self._count_steps():
                pass
            place = next((p for p, dim in self.axes.items() if dim is None and not self._waits(p)), None)
            if place is None:
                break
            self.axes[place] = self.sizes.fresh(f"{place[0]}_{place[1]}")
        for symbol, count in self.counts.items():
            if count not in self.solved:
                raise self._no_range(symbol)
        self._loosen()

    def _loosen(self) -> None:
        """Let an axis that is read up to `n - c` be longer, up to `n`, where another argument tells n.

        The longest position that a square array is read at may lie short of its end: in `P[i, j]` with j < i. More than
        n entries would be left out silently, and are refused.
        """
        known = self.known.union(d for d in self.axes.values() if d is not None)
        linked = {place for places in self.links.values() for place in places}
        for place, dim in self.axes.items():
            if dim is None or place in linked or place[0].shape is not None or len(dim.symbols) != 1:
                continue
            whole = Dim.of(dim.symbols[0])
            if whole in known and never_negative(whole - dim - 1, 0):
                size = self.sizes.fresh(f"{place[0]}_{place[1]}")
                self.sizes.spans[size.symbols[0]] = dim, whole
                self.axes[place] = size

    def _follow_links(self) -> bool:
        """Give a free index the size of an axis that it runs along."""
        for symbol, count in self.counts.items():
            size = next((self.axes[p] for p in self.links[symbol] if self.axes[p] is not None), None)
            if size is not None and count not in self.solved:
                self.solved[count] = size
                return True
        return False

    def _count_steps(self) -> bool:
        """Give an index that counts steps the range that the rows of an array of the recurrence call for."""
        for base, symbol in self.recurrent.items():
            count = self.counts.get(symbol)
            if count is None or count in self.solved:
                continue
            rows = self.axes.get((base, 0))
            if rows is None:
                needs = [(d.substitute(self.solved), use) for d, use in self.needs.get((base, 0), ())]
                known = [d for d, _ in needs if not self._unsolved(d) and not d.is_const]
                rows = self._largest((base, 0), known, needs[-1][1]) if known else None
            if rows is not None:
                self.solved[count] = rows - 1
                return True
        return False

    def _settle(self) -> bool:
        """Give an axis the largest size that its uses need, once all of these are known."""
        for place, dim in self.axes.items():
            needs = [(d.substitute(self.solved), use) for d, use in self.needs.get(place, ())]
            if dim is not None or not needs or any(self._unsolved(d) for d, _ in needs):
                continue
            self.axes[place] = self._largest(place, [d for d, _ in needs], needs[-1][1])
            return True
        for place, dim in self.axes.items():
            # A free index that runs along the axis takes its size from the other uses of it, unless that is a number.
            needs = [(d.substitute(self.solved), use) for d, use in self.needs.get(place, ())]
            known = [d for d, _ in needs if not self._unsolved(d)]
            if dim is None and not self._waits(place) and any(not d.is_const for d in known):
                self.axes[place] = self._largest(place, known, needs[-1][1])
                return True
        return False

    def _unsolved(self, dim: Dim) -> bool:
        return any(symbol.startswith("?") and symbol not in self.solved for symbol in dim.symbols)

    def _waits(self, place: Place) -> bool:
        """Whether a use of the axis needs a size that depends on a free index of unknown range, other than its own."""
        own = {Dim.of(count) for symbol, count in self.counts.items() if place in self.links[symbol]}
        needs = [d.substitute(self.solved) for d, _ in self.needs.get(place, ())]
        return any(self._unsolved(d) and d not in own for d in needs)

    def _largest(self, place: Place, needs: Sequence[Dim], use: Use) -> Dim:
        """Return the largest of what the uses of an undeclared axis need.

        Raises:
            ShapeError: two of them cannot be compared, such as m and n.
        """
        symbolic = [d for d in needs if not d.is_const] or list(needs)
        best = symbolic[0]
        for d in symbolic[1:]:
            if not never_negative(d - best) and not never_negative(best - d):
                raise ShapeError(
                    message(
                        f"axis {place[1]} of {place[0]} is indexed over two different ranges",
                        where=describe(use.expr),
                        expected=f"{self.sizes.text(best)} entries",
                        found=f"{self.sizes.text(d)} entries",
                        hint=f"declare the shape: IndexedBase({str(place[0])!r}, shape=(...))",
                    )
                )
            best = d if never_negative(d - best) else best
        return best

    def _no_range(self, symbol: Any) -> UnsupportedExpressionError:
        use = self.shifted.get(symbol)
        return UnsupportedExpressionError(
            message(
                f"the free index {symbol} has no range",
                where=describe(use.expr if use else symbol),
                hint=f"give it one: Idx({str(symbol)!r}, n); or list it in inputs= to pass its value",
            )
        )

    def index(self, symbol: Any) -> Index:
        """Return a free index with its range."""
        index = self.free[symbol]
        return Index(symbol, index.low, index.count.substitute(self.solved))


def infer_shapes(
    scan: Scan,
    sizes: Sizes,
    free: Sequence[Any],
    given: Collection[Any] = (),
    recurrent: Mapping[Any, Any] = MappingProxyType({}),
) -> tuple[dict[Any, tuple[Dim, ...]], dict[Any, Index]]:
    """Return the shape of every array, and the range of every free index.

    An axis that is addressed through data only, or up to a fixed distance from a known size, gets a size of its own,
    named after the array and the axis.

    Args:
        scan: what occurs.
        sizes: the size symbols; new ones are added.
        free: symbols and Idx that make output axes.
        given: symbols that are arguments for sure.
        recurrent: array of a recurrence -> the index that counts its steps.

    Raises:
        ShapeError: an axis is indexed over ranges that cannot be compared.
        UnsupportedExpressionError: a free index has no range, or is only shifted or scaled and has none of its own.
    """
    known = _Inference(scan, sizes, free, given, recurrent)
    known.solve()
    shapes: dict[Any, tuple[Dim, ...]] = {}
    for (base, _), dim in known.axes.items():
        assert dim is not None
        shapes[base] = (*shapes.get(base, ()), dim)
    return shapes, {symbol: known.index(symbol) for symbol in free}
