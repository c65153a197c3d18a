"""Points where a derivative has a jump: norms at zero, ties, absolute values, steps, powers of zero."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import sympy as sp
from sympy.codegen.cfunctions import Cbrt

from tests.museum.exhibit import check, kernel

x, y, z, a, b, t = sp.symbols("x y z a b t")
n, m, p = sp.symbols("n m p", integer=True, positive=True)
i, j, k = sp.symbols("i j k", integer=True)


# -- norms -------------------------------------------------------------------------------------------------------------


def test_norm_of_nothing() -> None:
    """JAX #3058 and #6484, PyTorch #2421: the gradient of a norm at zero is nan; the least subgradient is 0."""
    v = sp.IndexedBase("v")
    f = kernel(sp.sqrt(sp.Sum(v[i] ** 2, (i, 0, n - 1))))
    check(f, {"v": np.zeros(3)}, 0.0, {"v": np.zeros(3)})
    check(f, {"v": np.array([3.0, 4.0])}, 5.0, {"v": [0.6, 0.8]})


def test_norm_of_a_difference() -> None:
    """CasADi #3898: the gradient of norm_2(y - yref) is nan where the two agree."""
    first, second = sp.MatrixSymbol("y", n, 1), sp.MatrixSymbol("yref", n, 1)
    off = first - second
    f = kernel(sp.sqrt(sp.Trace(off.T * off)), plain=True)
    same = np.array([0.3, -0.7, 1.9])
    check(f, {"y": same, "yref": same}, 0.0, {"y": np.zeros(3), "yref": np.zeros(3)})
    squared = kernel(sp.sqrt(sp.Trace(off.T * off)) ** 2 / 2, plain=True)
    check(squared, {"y": same, "yref": same}, 0.0, {"y": np.zeros(3), "yref": np.zeros(3)})
    check(squared, {"y": same + 1, "yref": same}, 1.5, {"y": np.ones(3), "yref": -np.ones(3)})


def test_squared_norm_at_zero() -> None:
    """JAX #4177 and #21723: `norm(x)**2` at zero has gradient nan, though it is the sum of squares."""
    v = sp.IndexedBase("v")
    norm = sp.sqrt(sp.Sum(v[i] ** 2, (i, 0, n - 1)))
    check(kernel(norm**2, plain=True), {"v": np.zeros(2)}, 0.0, {"v": np.zeros(2)})
    check(kernel(sp.exp(-(norm**2)), plain=True), {"v": np.zeros(2)}, 1.0, {"v": np.zeros(2)})
    check(kernel(sp.UnevaluatedExpr(norm) ** 2, plain=True), {"v": np.zeros(2)}, 0.0, {"v": np.zeros(2)})


def test_norm_of_a_scaled_vector() -> None:
    """JAX #26248: d/da norm(a*x) at x = 0 is nan; |a|*norm(x) has slope 0."""
    v = sp.IndexedBase("v")
    f = kernel(sp.sqrt(sp.Sum((a * v[i]) ** 2, (i, 0, n - 1))), plain=True)
    check(f, {"a": 1.3, "v": np.zeros(2)}, 0.0, {"a": 0.0, "v": np.zeros(2)})
    check(f, {"a": -2.0, "v": np.array([3.0, 4.0])}, 10.0, {"a": -5.0, "v": [1.2, 1.6]})


def test_standard_deviation_of_equal_numbers() -> None:
    """PyTorch #4320: the gradient of the standard deviation of a constant vector is nan."""
    v = sp.IndexedBase("v")
    mean = sp.Sum(v[i], (i, 0, n - 1)) / n
    f = kernel(sp.sqrt(sp.Sum((v[j] - mean) ** 2, (j, 0, n - 1)) / n), plain=True)
    check(f, {"v": np.ones(4)}, 0.0, {"v": np.zeros(4)})
    check(f, {"v": np.array([1.0, 3.0])}, 1.0, {"v": [-0.5, 0.5]})


