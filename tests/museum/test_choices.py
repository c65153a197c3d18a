"""Branches that were not taken and spoiled the value or the gradient; comparisons that could not be compiled."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

from tests.museum.exhibit import check, kernel, slopes

x, y, z, a, b, mu = sp.symbols("x y z a b mu")
n, p = sp.symbols("n p", integer=True, positive=True)
i, j, k = sp.symbols("i j k", integer=True)


def test_square_root_taken_only_where_it_is_large() -> None:
    """JAX #5798: d/dx where(x < 1, x, sqrt(x)) at 0 is nan."""
    f = kernel(sp.Piecewise((x, x < 1), (sp.sqrt(x), True)))
    check(f, {"x": 0.0}, 0.0, {"x": 1.0})
    check(f, {"x": -3.0}, -3.0, {"x": 1.0})
    check(f, {"x": 4.0}, 2.0, {"x": 0.25})


def test_row_norms_replaced_where_they_are_small() -> None:
    """JAX #347: where(norm > 0.5, norm, 1) over rows has a nan gradient for the row of zeros."""
    rows = sp.IndexedBase("r")
    norm = sp.sqrt(sp.Sum(rows[i, j] ** 2, (j, 0, p - 1)))
    total = sp.Sum(sp.Piecewise((norm, norm > 0.5), (1, True)), (i, 0, n - 1))
    root = math.sqrt(5)
    check(
        kernel(total),
        {"r": np.array([[1.0, 2.0], [3.0, 4.0], [0.0, 0.0]])},
        root + 5 + 1,
        {"r": [[1 / root, 2 / root], [0.6, 0.8], [0.0, 0.0]]},
    )


def test_infinity_in_the_other_branch() -> None:
    """JAX #2630: where(x > 0, 0, x*inf) at 1 has gradient nan."""
    f = kernel(y * sp.Piecewise((0, x > 0), (x * sp.oo, True)) + x)
    check(f, {"x": 1.0, "y": 2.0}, 1.0, {"x": 1.0, "y": 0.0})


def test_masked_angle() -> None:
    """JAX #1052: where(mask, 0, arctan2(a, a)) has a nan gradient where a is 0 and masked."""
    base, mask = sp.IndexedBase("a"), sp.IndexedBase("mask")
    angle = sp.atan2(base[i], base[i], evaluate=False)
    f = kernel(sp.Sum(sp.Piecewise((0, mask[i] > 0.5), (angle, True)), (i, 0, n - 1)), wrt=["a"], plain=True)
    check(
        f,
        {"a": np.array([3.0, 0.0, -5.0]), "mask": np.array([0.0, 1.0, 0.0])},
        math.pi / 4 - 3 * math.pi / 4,
        {"a": [0.0, 0.0, 0.0]},
    )


def test_root_of_negative_numbers_in_the_other_branch() -> None:
    """PyTorch #187297: where(x > 0, sqrt(x), x) at -1 and -4 has gradient nan instead of 1."""
    xs = sp.IndexedBase("x")
    f = kernel(sp.Sum(sp.Piecewise((sp.sqrt(xs[i]), xs[i] > 0), (xs[i], True)), (i, 0, n - 1)))
    check(f, {"x": np.array([-1.0, -4.0])}, -5.0, {"x": [1.0, 1.0]})


def test_overflowing_exponential_in_the_other_branch() -> None:
    """PyTorch #68425: where(a <= 0, exp(a), 1 + a) at a = 100 in single precision has gradient nan."""
    expr = sp.Piecewise((sp.exp(a), a <= 0), (1 + a, True))
    check(kernel(expr), {"a": 1000.0}, 1001.0, {"a": 1.0})
    value, grads = kernel(expr, dtype="float32").value_and_grad(np.float32(100))
    assert (value, grads["a"]) == (101.0, 1.0)


def test_infinite_argument_of_the_other_branch() -> None:
    """PyTorch #18287: where(x < 1, cos(x), 0) at infinity has gradient nan instead of 0."""
    f = kernel(sp.Piecewise((sp.cos(x), x < 1), (0, True)))
    check(f, {"x": 0.0}, 1.0, {"x": 0.0})
    check(f, {"x": math.inf}, 0.0, {"x": 0.0})


