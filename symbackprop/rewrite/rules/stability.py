"""Formulas whose plain evaluation overflows or cancels, as the functions that do not. They run before differentiation.

Each result is a primitive with a derivative of its own, so the gradient is as stable as the value; rewriting the
derivative instead would come too late. The centre is `log_form`: the logarithm of a positive expression built from
exponentials, worked out without ever computing an exponential that could overflow.
"""

from __future__ import annotations

import math

from symbackprop.ir.node import Broadcast, Const, Contraction, Elementwise, Gather, Node, Size
from symbackprop.ops.arithmetic import abs_, add, div, integer_power, mul, root_of_squares, sqrt
from symbackprop.ops.layout import spread
from symbackprop.ops.reduction import logsumexp
from symbackprop.ops.transcendental import exp, expm1, log, log1p, logaddexp, sigmoid, softplus
from symbackprop.options import Warrant
from symbackprop.rewrite.pattern import Match, const, var
from symbackprop.rewrite.rule import Rule

__all__ = ["RULES", "log_form"]

REAL = Warrant.REAL

x, y = var("?x"), var("?y")
ONE = const(1.0)


def log_form(root: Node) -> Node | None:
    """Return log(root) in stable form if `root` is positive and made of exponentials, else None.

    Made of: exp and sigmoid; positive numbers and sizes beside them; their sums, products, quotients and integer
    powers; sums over axes of exp; broadcasts, reorderings and gathers of these. At least one exponential must occur.
    Sums become `logaddexp` (n-ary), sums over axes the log-sum-exp reduction.
    """
    parts: dict[Node, list[Node]] = {}
    order: list[Node] = []
    stack = [root]
    while stack:
        node = stack.pop()
        if node in parts:
            continue
        needed = _needed(node)
        if needed is None:
            return None
        parts[node] = needed
        order.append(node)
        stack.extend(needed)
    if not any(isinstance(n, Contraction) or (isinstance(n, Elementwise) and n.op in {exp, sigmoid}) for n in order):
        return None
    forms: dict[Node, Node] = {}
    stack = [root]
    while stack:
        node = stack[-1]
        waiting = [part for part in parts[node] if part not in forms]
        if waiting:
            stack.extend(waiting)
            continue
        stack.pop()
        if node not in forms:
            forms[node] = _logarithm(node, [forms[part] for part in parts[node]])
    return forms[root]


def _needed(node: Node) -> list[Node] | None:
    """Return the nodes whose logarithms make up that of `node`, or None if it has no stable form."""
    match node:
        case Const():
            return [] if node.type.is_real and 0 < node.value < math.inf else None
        case Size():
            return []
        case Elementwise() if node.op in {exp, sigmoid}:
            return []
        case Elementwise() if node.op is add:
            return _terms(node)
        case Elementwise() if node.op in {mul, div, integer_power, sqrt}:
            return list(node.args)
        case Broadcast():
            return list(node.args)
        case Gather():
            return [node.args[0]]
        case Contraction() if node.spec.is_permutation:
            return list(node.args)
        case Contraction() if _is_plain_sum(node):
            arg = node.args[0]
            return [] if isinstance(arg, Elementwise) and arg.op is exp else None
    return None


def _logarithm(node: Node, logs: list[Node]) -> Node:
    """Return the logarithm of `node` from those of the nodes it needs."""
    match node:
        case Const():
            return Const(math.log(node.value), node.type)
        case Size():
            return log(node)
        case Elementwise() if node.op is exp:
            return node.args[0]
        case Elementwise() if node.op is sigmoid:
            return -softplus(-node.args[0])
        case Elementwise() if node.op is add:
            return _log_of_sum(logs)
        case Elementwise() if node.op is mul:
            return logs[0] + logs[1]
        case Elementwise() if node.op is div:
            return logs[0] - logs[1]
        case Elementwise() if node.op is integer_power:
            return float(node.attr[0]) * logs[0]
        case Elementwise():
            return 0.5 * logs[0]
        case Contraction() if not node.spec.is_permutation:
            return _log_sum_over(node)
        case Broadcast():
            return spread(logs[0], node.shape, node.axes)
        case Gather():
            return Gather(logs[0], node.args[1:], node.spec, node.shape)
    return node.with_args(logs)


def _terms(node: Node) -> list[Node]:
    """Return the terms of a sum, left to right."""
    terms: list[Node] = []
    stack = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, Elementwise) and part.op is add:
            stack.extend(reversed(part.args))
        else:
            terms.append(part)
    return terms


def _log_of_sum(logs: list[Node]) -> Node:
    """Return log(sum(exp(logs))); one of two logarithms being 0 makes it a softplus."""
    if len(logs) == 2:
        for one, other in (logs, logs[::-1]):
            if isinstance(one, Const) and one.value == 0:
                return softplus(other)
    return logaddexp(*logs)


def _is_plain_sum(node: Contraction) -> bool:
    """Return whether `node` sums one operand over some of its axes and keeps the others in order."""
    labels = node.spec.ins[0]
    return (
        len(node.args) == 1
        and len(set(labels)) == len(labels)
        and node.spec.out == tuple(label for label in labels if label in node.spec.out)
    )


def _log_sum_over(node: Contraction) -> Node:
    """Return log(sum(exp(z))) over the summed axes as a reduction of z."""
    labels = node.spec.ins[0]
    axes = [axis for axis, label in enumerate(labels) if label not in node.spec.out]
    return logsumexp(node.args[0].args[0], axes)


def _remembered(m: Match, node: Node) -> Node | None:
    """Return `log_form(node)`, worked out once per pass: many quotients may share one denominator."""
    key = ("log_form", node)
    if key not in m.scope.memo:
        m.scope.memo[key] = log_form(node)
    return m.scope.memo[key]


