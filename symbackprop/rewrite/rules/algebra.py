"""Arithmetic identities: zeros and ones, signs, constants, parity. They run on every graph."""

from __future__ import annotations

import math

import numpy as np

from symbackprop.ir.node import Const, Elementwise, Node
from symbackprop.ir.registry import Trait
from symbackprop.ops.arithmetic import integer_power, neg
from symbackprop.options import Warrant
from symbackprop.rewrite.pattern import Match, const, head, number, var
from symbackprop.rewrite.rule import Rule

__all__ = ["RULES"]

EXACT, FINITE, REAL = Warrant.EXACT, Warrant.FINITE, Warrant.REAL

x, y = var("?x"), var("?y")
a, b = number("a"), number("b")


def fold_constants(m: Match) -> Node | None:
    """Return the value of a primitive whose operands are numbers, unless finite numbers give something that is not."""
    node = m.node
    assert isinstance(node, Elementwise)
    numbers = [arg for arg in node.args if isinstance(arg, Const)]
    if len(numbers) < len(node.args):
        return None
    with np.errstate(all="ignore"):
        result = node.op.numpy(*(np.asarray(c.value, c.dtype) for c in numbers), *node.attr)
        value = np.asarray(result, node.dtype).item()
    if not math.isfinite(value) and all(math.isfinite(c.value) for c in numbers):
        return None
    return Const(value, node.type)


def is_of_constants(node: Elementwise) -> bool:
    """Whether every operand is a number."""
    return all(isinstance(arg, Const) for arg in node.args)


def parity(m: Match) -> Node | None:
    """Return -f(x) or f(x) for f(-x) where f is odd or even; the sign is then free to meet another."""
    node = m.node
    assert isinstance(node, Elementwise)
    arg = node.args[0]
    if len(node.args) != 1 or node.op is neg or not isinstance(arg, Elementwise) or arg.op is not neg:
        return None
    odd, even = Trait.ODD in node.op.traits, Trait.EVEN in node.op.traits
    if node.op is integer_power:
        odd, even = node.attr[0] % 2 == 1, node.attr[0] % 2 == 0
    if not (odd or even):
        return None
    inner = node.with_args(arg.args)
    return -inner if odd else inner


def reciprocal(m: Match) -> Node | None:
    """Return x**(-n) as 1/x**n, the form with a defined value at 0 in compiled code."""
    node = m.node
    assert isinstance(node, Elementwise)
    if node.op is not integer_power or node.attr[0] > 0:
        return None
    arg, n = node.args[0], -node.attr[0]
    return 1.0 / (arg if n == 1 else integer_power(arg, attr=(n,)))


def signed_term(m: Match) -> Node | None:
    """Return x - 2*y for x + (-2)*y, and x + 2*y for x - (-2)*y."""
    if not m.value("a") < 0:
        return None
    term = -m.value("a") * m["y"]
    assert isinstance(m.node, Elementwise)
    return m["x"] - term if m.node.op.name == "add" else m["x"] + term


def constant_first(m: Match) -> Node | None:
    """Return x*2 as 2*x, so that one product has one form."""
    return None if isinstance(m["x"], Const) else m["a"] * m["x"]


def outer_constant(m: Match) -> Node | None:
    """Return (2*x)*y as 2*(x*y) where 2*x serves nothing else; constants then meet."""
    inner = next(arg for arg in m.node.args if isinstance(arg, Elementwise) and m["a"] in arg.args)
    if isinstance(m["x"], Const) or isinstance(m["y"], Const) or not m.is_private(inner):
        return None
    return m["a"] * (m["x"] * m["y"])


ROUNDING = "the two constants are combined first, which rounds, overflows and underflows elsewhere"

EVALUATED = "evaluated by the primitive's own NumPy facet"
SIGN_ONLY = "odd and even functions keep the bits; read off the traits"

RULES = (
    Rule("fold-constants", Elementwise, fold_constants, EXACT, why=EVALUATED, when=is_of_constants),
    Rule("add-zero", x + 0.0, x, FINITE, why="-0.0 + 0.0 is +0.0"),
    Rule("add-minus-zero", x + const(-0.0), x, EXACT),
    Rule("sub-zero", x - 0.0, x, EXACT),
    Rule("sub-minus-zero", x - const(-0.0), x, FINITE, why="-0.0 + 0.0 is +0.0"),
    Rule("zero-sub", 0.0 - x, -x, FINITE, why="0.0 - 0.0 is +0.0, not -0.0"),
    Rule("mul-one", x * 1.0, x, EXACT),
    Rule("mul-minus-one", x * -1.0, -x, EXACT),
    Rule("mul-zero", x * 0.0, const(0.0), FINITE, why="0 times inf or nan is nan; the sign of zero"),
    Rule("mul-minus-zero", x * const(-0.0), const(0.0), FINITE, why="0 times inf or nan is nan; the sign of zero"),
    Rule("zero-div", const(0.0) / x, const(0.0), FINITE, why="0/0 and 0/nan are nan; the sign of zero"),
    Rule("div-one", x / 1.0, x, EXACT),
    Rule("div-minus-one", x / -1.0, -x, EXACT),
    Rule("neg-neg", neg(-x), x, EXACT),
    Rule("add-neg", x + (-y), x - y, EXACT),
    Rule("sub-neg", x - (-y), x + y, EXACT),
    Rule("neg-sub-left", (-x) - y, -(x + y), FINITE, why="the sign of zero: 0.0 from x = 0.0, y = -0.0"),
    Rule("neg-sub", -(x - y), y - x, FINITE, why="the sign of zero: -(x - x) is -0.0"),
    Rule("neg-mul", (-x) * y, -(x * y), EXACT),
    Rule("neg-div", (-x) / y, -(x / y), EXACT),
    Rule("div-neg", x / (-y), -(x / y), EXACT),
    Rule("neg-const-mul", -(a * x), lambda m: -m.value("a") * m["x"], EXACT),
    Rule("neg-const-div", -(a / x), lambda m: -m.value("a") / m["x"], EXACT),
    Rule("parity", Elementwise, parity, EXACT, why=SIGN_ONLY, when=lambda n: head(n.args[0]) == "neg"),
    Rule("negative-power", Elementwise, reciprocal, EXACT, when=lambda n: n.op is integer_power),
    Rule("const-first", x * a, constant_first, EXACT),
    Rule("const-mul-mul", a * (b * x), lambda m: (m.value("a") * m.value("b")) * m["x"], REAL, why=ROUNDING),
    Rule("const-mul-out", (a * x) * y, outer_constant, REAL, why="the product is rounded in another order"),
    Rule("const-add-add", (x + a) + b, lambda m: m["x"] + (m.value("a") + m.value("b")), REAL, why=ROUNDING),
    Rule("add-same", x + x, 2.0 * x, EXACT),
    Rule("add-multiple", x + a * x, lambda m: (1.0 + m.value("a")) * m["x"], REAL, why=ROUNDING),
    Rule("add-multiples", a * x + b * x, lambda m: (m.value("a") + m.value("b")) * m["x"], REAL, why=ROUNDING),
    Rule("sub-multiples", a * x - b * x, lambda m: (m.value("a") - m.value("b")) * m["x"], REAL, why=ROUNDING),
    Rule("add-signed", x + a * y, signed_term, EXACT),
    Rule("sub-signed", x - a * y, signed_term, EXACT),
    Rule("mul-reciprocal", x * (1.0 / y), x / y, REAL, why="one rounding instead of two, and 1/y may overflow"),
)
