"""Recurrences of scalars and matrices as SymPy objects: h[t + 1] = f(h[t], x[t]), with any number of steps."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import sympy as sp
from sympy.core.symbol import Str
from sympy.matrices.expressions.matexpr import MatrixElement

from symbackprop.errors import InputError, ShapeError, UnsupportedExpressionError, message
from symbackprop.frontend.affine import GUARDS
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe
from symbackprop.frontend.dispatch import Parts, Request, Scope, Scoped, Steps, binds, operands
from symbackprop.frontend.value import COL, ROW, Axis, Index, Side, Value, merge_axes, place, relabel
from symbackprop.ir.dims import ONE, ZERO, Dim
from symbackprop.ir.node import Input, Iota, Node
from symbackprop.ir.types import AxisMap, TensorType
from symbackprop.ops.contraction import permute, sum_over
from symbackprop.ops.indexing import gather
from symbackprop.ops.layout import spread
from symbackprop.ops.recurrence import repeated
from symbackprop.ops.stepping import row_slice

__all__ = ["Recurrence"]

_EXAMPLE = "Recurrence({h: (W*h + U*x).applyfunc(tanh)}, start={h: h0}, over={x: X})"


class Recurrence(sp.Basic):  # type: ignore[misc]  # SymPy is untyped
    """States that follow from the states before, step by step: `h = f(h, x)` for one row x of X after the other.

        rec = sbp.Recurrence({h: (W*h + U*x + b).applyfunc(tanh)}, start={h: h0}, over={x: X})
        loss = rec.total((y.T*h)[0]) + rec.final(h).T * v

    A state is a `Symbol` or a `MatrixSymbol`; several may depend on each other's values before the step. The results
    are SymPy expressions of their own and are used like any other; states mean nothing outside of a recurrence. The
    number of steps is symbolic, the code of a kernel does not grow with it, and neither does the derivative's.
    """

    def __new__(cls, step: Any, start: Any, over: Any = None, steps: Any = None, index: Any = None) -> Any:
        """Return the recurrence.

        Args:
            step: state -> its value after a step, in terms of the states before it.
            start: state -> its value before the first step.
            over: what a step reads -> the matrix whose row number t is read in step number t: a column vector x of k
                entries from a T x k matrix, a scalar from a T x 1 matrix.
            steps: the number of steps T; by default the number of rows.
            index: an integer symbol that stands for the number of the step, 0 ... T - 1.

        Raises:
            InputError: states without a start, something that is no symbol, or an unknown number of steps.
            ShapeError: shapes that do not fit.
        """
        step, start, over = _mapping("step", step), _mapping("start", start), _mapping("over", over or {})
        if set(step) != set(start):
            raise InputError(
                message(
                    "a recurrence needs a start for every state, and no other",
                    expected=", ".join(map(str, step)),
                    found=", ".join(map(str, start)),
                )
            )
        start = {state: start[state] for state in step}
        bound = [*step, *over, *([] if index is None else [index])]
        for symbol in bound:
            if not isinstance(symbol, (sp.Symbol, sp.MatrixSymbol)) or bound.count(symbol) > 1:
                raise InputError(
                    message(
                        "states and what a step reads are different symbols",
                        expected=_EXAMPLE,
                        found=describe(symbol),
                    )
                )
        for outer in (*start.values(), *over.values()):
            used = [s for s in bound if outer.has(s)]
            if used:
                raise InputError(
                    message(
                        f"{used[0]} is a symbol of the step and has no value outside of it",
                        where=describe(outer),
                        hint=f"give the start a name of its own, as in {used[0]}_0",
                    )
                )
        for state in step:
            for what, value in (("after a step", step[state]), ("at the start", start[state])):
                _same_shape(state, value, what)
        for read, rows in over.items():
            _check_rows(read, rows)
        counts = [rows.shape[0] for rows in over.values()]
        if steps is None and not counts:
            raise InputError(message("a recurrence that reads nothing needs steps=", expected="steps=T"))
        steps = counts[0] if steps is None else sp.sympify(steps)
        for count in counts:
            if sp.expand(count - steps) != 0:
                raise ShapeError(message("a recurrence reads arrays of different lengths", expected=steps, found=count))
        parts = (step.keys(), step.values(), start.values(), over.keys(), over.values())
        return sp.Basic.__new__(
            cls, *(sp.Tuple(*part) for part in parts), steps, sp.Tuple(*bound[len(step) + len(over) :])
        )

    @property
    def func(self) -> Any:
        """What builds a recurrence from `args`."""
        return _rebuilt

    def doit(self, **_hints: Any) -> Any:
        """Return the recurrence: its steps are not carried out symbolically."""
        return self

    @property
    def states(self) -> Any:
        """The states."""
        return self.args[0]

    @property
    def steps(self) -> Any:
        """The number of steps."""
        return self.args[5]

    @property
    def bound(self) -> tuple[Any, ...]:
        """The symbols that have a value inside of a step only."""
        return (*self.args[0], *self.args[3], *self.args[6])

    def final(self, state: Any) -> Any:
        """Return a state after the last step, of the state's shape; the start if there are no steps."""
        return _result(self, "final", self._state(state))

    def path(self, state: Any) -> Any:
        """Return the matrix whose row t is the scalar or vector `state` after t steps: T + 1 rows, the start first."""
        return _result(self, "path", self._state(state))

    def stack(self, expr: Any, *, before: bool = False) -> Any:
        """Return the matrix whose row t is a scalar or vector expression in step number t: T rows.

        Args:
            expr: in terms of the states, what the step reads, and the index.
            before: whether states stand for their values before the step instead of after it.
        """
        return _result(self, "stack_before" if before else "stack", expr)

    def total(self, expr: Any, *, before: bool = False) -> Any:
        """Return the sum of an expression over all steps, of the expression's shape; see `stack`."""
        return _result(self, "total_before" if before else "total", expr)

    def _state(self, state: Any) -> Any:
        if state not in self.states:
            raise InputError(
                message(f"{describe(state)} is no state of the recurrence", expected=", ".join(map(str, self.states)))
            )
        return state