def test_quotient_masked_after_the_division() -> None:
    """PyTorch #16317: where(d == 0, 0, x/d) has a nan gradient where d is 0."""
    xs, ds = sp.IndexedBase("x"), sp.IndexedBase("d")
    f = kernel(sp.Sum(sp.Piecewise((0, sp.Eq(ds[i], 0)), (xs[i] / ds[i], True)), (i, 0, n - 1)), plain=True)
    check(
        f,
        {"x": np.array([0.0, 1.0]), "d": np.array([0.0, 2.0])},
        0.5,
        {"x": [0.0, 0.5], "d": [0.0, -0.25]},
    )


def test_logarithm_in_the_other_branch() -> None:
    """PyTorch #108618: where(x > 2, log2(x), 2*x) at 0 has gradient nan instead of 2."""
    xs = sp.IndexedBase("x")
    f = kernel(sp.Sum(sp.Piecewise((sp.log(xs[i], 2), xs[i] > 2), (2 * xs[i], True)), (i, 0, n - 1)), plain=True)
    check(
        f,
        {"x": np.array([0.0, 2.0, 3.0])},
        4 + math.log2(3),
        {"x": [2.0, 2.0, 1 / (3 * math.log(2))]},
    )


@pytest.mark.parametrize("root", [sp.sqrt(x), x**0.5], ids=["sqrt", "power"])
def test_root_or_zero(root: sp.Expr) -> None:
    """CasADi #1805 (sqrt) and #1878 (x**0.5): the Jacobian of if_else(x > 0, sqrt(x), 0) is nan for x <= 0."""
    f = kernel(sp.Piecewise((root, x > 0), (0, True)))
    check(f, {"x": -1.0}, 0.0, {"x": 0.0})
    check(f, {"x": 0.0}, 0.0, {"x": 0.0})
    check(f, {"x": 1.0}, 1.0, {"x": 0.5})


def test_identity_above_a_threshold() -> None:
    """CasADi #1792: the Jacobian of if_else(x > 10, x, 0) is 0 everywhere for matrix expressions."""
    f = kernel(sp.Piecewise((x, x > 10), (0, True)))
    check(f, {"x": 9.0}, 0.0, {"x": 0.0})
    check(f, {"x": 11.0}, 11.0, {"x": 1.0})


def test_sine_over_its_argument_with_a_limit() -> None:
    """Theano #5333: switch(t < 1e-12, 1, sin(t)/t) with t = w'w has a nan gradient at w = 0."""
    w = sp.IndexedBase("w")
    t = sp.Sum(w[i, j] ** 2, (j, 0, p - 1))
    f = kernel(sp.Sum(sp.Piecewise((1, t < 1e-12), (sp.sin(t) / t, True)), (i, 0, n - 1)), plain=True)
    row = np.array([1.0, 2.0, 1.0])
    slope = math.cos(6) / 6 - math.sin(6) / 36
    check(f, {"w": np.array([row, 0 * row])}, math.sin(6) / 6 + 1, {"w": [2 * row * slope, 0 * row]})


def test_nested_choice_with_a_shared_value() -> None:
    """Theano #6476: switch(a == -inf, mu, switch(a >= 0, v, -v)) with v = (a - mu)**2 has gradient nan, not 1."""
    v = (a - mu) ** 2
    inner = sp.Piecewise((v, a >= 0), (-v, True))
    f = kernel(sp.Piecewise((mu, sp.Eq(a, -sp.oo)), (inner, True)))
    check(f, {"a": -math.inf, "mu": 0.0}, 0.0, {"a": 0.0, "mu": 1.0})
    check(f, {"a": -2.0, "mu": 1.0}, -9.0, {"a": 6.0, "mu": -6.0})


def test_reciprocal_that_is_not_selected() -> None:
    """SymPy #11306: lambdify of Piecewise((1/x, y < -1), (x, y <= 1), (1/x, True)) divides by zero at (0, 1)."""
    f = kernel(sp.Piecewise((1 / x, y < -1), (x, y <= 1), (1 / x, True)))
    check(f, {"x": 0.0, "y": 1.0}, 0.0, {"x": 1.0, "y": 0.0})
    check(f, {"x": 2.0, "y": 3.0}, 0.5, {"x": -0.25, "y": 0.0})


