"""Neural functions translated to primitives: activations, the softmax family, cross entropy, one-hot vectors."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symbackprop.errors import UnsupportedExpressionError, message
from symbackprop.frontend.algebra import add, multiply
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.dispatch import Parts, Scope, Steps, binds, operands, translates
from symbackprop.frontend.indexed import address
from symbackprop.frontend.neural_functions import SELU_ALPHA, SELU_SCALE, elu, hardtanh, prelu, relu, selu
from symbackprop.frontend.neural_loss import cross_entropy, one_hot
from symbackprop.frontend.neural_matrices import LogSoftmaxMatrix, LogSumExpMatrix, SoftmaxMatrix
from symbackprop.frontend.neural_scores import IndexedScores, LogSumExpOver, logsumexp, softmax
from symbackprop.frontend.neural_smooth import gelu, gelu_tanh, sigmoid, silu, softplus
from symbackprop.frontend.value import COL, ROW, Axis, Index, Side, Value, apply
from symbackprop.ir.dims import ONE
from symbackprop.ir.types import AxisMap
from symbackprop.ops import reduction
from symbackprop.ops.contraction import sum_over
from symbackprop.ops.indexing import scatter
from symbackprop.ops.layout import fill

__all__ = ["PRIMITIVES"]

#: Functions that are one primitive of the same operands.
PRIMITIVES: dict[type, str] = {
    prelu: "prelu",
    elu: "elu",
    sigmoid: "sigmoid",
    softplus: "softplus",
    silu: "silu",
    gelu: "gelu",
    gelu_tanh: "gelu_tanh",
}


@translates(*PRIMITIVES)
def activation(_ctx: Context, expr: Any, *values: Value) -> Value:
    """Return an activation function that is one primitive."""
    return apply(next(PRIMITIVES[cls] for cls in type(expr).__mro__ if cls in PRIMITIVES), *values)


@translates(relu)
def rectified(ctx: Context, _expr: Any, x: Value) -> Value:
    """Return max(x, 0)."""
    return apply("maximum", x, ctx.const(0.0))


@translates(hardtanh)
def limited(_ctx: Context, _expr: Any, x: Value, low: Value, high: Value) -> Value:
    """Return min(max(x, low), high)."""
    return apply("minimum", apply("maximum", x, low), high)


@translates(selu)
def self_normalizing(ctx: Context, _expr: Any, x: Value) -> Value:
    """Return the scaled elu."""
    return apply("mul", ctx.const(float(SELU_SCALE)), apply("elu", x, ctx.const(float(SELU_ALPHA))))


def total_over(value: Value, axes: tuple[Axis, ...]) -> Value:
    """Return log-sum-exp over those of `axes` that the value has."""
    at = [k for k, axis in enumerate(value.axes) if axis in axes]
    if not at:
        return value
    return Value(reduction.logsumexp(value.node, at), tuple(a for a in value.axes if a not in axes))


def shares(ctx: Context, value: Value, axis: Axis, *, log: bool) -> Value:
    """Return softmax along `axis`, or its logarithm; the only score along an axis of size 1 has the whole share."""
    if axis not in value.axes:
        whole = fill(0.0 if log else 1.0, value.node.shape, ctx.dtype)
        return Value(whole, value.axes)
    score = apply("sub", value, total_over(value, (axis,)))
    return score if log else apply("exp", score)


def _side(expr: Any) -> Side:
    return ROW if expr.args[1] == 0 else COL


def _parts_of_matrix(expr: Any) -> Parts:
    return Parts(children=(expr.args[0],))


@binds(SoftmaxMatrix, LogSoftmaxMatrix, parts=_parts_of_matrix)
def matrix_shares(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return softmax of every column or row of a matrix, or its logarithm."""
    value = ctx.real((yield expr.args[0]))
    return shares(ctx, value, _side(expr), log=isinstance(expr, LogSoftmaxMatrix))