def _rebuilt(*args: Any) -> Any:
    return sp.Basic.__new__(Recurrence, *args)


def _mapping(what: str, given: Any) -> dict[Any, Any]:
    if not isinstance(given, Mapping):
        raise InputError(message(f"{what} of a recurrence is not a dict", expected=_EXAMPLE, found=describe(given)))
    return {key: sp.sympify(value) for key, value in given.items()}


def _shape(expr: Any) -> tuple[Any, Any]:
    return expr.shape if isinstance(expr, (sp.MatrixExpr, sp.MatrixBase)) else (sp.S.One, sp.S.One)


def _is_matrix(expr: Any) -> bool:
    return isinstance(expr, (sp.MatrixExpr, sp.MatrixBase))


def _same_shape(state: Any, value: Any, what: str) -> None:
    wanted, found = _shape(state), _shape(value)
    if any(sp.expand(a - b) != 0 for a, b in zip(wanted, found, strict=True)):
        raise ShapeError(message(f"the state {state} has another shape {what}", expected=wanted, found=found))


def _check_rows(read: Any, rows: Any) -> None:
    """Check that rows of a matrix have as many entries as what reads them."""
    if not _is_matrix(rows):
        raise InputError(message("a recurrence reads rows of a matrix", expected=_EXAMPLE, found=describe(rows)))
    wanted = _shape(read)
    if sp.S.One not in wanted:
        raise UnsupportedExpressionError(
            message(f"a step that reads the matrix {read} is not supported", expected="a scalar or a vector")
        )
    entries = wanted[0] * wanted[1]
    if sp.expand(entries - rows.shape[1]) != 0:
        raise ShapeError(
            message(f"rows do not fit {read}", where=describe(rows), expected=entries, found=rows.shape[1])
        )


class RecurrenceScalar(sp.Expr):  # type: ignore[misc]  # SymPy is untyped
    """A scalar result of a recurrence; made by its methods."""

    is_commutative = True

    def doit(self, **_hints: Any) -> Any:
        """Return the result itself."""
        return self

    def _sympystr(self, printer: Any) -> str:
        return _text(self, printer)