def test_distances_between_point_sets() -> None:
    """PyTorch #37154 and #37237: distances between two sets that share a point have nan gradients."""
    first, second = sp.IndexedBase("A"), sp.IndexedBase("B")
    distance = sp.sqrt(sp.Sum((first[i, k] - second[j, k]) ** 2, (k, 0, p - 1)))
    f = kernel(sp.Sum(distance, (i, 0, n - 1), (j, 0, m - 1)))
    check(
        f,
        {"A": np.array([[0.0, 0.0], [3.0, 0.0]]), "B": np.array([[0.0, 0.0], [3.0, 4.0]])},
        0 + 5 + 3 + 4,
        {"A": [[-0.6, -0.8], [1.0, -1.0]], "B": [[-1.0, 0.0], [0.6, 1.8]]},
    )


# -- ties and absolute values ------------------------------------------------------------------------------------------


def test_rectifier_at_zero() -> None:
    """JAX #37821: d/dx maximum(x, 0) at 0 is 1/2; where(x > 0, x, 0) says 0, as does the least subgradient."""
    f = kernel(sp.Max(x, 0))
    for at in (0.0, -0.0, -1e-320):
        check(f, {"x": at}, 0.0, {"x": 0.0})
    check(f, {"x": 1e-320}, 1e-320, {"x": 1.0})


def test_absolute_value_at_zero() -> None:
    """JAX #37820: d/dx abs(x) at 0 is 1, though sign(0) is 0."""
    f = kernel(sp.Abs(x))
    check(f, {"x": 0.0}, 0.0, {"x": 0.0})
    check(f, {"x": -0.0}, 0.0, {"x": 0.0})


def test_absolute_value_of_a_plain_symbol() -> None:
    """SymPy #17810: `diff(Abs(x), x).subs(x, 7)` is an unevaluated derivative. SymEngine #1696: Derivative(1, 1)."""
    f = kernel(sp.Abs(x))
    check(f, {"x": 7.0}, 7.0, {"x": 1.0})
    check(f, {"x": -1.0}, 1.0, {"x": -1.0})


def test_maximum_of_three_that_touch() -> None:
    """SymForce #36 (SymEngine's Max): at 0 all of x, exp(x) - 1, ((x + 1)^2 - 1)/2 have slope 1, their Max 1.5."""
    f = kernel(sp.Max(x, sp.exp(x) - 1, (x + 1) ** 2 / 2 - sp.Rational(1, 2)))
    check(f, {"x": 0.0}, 0.0, {"x": 1.0})


def test_minimum_of_three() -> None:
    """SymPy #10375: lambdify of Min(x, y, z) passes the numbers as axis and output of NumPy's amin."""
    f = kernel(sp.Min(x, y, z))
    check(f, (1.0, 2.0, 3.0), 1.0, {"x": 1.0, "y": 0.0, "z": 0.0})
    check(f, (3.0, 2.0, 1.0), 1.0, {"x": 0.0, "y": 0.0, "z": 1.0})


def test_minimum_over_an_array_of_points() -> None:
    """SymPy pull request #18774: Min(x/10 + 3, x + 1, x/2 + 1) over an array gave one number for all entries."""
    f = kernel(sp.Min(x / 10 + 3, x + 1, x / 2 + 1), batch={"x": "N"}, plain=True)
    check(
        f,
        {"x": np.array([-2.0, 2.0, 10.0])},
        [-1.0, 2.0, 4.0],
        {"x": [1.0, 0.5, 0.1]},
    )


@pytest.mark.parametrize("floor", [0, 3])
def test_maximum_of_a_number_and_an_array(floor: int) -> None:
    """SymPy #17269 (0) and #25660 (3): lambdify cannot compare a constant with the entries of an array."""
    v = sp.MatrixSymbol("v", n, 1)
    f = kernel(v.applyfunc(lambda e: sp.Max(floor, e)), plain=True)
    check(
        f,
        {"v": np.array([-1.0, 1.0, 5.0])},
        np.maximum([-1.0, 1.0, 5.0], floor),
        {"v": [0.0, float(floor == 0), 1.0]},
        upstream=np.ones(3),
    )


