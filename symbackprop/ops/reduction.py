"""The non-linear reductions over axes: maximum, minimum, product, log-sum-exp. Linear ones are contractions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from symbackprop.ir.node import Const, Node, Reduction
from symbackprop.ir.registry import REDUCTIONS, ReductionPrimitive
from symbackprop.ops.arithmetic import maximum, minimum, mul
from symbackprop.ops.contraction import sum_over
from symbackprop.ops.logic import eq, select, to_real
from symbackprop.ops.neural import gap, weight
from symbackprop.ops.transcendental import exp, log

__all__ = ["logsumexp", "max_over", "min_over", "prod_over"]

Spread = Callable[[Node], Node]


def _even_ties(out: Node, arg: Node, spread: Spread) -> Node:
    """Return the partial of an extremum: the entries that attain it share 1 evenly; NaN gives NaN (0/0)."""
    assert isinstance(out, Reduction)
    tie = to_real(eq(arg, spread(out)), arg.dtype)
    return tie / spread(sum_over(tie, out.axes))


def _others(out: Node, arg: Node, spread: Spread) -> Node:
    """Return the partial of a product: the product of the other factors.

    Without a zero among the factors that is out/arg. A single zero gets the product of the others, which get 0; with
    two zeros all get 0. Differentiated again, this holds wherever no factor is 0.
    """
    assert isinstance(out, Reduction)
    zero = eq(arg, 0.0)
    zeros = spread(sum_over(to_real(zero, arg.dtype), out.axes))
    rest = spread(prod_over(select(zero, 1.0, arg), out.axes))
    none = Const(0, arg.type)
    return select(zero, select(eq(zeros, 1.0), rest, none), select(eq(zeros, 0.0), rest / arg, none))


def _softmax(out: Node, arg: Node, spread: Spread) -> Node:
    """Return the partial of log-sum-exp, exp(arg - out): at most 1, so it cannot overflow."""
    return exp(arg - spread(out))


def _logsumexp(arg: Any, axes: tuple[int, ...]) -> Any:
    """Return log(sum(exp(arg))) over `axes`, shifted by the maximum where that is finite."""
    top = np.max(arg, axis=axes, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    return np.squeeze(top, axis=axes) + np.log(np.sum(np.exp(arg - top), axis=axes))


def _expand_logsumexp(arg: Node, axes: tuple[int, ...], spread: Spread) -> Node:
    """Return the shifted form m + log(sum(exp(arg - m))) with m the maximum; equal infinities differ by 0.

    All entries -inf gives -inf, an entry +inf gives +inf, NaN gives NaN.
    """
    top = max_over(arg, axes)
    return top + log(sum_over(weight(gap(arg, spread(top))), axes))


max_over = REDUCTIONS["max"] = ReductionPrimitive(
    name="max",
    rule=_even_ties,
    numpy=lambda arg, axes: np.max(arg, axis=axes, initial=-np.inf),
    combine=maximum,
    initial=-math.inf,
)

min_over = REDUCTIONS["min"] = ReductionPrimitive(
    name="min",
    rule=_even_ties,
    numpy=lambda arg, axes: np.min(arg, axis=axes, initial=np.inf),
    combine=minimum,
    initial=math.inf,
)

prod_over = REDUCTIONS["prod"] = ReductionPrimitive(
    name="prod",
    rule=_others,
    numpy=lambda arg, axes: np.prod(arg, axis=axes),
    combine=mul,
    initial=1.0,
)

logsumexp = REDUCTIONS["logsumexp"] = ReductionPrimitive(
    name="logsumexp", rule=_softmax, numpy=_logsumexp, expand=_expand_logsumexp
)
