"""The translation of the mean over a batch axis."""

from __future__ import annotations

from typing import Any

from symbackprop.errors import InputError, message
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe
from symbackprop.frontend.dispatch import Parts, Scope, Steps, binds
from symbackprop.frontend.mean import Mean, MeanMatrix
from symbackprop.frontend.value import Batch, Value, apply
from symbackprop.ops.contraction import sum_over


def _parts_of_mean(expr: Any) -> Parts:
    return Parts(children=(expr.args[0],))


@binds(Mean, MeanMatrix, parts=_parts_of_mean)
def mean(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the sum over the batch axis divided by its size; what does not vary over the axis is its own mean.

    Raises:
        InputError: no argument has such a batch axis.
    """
    value = ctx.real((yield expr.args[0]))
    name = expr.args[1].name
    if name not in ctx.batches:
        raise InputError(
            message(
                f"Mean over {name!r}, which is no batch axis",
                where=describe(expr),
                expected=f"one of {', '.join(map(repr, ctx.batches))}" if ctx.batches else "a batch axis",
                hint=f'declare it: batch={{"x": "{name}"}}',
            )
        )
    axis = Batch(name)
    if axis not in value.axes:
        return value
    at = value.axes.index(axis)
    summed = Value(sum_over(value.node, (at,)), tuple(a for a in value.axes if a != axis))
    return apply("div", summed, ctx.size(value.extent(axis)))