def test_maximum_of_two_arrays() -> None:
    """SymPy #11027: lambdify prints Max as amax, the largest entry of all, instead of entry by entry."""
    f = kernel(sp.Max(x, y), batch={"x": "N", "y": "N"}, plain=True)
    check(
        f,
        {"x": np.array([1.0, 5.0, 2.0]), "y": np.array([4.0, 3.0, 2.0])},
        [4.0, 5.0, 2.0],
        {"x": [0.0, 1.0, 0.5], "y": [1.0, 0.0, 0.5]},
    )


def test_clipped_minimum() -> None:
    """SymPy #22726: the gradient of Max(0, Min(x1, x2)) prints Heaviside with one argument and fails."""
    first, second = sp.symbols("x1 x2", real=True)
    f = kernel(sp.Max(sp.S.Zero, sp.Min(first, second)))
    check(f, (1.0, 2.0), 1.0, {"x1": 1.0, "x2": 0.0})
    check(f, (-1.0, 2.0), 0.0, {"x1": 0.0, "x2": 0.0})


def test_maximum_and_sign_interlaced() -> None:
    """SymPy #15440: rewriting intricate Max, Abs and sign as Piecewise, to print the Jacobian, never ends."""
    floor = sp.Max(x**2, 1e-12)
    f = kernel(floor + floor**2 * sp.sign(x) + sp.Max(sp.Abs(floor - y), sp.Abs(x)))
    check(f, {"x": -2.0, "y": 1.0}, 4 - 16 + 3, {"x": -4 + 32 - 4.0, "y": -1.0})
    check(f, {"x": 0.0, "y": 1.0}, 1.0, {"x": 0.0, "y": 1.0})


def test_maximum_of_absolute_values() -> None:
    """SymPy #14829: ccode of Max(Abs(y), Abs(x)) leaves one of the two Abs as it is."""
    f = kernel(sp.Max(sp.Abs(y), sp.Abs(x)))
    check(f, {"x": -3.0, "y": 2.0}, 3.0, {"x": -1.0, "y": 0.0})
    check(f, {"x": -3.0, "y": 3.0}, 3.0, {"x": -0.5, "y": 0.5})


# -- steps -------------------------------------------------------------------------------------------------------------


def test_step_function() -> None:
    """SymPy #21411, #13176 and #18636: lambdify knows no Heaviside, #14307: nor does ccode."""
    f = kernel(sp.Heaviside(x))
    for at, height in ((-1.0, 0.0), (0.0, 0.5), (1.0, 1.0)):
        check(f, {"x": at}, height, {"x": 0.0})


def test_no_delta_in_a_gradient() -> None:
    """SymPy #26663 and #24056: d/dn of A*Heaviside(x - n, 1/2) is a DiracDelta that no backend knows."""
    amplitude, offset = sp.symbols("A n")
    f = kernel(amplitude * sp.Heaviside(x - offset, 0.5))
    check(f, {"A": 3.0, "n": 1.0, "x": 2.0}, 3.0, {"A": 1.0, "n": 0.0, "x": 0.0})
    check(f, {"A": 3.0, "n": 2.0, "x": 2.0}, 1.5, {"A": 0.5, "n": 0.0, "x": 0.0})


def test_value_of_the_step_at_zero() -> None:
    """SymPy #11060: for a while Heaviside(0) was undefined; its second argument is the value there."""
    f = kernel(sp.Heaviside(x, 1) + 10 * sp.Heaviside(x, 0))
    check(f, {"x": 0.0}, 1.0, {"x": 0.0})
    check(f, {"x": 0.1}, 11.0, {"x": 0.0})