def test_logarithms_of_both_signs() -> None:
    """SymPy #14789: Piecewise((log(-x), x < 0), (log(x), True)) warns of log(-10) at 10."""
    f = kernel(sp.Piecewise((sp.log(-x), x < 0), (sp.log(x), True)))
    check(f, {"x": 10.0}, math.log(10), {"x": 0.1})
    check(f, {"x": -10.0}, math.log(10), {"x": -0.1})


def test_integral_with_special_cases() -> None:
    """SymPy #19441: the integral of sin(ax) + cos(bx) over a period, as a Piecewise, divides by zero at a = 0."""
    tau = 2 * sp.pi
    first, second = -sp.cos(tau * a) / a + 1 / a, sp.sin(tau * b) / b
    f = kernel(
        sp.Piecewise(
            (second + first, sp.Ne(a, 0) & sp.Ne(b, 0)),
            (tau + first, sp.Ne(a, 0)),
            (second, sp.Ne(b, 0)),
            (tau, True),
        )
    )
    quarter = {"a": 0.25, "b": 0.25}
    check(
        f,
        quarter,
        8.0,
        {"a": 4 * 2 * math.pi - 16, "b": -16.0},
    )
    value, grads = f.value_and_grad(0.0, 0.25)
    assert value == pytest.approx(4.0, rel=1e-14)
    assert grads == {"a": 0.0, "b": pytest.approx(-16.0, rel=1e-13)}
    check(f, {"a": 0.0, "b": 0.0}, 2 * math.pi, {"a": 0.0, "b": 0.0})


def test_no_condition_holds() -> None:
    """SymPy #15014: Piecewise((x, x > 1), (x - 1, x < 1)), the printer's example; nothing is said about x = 1."""
    f = kernel(sp.Piecewise((x, x > 1), (x - 1, x < 1)))
    check(f, {"x": 0.0}, -1.0, {"x": 1.0})
    check(f, {"x": 2.0}, 2.0, {"x": 1.0})
    assert math.isnan(f(1.0))


def test_roots_of_both_signs() -> None:
    """SymPy #28585: lambdify computes sqrt(x) and sqrt(-x) for every entry of an array and warns."""
    f = kernel(sp.Piecewise((sp.sqrt(x), x >= 0), (sp.sqrt(-x), True)), batch={"x": "N"}, plain=True)
    root = math.sqrt(1.2)
    check(f, {"x": np.array([1.2, -1.2])}, [root, root], {"x": [0.5 / root, -0.5 / root]})


def test_two_pieces_compiled_by_numba() -> None:
    """SymPy #21083 and #26032: numba cannot compile the np.select that lambdify prints for two pieces."""
    f = kernel(sp.Piecewise((-x, x < 1), (x**2, x >= 1)))
    check(f, {"x": 0.5}, -0.5, {"x": -1.0})
    check(f, {"x": 3.0}, 9.0, {"x": 6.0})


def test_two_pieces_compiled_at_all() -> None:
    """SymEngine.py #234 and #258, SymEngine #1485: Lambdify of Piecewise((-x, x < 0), (x**3, True)) not implemented."""
    f = kernel(sp.Piecewise((-x, x < 0), (x * x * x, True)))
    check(f, {"x": -2.0}, 2.0, {"x": -1.0})
    check(f, {"x": 2.0}, 8.0, {"x": 12.0})


def test_minimum_inside_a_piece() -> None:
    """SymPy #21611: a Piecewise with Min of a number and an array entry fails when lambdified."""
    f = kernel(sp.Piecewise((0, z < 0), (18.2 * z + 4.2 * sp.Min(60.3, z) ** 2 - 18.2 * sp.Min(45.3, z), True)))
    check(f, {"z": -1.0}, 0.0, {"z": 0.0})
    check(f, {"z": 50.0}, 10585.54, {"z": 438.2})
    check(f, {"z": 70.0}, 1274 + 4.2 * 60.3**2 - 824.46, {"z": 18.2})


