"""Unevaluated forms: derivatives, integrals and limits, substitutions, and functions that open into other ones."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.core.function import AppliedUndef
from sympy.integrals.transforms import IntegralTransform

from symbackprop.errors import UnsupportedExpressionError, message
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.dispatch import Parts, Scope, Scoped, Steps, binds, is_specific, operands
from symbackprop.frontend.leaves import is_entry, is_leaf, is_signal, leaf_of
from symbackprop.frontend.refusals import hint_for
from symbackprop.frontend.value import Index, Value
from symbackprop.ir.graph import substitute, toposort
from symbackprop.ir.node import Elementwise, Gather, Input, Node
from symbackprop.ir.types import AxisMap
from symbackprop.ops.layout import fill

__all__ = ["Binder"]

#: Largest tree that SymPy is asked to integrate, and largest order of a derivative.
_MAX_TREE, _MAX_ORDER = 200, 16

#: Symbols that say from which side a limit is taken.
_SIDES = {"+", "-", "+-"}

_DECLARE = "declare its forward and derivative: @symbackprop.function"


@dataclass(frozen=True, eq=False)
class Binder:
    """An expression in which `variables` are bound."""

    variables: tuple[Any, ...]
    body: Any


def _parts_of_binder(expr: Any) -> Parts:
    return Parts(children=(expr.body,), bound=tuple((v, None) for v in expr.variables))


@binds(Binder, parts=_parts_of_binder)
def bare_binder(_ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Refuse an expression with bound symbols outside of the form that binds them."""
    raise UnsupportedExpressionError(message("bound symbols without values", where=describe(expr.body)))


