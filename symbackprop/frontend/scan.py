"""One walk over the user's expressions: which symbols occur in which role, and which bound symbols a node depends on.

The walk identifies nodes by `id`, visits each once, and never asks SymPy about a whole expression.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symbackprop.errors import ShapeError, UnsupportedExpressionError, message
from symbackprop.frontend.describe import describe
from symbackprop.frontend.dispatch import Parts, entry_of
from symbackprop.frontend.sizes import symbols_of

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
    """One indexing of an array, with the limits of the bound symbols in scope."""

    expr: Any
    limits: Mapping[Any, tuple[Any, Any]]


class Scan:
    """What occurs in a set of expressions.

    Attributes:
        symbols, matrices, arrays, ranged: leaves (Symbol, MatrixSymbol, IndexedBase, Idx) -> Usage, by first visit.
        sizes: symbols of shapes and bounds.
    """

    def __init__(self, roots: Sequence[Any]) -> None:
        self.symbols: dict[Any, Usage] = {}
        self.matrices: dict[Any, Usage] = {}
        self.arrays: dict[Any, Usage] = {}
        self.ranged: dict[Any, Usage] = {}
        self.sizes: dict[Any, None] = {}
        self._bound: dict[Any, None] = {}
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
                        "Sum with dependent bounds is not supported",
                        where=describe(symbol),
                        found=f"{symbol} is bound and also occurs in a bound or a shape",
                    )
                )
        self._close(order)

    def parts(self, expr: Any) -> Parts:
        """Return how `expr` is built; the same objects every time."""
        known = self._parts.get(id(expr))
        if known is None:
            known = self._parts[id(expr)] = entry_of(expr).parts(expr)
            self._alive.append(expr)
        return known

    def free(self, expr: Any) -> tuple[Any, ...]:
        """Return the symbols that `expr` has from binders around it, sorted by first visit."""
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
            parts = self.parts(expr)
            self._record(expr, role, parts)
            stack.append((expr, role, True))
            inner = _MATRIX_INDEX if parts.matrix else _ARRAY_INDEX
            stack.extend((p, inner, False) for p in reversed(parts.positions))
            stack.extend((c, role, False) for c in reversed(parts.children))

    def _record(self, expr: Any, role: int, parts: Parts) -> None:
        table: dict[Any, Usage] | None = None
        leaf = expr
        if isinstance(expr, sp.Idx):
            table = self.ranged
        elif isinstance(expr, sp.Symbol):
            table = self.symbols
        elif isinstance(expr, sp.MatrixSymbol):
            table = self.matrices
        elif isinstance(expr, sp.Indexed):
            table, leaf = self.arrays, expr.args[0]
        if table is not None:
            usage = table.setdefault(leaf, Usage())
            usage.value |= role == _VALUE
            usage.array_index |= role == _ARRAY_INDEX
            usage.matrix_index |= role == _MATRIX_INDEX
            if table is self.arrays:
                _check_rank(expr, usage)
        for symbol, _ in parts.bound:
            self._bound[symbol] = None
        for size in parts.sizes:
            self.sizes.update(dict.fromkeys(symbols_of(size)))

    def _close(self, order: list[Any]) -> None:
        """Fill in the free bound symbols of each node, operands first."""
        if not self._bound:
            return
        rank = {symbol: k for k, symbol in enumerate(self._bound)}
        for expr in order:
            if expr in rank if isinstance(expr, (sp.Symbol, sp.Idx)) else False:
                self._free[id(expr)] = (expr,)
                continue
            parts = self._parts[id(expr)]
            found: dict[Any, None] = {}
            for child in (*parts.children, *parts.positions):
                found.update(dict.fromkeys(self._free.get(id(child), ())))
            for symbol, _ in parts.bound:
                found.pop(symbol, None)
            if found:
                self._free[id(expr)] = tuple(sorted(found, key=rank.__getitem__))

    def uses(self) -> list[Use]:
        """Return every indexing of an array, once for each different set of limits it stands in."""
        if not self.arrays:
            return []
        out: list[Use] = []
        seen: set[Any] = set()
        stack: list[tuple[Any, Mapping[Any, tuple[Any, Any]]]] = [(root, {}) for root in reversed(self._roots)]
        while stack:
            expr, limits = stack.pop()
            free = self.free(expr)
            key = (id(expr), tuple(limits.get(s) for s in free)) if free else id(expr)
            if key in seen:
                continue
            seen.add(key)
            parts = self.parts(expr)
            if isinstance(expr, sp.Indexed):
                out.append(Use(expr, limits))
            inner = limits
            if parts.bound:
                inner = {k: v for k, v in limits.items() if all(k != s for s, _ in parts.bound)}
                inner.update({s: pair for s, pair in parts.bound if pair is not None})
            stack.extend((p, limits) for p in reversed(parts.positions))
            stack.extend((c, inner) for c in reversed(parts.children))
        return out


def _check_rank(expr: Any, usage: Usage) -> None:
    rank = len(expr.args) - 1
    declared = expr.args[0].shape
    known = usage.rank or (len(declared) if declared is not None else rank)
    if rank != known:
        raise ShapeError(
            message(
                f"{expr.args[0]} is used with different numbers of indices",
                where=describe(expr),
                expected=f"{known} indices",
                found=f"{rank} indices",
            )
        )
    usage.rank = rank
