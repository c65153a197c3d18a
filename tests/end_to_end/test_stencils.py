"""Stencils with boundaries, and models of neighbours, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import symbackprop as sbp
from symbackprop.errors import ShapeError
from tests.frontend.helpers import program
from tests.indices import B, a, agrees, f, i, j, k, m, n, x, y
from tests.plain import compile_plain

first, last = i > 0, i < n - 1

CASES = {
    "one side": sp.Sum(sp.Piecewise((x[i - 1], first), (0, True)) * y[i], (i, 0, n - 1)),
    "both sides": sp.Sum(
        (sp.Piecewise((x[i - 1], first), (0, True)) - sp.Piecewise((x[i + 1], last), (x[i], True))) * y[i],
        (i, 0, n - 1),
    ),
    "second difference": sp.Piecewise((x[f + 1] - 2 * x[f] + x[f - 1], (f > 0) & (f < n - 1)), (a, True)),
    "the first by itself": sp.Piecewise((x[0], sp.Eq(f, 0)), (x[f - 1], True)),
    "all but the first": sp.Sum(sp.Piecewise((0, sp.Eq(i, 0)), (sp.log(x[i - 1]), True)), (i, 0, n - 1)),
    "three cases": sp.Piecewise((2 * x[1], f < 1), (-x[n - 2], f > n - 2), (x[f - 1] + x[f + 1], True)),
    "band": sp.Sum(sp.Piecewise((B[i, j] * x[i] * x[j], sp.Abs(i - j) <= 1), (0, True)), (i, 0, n - 1), (j, 0, n - 1)),
    "five points": sp.Sum(
        (4 * B[i, j] - B[i - 1, j] - B[i + 1, j] - B[i, j - 1] - B[i, j + 1]) ** 2, (i, 1, n - 2), (j, 1, n - 2)
    ),
    "periodic": sp.Sum((x[sp.Mod(i + 1, n)] - x[i]) ** 2 * y[i], (i, 0, n - 1)),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name: str) -> None:
    agrees(CASES[name])


def test_a_branch_that_is_not_proven_is_refused() -> None:
    with pytest.raises(ShapeError, match="an index leaves its axis"):
        program(sp.Sum(sp.Piecewise((x[i - 2], i > 0), (0, True)), (i, 0, n - 1)))
    with pytest.raises(ShapeError, match="an index leaves its axis"):
        program(sp.Sum(sp.Piecewise((x[i - 1], x[i] > 0), (0, True)), (i, 0, n - 1)))


def test_rosenbrock_chain() -> None:
    chain = sp.Sum(100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2, (i, 0, n - 2))
    kernel = compile_plain(chain)
    z = np.linspace(-1, 1.5, 7)
    value, gradients = kernel.value_and_grad(z)
    assert value == pytest.approx((100 * (z[1:] - z[:-1] ** 2) ** 2 + (1 - z[:-1]) ** 2).sum())
    slope = np.zeros(7)
    slope[:-1] = -400 * z[:-1] * (z[1:] - z[:-1] ** 2) - 2 * (1 - z[:-1])
    slope[1:] += 200 * (z[1:] - z[:-1] ** 2)
    np.testing.assert_allclose(gradients["x"], slope)
    assert sp.degree(kernel.cost().bprop, n) == 1
    assert kernel.cost().ratio_bound < 3


def test_pairwise_distances() -> None:
    P = sp.IndexedBase("P", (n, m))
    distance = sp.sqrt(sp.Sum((P[i, k] - P[j, k]) ** 2, (k, 0, m - 1)))
    kernel = sbp.compile(sp.Sum(1 / distance, (j, i + 1, n - 1), (i, 0, n - 1)), name="coulomb")
    points = np.random.default_rng(0).normal(size=(6, 3))
    value, gradients = kernel.value_and_grad(points)
    gaps = points[:, None] - points[None]
    r = np.sqrt((gaps**2).sum(2)) + np.eye(6)
    assert value == pytest.approx(np.triu(1 / r, 1).sum())
    np.testing.assert_allclose(gradients["P"], -((gaps / r[:, :, None] ** 3).sum(1)), atol=1e-12)
    assert kernel.cost().ratio_bound < 4


def test_heat_equation_step() -> None:
    u = sp.IndexedBase("u", (n,))
    left = sp.Piecewise((u[f - 1], f > 0), (0, True))
    right = sp.Piecewise((u[f + 1], f < n - 1), (0, True))
    kernel = sbp.compile(u[f] + a * (left - 2 * u[f] + right), name="heat")
    z = np.random.default_rng(1).normal(size=8)
    padded = np.pad(z, 1)
    np.testing.assert_allclose(kernel(0.1, z), z + 0.1 * (padded[:-2] - 2 * z + padded[2:]))
    _, gradients = kernel.value_and_grad(0.1, z)
    expected = np.ones(8)
    expected[[0, -1]] -= 0.1
    np.testing.assert_allclose(gradients["u"], expected)