def test_limit_given_by_hand() -> None:
    """SymPy #11402: the pieces of Piecewise((sin(x)/x, Ne(x, 0)), (1, True)) are differentiated one by one."""
    f = kernel(sp.Piecewise((sp.sin(x) / x, sp.Ne(x, 0)), (1, True)))
    check(f, {"x": 0.0}, 1.0, {"x": 0.0})
    check(f, {"x": 0.5}, math.sin(0.5) / 0.5, {"x": math.cos(0.5) / 0.5 - math.sin(0.5) / 0.25})


def test_condition_on_an_entry_of_a_matrix() -> None:
    """SymPy #11521: Piecewise((1, Eq(data[0], 0)), (-1, True)) cannot be built for a MatrixSymbol."""
    data = sp.MatrixSymbol("data", 1, 4)
    f = kernel(sp.Piecewise((1, sp.Eq(data[0, 0], 0)), (-1, True)) * data[0, 1], plain=True)
    check(f, {"data": np.array([[0.0, 5.0, 6.0, 7.0]])}, 5.0, {"data": [[0.0, 1.0, 0.0, 0.0]]})
    check(f, {"data": np.array([[2.0, 5.0, 6.0, 7.0]])}, -5.0, {"data": [[0.0, -1.0, 0.0, 0.0]]})


def test_pieces_after_replacing_a_symbol_by_an_entry() -> None:
    """SymPy #22175: replacing x by an entry of a matrix in a Piecewise of three pieces leaves the constant 1.0."""
    entry = sp.MatrixSymbol("mat_x", 1, 1)[0, 0]
    pieces = sp.Piecewise(
        (1.0, sp.Abs(entry) < 0.5), (3.0, (sp.Abs(entry - 2) <= 0.5) | (sp.Abs(entry - 1) < 0.5)), (1.0, True)
    )
    f = kernel(pieces * y, wrt=["y"], plain=True)
    for at, height in ((0.0, 1.0), (1.0, 3.0), (2.5, 3.0), (4.0, 1.0)):
        check(f, {"mat_x": np.array([[at]]), "y": 2.0}, 2 * height, {"y": height})


def test_masked_terms_of_a_log_sum() -> None:
    """JAX #23842: the gradient of logsumexp([0, 100], where=[True, False]) in single precision is [1, nan]."""
    terms, mask = sp.IndexedBase("a"), sp.IndexedBase("mask")
    f = kernel(sp.log(sp.Sum(sp.Piecewise((sp.exp(terms[i]), mask[i] > 0), (0, True)), (i, 0, n - 1))), wrt=["a"])
    check(f, {"a": np.array([0.0, 1000.0]), "mask": np.array([1.0, 0.0])}, 0.0, {"a": [1.0, 0.0]})


def test_root_of_a_clipped_difference() -> None:
    """SymForce #445 (SymEngine's Max): d/dx sqrt(max(0, x^2 - z^2)) is nan for |x| < |z|."""
    f = kernel(sp.sqrt(sp.Max(0, x**2 - z**2)))
    check(f, {"x": 1.0, "z": 2.0}, 0.0, {"x": 0.0, "z": 0.0})
    check(f, {"x": 5.0, "z": 3.0}, 4.0, {"x": 1.25, "z": -0.75})


def test_energy_of_charges_without_self_interaction() -> None:
    """JAX #654: the pairwise energy with the diagonal masked has nan gradients in reverse mode.

    The reference is the sum over pairs by hand: each pair counts twice.
    """
    q, r = sp.IndexedBase("q"), sp.IndexedBase("r")
    distance = sp.sqrt(sp.Sum((r[i, k] - r[j, k]) ** 2, (k, 0, 2)))
    pair = sp.Piecewise((q[i] * q[j] / distance, sp.Ne(i, j)), (0, True))
    f = kernel(sp.Sum(pair, (i, 0, n - 1), (j, 0, n - 1)), plain=True)
    charges = np.array([1.3, 0.3, 0.3])
    places = np.array([[0.0637, 0.0126, 0.2203], [1.0573, -0.2011, 1.2864], [2.3928, 1.2209, -0.2230]])
    energy, by_charge, by_place = 0.0, np.zeros(3), np.zeros((3, 3))
    for first in range(3):
        for second in range(3):
            if first != second:
                apart = places[first] - places[second]
                length = math.sqrt(apart @ apart)
                energy += charges[first] * charges[second] / length
                by_charge[first] += 2 * charges[second] / length
                by_place[first] -= 2 * charges[first] * charges[second] * apart / length**3
    check(f, {"q": charges, "r": places}, energy, {"q": by_charge, "r": by_place})