def test_rectangle_of_steps() -> None:
    """SymPy #23738: (1 - Heaviside((x - t*v)/v))*c fails in lambdify with an undefined name."""
    v = sp.Symbol("v", positive=True)
    f = kernel((1 - sp.Heaviside((x - t * v) / v)) * a)
    check(f, {"x": 10.0, "v": 0.1, "t": 50.0, "a": 0.8}, 0.0, {"x": 0.0, "v": 0.0, "t": 0.0, "a": 0.0})
    check(f, {"x": 10.0, "v": 0.1, "t": 200.0, "a": 0.8}, 0.8, {"x": 0.0, "v": 0.0, "t": 0.0, "a": 1.0})


def test_floor_and_its_kin() -> None:
    """SymPy #9230: the derivative of floor stays unevaluated; almost everywhere it is 0."""
    f = kernel(sp.floor(x) + 10 * sp.ceiling(x) + 100 * sp.frac(x))
    check(f, {"x": 2.25}, 2 + 30 + 25, {"x": 100.0})
    check(f, {"x": -1.75}, -2 - 10 + 25, {"x": 100.0})


def test_remainder() -> None:
    """SymForce #163: the derivative of Mod(x, 1) was 0. Mod(a, b) has slopes 1 and -floor(a/b), b's sign."""
    check(kernel(sp.Mod(x, 1)), {"x": 2.75}, 0.75, {"x": 1.0})
    f = kernel(sp.Mod(a, b))
    check(f, {"a": 7.5, "b": 2.0}, 1.5, {"a": 1.0, "b": -3.0})
    check(f, {"a": -7.5, "b": 2.0}, 0.5, {"a": 1.0, "b": 4.0})
    check(f, {"a": 7.5, "b": -2.0}, -0.5, {"a": 1.0, "b": 4.0})


def test_negative_remainder() -> None:
    """SymPy #17737: -Mod(x, y) was printed as -x % y, which is Mod(-x, y)."""
    f = kernel(-sp.Mod(x, y), plain=True)
    check(f, {"x": 3.0, "y": 7.0}, -3.0, {"x": -1.0, "y": 0.0})
    check(f, {"x": -3.0, "y": 7.0}, -4.0, {"x": -1.0, "y": -1.0})


# -- powers, angles ----------------------------------------------------------------------------------------------------


def test_power_of_zero_by_its_exponent() -> None:
    """PyTorch #27134: d/db a**b at a = 0, b = 1 is nan; the limit from the right is 0."""
    f = kernel(a**b)
    check(f, {"a": 0.0, "b": 1.0}, 0.0, {"a": 1.0, "b": 0.0})
    check(f, {"a": 2.0, "b": 1.0}, 2.0, {"a": 1.0, "b": 2 * math.log(2)})


def test_zero_to_the_zero() -> None:
    """JAX #12409: the gradient of (v - floor(v))**q at v = 1, q = 0 is nan; the function is 1 around q = 0."""
    f = kernel((x - sp.floor(x)) ** a)
    check(f, {"x": 1.0, "a": 0.0}, 1.0, {"x": 0.0, "a": 0.0})


def test_square_of_a_negative_number() -> None:
    """CasADi #104: x**2 as a power of two arguments spoils d/dx at -1 by the logarithm of a negative number."""
    check(kernel((x - 2 * x) ** 2), {"x": 1.0}, 1.0, {"x": 2.0})
    value, grads = kernel(x**y, wrt=["x"]).value_and_grad(-1.0, 2.0)
    assert (value, grads["x"]) == (1.0, -2.0)


def test_angle_with_an_absolute_value() -> None:
    """SymPy #15893: code of the derivative of atan2(y, Abs(x)) does not compile if x is a function of time."""
    f = kernel(sp.atan2(y, sp.Abs(x)))
    check(f, {"y": 3.0, "x": -4.0}, math.atan2(3, 4), {"y": 4 / 25, "x": 3 / 25})


