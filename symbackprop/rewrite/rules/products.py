"""Logarithms of products over axes, which underflow long before their logarithm does: sums of logarithms."""

from __future__ import annotations

import functools
import math
import operator

from symbackprop.ir.node import Const, Elementwise, Node, Reduction, Size
from symbackprop.ops.arithmetic import abs_, div, mul, sign
from symbackprop.ops.contraction import sum_over
from symbackprop.ops.logic import lt, select
from symbackprop.ops.reduction import prod_over
from symbackprop.ops.transcendental import exp, log, power, sigmoid
from symbackprop.options import Warrant
from symbackprop.rewrite.pattern import Match, var
from symbackprop.rewrite.rule import Rule

__all__ = ["RULES"]


#: Most factors of a quotient that are looked at: shared ones count once per use.
_MOST = 16


def log_of_product(m: Match) -> Node | None:
    """Return log(c*prod(x)/d) as log(abs(c)) + sum(log(abs(x))) - log(abs(d)), NaN where it is of a negative number."""
    of_magnitude = isinstance(m["x"], Elementwise) and m["x"].op is abs_
    factors = _factors(m["x"].args[0] if of_magnitude else m["x"])
    if not any(isinstance(factor, Reduction) and factor.op is prod_over for factor, _ in factors):
        return None
    total, its_sign = _log_magnitude(factors)
    if its_sign is None or of_magnitude:
        return total
    return select(lt(its_sign, 0.0), Const(math.nan, total.type), total)


def _log_magnitude(factors: list[tuple[Node, bool]]) -> tuple[Node, Node | None]:
    """Return the logarithm of the magnitude of a quotient, and its sign unless it is known to be positive."""
    logs, signs = [], []
    for factor, inverted in factors:
        if isinstance(factor, Reduction) and factor.op is prod_over:
            terms, axes = factor.args[0], factor.axes
            inner = [_of_factor(*part) for part in _factors(terms) or [(terms, False)]]
            log_term, sign_term = _combined(inner)
            magnitude = sum_over(log_term, axes)
            its_sign = None if sign_term is None else prod_over(sign_term, axes)
            magnitude = -magnitude if inverted else magnitude
        else:
            magnitude, its_sign = _of_factor(factor, inverted)
        logs.append(magnitude)
        signs.append(its_sign)
    return _combined(list(zip(logs, signs, strict=True)))


def _combined(parts: list[tuple[Node, Node | None]]) -> tuple[Node, Node | None]:
    signs = [its_sign for _, its_sign in parts if its_sign is not None]
    total = functools.reduce(operator.add, [magnitude for magnitude, _ in parts])
    return total, functools.reduce(operator.mul, signs) if signs else None


def _of_factor(factor: Node, inverted: bool) -> tuple[Node, Node | None]:
    """Return log(abs(factor)), negated for a divisor, and the factor's sign unless it is known to be positive."""
    its_sign: Node | None = None
    match factor:
        case Const() if 0 < factor.value < math.inf:
            magnitude: Node = Const(math.log(factor.value), factor.type)
        case Elementwise() if factor.op in {exp, sigmoid}:
            magnitude = log(factor)
        case Elementwise() if factor.op is power and _is_size(factor.args[1]):
            magnitude, its_sign = factor.args[1] * log(abs_(factor.args[0])), sign(factor)
        case _:
            magnitude, its_sign = log(abs_(factor)), sign(factor)
    return -magnitude if inverted else magnitude, its_sign


def _factors(node: Node) -> list[tuple[Node, bool]]:
    """Return the factors of products and quotients, left to right, and whether each divides; none if there are many."""
    factors: list[tuple[Node, bool]] = []
    stack = [(node, False)]
    while stack:
        part, inverted = stack.pop()
        if isinstance(part, Elementwise) and part.op in {mul, div}:
            stack += [(part.args[1], inverted ^ (part.op is div)), (part.args[0], inverted)]
        else:
            factors.append((part, inverted))
        if len(factors) + len(stack) > _MOST:
            return []
    return factors


def _is_size(node: Node) -> bool:
    """Return whether `node` is a size: an integer, so that it may be the exponent of a negative number."""
    return isinstance(node, Size) or (len(node.args) == 1 and isinstance(node.args[0], Size))


RULES = (
    Rule(
        "log-product",
        log(var("?x")),
        log_of_product,
        Warrant.REAL,
        why="a product over an axis underflows or overflows where its logarithm is an ordinary number",
    ),
)