def test_counts_of_zeros_compared() -> None:
    """SymPy #22106: pieces whose conditions compare a sum of three Piecewise fail when lambdified; two work."""
    symbols = sp.symbols("a b c", real=True)
    zeros = sp.Add(*(sp.Piecewise((1, sp.Eq(symbol, 0)), (0, True)) for symbol in symbols))
    picked = [sp.Piecewise((x, condition), (0, True)) for condition in (sp.Eq(zeros, 2), zeros >= 1, zeros >= 2)]
    f = kernel(picked, wrt=[x], inputs=[x, *symbols], plain=True)
    for row, chosen in (((0, 1, 0), (1, 1, 1)), ((0, 0, 0), (0, 1, 1)), ((1, 0, 1), (0, 1, 0)), ((1, 1, 1), (0, 0, 0))):
        values, grads = f.value_and_grad(3.0, *map(float, row))
        assert list(values) == [3.0 * one for one in chosen]
        assert grads == {"x": float(sum(chosen))}


def test_box_of_three_conditions() -> None:
    """SymPy #14295: And of three relations was printed as logical_and with three arguments, the last one the output."""
    density = sp.cos(sp.pi * x / 3) * sp.exp(-sp.Abs(x) - sp.Abs(y) - sp.Abs(z))
    inside = sp.And(sp.Abs(x) <= 3, sp.Abs(y) <= 3, sp.Abs(z) <= 3)
    f = kernel(sp.Piecewise((density, inside), (0 * x * y * z, True)))
    decay = math.exp(-3)
    slope = -math.pi / 3 * math.sin(math.pi / 3) * decay - decay / 2
    check(f, {"x": 1.0, "y": 1.0, "z": -1.0}, decay / 2, {"x": slope, "y": -decay / 2, "z": decay / 2})
    check(f, {"x": 1.0, "y": 1.0, "z": 4.0}, 0.0, {"x": 0.0, "y": 0.0, "z": 0.0})


def test_distance_from_a_cone() -> None:
    """CasADi #2491: the squared distance from {|u| <= r}, by pieces, has no Jacobian as SX, and none at u = 0."""
    u, r = sp.MatrixSymbol("u", n, 1), sp.Symbol("r")
    norm = sp.sqrt(sp.Trace(u.T * u))
    f = kernel(sp.Piecewise((norm**2 + r**2, norm <= -r), (0, norm <= r), ((norm - r) ** 2 / 2, True)), plain=True)
    check(f, {"u": np.array([3.0, 4.0]), "r": 1.0}, 8.0, {"u": [2.4, 3.2], "r": -4.0})
    check(f, {"u": np.zeros(2), "r": 1.0}, 0.0, {"u": np.zeros(2), "r": 0.0})
    check(f, {"u": np.zeros(2), "r": -1.0}, 1.0, {"u": np.zeros(2), "r": -2.0})


def test_speed_along_a_curve_of_two_pieces() -> None:
    """numba #3346: the norm of a tangent, a root of two Piecewise, cannot be compiled as lambdify prints it."""
    inside = (x >= 0) & (x <= 2 * sp.pi)
    parts = [sp.Piecewise(((radius * part(x)) ** 2, inside), (0, True)) for radius, part in ((a, sp.sin), (b, sp.cos))]
    f = kernel(sp.sqrt(sp.Add(*parts)), plain=True)
    point = {"a": 2.0, "b": 3.0, "x": 1.0}
    check(f, point, *slopes(lambda a, b, x: mp.sqrt((a * mp.sin(x)) ** 2 + (b * mp.cos(x)) ** 2), point))
    check(f, point | {"x": -1.0}, 0.0, {"a": 0.0, "b": 0.0, "x": 0.0})