def log_of_exponentials(m: Match) -> Node | None:
    """Return the stable logarithm of an expression made of exponentials."""
    return _remembered(m, m["x"])


def softmax(m: Match) -> Node | None:
    """Return exp(a)/sum(exp(z)) as exp(a - logsumexp(z)), also with 1 or another factor beside exp(a)."""
    below = _remembered(m, m["y"])
    if below is None:
        return None
    above = m["x"]
    if isinstance(above, Const):
        if isinstance(below, Elementwise) and below.op is softplus:
            return above * sigmoid(-below.args[0])
        return above * exp(-below)
    top = _remembered(m, above)
    if top is not None:
        return exp(top - below)
    if isinstance(above, Elementwise) and above.op is mul:
        for factor, other in (above.args, above.args[::-1]):
            top = _remembered(m, factor)
            if top is not None and not isinstance(factor, Const):
                return other * exp(top - below)
    return None


def log_one_plus(m: Match) -> Node | None:
    """Return log(1 + u) as log1p(u), but not for a number u, which folds."""
    return None if isinstance(m["x"], Const) else log1p(m["x"])


def norm(m: Match) -> Node | None:
    """Return the root of a sum of squares or magnitudes as a norm, of gradient 0 at 0; that of one square as |u|."""
    terms = _terms(m["x"])
    if len(terms) == 1 and isinstance(terms[0], Elementwise):
        only = terms[0]
        if only.op is integer_power and only.attr == (2,):
            return abs_(only.args[0])
        if only.op is mul and only.args[0] is only.args[1]:
            return abs_(only.args[0])
    return root_of_squares(m["x"]) if all(map(_is_square, terms)) else None


def _is_square(term: Node) -> bool:
    """Return whether `term` has slope 0 where it is 0: a square, a magnitude, a sum over axes of squares."""
    match term:
        case Elementwise() if term.op is abs_:
            return True
        case Elementwise() if term.op is integer_power:
            return term.attr[0] > 0 and term.attr[0] % 2 == 0
        case Elementwise() if term.op is mul:
            return term.args[0] is term.args[1]
        case Contraction() if len(term.args) == 2:
            return term.args[0] is term.args[1] and term.spec.ins[0] == term.spec.ins[1]
        case Contraction() if len(term.args) == 1:
            arg = term.args[0]
            return isinstance(arg, Elementwise) and arg.op is integer_power and arg.attr == (2,)
    return False


OVERFLOW = "exp overflows above 709.78, and its quotients are then nan"
CANCELS = "1 + u rounds away what is small in u"

RULES = (
    Rule("log-exp", log(exp(x)), x, REAL, why=OVERFLOW),
    Rule("softplus", log(1.0 + exp(x)), softplus(x), REAL, why=OVERFLOW),
    Rule("softplus-log1p", log1p(exp(x)), softplus(x), REAL, why=OVERFLOW),
    Rule("log-sigmoid", log(sigmoid(x)), -softplus(-x), REAL, why="sigmoid underflows below -745"),
    Rule("log1p-neg-sigmoid", log1p(-sigmoid(x)), -softplus(x), REAL, why="sigmoid rounds to 1 above 37"),
    Rule("log-exponentials", log(x), log_of_exponentials, REAL, why=OVERFLOW),
    Rule("sigmoid-exp", exp(x) / (1.0 + exp(x)), sigmoid(x), REAL, why=OVERFLOW),
    Rule(
        "sigmoid-slope",
        exp(x) / integer_power(1.0 + exp(x), attr=(2,)),
        sigmoid(x) * sigmoid(-x),
        REAL,
        why=OVERFLOW,
    ),
    Rule("sigmoid", ONE / (1.0 + exp(x)), sigmoid(-x), REAL, why=OVERFLOW),
    Rule("sigmoid-odds", sigmoid(x) * exp(-x), sigmoid(-x), REAL, why=OVERFLOW),
    Rule("sigmoid-odds-inverse", sigmoid(-x) * exp(x), sigmoid(x), REAL, why=OVERFLOW),
    Rule("one-minus-sigmoid", 1.0 - sigmoid(x), sigmoid(-x), REAL, why="sigmoid rounds to 1 above 37"),
    Rule("sigmoid-minus-one", sigmoid(x) - 1.0, -sigmoid(-x), REAL, why="sigmoid rounds to 1 above 37"),
    Rule("softmax", x / y, softmax, REAL, why=OVERFLOW),
    Rule("sigmoid-times", y / (1.0 + exp(x)), y * sigmoid(-x), REAL, why=OVERFLOW),
    Rule("log1p", log(1.0 + x), log_one_plus, REAL, why=CANCELS),
    Rule("log1p-minus", log(1.0 - x), log1p(-x), REAL, why=CANCELS),
    Rule("expm1", exp(x) - 1.0, expm1(x), REAL, why="1 cancels the leading digits of exp near 0"),
    Rule("expm1-plus", exp(x) + const(-1.0), expm1(x), REAL, why="1 cancels the leading digits of exp near 0"),
    Rule("minus-expm1", 1.0 - exp(x), -expm1(x), REAL, why="1 cancels the leading digits of exp near 0"),
    Rule(
        "root-of-scaled",
        sqrt(integer_power(x, attr=(2,)) * y),
        abs_(x) * sqrt(y),
        REAL,
        why="the square may over- or underflow; y is then seen to be a sum of squares",
    ),
    Rule("norm", sqrt(x), norm, REAL, why="the value is the same; the gradient at 0 is 0 instead of nan"),
)
