"""Logarithms of products over axes, which underflow long before their logarithm does: sums of logarithms."""

from __future__ import annotations

import math

from symbackprop.ir.node import Const, Elementwise, Node, Reduction
from symbackprop.ops.arithmetic import abs_, sign
from symbackprop.ops.contraction import sum_over
from symbackprop.ops.logic import lt, select
from symbackprop.ops.reduction import prod_over
from symbackprop.ops.transcendental import exp, log, sigmoid
from symbackprop.options import Warrant
from symbackprop.rewrite.pattern import Match, var
from symbackprop.rewrite.rule import Rule

__all__ = ["RULES"]


def log_of_product(m: Match) -> Node | None:
    """Return log(prod(x)) as sum(log(abs(x))), NaN where the product is negative."""
    product = m["x"]
    if not isinstance(product, Reduction) or product.op is not prod_over:
        return None
    factors, axes = product.args[0], product.axes
    if isinstance(factors, Elementwise) and factors.op in {exp, sigmoid}:
        return sum_over(log(factors), axes)
    total = sum_over(log(abs_(factors)), axes)
    return select(lt(prod_over(sign(factors), axes), 0.0), Const(math.nan, total.type), total)


RULES = (
    Rule(
        "log-product",
        log(var("?x")),
        log_of_product,
        Warrant.REAL,
        why="the product underflows or overflows where its logarithm is an ordinary number",
    ),
)
