"""From SymPy class to translation: the registry of handlers, and the explicit-stack loop that runs them.

A handler is registered for a SymPy class and found along the class's MRO, so a new construct is a new file that only
adds. Two kinds: `@translates(cls)` gets its operands translated; `@binds(cls, parts)` gets the bare expression and its
scope, and asks for what it needs: `value = yield child`, or `yield Scoped(child, scope)` in another scope.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from types import GeneratorType
from typing import Any, TypeAlias

from symbackprop.errors import UnsupportedExpressionError, message
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.value import Index, Value

__all__ = [
    "Entry",
    "Parts",
    "Request",
    "Scope",
    "Scoped",
    "Steps",
    "binds",
    "entry_of",
    "operands",
    "run",
    "translates",
]

#: What bound symbols stand for: a running index, or the argument of an elementwise function.
Scope: TypeAlias = Mapping[Any, Index | Value]


@dataclass(frozen=True)
class Scoped:
    """A request for a translation in another scope."""

    expr: Any
    scope: Scope


Request: TypeAlias = Any
Steps: TypeAlias = Generator[Request, Value, Value]
Handler: TypeAlias = Callable[..., Any]


@dataclass(frozen=True)
class Parts:
    """How an expression is built, as the scan sees it.

    Attributes:
        children: sub-expressions that are values.
        positions: sub-expressions in index position.
        bound: symbols bound in `children`, with their limits (low, high) or None.
        sizes: expressions over size symbols.
        matrix: whether positions index a matrix: a free symbol there is an integer argument, not an output axis.
    """

    children: tuple[Any, ...] = ()
    positions: tuple[Any, ...] = ()
    bound: tuple[tuple[Any, tuple[Any, Any] | None], ...] = ()
    sizes: tuple[Any, ...] = ()
    matrix: bool = False


@dataclass(frozen=True)
class Entry:
    """One registration: the handler (ctx, expr, scope) -> Value or Steps, and the scan's view."""

    handle: Handler
    parts: Callable[[Any], Parts]


_HANDLERS: dict[type, Entry] = {}
_FOUND: dict[type, Entry | None] = {}


def _operands(expr: Any) -> Parts:
    return Parts(children=expr.args)


def binds(*classes: type, parts: Callable[[Any], Parts] = _operands) -> Callable[[Handler], Handler]:
    """Register a handler `(ctx, expr, scope)` that returns a Value or is a generator of requests."""

    def register(handler: Handler) -> Handler:
        for cls in classes:
            if cls in _HANDLERS:
                raise ValueError(f"{cls.__name__} is registered twice")
            _HANDLERS[cls] = Entry(handler, parts)
        _FOUND.clear()
        return handler

    return register


def translates(*classes: type) -> Callable[[Handler], Handler]:
    """Register a handler `(ctx, expr, *values)` of scalar operands, integers and truth values cast to reals."""

    def register(handler: Handler) -> Handler:
        def steps(ctx: Any, expr: Any, _scope: Scope) -> Steps:
            values = yield from operands(expr.args)
            result: Value = handler(ctx, expr, *(ctx.scalar(v, expr) for v in values))
            return result

        binds(*classes)(steps)
        return handler

    return register


def operands(requests: Iterable[Request]) -> Generator[Request, Value, list[Value]]:
    """Request several translations in order; returns their values."""
    values = []
    for request in requests:
        value = yield request
        values.append(value)
    return values


def entry_of(expr: Any) -> Entry:
    """Return the registration for the class of `expr`, the first along its MRO.

    Raises:
        UnsupportedExpressionError: there is none.
    """
    entry = _find(type(expr))
    if entry is None:
        raise UnsupportedExpressionError(
            message(f"{kind_name(expr)} is not supported", where=describe(expr), hint=_HINTS.get(type(expr).__name__))
        )
    return entry


def _find(cls: type) -> Entry | None:
    if cls not in _FOUND:
        _FOUND[cls] = next((_HANDLERS[base] for base in cls.__mro__ if base in _HANDLERS), None)
    return _FOUND[cls]


#: What to write instead, by class name.
_HINTS = {
    "ImaginaryUnit": "every value is real; write real and imaginary parts apart",
    "conjugate": "every symbol is real: leave it out",
    "Product": "for a product of positive terms write exp(Sum(log(...)))",
    "ComplexInfinity": "a division by zero was evaluated while the expression was built",
    "NaN": "an undefined operation was evaluated while the expression was built",
    "Derivative": "call .doit() first",
    "Integral": "call .doit() first",
    "Subs": "call .doit() first",
    "str": "pass a SymPy expression, not text",
    "Equality": "pass the two sides' difference, or its square",
    "IndexedBase": "index it, as in x[i]",
}


def run(ctx: Any, root: Any, scope: Scope) -> Value:
    """Return the translation of `root`; iterative.

    Each expression object is translated once per assignment of its free bound symbols, so a sub-expression that does
    not mention a bound index is shared with the scope outside.
    """
    memo: dict[Any, Value] = ctx.memo
    key = ctx.key(root, scope)
    if key in memo:
        return memo[key]
    stack: list[tuple[Any, Any, Scope]] = []
    answer: Value | None = None
    request: Any = Scoped(root, scope)
    while True:
        if request is not None:
            expr, scope = (request.expr, request.scope) if isinstance(request, Scoped) else (request, stack[-1][2])
            key = ctx.key(expr, scope)
            answer = memo.get(key)
            if answer is None:
                result = entry_of(expr).handle(ctx, expr, scope)
                if isinstance(result, GeneratorType):
                    stack.append((result, key, scope))
                else:
                    answer = memo[key] = result
        if not stack:
            assert answer is not None
            return answer
        steps, key, _ = stack[-1]
        try:
            request = steps.send(answer)
        except StopIteration as stop:
            answer, request = stop.value, None
            memo[key] = stop.value
            stack.pop()
        else:
            answer = None
