"""Symbolic sizes: integer polynomials in named size symbols, canonical and hashable.

One class serves shapes (`5*d`, `n - 1`) and costs (`2*m*n + m`). It knows nothing of SymPy: size symbols are names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

__all__ = ["ONE", "ZERO", "Dim", "never_negative", "product"]

Monomial = tuple[tuple[str, int], ...]


class Dim:
    """An integer polynomial over size symbols; equal polynomials are equal objects in every sense but identity.

    `terms` maps each monomial, a sorted tuple of (symbol, exponent), to its non-zero coefficient, in sorted order.
    """

    __slots__ = ("_hash", "terms")

    terms: tuple[tuple[Monomial, int], ...]

    def __init__(self, terms: Mapping[Monomial, int]) -> None:
        self.terms = tuple(sorted((m, c) for m, c in terms.items() if c))
        self._hash = hash(self.terms)

    @staticmethod
    def of(value: int | str | Dim) -> Dim:
        """Return `value` as a Dim: an int is a constant, a str a size symbol."""
        return value if isinstance(value, Dim) else _atom(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dim) and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    def __add__(self, other: int | str | Dim) -> Dim:
        out = dict(self.terms)
        for monomial, c in Dim.of(other).terms:
            out[monomial] = out.get(monomial, 0) + c
        return Dim(out)

    __radd__ = __add__

    def __mul__(self, other: int | str | Dim) -> Dim:
        out: dict[Monomial, int] = {}
        for m1, c1 in self.terms:
            for m2, c2 in Dim.of(other).terms:
                powers = dict(m1)
                for name, e in m2:
                    powers[name] = powers.get(name, 0) + e
                key = tuple(sorted(powers.items()))
                out[key] = out.get(key, 0) + c1 * c2
        return Dim(out)

    __rmul__ = __mul__

    def __neg__(self) -> Dim:
        return self * -1

    def __sub__(self, other: int | str | Dim) -> Dim:
        return self + -Dim.of(other)

    @property
    def is_const(self) -> bool:
        """Whether no size symbol occurs."""
        return all(not m for m, _ in self.terms)

    @property
    def value(self) -> int:
        """The constant's value; only meaningful when `is_const`."""
        if not self.is_const:
            raise ValueError(f"{self} is not a constant")
        return self.terms[0][1] if self.terms else 0

    @property
    def symbols(self) -> tuple[str, ...]:
        """The size symbols that occur, sorted."""
        return tuple(sorted({name for m, _ in self.terms for name, _ in m}))

    def linear_in(self, name: str) -> tuple[int, Dim] | None:
        """Return (a, rest) when `self == a*name + rest` with integer a and `rest` free of `name`, else None."""
        a, rest = 0, {}
        for m, c in self.terms:
            if m == ((name, 1),):
                a = c
            elif any(symbol == name for symbol, _ in m):
                return None
            else:
                rest[m] = c
        return a, Dim(rest)

    def split(self, name: str) -> tuple[Dim, Dim] | None:
        """Return (a, rest) when `self == a*name + rest` with both free of `name`, else None."""
        a: dict[Monomial, int] = {}
        rest: dict[Monomial, int] = {}
        for m, c in self.terms:
            power = dict(m).get(name, 0)
            if power > 1:
                return None
            if power:
                a[tuple(factor for factor in m if factor[0] != name)] = c
            else:
                rest[m] = c
        return Dim(a), Dim(rest)

    def evaluate(self, sizes: Mapping[str, int]) -> int:
        """Return the value at `sizes` (symbol -> int)."""
        total = 0
        for m, c in self.terms:
            term = c
            for name, e in m:
                term *= sizes[name] ** e
            total += term
        return total

    def substitute(self, sizes: Mapping[str, Dim]) -> Dim:
        """Return the polynomial with every symbol in `sizes` replaced."""
        total = ZERO
        for m, c in self.terms:
            term = Dim.of(c)
            for name, e in m:
                for _ in range(e):
                    term = term * sizes.get(name, Dim.of(name))
            total = total + term
        return total

    def __str__(self) -> str:
        """Return a Python expression in the size symbols, largest degree first."""
        if not self.terms:
            return "0"
        parts: list[str] = []
        for m, c in sorted(self.terms, key=lambda t: (-sum(e for _, e in t[0]), t[0])):
            factors = [name if e == 1 else f"{name}**{e}" for name, e in m]
            if abs(c) != 1 or not factors:
                factors.insert(0, str(abs(c)))
            sign = ("-" if c < 0 else "") if not parts else (" - " if c < 0 else " + ")
            parts.append(sign + "*".join(factors))
        return "".join(parts)

    def __repr__(self) -> str:
        return f"Dim({self})"


@lru_cache(maxsize=4096)
def _atom(value: int | str) -> Dim:
    if isinstance(value, str):
        return Dim({((value, 1),): 1})
    return Dim({(): int(value)})


ZERO = Dim.of(0)
ONE = Dim.of(1)


def product(dims: Iterable[Dim]) -> Dim:
    """Return the product of `dims`, 1 for none."""
    total = ONE
    for d in dims:
        total = total * d
    return total


def never_negative(dim: Dim, least: int = 1) -> bool | None:
    """Whether a polynomial is >= 0 for all sizes >= `least`.

    True if it is, False if nothing says so, None if larger sizes can only cure it, as in `n - 4`. Written in the excess
    of each size over `least`, a polynomial without negative coefficients is never negative.
    """
    shifted = dim.substitute({s: Dim.of(s) + least for s in dim.symbols}) if least else dim
    if all(c >= 0 for _, c in shifted.terms):
        return True
    return None if not dim.is_const and all(c >= 0 for m, c in shifted.terms if m) else False