@binds(LogSumExpMatrix, parts=_parts_of_matrix)
def matrix_total(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return log-sum-exp of every column or row of a matrix."""
    value = ctx.real((yield expr.args[0]))
    return total_over(value, (_side(expr),))


@binds(logsumexp)
def total(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return log-sum-exp of all entries of a vector, or of several scalars."""
    if expr.is_over_matrix:
        return total_over(ctx.real((yield expr.args[0])), (ROW, COL))
    values = yield from operands(expr.args)
    return apply("logaddexp", *(ctx.scalar(value, expr) for value in values))


def _parts_of_total(expr: Any) -> Parts:
    spelled = sp.log(sp.Sum(sp.exp(expr.function, evaluate=False), *expr.limits), evaluate=False)
    return Parts(children=(spelled,))


@binds(LogSumExpOver, parts=_parts_of_total)
def indexed_total(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the logarithm of a Sum of exponentials; the stability rules make it a reduction that cannot overflow."""
    return (yield ctx.scan.parts(expr).children[0])


def _parts_of_indexed(expr: Any) -> Parts:
    if expr.total is None:
        return Parts(children=(expr.args[0],), positions=(expr.index,))
    return Parts(children=(expr.args[0], expr.total))


@binds(IndexedScores, parts=_parts_of_indexed)
def indexed_shares(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return softmax over an index at that index, or its logarithm.

    Raises:
        UnsupportedExpressionError: the index runs through nothing.
    """
    log = not isinstance(expr, softmax)
    value = ctx.scalar((yield expr.args[0]), expr)
    if expr.total is not None:
        score = apply("sub", value, ctx.scalar((yield ctx.scan.parts(expr).children[1]), expr))
        return score if log else apply("exp", score)
    index = scope.get(expr.index) or ctx.indices.get(expr.index)
    if not isinstance(index, Index):
        raise UnsupportedExpressionError(
            message(
                f"{kind_name(expr)} over {expr.index}, which runs through nothing, is not supported",
                where=describe(expr),
                hint=f"give its range: {kind_name(expr)}(..., ({expr.index}, 0, n - 1))",
            )
        )
    if index in value.axes:
        return shares(ctx, value, index, log=log)
    count = ctx.size(index.count)
    return apply("neg", apply("log", count)) if log else apply("div", ctx.const(1.0), count)


def _parts_of_loss(expr: Any) -> Parts:
    if expr.is_soft:
        return Parts(children=expr.args)
    return Parts(children=(expr.args[0],), positions=(expr.args[1],), matrix=True)


@binds(cross_entropy, parts=_parts_of_loss)
def loss(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return logsumexp(z) - z[c], or -sum(c*log_softmax(z)); the scores are computed once and then looked up."""
    z, c = expr.args
    value = ctx.real((yield z))
    whole = total_over(value, (ROW, COL))
    if not expr.is_soft:
        side = ROW if z.shape[1] == 1 else COL
        chosen = yield from address(ctx, value, {side: c}, scope, expr)
        return add([whole, apply("neg", chosen)])
    target = ctx.real((yield c))
    score = apply("sub", value, whole)
    product = multiply([target, score])
    at = [k for k, axis in enumerate(product.axes) if isinstance(axis, Side)]
    summed = Value(sum_over(product.node, at), tuple(a for a in product.axes if not isinstance(a, Side)))
    return apply("neg", summed)


def _parts_of_one_hot(expr: Any) -> Parts:
    return Parts(positions=(expr.args[0],), sizes=(expr.args[1],), matrix=True)


@binds(one_hot, parts=_parts_of_one_hot)
def indicator(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return a column that is 1 at the label: a single entry is written, none compared."""
    label, size = expr.args
    n = ctx.sizes.dim(size)
    if n == ONE:
        return ctx.const(1.0)
    if isinstance(label, sp.Integer):
        return Value(scatter([(fill(1.0, (), ctx.dtype), (), [AxisMap(offset=ctx.sizes.dim(label))])], (n,)), (ROW,))
    at = scope.get(label) or ctx.indices.get(label)
    if isinstance(at, Index):
        raise UnsupportedExpressionError(
            message(
                f"one_hot of the running index {label} is not supported",
                where=describe(expr),
                hint="write KroneckerDelta, or Identity for all at once",
            )
        )
    position = at if isinstance(at, Value) else (yield label)
    if position.node.dtype != "int64":
        raise UnsupportedExpressionError(
            message("a real number in the place of an index is not supported", where=describe(expr))
        )
    rank = position.node.rank
    spec = [*(AxisMap((k,)) for k in range(rank)), AxisMap(tuple(range(rank)), index=0)]
    ones = fill(1.0, position.node.shape, ctx.dtype)
    return Value(scatter([(ones, [position.node], spec)], (*position.node.shape, n)), (*position.axes, ROW))
