"""One walk over the user's expressions: which symbols occur in which role, and which bound symbols a node depends on.

The walk identifies nodes by `id`, visits each once, and never asks SymPy about a whole expression.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symbackprop.errors import ShapeError, SymbackpropError, UnsupportedExpressionError, message
from symbackprop.frontend.affine import GUARDS
from symbackprop.frontend.describe import describe
from symbackprop.frontend.dispatch import Parts, Scope, entry_of
from symbackprop.frontend.leaves import is_entry
from symbackprop.frontend.sizes import names_of, symbols_of

__all__ = ["Scan", "Usage", "Use"]

_VALUE, _ARRAY_INDEX, _MATRIX_INDEX = 0, 1, 2


@dataclass
class Usage:
    """Where a leaf occurs outside its binders: as a value, as an index of an array, as an index of a matrix."""

    value: bool = False
    array_index: bool = False
    matrix_index: bool = False
    rank: int = 0

    @property
    def index(self) -> bool:
        """Whether it occurs in an index position."""
        return self.array_index or self.matrix_index


@dataclass(frozen=True)
class Use:
    """One indexing of an array, with what the symbols that are bound around it stand for."""

    expr: Any
    scope: Scope


#: (expression, limits, scope) -> the scope inside: see `open_limits`.
Open = Callable[[Any, Sequence[Any], Scope], Scope]
#: (conditions and whether they hold, scope) -> the scope in which they do.
Assume = Callable[[Sequence[tuple[Any, bool]], Scope], Scope]


class Scan:
    """What occurs in a set of expressions.

    Attributes:
        symbols, matrices, arrays, ranged: leaves (Symbol, MatrixSymbol, IndexedBase, Idx) -> Usage, by first visit.
        sizes: symbols of shapes and bounds. A symbol in a bound is a size unless it is bound further out, is an Idx, or
            indexes, by itself and next to the index it bounds, an axis which that index does not run along.
    """

    def __init__(self, roots: Sequence[Any]) -> None:
        self.symbols: dict[Any, Usage] = {}
        self.matrices: dict[Any, Usage] = {}
        self.arrays: dict[Any, Usage] = {}
        self.ranged: dict[Any, Usage] = {}
        self.sizes: dict[Any, None] = {}
        self._bound: dict[Any, None] = {}
        self._in_bounds: dict[Any, list[tuple[Any, Any]]] = {}
        self._tracked: dict[Any, int] = {}
        self._parts: dict[int, Parts] = {}
        self._alive: list[Any] = []
        self._free: dict[int, tuple[Any, ...]] = {}
        self._seen: set[tuple[int, int]] = set()
        self._roots = list(roots)
        order = [expr for root in roots for expr in self._walk(root)]
        for symbol in self._bound:
            if symbol in self.sizes:
                raise UnsupportedExpressionError(
                    message(
                        f"the index {symbol} as the size of an array is not supported",
                        where=describe(symbol),
                        found=f"{symbol} is bound by a sum and also occurs in a shape",
                    )
                )
        tables = (self.symbols, self.matrices, self.arrays, self.ranged)
        indexing = [leaf for table in tables for leaf, usage in table.items() if usage.index]
        tracked = dict.fromkeys((*self._bound, *indexing, *self.ranged, *self._in_bounds))
        self._tracked = {leaf: k for k, leaf in enumerate(tracked)}
        self._close(order)
        self._settle_bounds()

    def parts(self, expr: Any) -> Parts:
        """Return how `expr` is built; the same objects every time."""
        known = self._parts.get(id(expr))
        if known is None:
            known = self._parts[id(expr)] = entry_of(expr).parts(expr)
            self._alive.append(expr)
        return known

    def free(self, expr: Any) -> tuple[Any, ...]:
        """Return what `expr` mentions of bound symbols, indices and index arrays, without its own bound symbols."""
        if id(expr) not in self._parts:
            self._close(list(self._walk(expr)))
        return self._free.get(id(expr), ())

    def declare(self, leaf: Any) -> None:
        """Note the size symbols of a leaf that does not occur."""
        for size in entry_of(leaf).parts(leaf).sizes:
            self.sizes.update(dict.fromkeys(symbols_of(size)))

    def is_free(self, symbol: Any) -> bool:
        """Whether `symbol` occurs outside every binder of it."""
        return symbol not in self._bound or any(symbol in self.free(root) for root in self._roots)

    def _walk(self, root: Any) -> Iterator[Any]:
        """Yield nodes, operands first, once for each role they are visited in."""
        stack: list[tuple[Any, int, bool]] = [(root, _VALUE, False)]
        while stack:
            expr, role, ready = stack.pop()
            if ready:
                yield expr
                continue
            if (id(expr), role) in self._seen:
                continue
            self._seen.add((id(expr), role))
            try:
                parts = self.parts(expr)
                self._record(expr, role, parts)
            except SymbackpropError as error:
                error.trail = error.trail or (*(e for e, _, open_ in stack if open_), expr)
                raise
            stack.append((expr, role, True))
            inner = _MATRIX_INDEX if parts.matrix else _ARRAY_INDEX
            stack.extend((p, inner, False) for p in reversed(parts.positions))
            stack.extend((c, role, False) for c in reversed(parts.children))

    def _record(self, expr: Any, role: int, parts: Parts) -> None:
        table: dict[Any, Usage] | None = None
        leaf = expr
        if parts.leaf is not None:
            leaf = parts.leaf
            table = self.arrays if isinstance(leaf, sp.IndexedBase) else self.symbols
        elif isinstance(expr, sp.Idx):
            table = self.ranged
        elif isinstance(expr, sp.Symbol):
            table = self.symbols
        elif isinstance(expr, sp.MatrixSymbol):
            table = self.matrices
        elif is_entry(expr):
            table, leaf = self.arrays, expr.args[0]
        if table is not None:
            usage = table.setdefault(leaf, Usage())
            usage.value |= role == _VALUE
            usage.array_index |= role == _ARRAY_INDEX
            usage.matrix_index |= role == _MATRIX_INDEX
            if table is self.arrays:
                _check_rank(expr, leaf, usage)
        for k, (symbol, limits) in enumerate(parts.bound):
            self._bound[symbol] = None
            if limits is None:
                continue
            outer = {s for s, _ in parts.bound[k + 1 :]}
            for name in dict.fromkeys(name for end in limits for name in names_of(end)):
                if name not in outer:
                    self._in_bounds.setdefault(name, []).append((expr, symbol))
                if isinstance(name, sp.Idx):
                    self._record(name, _VALUE, self.parts(name))
        for size in parts.sizes:
            self.sizes.update(dict.fromkeys(symbols_of(size)))

    def _close(self, order: list[Any]) -> None:
        """Fill in what each node mentions of the tracked leaves, operands first."""
        rank = self._tracked
        for expr in order if rank else ():
            parts = self._parts[id(expr)]
            found: dict[Any, None] = {}
            leaf = _leaf_of(expr, parts)
            if leaf is not None and leaf in rank:
                found[leaf] = None
            for child in (*parts.children, *parts.positions):
                found.update(dict.fromkeys(self._free.get(id(child), ())))
            for symbol, limits in parts.bound:
                found.pop(symbol, None)
                found.update((n, None) for end in limits or () for n in names_of(end) if n in rank)
            if found:
                self._free[id(expr)] = tuple(sorted(found, key=rank.__getitem__))

    def _settle_bounds(self) -> None:
        """Decide which symbols in bounds are sizes."""
        for name, places in self._in_bounds.items():
            if isinstance(name, sp.Idx) or not self.is_free(name):
                continue
            usage = self.symbols.get(name)
            if usage is not None and usage.array_index and any(self._indexes_beside(name, *at) for at in places):
                usage.value = True
            else:
                self.sizes[name] = None

    def _indexes_beside(self, name: Any, expr: Any, symbol: Any) -> bool:
        """Whether in what `expr` adds up, `name` by itself indexes an axis, and none that `symbol` runs along."""
        own: set[tuple[Any, int]] = set()
        beside: set[tuple[Any, int]] = set()
        seen: set[int] = set()
        stack = list(self.parts(expr).children)
        while stack:
            node = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            parts = self.parts(node)
            stack += (*parts.children, *parts.positions)
            if is_entry(node):
                for k, position in enumerate(node.args[1:]):
                    if position == name:
                        beside.add((node.args[0], k))
                    elif symbol in names_of(position):
                        own.add((node.args[0], k))
        return bool(beside) and beside.isdisjoint(own)

    def uses(self, opened: Open, assumed: Assume) -> list[Use]:
        """Return every indexing of an array, once for each different meaning of the symbols bound around it."""
        if not self.arrays:
            return []
        out: list[Use] = []
        seen: set[Any] = set()
        stack: list[tuple[Any, Scope]] = [(root, {}) for root in reversed(self._roots)]
        while stack:
            expr, scope = stack.pop()
            free = self.free(expr)
            key = (id(expr), tuple(scope.get(s) for s in free), scope.get(GUARDS)) if free else id(expr)
            if key in seen:
                continue
            seen.add(key)
            parts = self.parts(expr)
            if is_entry(expr):
                out.append(Use(expr, scope))
            inner = scope
            limits = [(symbol, pair) for symbol, pair in parts.bound if pair is not None]
            if parts.bound:
                own = {symbol for symbol, pair in parts.bound if pair is None}
                inner = {k: v for k, v in scope.items() if k not in own}
                inner = opened(expr, limits, inner) if limits else inner
            stack.extend((p, scope) for p in reversed(parts.positions))
            for k in reversed(range(len(parts.children))):
                within = assumed(parts.guards[k], inner) if parts.guards and parts.guards[k] else inner
                stack.append((parts.children[k], within))
        return out


def _leaf_of(expr: Any, parts: Parts) -> Any:
    """Return the symbol or array that `expr` stands for or reads from, None if it is an operation."""
    if parts.leaf is not None:
        return parts.leaf
    if is_entry(expr):
        return expr.args[0]
    return expr if isinstance(expr, (sp.Symbol, sp.Idx, sp.MatrixSymbol)) else None


def _check_rank(expr: Any, base: Any, usage: Usage) -> None:
    declared = base.shape
    rank = len(expr.args) - 1 if isinstance(expr, sp.Indexed) else len(declared)
    known = usage.rank or (len(declared) if declared is not None else rank)
    if rank != known:
        raise ShapeError(
            message(
                f"{base} is used with different numbers of indices",
                where=describe(expr),
                expected=f"{known} indices",
                found=f"{rank} indices",
            )
        )
    usage.rank = rank
