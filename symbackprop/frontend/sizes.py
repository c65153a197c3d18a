"""Size symbols: SymPy size expressions to polynomials, and back to the user's own text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import sympy as sp

from symbackprop.errors import UnsupportedExpressionError, message
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.naming import Namer
from symbackprop.ir.dims import Dim, never_negative
from symbackprop.ir.sizes import lowest

__all__ = ["Sizes", "names_of", "polynomial", "symbols_of"]

#: Largest exponent in a size polynomial.
_MAX_POWER = 16


def polynomial(expr: Any, atom: Callable[[Any], Dim | None], what: str) -> Dim:
    """Return the integer polynomial `expr` over whatever `atom` accepts; iterative.

    Args:
        expr: built from integers, `+`, `*` and powers with a small integer exponent.
        atom: gives the Dim of any other node, None for what it does not know.
        what: names the role of `expr` in the error text, such as "the size".

    Raises:
        UnsupportedExpressionError: for any other node.
    """
    values: list[Dim] = []
    stack: list[tuple[Any, bool]] = [(expr, False)]
    while stack:
        node, ready = stack.pop()
        if isinstance(node, (sp.Integer, int)) and not isinstance(node, bool):
            values.append(Dim.of(int(node)))
        elif isinstance(node, (sp.Add, sp.Mul)):
            if not ready:
                stack.append((node, True))
                stack.extend((a, False) for a in node.args)
                continue
            count = len(node.args)
            total = Dim.of(0 if isinstance(node, sp.Add) else 1)
            for d in values[len(values) - count :]:
                total = total + d if isinstance(node, sp.Add) else total * d
            values[len(values) - count :] = [total]
        elif isinstance(node, sp.Pow) and isinstance(node.exp, sp.Integer) and 0 <= node.exp.p <= _MAX_POWER:
            if not ready:
                stack += [(node, True), (node.base, False)]
                continue
            base, total = values.pop(), Dim.of(1)
            for _ in range(node.exp.p):
                total = total * base
            values.append(total)
        else:
            known = atom(node)
            if known is None:
                raise UnsupportedExpressionError(
                    message(
                        f"{kind_name(node)} is not supported in {what}",
                        where=describe(expr),
                        found=describe(node),
                        hint="write a polynomial with integer coefficients",
                    )
                )
            values.append(known)
    return values[0]


def symbols_of(expr: Any) -> Iterable[Any]:
    """Yield the symbols of a size expression, left to right."""
    stack = [expr]
    while stack:
        node = stack.pop()
        if isinstance(node, sp.Symbol):
            yield node
        else:
            stack.extend(reversed(getattr(node, "args", ())))


def names_of(expr: Any) -> Iterable[Any]:
    """Yield the symbols and Idx of an index expression, left to right."""
    stack = [expr]
    while stack:
        node = stack.pop()
        if isinstance(node, (sp.Symbol, sp.Idx)):
            yield node
        else:
            stack.extend(reversed(getattr(node, "args", ())))


class Sizes:
    """The size symbols of a program, identified by name.

    Attributes:
        given: identifiers of sizes that are passed as integers, because no array has them: any value is possible.
        texts: identifier -> the user's own text.
        symbols: identifier -> the user's symbol, or one that bears the text.
        spans: identifier -> the least and the largest value of the size of an axis that need not fit exactly.
    """

    def __init__(self, namer: Namer) -> None:
        self._namer = namer
        self._identifiers: dict[str, str] = {}
        self.given: set[str] = set()
        self.texts: dict[str, str] = {}
        self.symbols: dict[str, Any] = {}
        self.spans: dict[str, tuple[Dim, Dim]] = {}

    def declare(self, text: str, symbol: Any = None) -> Dim:
        """Return the size called `text`, new or known; `symbol` is how the user writes it."""
        if text not in self._identifiers:
            dim = self.fresh(text)
            if symbol is not None:
                self.symbols[dim.symbols[0]] = symbol
        return Dim.of(self._identifiers[text])

    def fresh(self, text: str) -> Dim:
        """Return a new size called `text`, or like it when that is taken."""
        identifier = self._namer.identifier(text)
        shown = text if text not in self._identifiers else identifier
        self._identifiers[shown] = identifier
        self.texts[identifier] = shown
        self.symbols[identifier] = sp.Symbol(shown)
        return Dim.of(identifier)

    def atom(self, node: Any) -> Dim | None:
        """Return the size that a symbol stands for, None if it is no size."""
        if isinstance(node, sp.Symbol) and node.name in self._identifiers:
            return Dim.of(self._identifiers[node.name])
        return None

    def dim(self, expr: Any) -> Dim:
        """Return a size expression as a polynomial.

        Raises:
            UnsupportedExpressionError: when it is none.
        """
        return polynomial(expr, self.atom, "a size")

    def known(self, dim: Dim) -> bool | None:
        """Whether a polynomial is >= 0 for all sizes; None if that is to be checked when sizes are known.

        False is for what no size mends, and for sizes of arrays that nothing relates, such as `m - n`.
        """
        answer = never_negative(lowest(dim, self.spans))
        return None if answer is False and not self.given.isdisjoint(dim.symbols) else answer

    def text(self, dim: Dim) -> str:
        """Return a size polynomial in the user's own symbols."""
        return str(dim.substitute({s: Dim.of(self.texts.get(s, s)) for s in dim.symbols}))

    def shape_text(self, shape: Iterable[Dim]) -> str:
        """Return a shape such as `m x n` in the user's own symbols."""
        return " x ".join(f"({t})" if " " in t else t for t in map(self.text, shape))
