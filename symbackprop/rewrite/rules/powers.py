"""Powers of magnitudes and their signs as one function: real roots of negative numbers, and slopes at 0 that exist.

SymPy writes real_root(x, 3) as Abs(x)**(1/3)*sign(x). Differentiated factor by factor, its slope at 0 would be 0 times
infinity. These rules run before differentiation.
"""

from __future__ import annotations

from symbackprop.ir.node import Const, Elementwise, Node
from symbackprop.ops.arithmetic import abs_, integer_power, root_of_squares, sign
from symbackprop.ops.powers import magnitude_power, odd_power
from symbackprop.ops.transcendental import power
from symbackprop.options import Warrant
from symbackprop.rewrite.pattern import Match, number, var
from symbackprop.rewrite.rule import Rule

__all__ = ["RULES"]

EXACT, REAL = Warrant.EXACT, Warrant.REAL

x, y, n = var("?x"), var("?y"), number("n")


def without_sign(m: Match) -> Node | None:
    """Return abs(x)**n*sign(x)**2 as abs(x)**n, for n > 0: both are 0 at 0."""
    return magnitude_power(m["x"], m["n"]) if m.value("n") > 0 else None


def of_even_power(m: Match) -> Node | None:
    """Return (x**2)**n as abs(x)**(2*n), for n > 0, and so for any even power."""
    inner = m["x"]
    if not isinstance(inner, Elementwise) or inner.op is not integer_power or m.value("n") <= 0:
        return None
    (even,) = inner.attr
    if even < 0 or even % 2:
        return None
    exponent = even * m.value("n")
    return magnitude_power(inner.args[0], Const(exponent, inner.type))


def power_of_sign(m: Match) -> Node | None:
    """Return an odd power of a sign as the sign, a larger even one as its square."""
    node = m.node
    if not isinstance(node, Elementwise) or node.op is not integer_power or node.attr[0] < 3:
        return None
    base = node.args[0]
    if not isinstance(base, Elementwise) or base.op is not sign:
        return None
    return base if node.attr[0] % 2 else integer_power(base, attr=(2,))


def odd(m: Match) -> Node | None:
    """Return abs(x)**n*sign(x) as one function, for n > 0: both are 0 at 0."""
    return odd_power(m["x"], m["n"]) if m.value("n") > 0 else None


AT_ZERO = "the value is the same; at 0 the slope exists only for the whole"

RULES = (
    Rule("power-of-magnitude", power(abs_(x), y), magnitude_power(x, y), EXACT),
    Rule("power-of-square", power(x, n), of_even_power, REAL, why="the square overflows or underflows where x is not"),
    Rule("power-of-sign", Elementwise, power_of_sign, EXACT, when=lambda node: node.op is integer_power),
    Rule("odd-power", magnitude_power(x, n) * sign(x), odd, REAL, why=AT_ZERO),
    Rule("odd-root", root_of_squares(abs_(x)) * sign(x), odd_power(x, 0.5), REAL, why=AT_ZERO),
    Rule("magnitude-sign", abs_(x) * sign(x), x, REAL, why=AT_ZERO),
    Rule(
        "magnitude-sign-square",
        magnitude_power(x, n) * integer_power(sign(x), attr=(2,)),
        without_sign,
        REAL,
        why=AT_ZERO,
    ),
)
