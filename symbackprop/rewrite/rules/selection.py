"""Selections and masks. A branch that is not taken contributes a strong zero: 0, whatever it is multiplied by.

The derivative of a selection is a selection between the cotangent and 0. Multiplying that 0 by a local gradient that is
infinite or NaN, because its argument lies outside the domain the branch was guarding, would poison the sum. So the
products go inside the selection. Nested selections become one with a joint condition, so that the gradient of a branch
far down passes one selection instead of all those above it. The losers of a maximum (`gate`, `share`) are treated so
too.

What a sum hides from these rules, `ops.liveness` guards while the derivative is made. Neither follows a strong zero
through a scatter (the adjoint of reading a computed array at positions), through a routine of linear algebra, or out of
a choice that positions alone decide, such as j <= i: there a value that no entry uses must be finite.
"""

from __future__ import annotations

from symbackprop.ir.node import Broadcast, Const, Elementwise, Node
from symbackprop.ops.arithmetic import div, exceeds, gate, mul, share, winner
from symbackprop.ops.layout import spread
from symbackprop.ops.logic import and_, not_, or_, select
from symbackprop.options import Warrant
from symbackprop.rewrite.pattern import Match, const, has_axes, number, var
from symbackprop.rewrite.rule import Rule

__all__ = ["RULES"]

EXACT, FINITE, REAL = Warrant.EXACT, Warrant.FINITE, Warrant.REAL

c, d = var("?c"), var("?d")
x, y, z, w = var("?x"), var("?y"), var("?z"), var("?w")
ZERO = const(0.0)

STRONG = "0 times inf or nan is nan: the zero of a branch not taken is strong; the sign of zero"

APART = "the sign of zero; where neither branch is taken the zero stays strong"


def chosen(m: Match) -> Node:
    """Return the operand that a constant condition selects."""
    return m["x"] if m.value("c") else m["y"]


def inside(m: Match) -> Node | None:
    """Return a product or quotient of a repeated choice with 0 as a choice: its zero is strong at every repetition."""
    node = m.node
    assert isinstance(node, Elementwise)
    for k, arg in enumerate(node.args if node.op in {mul, div} else ()):
        # A number is chosen once, before it is repeated; what hides behind it `ops.liveness` guards.
        if not isinstance(arg, Broadcast) or not arg.axes or (k and node.op is div):
            continue
        choice = arg.args[0]
        if not isinstance(choice, Elementwise) or choice.op is not select:
            continue
        test, *branches = (spread(a, node.shape, arg.axes) for a in choice.args)
        zero = next((j for j, a in enumerate(choice.args[1:]) if isinstance(a, Const) and a.value == 0), None)
        if zero is None:
            continue
        others = [*node.args[:k], branches[1 - zero], *node.args[k + 1 :]]
        branches[1 - zero] = node.with_args(others)
        return select(test, *branches)
    return None


RULES = (
    Rule("select-const", select(number("c"), x, y), chosen, EXACT),
    Rule("select-same", select(c, x, x), x, EXACT),
    Rule("select-not", select(not_(c), x, y), select(c, y, x), EXACT),
    Rule("select-select-then", select(c, select(c, x, y), z), select(c, x, z), EXACT),
    Rule("select-select-else", select(c, x, select(c, y, z)), select(c, x, z), EXACT),
    Rule("select-both", select(c, select(d, x, ZERO), ZERO), select(and_(c, d), x, ZERO), EXACT),
    Rule("select-but", select(c, select(d, ZERO, x), ZERO), select(and_(c, not_(d)), x, ZERO), EXACT),
    Rule("select-neither", select(c, ZERO, select(d, ZERO, x)), select(or_(c, d), ZERO, x), EXACT),
    Rule("select-next", select(c, ZERO, select(d, x, ZERO)), select(and_(not_(c), d), x, ZERO), EXACT),
    Rule("not-not", not_(not_(c)), c, EXACT),
    Rule("and-true", and_(c, const(True)), c, EXACT),
    Rule("and-same", and_(c, c), c, EXACT),
    Rule("or-false", or_(c, const(False)), c, EXACT),
    Rule("or-same", or_(c, c), c, EXACT),
    Rule("neg-select-else-0", -select(c, x, ZERO), select(c, -x, ZERO), FINITE, why="the sign of zero"),
    Rule("neg-select-then-0", -select(c, ZERO, x), select(c, ZERO, -x), FINITE, why="the sign of zero"),
    Rule("mul-select-else-0", select(c, x, ZERO) * y, select(c, x * y, ZERO), FINITE, why=STRONG),
    Rule("mul-select-then-0", select(c, ZERO, x) * y, select(c, ZERO, x * y), FINITE, why=STRONG),
    Rule("times-select-repeated", Elementwise, inside, FINITE, why=STRONG, when=has_axes),
    Rule("div-select-else-0", select(c, x, ZERO) / y, select(c, x / y, ZERO), FINITE, why=STRONG),
    Rule("div-select-then-0", select(c, ZERO, x) / y, select(c, ZERO, x / y), FINITE, why=STRONG),
    Rule(
        "add-select-else-0",
        select(c, x, ZERO) + select(c, y, ZERO),
        select(c, x + y, ZERO),
        EXACT,
    ),
    Rule(
        "add-select-then-0",
        select(c, ZERO, x) + select(c, ZERO, y),
        select(c, ZERO, x + y),
        EXACT,
    ),
    Rule(
        "add-select-both",
        select(c, x, ZERO) + select(c, ZERO, y),
        select(c, x, y),
        FINITE,
        why="-0.0 + 0.0 is +0.0",
    ),
    Rule(
        "add-select-apart",
        select(c, x, ZERO) + select(d, y, ZERO),
        select(or_(c, d), select(c, x + select(d, y, ZERO), y), ZERO),
        FINITE,
        why=APART,
    ),
    Rule(
        "add-select-else",
        select(c, x, ZERO) + select(d, ZERO, y),
        select(or_(c, not_(d)), select(c, x + select(d, ZERO, y), y), ZERO),
        FINITE,
        why=APART,
    ),
    Rule(
        "add-select-neither",
        select(c, ZERO, x) + select(d, ZERO, y),
        select(and_(c, d), ZERO, select(c, y, x + select(d, ZERO, y))),
        FINITE,
        why=APART,
    ),
    Rule("mul-exceeds", exceeds(x, y) * z, gate(x, y, z), FINITE, why=STRONG),
    Rule("mul-winner", winner(x, y) * z, share(x, y, z), FINITE, why=STRONG),
    Rule("mul-gate", gate(x, y, z) * w, gate(x, y, z * w), FINITE, why=STRONG),
    Rule("mul-share", share(x, y, z) * w, share(x, y, z * w), REAL, why=STRONG + "; a half underflows elsewhere"),
    Rule("div-gate", gate(x, y, z) / w, gate(x, y, z / w), FINITE, why=STRONG),
    Rule("neg-gate", -gate(x, y, z), gate(x, y, -z), FINITE, why="the sign of zero"),
    Rule("neg-share", -share(x, y, z), share(x, y, -z), FINITE, why="the sign of zero"),
)