@binds(sp.UnevaluatedExpr)
def unevaluated(_ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the expression inside."""
    return (yield expr.args[0])


def _parts_of_substitution(expr: Any) -> Parts:
    for variable in expr.variables:
        if not isinstance(variable, sp.Symbol) and not is_signal(variable):
            raise UnsupportedExpressionError(
                message(f"Subs for a {kind_name(variable)} is not supported", where=describe(expr), hint=".doit() it")
            )
    variables = tuple(expr.variables)
    points = (Binder(variables[k + 1 :], point) for k, point in enumerate(expr.point))
    return Parts(children=(Binder(variables, expr.expr), *points))


@binds(sp.Subs, parts=_parts_of_substitution)
def substitution(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return an expression whose symbols stand for the values of others.

    As in SymPy's `doit`, which makes one `Subs` of nested ones, substitutions follow each other: the last one is made
    in what the ones before have put in.
    """
    inner = dict(scope)
    for variable, point in zip(reversed(expr.variables), reversed(expr.point), strict=True):
        inner[variable] = ctx.scalar((yield Scoped(point, dict(inner))), expr)
    return (yield Scoped(expr.expr, inner))


def _parts_of_function(expr: Any) -> Parts:
    if not is_signal(expr):
        raise UnsupportedExpressionError(
            message(f"{kind_name(expr)} is not supported", where=describe(expr), hint=_DECLARE)
        )
    return Parts(leaf=expr)


@binds(AppliedUndef, parts=_parts_of_function)
def signal(ctx: Context, expr: Any, scope: Scope) -> Value:
    """Return a function of time alone: an argument."""
    return ctx.leaf(expr, scope)


def _parts_of_derivative(expr: Any) -> Parts:
    if is_signal(expr):
        return Parts(leaf=expr)
    for variable, count in expr.variable_count:
        if not (is_leaf(variable) or _is_entry(variable)) or isinstance(variable, sp.IndexedBase):
            raise UnsupportedExpressionError(
                message(
                    f"Derivative for a {kind_name(variable)} is not supported",
                    where=describe(expr),
                    hint="differentiate for the whole array in the kernel: wrt=, value_and_grad",
                )
            )
        if not isinstance(count, sp.Integer) or not 0 < count <= _MAX_ORDER:
            raise UnsupportedExpressionError(
                message("Derivative of this order is not supported", where=describe(expr), found=f"order {count}")
            )
    return Parts(children=(expr.expr, *(variable for variable, _ in expr.variable_count)))


def _is_entry(variable: Any) -> bool:
    """Whether `variable` is an entry of an array that can be an argument."""
    if isinstance(variable, sp.matrices.expressions.matexpr.MatrixElement):
        return isinstance(variable.parent, sp.MatrixSymbol)
    return is_entry(variable)


@binds(sp.Derivative, parts=_parts_of_derivative)
def derivative(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return a derivative, by reverse accumulation in the graph: SymPy's is 0 for many functions of matrices.

    Of a scalar for a matrix or an array it has the shape of that; of an array for a scalar, the shape of the array.
    """
    if is_signal(expr):
        return ctx.leaf(expr, scope)
    inner: dict[Any, Index | Value] = dict(scope)
    actual: dict[Node, Node] = {}
    variables: list[tuple[Value, int]] = []
    for variable, count in expr.variable_count:
        leaf = leaf_of(variable)
        if isinstance(scope.get(leaf), Index):
            raise _refused(expr, f"Derivative for the running index {variable}")
        value = yield variable
        if not value.node.type.is_real:
            raise _refused(expr, f"Derivative for the integer {variable}")
        source = value.node.args[0] if isinstance(value.node, Gather) else value.node
        if _is_entry(variable) and not isinstance(source, Input):
            raise _refused(expr, f"Derivative for an entry of {variable.args[0]}, which is computed,")
        if leaf in scope:
            # What a name stands for may occur under its own form too: differentiate for a node of its own.
            ctx.stand_ins += 1
            stand_in = Input(f"@{ctx.stand_ins}", value.node.type)
            actual[stand_in] = value.node
            value = Value(stand_in, value.axes)
            inner[leaf] = value
        variables.append((value, int(count)))
    result = ctx.real((yield Scoped(expr.expr, inner)))
    _check_time(ctx, expr, result)
    _check_names(ctx, expr, scope)
    for value, count in variables:
        for _ in range(count):
            result = _differentiated(ctx, expr, result, value)
    return Value(substitute([result.node], actual)[result.node], result.axes) if actual else result


def _refused(expr: Any, what: str, hint: str | None = None) -> UnsupportedExpressionError:
    return UnsupportedExpressionError(message(f"{what} is not supported", where=describe(expr), hint=hint))


def _check_time(ctx: Context, expr: Any, value: Value) -> None:
    """Refuse a time derivative through functions of time, which reverse accumulation would take for constants."""
    times = {variable for variable, _ in expr.variable_count}
    signals = [leaf for leaf in ctx.scan.symbols if is_signal(leaf) and _time_of(leaf) in times]
    if not signals:
        return
    nodes = set(toposort([value.node]))
    for leaf in signals:
        if ctx.arguments[leaf].node in nodes:
            raise _refused(expr, f"Derivative through {leaf}", "call .doit() on the derivative first")


def _time_of(leaf: Any) -> Any:
    return _time_of(leaf.expr) if isinstance(leaf, sp.Derivative) else leaf.args[0]


def _check_names(ctx: Context, expr: Any, scope: Scope) -> None:
    """Refuse a derivative for one defined name of an expression with another that depends on it."""
    for variable in (leaf_of(v) for v, _ in expr.variable_count if leaf_of(v) in ctx.defined):
        bound = scope[variable]
        for name in ctx.scan.free(expr.expr):
            other = scope.get(name)
            if name == variable or name not in ctx.defined or not isinstance(other, Value):
                continue
            if isinstance(bound, Value) and bound.node in set(toposort([other.node])):
                raise _refused(
                    expr,
                    f"Derivative for {variable} of an expression with {name}, which depends on it,",
                    "write the expression of one of them in its place",
                )


def _differentiated(ctx: Context, expr: Any, result: Value, variable: Value) -> Value:
    """Return the derivative of one value for another.

    Of an array for a scalar: the vjp is linear in the upstream gradient, and its own gradient for that is the jvp.
    For entries of an array: the same entries of the gradient for the array. Entry by entry where all between is
    elementwise, as over a batch.

    Raises:
        UnsupportedExpressionError: both are arrays, and entries depend on other entries.
    """
    differentiate = ctx.differentiate
    assert differentiate is not None
    entry = variable.node if isinstance(variable.node, Gather) else None

    def pulled(upstream: Node) -> Node:
        if entry is None:
            return differentiate(result.node, variable.node, upstream)
        return entry.with_args([differentiate(result.node, entry.args[0], upstream), *entry.args[1:]])

    one = ctx.const(1.0).node
    if not result.node.rank:
        return Value(pulled(one), variable.axes)
    if not variable.node.rank:
        ctx.stand_ins += 1
        upstream = Input(f"@{ctx.stand_ins}", result.node.type)
        return Value(differentiate(pulled(upstream), upstream, one), result.axes)
    if entry is not None and not _alone(entry, result.node):
        raise _refused(expr, "Derivative of an array for many entries", "differentiate a scalar, as in its sum")
    reached = {variable.node}
    for node in toposort([result.node]):
        if any(a in reached for a in node.args) and node not in reached:
            if not isinstance(node, Elementwise):
                raise _refused(expr, "Derivative of an array for an array", "differentiate a scalar, as in its sum")
            reached.add(node)
    ones = fill(1.0, result.node.shape, result.node.dtype)
    if result.node not in reached:
        return Value(fill(0.0, result.node.shape, result.node.dtype), result.axes)
    return Value(differentiate(result.node, variable.node, ones), variable.axes)


def _alone(entry: Gather, node: Node) -> bool:
    """Whether all else that is read of the entry's array lies elsewhere, as numbers of one argument do in a batch."""
    source = entry.args[0]
    for reader in toposort([node]):
        if source in reader.args and reader is not entry:
            if not isinstance(reader, Gather) or reader.args.count(source) > 1:
                return False
            if not any(_apart(a, b) for a, b in zip(entry.spec, reader.spec, strict=True)):
                return False
    return True


def _apart(one: AxisMap, other: AxisMap) -> bool:
    """Whether two maps address one place each, and not the same."""
    if one.axes or other.axes or one.index is not None or other.index is not None:
        return False
    gap = one.offset - other.offset
    return gap.is_const and gap.value != 0


def _tree(expr: Any) -> Iterator[Any]:
    """Yield the nodes of a tree, no more than `_MAX_TREE` + 1; an entry of an array is one."""
    stack, count = [expr], 0
    while stack and count <= _MAX_TREE:
        node = stack.pop()
        yield node
        count += 1
        stack.extend(() if _is_entry(node) else getattr(node, "args", ()))


#: What SymPy integrates and takes limits of as real functions of real symbols.
_TRUSTED = (
    sp.Add,
    sp.Mul,
    sp.Pow,
    sp.Number,
    sp.core.numbers.NumberSymbol,
    sp.core.numbers.Infinity,
    sp.core.numbers.NegativeInfinity,
    sp.Symbol,
    sp.Function,
    sp.Tuple,
    sp.Integral,
    sp.Limit,
    sp.Derivative,
    sp.logic.boolalg.Boolean,
    sp.functions.elementary.piecewise.ExprCondPair,
    sp.core.symbol.Str,
)


def _closed(expr: Any) -> Any:
    """Return what an integral, a limit or a transform of a small expression evaluates to, its symbols taken as real.

    Raises:
        UnsupportedExpressionError: SymPy finds no closed form, or the expression is not a small scalar one.
    """
    kind = kind_name(expr)
    nodes = list(_tree(expr))
    if len(nodes) > _MAX_TREE:
        raise _refused(expr, f"{kind} of a large expression", "evaluate it first: .doit()")
    symbols = [node for node in nodes if isinstance(node, sp.Symbol) and node.name not in _SIDES]
    bound = set(symbols).difference(_attempt(lambda: expr.free_symbols) or ())
    entries = [node for node in nodes if _is_entry(node) and not node.free_symbols & bound]
    for node in nodes:
        if (not isinstance(node, _TRUSTED) and node not in entries) or isinstance(node, AppliedUndef):
            raise _refused(expr, f"{kind} of an expression with {kind_name(node)}", "evaluate it first: .doit()")
    constant = {entry: sp.Dummy(str(entry), real=True) for entry in entries}
    real = {s: sp.Dummy(str(s), **{**getattr(s, "_assumptions_orig", {}), "real": True}) for s in symbols}
    result = _attempt(lambda: expr.xreplace(constant).xreplace(real).doit())
    unfinished = (sp.Integral, sp.Limit, IntegralTransform, sp.core.function.AppliedUndef)
    if result is None or any(isinstance(node, unfinished) for node in sp.preorder_traversal(result)):
        raise _refused(
            expr, f"{kind} without a closed form", "declare signs, as in Symbol('a', positive=True), or write a sum"
        )
    return result.xreplace({dummy: s for s, dummy in (*real.items(), *constant.items())})


def _attempt(evaluate: Callable[[], Any]) -> Any:
    """Return what SymPy evaluates, None if it fails: it does so with exceptions of every kind."""
    try:
        return evaluate()
    except Exception:  # noqa: BLE001
        return None


def _parts_of_closed(expr: Any) -> Parts:
    return Parts(children=(_closed(expr),))


@binds(sp.Integral, sp.Limit, IntegralTransform, parts=_parts_of_closed)
def closed_form(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the closed form of an integral or a limit."""
    return (yield ctx.scan.parts(expr).children[0])


def _parts_of_opened(expr: Any) -> Parts:
    """Return what a function without a translation opens into, as a function of its arguments.

    Raises:
        UnsupportedExpressionError: nothing that has a translation.
    """
    stand_ins = {k: sp.Dummy(f"a{k}", real=True) for k, arg in enumerate(expr.args) if not isinstance(arg, sp.Number)}
    args = [stand_ins.get(k, arg) for k, arg in enumerate(expr.args)]
    head = _attempt(lambda: expr.func(*args))
    openings: tuple[Callable[[Any], Any], ...] = (lambda f: f, lambda f: f.doit(), sp.expand_func)
    for opening in openings:
        body = _attempt(functools.partial(opening, head))
        if not isinstance(body, sp.Expr) or isinstance(body, sp.Number) or not _translatable(body):
            continue
        return Parts(children=(Binder(tuple(stand_ins.values()), body), *(expr.args[k] for k in stand_ins)))
    raise UnsupportedExpressionError(
        message(f"{kind_name(expr)} is not supported", where=describe(expr), hint=hint_for(type(expr)))
    )


def _translatable(body: Any) -> bool:
    """Whether every function in `body` has a translation of its own."""
    functions = [node for node in sp.preorder_traversal(body) if isinstance(node, sp.Function)]
    return all(is_specific(type(node), sp.Function) and not isinstance(node, AppliedUndef) for node in functions)


@binds(sp.Function, parts=_parts_of_opened)
def opened(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return a function that SymPy writes in terms of others."""
    binder, *args = ctx.scan.parts(expr).children
    values = yield from operands(args)
    inner = {**scope, **{v: ctx.scalar(value, expr) for v, value in zip(binder.variables, values, strict=True)}}
    return (yield Scoped(binder.body, inner))