class RecurrenceMatrix(sp.MatrixExpr):  # type: ignore[misc]  # SymPy is untyped
    """A matrix result of a recurrence; made by its methods."""

    @property
    def shape(self) -> Any:
        """Rows and columns."""
        recurrence, mode, expr = self.args
        if mode.name in {"final", "total", "total_before"}:
            return _shape(expr)
        rows, cols = _shape(expr)
        return (recurrence.steps + (mode.name == "path"), rows * cols)

    def doit(self, **_hints: Any) -> Any:
        """Return the result itself."""
        return self

    def _entry(self, i: Any, j: Any, **_options: Any) -> Any:
        return MatrixElement(self, i, j)

    def _sympystr(self, printer: Any) -> str:
        return _text(self, printer)


def _text(expr: Any, printer: Any) -> str:
    _, mode, inner = expr.args
    return f"Recurrence.{mode.name}({printer.doprint(inner)})"


def _result(recurrence: Recurrence, mode: str, expr: Any) -> Any:
    expr = sp.sympify(expr)
    whole = mode in {"final", "total", "total_before"}
    if not whole and sp.S.One not in _shape(expr):
        raise UnsupportedExpressionError(
            message(
                "one matrix for each step is not supported",
                where=describe(expr),
                expected="a scalar or a vector",
                hint="use final or total, or take single rows or columns",
            )
        )
    cls = RecurrenceScalar if whole and not _is_matrix(expr) else RecurrenceMatrix
    return cls(recurrence, Str(mode), expr)


# -- translation -------------------------------------------------------------------------------------------------------


def _parts_of_recurrence(expr: Any) -> Parts:
    return Parts(
        children=(*expr.args[1], *expr.args[2], *expr.args[4]),
        bound=tuple((symbol, None) for symbol in expr.bound),
        sizes=(expr.steps,),
    )


def _parts_of_result(expr: Any) -> Parts:
    parts = _parts_of_recurrence(expr.args[0])
    return Parts(children=(*parts.children, expr.args[2]), bound=parts.bound, sizes=parts.sizes)


