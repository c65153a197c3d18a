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

from symbackprop.errors import SymbackpropError, UnsupportedExpressionError, message
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.refusals import hint_for, is_foreign
from symbackprop.frontend.value import Value

__all__ = [
    "Entry",
    "Parts",
    "Request",
    "Scope",
    "Scoped",
    "Steps",
    "binds",
    "entry_of",
    "is_specific",
    "operands",
    "run",
    "translates",
]

#: What bound symbols stand for: a running index (`Index`), an affine function of some (`Affine`), or a `Value`, such
#: as the argument of an elementwise function. Under `GUARDS` stand the conditions around an expression (`Guards`).
Scope: TypeAlias = Mapping[Any, Any]


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
        guards: for each child, the (condition, whether it holds) under which it matters; may be left out.
        matrix: whether positions index a matrix: a free symbol there is an integer argument, not an output axis.
        leaf: the argument that the expression stands for, where its class does not say so: an IndexedBase for a whole
            array, or what is passed as a scalar.
    """

    children: tuple[Any, ...] = ()
    positions: tuple[Any, ...] = ()
    bound: tuple[tuple[Any, tuple[Any, Any] | None], ...] = ()
    sizes: tuple[Any, ...] = ()
    guards: tuple[tuple[tuple[Any, bool], ...], ...] = ()
    matrix: bool = False
    leaf: Any = None


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
        hint = hint_for(type(expr))
        raise UnsupportedExpressionError(
            message(f"{kind_name(expr)} is not supported", where=describe(expr), hint=hint)
        )
    return entry


def _find(cls: type) -> Entry | None:
    if cls not in _FOUND:
        bases = () if is_foreign(cls) else cls.__mro__
        _FOUND[cls] = next((_HANDLERS[base] for base in bases if base in _HANDLERS), None)
    return _FOUND[cls]


def is_specific(cls: type, general: type) -> bool:
    """Whether `cls` has a registration nearer than that of `general`."""
    entry = _find(cls)
    return entry is not None and entry is not _HANDLERS.get(general)


def run(ctx: Any, root: Any, scope: Scope) -> Value:
    """Return the translation of `root`; iterative.

    Each expression object is translated once per assignment of its free bound symbols, so a sub-expression that does
    not mention a bound index is shared with the scope outside.

    Raises:
        SymbackpropError: what a handler raised, its `trail` noting the expressions around the one at fault.
    """
    memo: dict[Any, Value] = ctx.memo
    key = ctx.key(root, scope)
    if key in memo:
        return memo[key]
    stack: list[tuple[Any, Any, Scope, Any]] = []
    answer: Value | None = None
    request: Any = Scoped(root, scope)
    try:
        while True:
            if request is not None:
                expr, scope = (request.expr, request.scope) if isinstance(request, Scoped) else (request, stack[-1][2])
                key = ctx.key(expr, scope)
                answer = memo.get(key)
                if answer is None:
                    result = entry_of(expr).handle(ctx, expr, scope)
                    if isinstance(result, GeneratorType):
                        stack.append((result, key, scope, expr))
                    else:
                        answer = memo[key] = result
            if not stack:
                assert answer is not None
                return answer
            steps, key, _, expr = stack[-1]
            try:
                request = steps.send(answer)
            except StopIteration as stop:
                answer, request = stop.value, None
                memo[key] = stop.value
                stack.pop()
            else:
                answer = None
    except SymbackpropError as error:
        around = [entry[3] for entry in stack]
        error.trail = error.trail or (*around, *([] if around and around[-1] is expr else [expr]))
        raise
