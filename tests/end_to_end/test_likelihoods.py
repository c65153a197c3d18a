"""Likelihoods as products, as textbooks write them: their logarithms where the products underflow."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from scipy import stats

from tests.plain import compile_plain

i, j = sp.symbols("i j", integer=True)
n, m = sp.symbols("n m", integer=True, positive=True)
x, loc, scale = (sp.IndexedBase(name) for name in ("x", "loc", "scale"))
mu = sp.Symbol("mu", positive=True)


def test_gaussian_densities_of_their_own() -> None:
    """Terms that underflow one by one, beside factors that do not."""
    density = sp.exp(-((x[i] - loc[i]) ** 2) / (2 * scale[i] ** 2)) / sp.sqrt(2 * sp.pi * scale[i] ** 2)
    kernel = compile_plain(sp.log(sp.Product(density, (i, 0, n - 1))))
    at = {"x": np.array([300.0, -400.0, 1.0]), "loc": np.array([0.5, 1.0, -2.0]), "scale": np.array([1.0, 2.0, 0.5])}
    value, grads = kernel.value_and_grad(**at)
    z = (at["x"] - at["loc"]) / at["scale"]
    assert value == pytest.approx(stats.norm.logpdf(**at).sum(), rel=1e-13)
    np.testing.assert_allclose(grads["x"], -z / at["scale"], rtol=1e-13)
    np.testing.assert_allclose(grads["scale"], (z**2 - 1) / at["scale"], rtol=1e-13)


def test_poisson_counts() -> None:
    """A constant factor comes out of the product as a power of a symbolic size."""
    y = sp.IndexedBase("y", integer=True)
    kernel = compile_plain(sp.log(sp.Product(mu ** y[i] * sp.exp(-mu) / sp.factorial(y[i]), (i, 0, n - 1))))
    counts = np.array([0, 1, 4] * 500)
    value, grads = kernel.value_and_grad(mu=0.3, y=counts)
    assert value == pytest.approx(stats.poisson.logpmf(counts, 0.3).sum(), rel=1e-12)
    assert grads["mu"] == pytest.approx(counts.sum() / 0.3 - counts.size, rel=1e-12)


def test_products_of_products() -> None:
    inner = sp.Product(sp.exp(-x[i] * loc[j]), (i, 0, n - 1))
    kernel = compile_plain(sp.log(sp.Product(scale[j] * inner, (j, 0, m - 1))))
    at = {"x": np.full(50, 20.0), "loc": np.array([1.0, 2.0]), "scale": np.array([3.0, 0.5])}
    value, grads = kernel.value_and_grad(**at)
    assert value == pytest.approx(-3000.0 + np.log(1.5))
    np.testing.assert_allclose(grads["scale"], 1 / at["scale"])
    np.testing.assert_allclose(grads["loc"], [-1000.0, -1000.0])


def test_sign_of_the_whole() -> None:
    """The logarithm exists where the product as a whole is positive, and only there."""
    kernel = compile_plain(sp.log(-mu * sp.Product(x[i], (i, 0, n - 1))))
    assert kernel(mu=2.0, x=np.array([-1.0, 2.0])) == pytest.approx(np.log(4.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        assert np.isnan(kernel(mu=2.0, x=np.array([1.0, 2.0])))
        assert kernel(mu=2.0, x=np.array([1.0, 0.0])) == -np.inf
