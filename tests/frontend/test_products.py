"""Products over an index, and extrema over an index."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import symbackprop as sbp
from tests.indices import B, a, agrees, evaluated, f, i, j, k, m, n, slopes_agree, v, x, y
from tests.plain import compile_plain

CASES = {
    "plain": sp.Product(x[i], (i, 0, n - 1)),
    "powers outside": sp.Product(a, (i, 0, n - 1)) + sp.Product(2 * x[i] / a, (i, 1, n - 1)),
    "a known number of equal factors": sp.Product(a * x[0], (i, 0, 3)),
    "of sums": sp.Product(1 + sp.Sum(B[i, j] ** 2, (j, 0, n - 1)), (i, 0, n - 1)),
    "up to another index": sp.Sum(sp.Product(x[j], (j, 0, i - 1)) * y[i], (i, 0, n - 1)),
    "two indices": sp.Product(1 + x[j] * y[i], (j, 0, i), (i, 0, n - 1)),
    "rows": sp.Product(B[f, j], (j, 0, n - 1)),
    "equal factors, dependent": sp.Sum(sp.Product(a, (j, 0, i - 1)) * y[i], (i, 0, n - 1)),
    "logarithm": sp.log(sp.Product(x[i], (i, 0, n - 1))),
    "maximum": sbp.MaxOver(x[i] * y[i], (i, 0, n - 1)),
    "minimum over two": sbp.MinOver(B[i, j], (i, 0, n - 1), (j, 0, n - 1)),
    "maximum of rows": sbp.MaxOver(B[f, j] * x[j], (j, 0, n - 1)),
    "minimum of maxima": sbp.MinOver(sbp.MaxOver(B[i, j], (j, 0, n - 1)), (i, 0, n - 1)),
    "of what does not vary": sbp.MaxOver(a, (i, 0, n - 1)) + x[0],
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name: str) -> None:
    agrees(CASES[name])


def test_lagrange_interpolation() -> None:
    below = sp.Product((a - x[j]) / (x[i] - x[j]), (j, 0, i - 1))
    above = sp.Product((a - x[j]) / (x[i] - x[j]), (j, i + 1, n - 1))
    slopes_agree(sp.Sum(y[i] * below * above, (i, 0, n - 1)))


@pytest.mark.parametrize("zeros", [(), (1,), (0, 2)])
def test_zeros_among_the_factors(zeros) -> None:
    kernel = compile_plain(sp.Product(x[i], (i, 0, n - 1)))
    factors = np.array([2.0, 3.0, 5.0, 7.0])
    factors[list(zeros)] = 0
    value, gradients = kernel.value_and_grad(factors)
    assert value == factors.prod()
    np.testing.assert_allclose(gradients["x"], [np.delete(factors, at).prod() for at in range(4)])


def test_a_zero_in_one_row_only() -> None:
    kernel = compile_plain(sp.Sum(sp.Product(B[i, j], (j, 0, n - 1)), (i, 0, n - 1)))
    rows = np.array([[2.0, 3.0, 4.0], [0.0, 5.0, 6.0], [0.0, 7.0, 0.0]])
    value, gradients = kernel.value_and_grad(rows)
    assert value == 24
    np.testing.assert_allclose(gradients["B"], [[12, 8, 6], [30, 0, 0], [0, 0, 0]])


def test_empty() -> None:
    nothing = np.empty(0)
    assert compile_plain(sp.Product(x[i], (i, 0, n - 1)))(nothing) == 1
    assert compile_plain(sbp.MaxOver(x[i], (i, 0, n - 1)))(nothing) == -np.inf
    assert compile_plain(sbp.MinOver(a, (i, 0, n - 1)) + sp.Sum(x[j], (j, 0, n - 1)))(0.5, nothing) == np.inf
    assert evaluated(sp.Product(x[i], (i, 3, 2)) + sp.Sum(v[k], (k, 0, m - 1)) * 0) == 1


def test_ties_share_evenly() -> None:
    kernel = compile_plain(sbp.MaxOver(x[i], (i, 0, n - 1)))
    value, gradients = kernel.value_and_grad(np.array([1.0, 3.0, 3.0]))
    assert value == 3
    np.testing.assert_array_equal(gradients["x"], [0, 0.5, 0.5])


def test_the_logarithm_of_a_product_does_not_underflow() -> None:
    kernel = compile_plain(sp.log(sp.Product(x[i], (i, 0, n - 1))))
    factors = np.full(400, 1e-3)
    value, gradients = kernel.value_and_grad(factors)
    assert value == pytest.approx(400 * np.log(1e-3))
    np.testing.assert_allclose(gradients["x"], 1 / factors)
    assert kernel(np.array([-2.0, -3.0])) == pytest.approx(np.log(6))
    assert np.isnan(kernel(np.array([-2.0, 3.0])))
    with np.errstate(divide="ignore"):
        assert kernel(np.array([0.0, 3.0])) == -np.inf
    likelihood = compile_plain(sp.log(sp.Product(sp.exp(-(x[i] ** 2)), (i, 0, n - 1))))
    assert likelihood(np.full(4, 100.0)) == -40000


def test_cost_is_linear() -> None:
    kernel = compile_plain(sp.Product(1 + x[i] ** 2, (i, 0, n - 1)))
    assert sp.degree(kernel.cost().bprop, n) == 1
    assert kernel.cost().ratio_bound < 8


def test_sympy_side() -> None:
    over = sbp.MaxOver(x[i], (i, 0, 2))
    assert over.doit() == sp.Max(x[0], x[1], x[2])
    assert sbp.MinOver(x[i], (i, 0, n - 1)).doit() == sbp.MinOver(x[i], (i, 0, n - 1))
    assert over.subs(i, 7) == over
    assert sbp.MaxOver(a * x[i], (i, 0, n - 1)).free_symbols >= {a, n}