@binds(Recurrence, parts=_parts_of_recurrence)
def bare_recurrence(_ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Refuse a recurrence of which no result is asked for."""
    raise UnsupportedExpressionError(
        message("a Recurrence is no value", where=describe(expr), hint="use its final, path, stack or total")
    )


@binds(RecurrenceScalar, RecurrenceMatrix, parts=_parts_of_result)
def result(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return a result of a recurrence: rows of the paths of its states, or an expression over all steps at once."""
    recurrence, mode, inner = expr.args
    count = ctx.sizes.dim(recurrence.steps)
    scope = {k: v for k, v in scope.items() if k not in recurrence.bound and k != GUARDS}
    paths, reads = yield from _paths(ctx, recurrence, count, scope)
    if mode.name in {"final", "path"}:
        path = paths[inner]
        if mode.name == "path":
            return _rows(path.node, list(path.axes), count + 1)
        rest = [AxisMap((k,)) for k in range(path.node.rank - 1)]
        last = gather(path.node, (), [AxisMap(offset=count), *rest], path.node.shape[1:])
        return Value(last, path.axes)
    first = 0 if mode.name.endswith("before") else 1
    level = ctx.level(expr, scope, Index(recurrence, ZERO, count))
    time = Index(recurrence, ZERO, count, level)
    bindings: dict[Any, Value] = {
        state: Value(row_slice(path.node, first, count), (time, *path.axes)) for state, path in paths.items()
    }
    bindings |= {read: Value(rows.node, (time, *rows.axes)) for read, rows in reads.items()}
    value = yield Scoped(inner, {**scope, **bindings})
    value = ctx.real(value)
    if time not in value.axes:
        shape = (count, *value.node.shape)
        value = Value(spread(value.node, shape, range(1, len(shape))), (time, *value.axes))
    at = value.axes.index(time)
    rest_axes = [a for a in value.axes if a != time]
    if mode.name.startswith("total"):
        return Value(sum_over(value.node, (at,)), tuple(rest_axes))
    front = permute(value.node, [at, *(k for k in range(value.node.rank) if k != at)])
    return _rows(front, rest_axes, count)


def _rows(node: Node, axes: list[Axis], count: Dim) -> Value:
    """Return the matrix whose rows run along the leading axis of `node`, its columns along the matrix axis."""
    named: list[Axis] = [COL if isinstance(a, Side) else a for a in axes]
    if count == ONE:
        rest = [AxisMap((k,)) for k in range(node.rank - 1)]
        return Value(gather(node, (), [AxisMap(), *rest], node.shape[1:]), tuple(named))
    return Value(node, (ROW, *named))


class _State:
    """A state while its axes are found out."""

    def __init__(self, symbol: Any, start: Value) -> None:
        self.symbol, self.start = symbol, start
        self.axes = start.axes
        self.extents = dict(zip(start.axes, start.node.shape, strict=True))

    @property
    def shape(self) -> tuple[Dim, ...]:
        return tuple(self.extents[a] for a in self.axes)

    def widen(self, after: Value) -> bool:
        """Take over the axes that a step adds, such as that of a batch; return whether there are any."""
        added = [a for a in after.axes if a not in self.extents]
        self.extents |= {a: after.extent(a) for a in added}
        if added:
            self.axes = merge_axes([Value(self.start.node, self.axes), after])
        return bool(added)


def _paths(
    ctx: Context, recurrence: Any, count: Dim, scope: Scope
) -> Generator[Request, Value, tuple[dict[Any, Value], dict[Any, Value]]]:
    """Return (state -> its path, what a step reads -> all its rows); nodes have the axis of steps in front.

    A step is translated again while states turn out to have more axes than their start, such as one of a batch.
    """
    key = ("recurrence", ctx.key(recurrence, scope))
    if key in ctx.memo:
        return ctx.memo[key]  # type: ignore[return-value]
    symbols, following, starts, reading, arrays, _, index = recurrence.args
    states = []
    for symbol, start in zip(symbols, starts, strict=True):
        states.append(_State(symbol, ctx.real((yield Scoped(start, scope)))))
    reads: dict[Any, Value] = {}
    for symbol, array in zip(reading, arrays, strict=True):
        value = yield Scoped(array, scope)
        rest = [a for a in value.axes if a is not ROW]
        extents = [count, *(value.extent(a) for a in rest)]
        side = ROW if _shape(symbol)[1] == 1 else COL
        reads[symbol] = relabel(Value(place(value, [ROW, *rest], extents), tuple(rest)), {COL: side})
    for symbol in index:
        reads[symbol] = Value(Iota(count), ())
    inputs: dict[Any, Value] = {}
    for symbol, rows in reads.items():
        kind = TensorType(rows.node.shape[1:], rows.node.dtype)
        inputs[symbol] = Value(_stand_in(ctx, symbol, kind), rows.axes)
    while True:
        for s in states:
            inputs[s.symbol] = Value(_stand_in(ctx, s.symbol, TensorType(s.shape, ctx.dtype)), s.axes)
        inner = {**scope, **inputs}
        after = [ctx.real(v) for v in (yield from operands(Scoped(expr, inner) for expr in following))]
        wider = [s.widen(value) for s, value in zip(states, after, strict=True)]
        if not any(wider):
            break
    triples = []
    for s, value in zip(states, after, strict=True):
        stand_in = inputs[s.symbol].node
        assert isinstance(stand_in, Input)
        triples.append((stand_in, place(s.start, s.axes, s.shape), place(value, s.axes, s.shape)))
    rows_of = [(inputs[symbol].node, rows.node) for symbol, rows in reads.items()]
    nodes = repeated(count, triples, rows_of)  # type: ignore[arg-type]
    paths = {s.symbol: Value(node, s.axes) for s, node in zip(states, nodes, strict=True)}
    ctx.memo[key] = paths, reads  # type: ignore[assignment]
    return paths, reads


def _stand_in(ctx: Context, symbol: Any, kind: TensorType) -> Input:
    """Return an input of a step for a symbol, unlike any other input."""
    ctx.stand_ins += 1
    return Input(f"{symbol.name}@{ctx.stand_ins}", kind)
