"""The 35 unconstrained problems of Moré, Garbow and Hillstrom, f = sum of squared residuals, twice over.

`expr` is the objective as a user writes it: the published formula in SymPy, in index notation with a symbolic n where
the problem has one, indices running from 1 as in the paper and used as numbers where the paper does so. `residuals`
are the same functions by hand for mpmath numbers, in a file of their own; the two share the tables and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy as sp

import tests.end_to_end.more_garbow_hillstrom_residuals as by_hand
from tests.end_to_end.more_garbow_hillstrom_data import (
    BARD,
    GAUSSIAN,
    KOWALIK_OSBORNE,
    KOWALIK_OSBORNE_AT,
    MEYER,
    OSBORNE_1,
    OSBORNE_2,
)

__all__ = ["PROBLEMS", "Problem"]


@dataclass(frozen=True)
class Problem:
    """One problem.

    Attributes:
        expr: the objective.
        x: the unknowns: a list of scalar symbols, or an array.
        start: n -> the standard starting point.
        residuals: the residuals by hand at a list of numbers.
        sizes: the n to test.
        data: further arguments, the same for every n unless callable.
    """

    number: int
    name: str
    expr: sp.Expr
    x: Any
    start: Callable[[int], Sequence[float]]
    residuals: Callable[[list[Any]], list[Any]]
    sizes: tuple[int, ...]
    data: Mapping[Any, Any] = field(default_factory=dict)


i, j = sp.symbols("i j", integer=True)
n, k, extra = sp.symbols("n k extra", integer=True, positive=True)
x = sp.IndexedBase("x", (n,))
X = sp.symbols("x1:12")
x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11 = X


def table(entries: Sequence[float], name: str = "y") -> tuple[sp.IndexedBase, dict[Any, Any]]:
    """A table as an array argument: the array, and the argument."""
    base = sp.IndexedBase(name, (len(entries),))
    return base, {base: tuple(float(e) for e in entries)}


def fixed(*point: float) -> Callable[[int], Sequence[float]]:
    return lambda _: point


def squares(*residuals: sp.Expr) -> sp.Expr:
    return sp.Add(*(r**2 for r in residuals))


y8, bard = table(BARD)
y9, gaussian = table(GAUSSIAN)
y10, meyer = table(MEYER)
y15, kowalik = table(KOWALIK_OSBORNE)
u15, kowalik_at = table(KOWALIK_OSBORNE_AT, "u")
y17, osborne_1 = table(OSBORNE_1)
y19, osborne_2 = table(OSBORNE_2)

# -- problems of fixed dimension: scalar symbols, tables as arrays -----------------------------------------------------

rosenbrock = squares(10 * (x2 - x1**2), 1 - x1)
freudenstein_roth = squares(-13 + x1 + ((5 - x2) * x2 - 2) * x2, -29 + x1 + ((x2 + 1) * x2 - 14) * x2)
powell_badly_scaled = squares(10**4 * x1 * x2 - 1, sp.exp(-x1) + sp.exp(-x2) - sp.Float("1.0001"))
brown_badly_scaled = squares(x1 - 10**6, x2 - 2 * sp.Rational(1, 10**6), x1 * x2 - 2)
beale = squares(*(sp.Float(c) - x1 * (1 - x2**p) for p, c in enumerate(("1.5", "2.25", "2.625"), 1)))
jennrich_sampson = sp.Sum((2 + 2 * i - (sp.exp(i * x1) + sp.exp(i * x2))) ** 2, (i, 1, 10))
theta = sp.Piecewise(
    (sp.atan(x2 / x1) / (2 * sp.pi), x1 > 0),
    (sp.atan(x2 / x1) / (2 * sp.pi) + sp.Rational(1, 2), x1 < 0),
    (sp.sign(x2) / 4, True),
)
helical_valley = squares(10 * (x3 - 10 * theta), 10 * (sp.sqrt(x1**2 + x2**2) - 1), x3)
bard_sum = sp.Sum((y8[i - 1] - (x1 + i / ((16 - i) * x2 + sp.Min(i, 16 - i) * x3))) ** 2, (i, 1, 15))
gaussian_sum = sp.Sum((x1 * sp.exp(-x2 * ((8 - i) / 2 - x3) ** 2 / 2) - y9[i - 1]) ** 2, (i, 1, 15))
meyer_sum = sp.Sum((x1 * sp.exp(x2 / (45 + 5 * i + x3)) - y10[i - 1]) ** 2, (i, 1, 16))
gulf_y = 25 + (-50 * sp.log(i / 100)) ** sp.Rational(2, 3)
gulf = sp.Sum((sp.exp(-(sp.Abs(gulf_y - x2) ** x3) / x1) - i / 100) ** 2, (i, 1, 99))
t = i / 10
box = sp.Sum((sp.exp(-t * x1) - sp.exp(-t * x2) - x3 * (sp.exp(-t) - sp.exp(-10 * t))) ** 2, (i, 1, 10))
powell_singular = squares(x1 + 10 * x2, sp.sqrt(5) * (x3 - x4), (x2 - 2 * x3) ** 2, sp.sqrt(10) * (x1 - x4) ** 2)
wood = squares(
    *(10 * (x2 - x1**2), 1 - x1, sp.sqrt(90) * (x4 - x3**2), 1 - x3),
    *(sp.sqrt(10) * (x2 + x4 - 2), (x2 - x4) / sp.sqrt(10)),
)
u_i = u15[i - 1]
kowalik_sum = sp.Sum((y15[i - 1] - x1 * (u_i**2 + u_i * x2) / (u_i**2 + u_i * x3 + x4)) ** 2, (i, 1, 11))
t = i / 5
brown_dennis = sp.Sum(
    ((x1 + t * x2 - sp.exp(t)) ** 2 + (x3 + x4 * sp.sin(t) - sp.cos(t)) ** 2) ** 2,
    (i, 1, 20),
)
t = 10 * (i - 1)
osborne_1_sum = sp.Sum((y17[i - 1] - (x1 + x2 * sp.exp(-t * x4) + x3 * sp.exp(-t * x5))) ** 2, (i, 1, 33))
t = i / 10
biggs_y = sp.exp(-t) - 5 * sp.exp(-10 * t) + 3 * sp.exp(-4 * t)
biggs = sp.Sum((x3 * sp.exp(-t * x1) - x4 * sp.exp(-t * x2) + x6 * sp.exp(-t * x5) - biggs_y) ** 2, (i, 1, 13))
t = (i - 1) / 10
peaks = [a * sp.exp(-((t - c) ** 2) * b) for a, b, c in ((x2, x6, x9), (x3, x7, x10), (x4, x8, x11))]
osborne_2_sum = sp.Sum((y19[i - 1] - (x1 * sp.exp(-t * x5) + sp.Add(*peaks))) ** 2, (i, 1, 65))

# -- problems of any dimension: index notation, n symbolic -------------------------------------------------------------

t = i / 29
watson = (
    sp.Sum(
        (sp.Sum((j - 1) * x[j - 1] * t ** (j - 2), (j, 2, n)) - sp.Sum(x[j - 1] * t ** (j - 1), (j, 1, n)) ** 2 - 1)
        ** 2,
        (i, 1, 29),
    )
    + x[0] ** 2
    + (x[1] - x[0] ** 2 - 1) ** 2
)
pairs = sp.IndexedBase("x", (2 * k,))
extended_rosenbrock = sp.Sum(
    100 * (pairs[2 * i - 1] - pairs[2 * i - 2] ** 2) ** 2 + (1 - pairs[2 * i - 2]) ** 2, (i, 1, k)
)
fours = sp.IndexedBase("x", (4 * k,))
a1, a2, a3, a4 = (fours[4 * i - 4 + s] for s in range(4))
extended_powell = sp.Sum((a1 + 10 * a2) ** 2 + 5 * (a3 - a4) ** 2 + (a2 - 2 * a3) ** 4 + 10 * (a1 - a4) ** 4, (i, 1, k))
a = sp.Rational(1, 10**5)
penalty_1 = a * sp.Sum((x[i - 1] - 1) ** 2, (i, 1, n)) + (sp.Sum(x[j - 1] ** 2, (j, 1, n)) - sp.Rational(1, 4)) ** 2
penalty_2 = (
    (x[0] - sp.Rational(1, 5)) ** 2
    + a
    * sp.Sum((sp.exp(x[i - 1] / 10) + sp.exp(x[i - 2] / 10) - (sp.exp(i / 10) + sp.exp((i - 1) / 10))) ** 2, (i, 2, n))
    + a * sp.Sum((sp.exp(x[i - 1] / 10) - sp.exp(-sp.Rational(1, 10))) ** 2, (i, 2, n))
    + (sp.Sum((n - j + 1) * x[j - 1] ** 2, (j, 1, n)) - 1) ** 2
)
weighted = sp.Sum(j * (x[j - 1] - 1), (j, 1, n))
variably_dimensioned = sp.Sum((x[i - 1] - 1) ** 2, (i, 1, n)) + weighted**2 + weighted**4
cosines = sp.Sum(sp.cos(x[j - 1]), (j, 1, n))
trigonometric = sp.Sum((n - cosines + i * (1 - sp.cos(x[i - 1])) - sp.sin(x[i - 1])) ** 2, (i, 1, n))
total = sp.Sum(x[j - 1], (j, 1, n))
almost_linear = sp.Sum((x[i - 1] + total - (n + 1)) ** 2, (i, 1, n - 1)) + (sp.Product(x[j - 1], (j, 1, n)) - 1) ** 2
h = 1 / (n + 1)


def cubic(at: sp.Expr) -> sp.Expr:
    """(x_at + t_at + 1)**3, counted from 1."""
    return (x[at - 1] + at * h + 1) ** 3


boundary_value = (
    sp.Sum((2 * x[i - 1] - x[i - 2] - x[i] + h**2 * cubic(i) / 2) ** 2, (i, 2, n - 1))
    + (2 * x[0] - x[1] + h**2 * cubic(sp.Integer(1)) / 2) ** 2
    + (2 * x[n - 1] - x[n - 2] + h**2 * cubic(n) / 2) ** 2
)
below = sp.Sum(j * h * cubic(j), (j, 1, i))
above = sp.Sum((1 - j * h) * cubic(j), (j, i + 1, n))
integral_equation = sp.Sum((x[i - 1] + h * ((1 - i * h) * below + i * h * above) / 2) ** 2, (i, 1, n))


def linear_part(at: sp.Expr) -> sp.Expr:
    return (3 - 2 * x[at - 1]) * x[at - 1] + 1


broyden_tridiagonal = (
    sp.Sum((linear_part(i) - x[i - 2] - 2 * x[i]) ** 2, (i, 2, n - 1))
    + (linear_part(sp.Integer(1)) - 2 * x[1]) ** 2
    + (linear_part(n) - x[n - 2]) ** 2
)
own = x[i - 1] * (2 + 5 * x[i - 1] ** 2) + 1
band = sp.Sum(x[j - 1] * (1 + x[j - 1]), (j, sp.Max(1, i - 5), sp.Min(n, i + 1))) - x[i - 1] * (1 + x[i - 1])
broyden_banded = sp.Sum((own - band) ** 2, (i, 1, n))
inside = sp.Heaviside(i + 1 - j, 1) * sp.Heaviside(j - i + 5, 1) * (1 - sp.KroneckerDelta(i, j))
broyden_banded_steps = sp.Sum((own - sp.Sum(inside * x[j - 1] * (1 + x[j - 1]), (j, 1, n))) ** 2, (i, 1, n))

# The linear problems are A x - y with y = 1, and y tells m.
m = n + extra
y = sp.IndexedBase("y", (m,))
full_rank = sp.Sum((x[i - 1] - 2 * total / m - y[i - 1]) ** 2, (i, 1, n)) + sp.Sum(
    (2 * total / m + y[i - 1]) ** 2, (i, n + 1, m)
)
rank_1 = sp.Sum((i * sp.Sum(j * x[j - 1], (j, 1, n)) - y[i - 1]) ** 2, (i, 1, m))
rank_1_zeros = (
    sp.Sum(((i - 1) * sp.Sum(j * x[j - 1], (j, 2, n - 1)) - y[i - 1]) ** 2, (i, 2, m - 1)) + y[0] ** 2 + y[m - 1] ** 2
)
chebyshev = sp.Sum(sp.cos(i * sp.acos(2 * x[j - 1] - 1)), (j, 1, n)) / n
moment = sp.Piecewise((-1 / (i**2 - 1), sp.Eq(sp.Mod(i, 2), 0)), (0, True))
chebyquad = sp.Sum((chebyshev - moment) ** 2, (i, 1, n))


# -- the problems ------------------------------------------------------------------------------------------------------


def every(value: float) -> Callable[[int], Sequence[float]]:
    return lambda n: (value,) * n


def repeated(*block: float) -> Callable[[int], Sequence[float]]:
    return lambda n: block * (n // len(block))


def evenly(n: int) -> list[float]:
    return [p / (n + 1) for p in range(1, n + 1)]


def trial(n: int) -> list[float]:
    """The start of the discretised equations: t (t - 1) at t = p / (n + 1)."""
    return [p * (p - 1) for p in evenly(n)]


def descending(n: int) -> list[float]:
    return [1 - p / n for p in range(1, n + 1)]


double = {y: lambda n: (1.0,) * (2 * n)}
PROBLEMS = (
    Problem(1, "Rosenbrock", rosenbrock, X[:2], fixed(-1.2, 1), by_hand.rosenbrock, (2,)),
    Problem(2, "Freudenstein and Roth", freudenstein_roth, X[:2], fixed(0.5, -2), by_hand.freudenstein_roth, (2,)),
    Problem(3, "Powell badly scaled", powell_badly_scaled, X[:2], fixed(0, 1), by_hand.powell_badly_scaled, (2,)),
    Problem(4, "Brown badly scaled", brown_badly_scaled, X[:2], fixed(1, 1), by_hand.brown_badly_scaled, (2,)),
    Problem(5, "Beale", beale, X[:2], fixed(1, 1), by_hand.beale, (2,)),
    Problem(6, "Jennrich and Sampson", jennrich_sampson, X[:2], fixed(0.3, 0.4), by_hand.jennrich_sampson, (2,)),
    Problem(7, "helical valley", helical_valley, X[:3], fixed(-1, 0, 0), by_hand.helical, (3,)),
    Problem(8, "Bard", bard_sum, X[:3], fixed(1, 1, 1), by_hand.bard, (3,), bard),
    Problem(9, "Gaussian", gaussian_sum, X[:3], fixed(0.4, 1, 0), by_hand.gaussian, (3,), gaussian),
    Problem(10, "Meyer", meyer_sum, X[:3], fixed(0.02, 4000, 250), by_hand.meyer, (3,), meyer),
    Problem(11, "Gulf research and development", gulf, X[:3], fixed(5, 2.5, 0.15), by_hand.gulf, (3,)),
    Problem(12, "Box three-dimensional", box, X[:3], fixed(0, 10, 20), by_hand.box, (3,)),
    Problem(13, "Powell singular", powell_singular, X[:4], fixed(3, -1, 0, 1), by_hand.powell, (4,)),
    Problem(14, "Wood", wood, X[:4], fixed(-3, -1, -3, -1), by_hand.wood, (4,)),
    Problem(
        15,
        "Kowalik and Osborne",
        kowalik_sum,
        X[:4],
        fixed(0.25, 0.39, 0.415, 0.39),
        by_hand.kowalik_osborne,
        (4,),
        {**kowalik, **kowalik_at},
    ),
    Problem(16, "Brown and Dennis", brown_dennis, X[:4], fixed(25, 5, -5, -1), by_hand.brown_dennis, (4,)),
    Problem(17, "Osborne 1", osborne_1_sum, X[:5], fixed(0.5, 1.5, -1, 0.01, 0.02), by_hand.osborne_1, (5,), osborne_1),
    Problem(18, "Biggs EXP6", biggs, X[:6], fixed(1, 2, 1, 1, 1, 1), by_hand.biggs, (6,)),
    Problem(
        19,
        "Osborne 2",
        osborne_2_sum,
        X,
        fixed(1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5),
        by_hand.osborne_2,
        (11,),
        osborne_2,
    ),
    Problem(20, "Watson", watson, x, every(0.0), by_hand.watson, (6, 9)),
    Problem(21, "extended Rosenbrock", extended_rosenbrock, pairs, repeated(-1.2, 1), by_hand.rosenbrock, (2, 8)),
    Problem(22, "extended Powell singular", extended_powell, fours, repeated(3, -1, 0, 1), by_hand.powell, (4, 12)),
    Problem(23, "penalty I", penalty_1, x, lambda n: range(1, n + 1), by_hand.penalty_1, (4, 10)),
    Problem(24, "penalty II", penalty_2, x, every(0.5), by_hand.penalty_2, (4, 10)),
    Problem(25, "variably dimensioned", variably_dimensioned, x, descending, by_hand.variably, (10, 3)),
    Problem(26, "trigonometric", trigonometric, x, lambda n: (1 / n,) * n, by_hand.trigonometric, (10, 4)),
    Problem(27, "Brown almost-linear", almost_linear, x, every(0.5), by_hand.almost_linear, (10, 30)),
    Problem(28, "discrete boundary value", boundary_value, x, trial, by_hand.boundary_value, (10, 4)),
    Problem(29, "discrete integral equation", integral_equation, x, trial, by_hand.integral_equation, (10, 4)),
    Problem(30, "Broyden tridiagonal", broyden_tridiagonal, x, every(-1.0), by_hand.tridiagonal, (10, 5)),
    Problem(31, "Broyden banded", broyden_banded, x, every(-1.0), by_hand.banded, (10, 15)),
    Problem(31, "Broyden banded, by steps", broyden_banded_steps, x, every(-1.0), by_hand.banded, (10, 15)),
    Problem(32, "linear, full rank", full_rank, x, every(1.0), by_hand.full_rank, (5, 3), double),
    Problem(33, "linear, rank 1", rank_1, x, every(1.0), by_hand.rank_1, (5, 3), double),
    Problem(34, "linear, rank 1 with zeros", rank_1_zeros, x, every(1.0), by_hand.rank_1_zeros, (5, 4), double),
    Problem(35, "Chebyquad", chebyquad, x, evenly, by_hand.chebyquad, (8, 9, 10)),
)
