"""Shares of a sum of exponentials, exp(x - log(exp(x) + exp(y) + ...)), for scores of any size.

Differentiation writes softmax as exp(x - out) with `out` the log-sum-exp. That is right as long as `out` is small: from
1e16 on it rounds away what makes equal scores share evenly. Once a log-sum-exp over axes is written out as
top + log(total), the largest score can be subtracted first, and then exp(x - out) is exp(x - top)/total, whose
exponential the sum has computed already.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from symbackprop.ir.node import Broadcast, Contraction, Elementwise, Node, Reduction
from symbackprop.ops.arithmetic import add, maximum
from symbackprop.ops.layout import spread
from symbackprop.ops.neural import gap, weight
from symbackprop.ops.transcendental import exp, log, logaddexp, sigmoid
from symbackprop.options import Warrant
from symbackprop.rewrite.pattern import Match, var
from symbackprop.rewrite.rule import Rule

__all__ = ["RULES"]

REAL = Warrant.REAL

x, y, z, w = var("?x"), var("?y"), var("?z"), var("?w")
SHARE, SHARE_OF_MANY = exp(w) / y, weight(w) / y

Repeat = Callable[[Node], Node]


def _source(node: Node) -> tuple[Node, Repeat]:
    """Return what a node repeats along axes (itself if it does not), and how to repeat another like it."""
    if isinstance(node, Broadcast):
        return node.args[0], lambda small: spread(small, node.shape, node.axes)
    return node, lambda small: small


def _is_total(node: Node) -> bool:
    """Return whether `node` sums exponentials of gaps to the largest score: it is at least 1."""
    if not isinstance(node, Contraction) or len(node.args) != 1:
        return False
    return _is(node.args[0], weight) and _is(node.args[0].args[0], gap)


def _is(node: Node, op: object) -> bool:
    return isinstance(node, Elementwise) and node.op is op


def _written_out(node: Node) -> tuple[Node, Node] | None:
    """Return (top, log of total) of a log-sum-exp over axes that has been written out, else None."""
    if not _is(node, add):
        return None
    top, rest = node.args
    is_top = isinstance(top, Reduction) and top.op.name == "max"
    return (top, rest) if is_top and _is(rest, log) and _is_total(rest.args[0]) else None


def below_the_total(m: Match) -> Node | None:
    """Return x - (top + log(total)) as (x - top) - log(total)."""
    source, repeat = _source(m["y"])
    found = _written_out(source)
    return None if found is None else gap(m["x"], repeat(found[0])) - repeat(found[1])


def above_a_score(m: Match) -> Node | None:
    """Return (top + log(total)) - x as log(total) - (x - top)."""
    source, repeat = _source(m["x"])
    found = _written_out(source)
    return None if found is None else repeat(found[1]) - gap(m["y"], repeat(found[0]))


def share(m: Match) -> Node | None:
    """Return exp(gap - log(total)) as exp(gap)/total, and the same for a log-sum-exp of several values."""
    above, below = m["x"], m["y"]
    source, repeat = _source(below)
    if _is(above, gap) and _is(source, log) and _is_total(source.args[0]):
        return weight(above) / repeat(source.args[0])
    if not _is(below, logaddexp) or above not in below.args:
        return None
    scores = below.args
    if len(scores) == 2:
        return sigmoid(above - scores[1 if above is scores[0] else 0])
    memo = m.scope.memo
    top, total = memo.get(("top", below)), memo.get(("total", below))
    if top is None or total is None:
        top = memo["top", below] = maximum(*scores)
        total = memo["total", below] = functools.reduce(add, [exp(gap(score, top)) for score in scores])
    return exp(gap(above, top)) / total


MAGNITUDE = "scores of magnitude 1e16 and more would absorb the logarithm"

ORDER = "the terms are rounded in another order"

#: For programs whose reductions are written out.
RULES = (
    Rule("share-shift", x - y, below_the_total, REAL, why=MAGNITUDE),
    Rule("share-shift-left", x - y, above_a_score, REAL, why=MAGNITUDE),
    Rule("share", exp(x - y), share, REAL, why=MAGNITUDE),
    # The products then serve a sum only and need not be stored.
    Rule("share-factor", x * SHARE + z * SHARE, (x + z) * SHARE, REAL, why=ORDER),
    Rule("weight-factor", x * SHARE_OF_MANY + z * SHARE_OF_MANY, (x + z) * SHARE_OF_MANY, REAL, why=ORDER),
)
