"""Exception classes, and the one formatter of their messages: what, where, expected, found, hint."""

from __future__ import annotations

__all__ = [
    "CacheWarning",
    "CostError",
    "InputError",
    "ShapeError",
    "SymbackpropError",
    "UnsupportedExpressionError",
    "message",
]

#: Longest excerpt of a user expression that a message quotes.
EXCERPT = 120


class SymbackpropError(Exception):
    """Base class of every error this package raises on purpose.

    Attributes:
        trail: the expressions that led to the one at fault, outermost first, where that is known.
    """

    trail: tuple[object, ...] = ()


class UnsupportedExpressionError(SymbackpropError, NotImplementedError):
    """A SymPy construct that has no translation; raised at compile time, named by its node type."""


class ShapeError(SymbackpropError, ValueError):
    """Symbolic shapes that cannot agree; raised at compile time in the user's own symbols."""


class InputError(SymbackpropError, ValueError, TypeError):
    """A wrong argument: to `compile` (names, wrt, batch) or to a kernel (shape, dtype, rank, count)."""


class CostError(SymbackpropError):
    """A backward pass whose big-O exceeds the forward's; such a kernel is never returned."""


class CacheWarning(UserWarning):
    """Something in the folder of compiled kernels cannot be used; the result is right, it took longer."""


def excerpt(obj: object) -> str:
    """Return `str(obj)` on one line, shortened in the middle to at most `EXCERPT` characters."""
    text = " ".join(str(obj).split())
    if len(text) <= EXCERPT:
        return text
    half = (EXCERPT - 5) // 2
    return f"{text[:half]} ... {text[-half:]}"


def message(
    what: str,
    *,
    where: object = None,
    expected: object = None,
    found: object = None,
    hint: str | None = None,
) -> str:
    """Return the standard error text.

    Args:
        what: one sentence without a final stop.
        where: the SymPy sub-expression or the argument concerned.
        expected: what would have been right.
        found: what was there instead.
        hint: what to write instead.
    """
    lines = [what]
    fields = (("in", where), ("expected", expected), ("found", found), ("hint", hint))
    lines += [f"  {label}: {excerpt(value)}" for label, value in fields if value is not None]
    return "\n".join(lines)