def test_angle_at_the_origin() -> None:
    """PyTorch #98276: the gradient of atan2(0, 0) is nan; there is no direction, and 0 is what is left."""
    f = kernel(sp.atan2(y, x))
    check(f, {"y": 0.0, "x": 0.0}, 0.0, {"y": 0.0, "x": 0.0})
    u, v = 1.0e-13, 5.6843e-14
    square = u * u + v * v
    check(f, {"y": u, "x": v}, math.atan2(u, v), {"y": v / square, "x": -u / square})
    check(f, {"y": 0.0, "x": 1.0}, 0.0, {"y": 1.0, "x": 0.0})
    check(f, {"y": 0.0, "x": -1.0}, math.pi, {"y": -1.0, "x": 0.0})


# -- roots of magnitudes -----------------------------------------------------------------------------------------------

r = sp.Symbol("r", real=True)


@pytest.mark.parametrize(
    ("expr", "slope"),
    [
        (sp.real_root(r, 3), math.inf),
        (sp.real_root(x, 3), math.inf),
        (sp.real_root(r, 5) * sp.exp(-r) * sp.cosh(r), math.inf),
        (sp.cbrt(r), math.inf),
        (sp.sign(r) * sp.sqrt(sp.Abs(r)), math.inf),
        (r ** sp.Rational(4, 3), 0.0),
        (sp.real_root(r, 3) ** 3, 1.0),
        (sp.real_root(r, 3) ** 5, 0.0),
        (sp.Abs(r) ** sp.Rational(1, 3), 0.0),
        (sp.sqrt(sp.Abs(r)), 0.0),
        ((x**2) ** sp.Rational(1, 3), 0.0),
        (sp.real_root(r, 3) ** 2, 0.0),
    ],
    ids=str,
)
def test_roots_at_zero(expr: sp.Expr, slope: float) -> None:
    """SymPy writes the real root as sign(x)*|x|**(1/3), whose factors have slopes 0 and infinity at 0: nan together.

    The slope is the limit where both sides agree, infinite or not, and 0 at a cusp, as for |x|.
    """
    name = str(*expr.free_symbols)
    f = kernel(expr, plain=True)
    check(f, {name: 0.0}, 0.0, {name: slope})
    limit = sp.lambdify(*expr.free_symbols, expr, "mpmath")
    for at in (0.7, 2.0):
        check(f, {name: at}, float(limit(at)), {name: float(mpmath.diff(limit, at))})


def test_roots_of_negative_numbers() -> None:
    """`real_root` and `Cbrt` are real there; x**(1/3) is SymPy's principal root, which is not: nan."""
    check(kernel(Cbrt(r), plain=True), {"r": 0.0}, 0.0, {"r": math.inf})
    for expr in (sp.real_root(r, 3), Cbrt(r)):
        check(kernel(expr, plain=True), {"r": -8.0}, -2.0, {"r": 1 / 12})
    check(kernel(sp.Abs(r) ** sp.Rational(1, 3), plain=True), {"r": -8.0}, 2.0, {"r": -1 / 12})
    check(kernel(sp.cbrt(r), plain=True), {"r": -8.0}, math.nan, {"r": math.nan})


def test_slope_of_a_power_of_zero_for_its_exponent() -> None:
    """d/dy x**y = x**y*log(x) tends to 0 for y > 0 as x goes to 0; taken at 0 it is 0 times infinity."""
    f, g = kernel(r**t, plain=True), kernel(sp.Abs(r) ** t, plain=True)
    check(f, {"r": 0.0, "t": 2.0}, 0.0, {"r": 0.0, "t": 0.0})
    check(f, {"r": 0.0, "t": 1.0}, 0.0, {"r": 1.0, "t": 0.0})
    check(f, {"r": 0.0, "t": 0.5}, 0.0, {"r": math.inf, "t": 0.0})
    check(g, {"r": 0.0, "t": 0.5}, 0.0, {"r": 0.0, "t": 0.0})
    check(g, {"r": -2.0, "t": 0.5}, math.sqrt(2), {"r": -math.sqrt(0.125), "t": math.sqrt(2) * math.log(2)})
