"""Random scalar programs over the functions of the front end, with sharing: DAGs, not trees.

Every value carries bounds; an operand outside a function's domain is first brought into it, so that values stay
moderate and derivatives exist. Expressions come as SymPy's automatic evaluation leaves them.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st
from sympy.codegen import cfunctions

import symbackprop as sbp
from tests.exact import Exact, NearKink
from tests.plain import compile_plain
from tests.properties import check, deterministic, fair, numba

#: Kernels run as plain Python warn where a choice leaves out what has no value.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@dataclass(frozen=True)
class Bounded:
    """An expression and an interval that holds its value."""

    expr: sp.Expr
    low: float
    high: float


@dataclass(frozen=True)
class Op:
    """A function of bounded operands: its domain, and bounds of its value there.

    Attributes:
        tested: the operands that conditions are about. They hold no choices themselves: SymPy would rewrite those into
            conditions, and those into sets, for minutes.
    """

    name: str
    make: Callable[..., sp.Expr]
    domains: tuple[tuple[float, float], ...]
    low: float
    high: float
    tested: tuple[int, ...] = ()


def op(
    name: str,
    make: Callable[..., sp.Expr],
    *domains: tuple[float, float],
    to: tuple[float, float],
    tested: tuple[int, ...] = (),
) -> Op:
    return Op(name, make, domains, *to, tested)


ANY, WIDE = (-math.inf, math.inf), (-30.0, 30.0)


def monotone(function: Callable[..., sp.Expr], low: float, high: float) -> Op:
    ends = sorted(float(function(sp.Float(end))) for end in (low, high))
    return Op(function.__name__, function, ((low, high),), ends[0], ends[1])


ELEMENTARY = (
    *(monotone(f, -2.0, 1.5) for f in (sp.exp, sp.sinh, cfunctions.expm1, cfunctions.exp2, sp.erf, sp.erfc)),
    *(monotone(f, 0.2, 5.0) for f in (sp.log, sp.sqrt, sp.cbrt, cfunctions.log1p, cfunctions.log2, cfunctions.log10)),
    *(monotone(f, -0.9, 0.9) for f in (sp.asin, sp.acos, sp.atanh, sp.erfinv)),
    *(monotone(f, -1.2, 1.2) for f in (sp.tan, sp.atan, sp.asinh, sp.tanh)),
    *(monotone(f, 0.4, 2.7) for f in (sp.cot, sp.acot, sp.coth, sp.csch, sp.sech, sp.acsch)),
    *(monotone(f, 1.1, 10.0) for f in (sp.asec, sp.acsc, sp.acosh, sp.acoth)),
    monotone(sp.asech, 0.1, 0.9),
    monotone(sp.LambertW, 0.0, 5.0),
    op("sin", sp.sin, WIDE, to=(-1, 1)),
    op("cos", sp.cos, WIDE, to=(-1, 1)),
    op("sec", sp.sec, (-1.2, 1.2), to=(1, 2.8)),
    op("csc", sp.csc, (0.4, 2.7), to=(1, 2.6)),
    op("cosh", sp.cosh, (-2, 2), to=(1, 3.8)),
    op("sinc", sp.sinc, (-6, 6), to=(-0.3, 1)),
    op("atan2", sp.atan2, (-5, 5), (0.3, 5), to=(-1.6, 1.6)),
    op("hypot", cfunctions.hypot, (-5, 5), (0.2, 5), to=(0.2, 7.1)),
    op("fma", cfunctions.fma, (-3, 3), (-3, 3), (-3, 3), to=(-12, 12)),
)
SPECIAL = (
    op("gamma", sp.gamma, (0.3, 4), to=(0.8, 6)),
    op("loggamma", sp.loggamma, (0.3, 6), to=(-0.2, 4.8)),
    op("digamma", sp.digamma, (0.3, 6), to=(-3.6, 1.8)),
    op("trigamma", lambda a: sp.polygamma(1, a), (0.3, 6), to=(0.1, 12.3)),
    op("polygamma2", lambda a: sp.polygamma(2, a), (0.5, 6), to=(-17, 0)),
    op("beta", sp.beta, (0.5, 3), (0.5, 3), to=(0.03, 3.2)),
    op("factorial", sp.factorial, (0.2, 3), to=(0.8, 6)),
    op("binomial", sp.binomial, (3, 5), (0.5, 2), to=(1, 10)),
    *(op(f"besselj{n}", lambda a, n=n: sp.besselj(n, a), (0.3, 6), to=(-1, 1)) for n in (0, 1, 3)),
    *(op(f"bessely{n}", lambda a, n=n: sp.bessely(n, a), (0.5, 6), to=(-1.5, 0.6)) for n in (0, 1)),
    *(op(f"besseli{n}", lambda a, n=n: sp.besseli(n, a), (0.3, 2), to=(0, 2.3)) for n in (0, 1, 2)),
    *(op(f"besselk{n}", lambda a, n=n: sp.besselk(n, a), (0.5, 3), to=(0.03, 1.7)) for n in (0, 1)),
)


STEPPED = (
    op("Abs", sp.Abs, (-8, 8), to=(0, 8)),
    op("sign", sp.sign, ANY, to=(-1, 1)),
    op("floor", sp.floor, (-8, 8), to=(-8, 8)),
    op("ceiling", sp.ceiling, (-8, 8), to=(-8, 8)),
    op("frac", sp.frac, (-8, 8), to=(0, 1)),
    op("Heaviside", sp.Heaviside, ANY, to=(0, 1)),
    op("Mod", lambda a: sp.Mod(a, sp.Rational(3, 2)), (-8, 8), to=(0, 1.5)),
    op("Mod of two", sp.Mod, (-8, 8), (0.7, 2.5), to=(0, 2.5)),
    op("Max", sp.Max, (-8, 8), (-8, 8), to=(-8, 8)),
    op("Min", sp.Min, (-8, 8), (-8, 8), (-8, 8), to=(-8, 8)),
    op(
        "Piecewise",
        lambda a, b, c, d: sp.Piecewise((a, c < d), (b, True)),
        *[(-8.0, 8.0)] * 4,
        to=(-8, 8),
        tested=(2, 3),
    ),
    op(
        "Piecewise of three",
        lambda a, b, c: sp.Piecewise((a, sp.And(c > -1, c <= 1)), (b, sp.Or(sp.Not(c > 1), a < b)), (c, True)),
        *[(-8.0, 8.0)] * 3,
        to=(-8, 8),
        tested=(0, 1, 2),
    ),
)
#: Choices between a value that need not exist and another: what is not taken must not matter.
GUARDED = (
    op(
        "guarded log",
        lambda a, b: sp.Piecewise((sp.log(1 + a), a > 0), (b, True)),
        (-8, 8),
        (-8, 8),
        to=(-8, 8),
        tested=(0,),
    ),
    op(
        "guarded root",
        lambda a, b: sp.Piecewise((b, a < 1), (sp.sqrt(a), True)),
        (-8, 8),
        (-8, 8),
        to=(-8, 8),
        tested=(0,),
    ),
    op(
        "guarded arc cosine",
        lambda a, b: sp.Piecewise((sp.acos(a), sp.And(a > -0.9, a < 0.9)), (b, True)),
        *[(-8.0, 8.0)] * 2,
        to=(-8, 8),
        tested=(0,),
    ),
    op(
        "guarded power",
        lambda a, b: sp.Piecewise((a**b, a > 0.5), (b, True)),
        (-8, 3),
        (-2, 2),
        to=(-2, 9),
        tested=(0,),
    ),
)
ARITHMETIC = (
    op("add", lambda a, b: a + b, (-8, 8), (-8, 8), to=(-16, 16)),
    op("sub", lambda a, b: a - b, (-8, 8), (-8, 8), to=(-16, 16)),
    op("add three", lambda a, b, c: a + 2 * b - c / 3, (-8, 8), (-8, 8), (-8, 8), to=(-27, 27)),
    op("mul", lambda a, b: a * b, (-5, 5), (-5, 5), to=(-25, 25)),
    op("mul three", lambda a, b, c: a * b * c, (-3, 3), (-3, 3), (-3, 3), to=(-27, 27)),
    op("div", lambda a, b: a / b, (-8, 8), (0.4, 8), to=(-20, 20)),
    op("square", lambda a: a**2, (-5, 5), to=(0, 25)),
    op("cube", lambda a: a**3, (-3, 3), to=(-27, 27)),
    op("reciprocal square", lambda a: a**-2, (0.4, 8), to=(0, 6.3)),
    op("two thirds", lambda a: a ** sp.Rational(2, 3), (0.1, 8), to=(0.2, 4)),
    op("minus three halves", lambda a: a ** sp.Rational(-3, 2), (0.4, 8), to=(0, 4)),
    op("power", lambda a, b: a**b, (0.4, 3), (-2, 2), to=(0.1, 9)),
    op("two to the", lambda a: 2**a, (-2, 2), to=(0.25, 4)),
    op("pi", lambda a: sp.pi * a - sp.E, (-5, 5), to=(-19, 14)),
)
NEURAL = (
    op("sigmoid", sbp.sigmoid, WIDE, to=(0, 1)),
    op("softplus", sbp.softplus, (-8, 8), to=(0, 8.1)),
    op("relu", sbp.relu, (-8, 8), to=(0, 8)),
    op("leaky_relu", sbp.leaky_relu, (-8, 8), to=(-0.1, 8)),
    op("prelu", sbp.prelu, (-8, 8), (-1, 1), to=(-8, 8)),
    op("hardtanh", sbp.hardtanh, ANY, to=(-1, 1)),
    op("silu", sbp.silu, (-8, 8), to=(-0.3, 8)),
    op("gelu", sbp.gelu, (-8, 8), to=(-0.2, 8)),
    op("gelu_tanh", sbp.gelu_tanh, (-8, 8), to=(-0.2, 8)),
    op("elu", sbp.elu, (-8, 8), to=(-1, 8)),
    op("selu", sbp.selu, (-7, 7), to=(-1.8, 7.4)),
)
OPS = (*ELEMENTARY, *SPECIAL, *STEPPED, *GUARDED, *ARITHMETIC, *NEURAL)

SYMBOLS = (
    Bounded(sp.Symbol("x", real=True), -2.0, 2.0),
    Bounded(sp.Symbol("y", real=True), 0.3, 3.0),
    Bounded(sp.Symbol("lambda", positive=True), 0.5, 2.0),
    Bounded(sp.Symbol("alpha_1", real=True), -5.0, 5.0),
)


def fitted(a: Bounded, low: float, high: float) -> sp.Expr:
    """The operand, or a smooth function of it that lies in the interval."""
    if low <= a.low and a.high <= high:
        return a.expr
    middle, half = sp.nsimplify((low + high) / 2, rational=True), sp.nsimplify((high - low) / 2, rational=True)
    return middle + half * sp.sin(a.expr)


def applied(op: Op, operands: Sequence[Bounded]) -> Bounded:
    args = []
    for k, (a, (low, high)) in enumerate(zip(operands, op.domains, strict=True)):
        operand = SYMBOLS[-1] if k in op.tested and a.expr.has(sp.Piecewise) else a
        args.append(operand.expr if low == -math.inf else fitted(operand, low, high))
    return Bounded(op.make(*args), op.low, op.high)


def point(seed: int) -> dict[str, float]:
    rng = np.random.default_rng(seed)
    return {str(s.expr): float(rng.uniform(s.low, s.high)) for s in SYMBOLS}


def random_outputs(pick: Callable[[int], int], most: int = 14, ops: Sequence[Op] = OPS) -> list[sp.Expr]:
    """The outputs of a random DAG; `pick(size)` chooses a number below `size`. Fresh values are likelier operands."""
    pool = list(SYMBOLS)
    for _ in range(1 + pick(most)):
        op = ops[pick(len(ops))]
        made = applied(op, [pool[-1 - pick(min(len(pool), 7))] for _ in op.domains])
        if made.expr.free_symbols:
            pool.append(made)
    return [a.expr for a in pool[-1 - pick(3) :]]


@st.composite
def programs(draw: Any, most: int = 14, ops: Sequence[Op] = OPS) -> list[sp.Expr]:
    return random_outputs(lambda size: draw(st.integers(0, size - 1)), most, ops)


def checked(outputs: list[sp.Expr], seed: int, compiler: Any) -> None:
    values = point(seed)
    check(outputs, lambda v: Exact(v)(outputs), values, {}, seed=seed, compiler=compiler)


@pytest.mark.parametrize("op", OPS, ids=[op.name for op in OPS])
def test_each_function(op: Op) -> None:
    """Alone, inside another function, and with every operand the same."""
    x, y, z, _ = SYMBOLS
    once = applied(op, [x, y, z, x][: len(op.domains)])
    again = [once] if len(op.domains) == 1 else [z, once, x, y][: len(op.domains)]
    twice = applied(op, again)
    for seed in range(3):
        with contextlib.suppress(NearKink):
            checked([once.expr, sp.sin(once.expr) * y.expr, twice.expr + x.expr], seed, None)
        checked([once.expr * y.expr], seed, None)


@deterministic(60)
@given(programs(), st.integers(0, 1000))
def test_random_programs(outputs: list[sp.Expr], seed: int) -> None:
    with fair():
        checked(outputs, seed, None)


@deterministic(15)
@given(programs(most=8, ops=GUARDED * 3 + ARITHMETIC), st.integers(0, 1000))
def test_random_choices(outputs: list[sp.Expr], seed: int) -> None:
    """Programs most of whose values need not exist."""
    with fair():
        checked(outputs, seed, compile_plain)


def guard(value: sp.Expr, test: Any, other: Any) -> sp.Expr:
    return sp.Piecewise((value, test), (other, True))


X, Y = (s.expr for s in SYMBOLS[:2])


@pytest.mark.parametrize(
    "expr",
    [
        guard(sp.sqrt(X), X > 0, 0) + guard(sp.cos(sp.sqrt(X)), X > 0, 1),
        guard(sp.sqrt(X), X > 0, 0) + guard(sp.sqrt(X), X > Y, Y),
        guard(sp.log(X) * Y, sp.And(X > 0, Y > 0), X) * guard(sp.log(X), X > 1, Y),
        guard(sp.acos(X), sp.Abs(X) < 1, 0) * Y + guard(sp.acos(X), sp.Abs(X) < sp.Rational(1, 2), X),
    ],
)
def test_what_two_choices_leave_out(expr: sp.Expr) -> None:
    """A value that exists for neither choice has no part in the gradient, whatever it is."""
    for x in (-1.9, -0.7, 1.7):
        values = {"x": x, "y": 2.0}
        check([expr], lambda v: Exact(v)([expr]), values, {}, compiler=compile_plain)


@deterministic(20)
@given(programs(), st.integers(0, 1000))
def test_random_kernels(outputs: list[sp.Expr], seed: int) -> None:
    with fair():
        checked(outputs, seed, compile_plain)


@deterministic(3)
@given(programs(most=20), st.integers(0, 1000))
def test_random_kernels_compiled_by_numba(outputs: list[sp.Expr], seed: int) -> None:
    with fair():
        checked(outputs, seed, numba)
