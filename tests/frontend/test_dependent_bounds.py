"""Sums whose bounds depend on other indices."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import symbackprop as sbp
from symbackprop.errors import InputError, ShapeError, UnsupportedExpressionError
from tests.frontend.helpers import program
from tests.indices import (
    A,
    B,
    K,
    T,
    a,
    agrees,
    b,
    evaluated,
    f,
    g,
    i,
    j,
    k,
    m,
    n,
    s,
    slopes_agree,
    twice,
    v,
    values,
    word,
    x,
    y,
)
from tests.plain import compile_plain

CASES = {
    "lower triangle": sp.Sum(B[i, j] * x[j] * y[i], (j, 0, i), (i, 0, n - 1)),
    "below the diagonal": sp.Sum(B[i, j] * x[j] * y[i], (j, 0, i - 1), (i, 0, n - 1)),
    "above the diagonal": sp.Sum(B[i, j] * y[i] * y[j], (j, i + 1, n - 1), (i, 0, n - 1)),
    "from a free index": sp.Sum(B[f, j] * x[j], (j, f, n - 1)),
    "up to a free index": sp.Sum(B[f, j] * x[j], (j, 0, f)),
    "cumulative sum": sp.Sum(x[j], (j, 0, f)) * y[f],
    "differences": sp.Sum(x[i - j] * y[j], (j, 0, i), (i, 0, n - 1)),
    "truncated convolution": sp.Sum(x[f - j] * y[j], (j, 0, f)),
    "three nested": sp.Sum(x[i] * y[j] * x[k], (k, 0, j), (j, 0, i), (i, 0, n - 1)),
    "three, between two": sp.Sum(T[i, j, k] * x[k], (k, j, i), (j, 0, i), (i, 0, n - 1)),
    "sum of two": sp.Sum(twice[i + j], (j, 0, i), (i, 0, n - 1)),
    "growing window": sp.Sum(twice[k] ** 2 * y[i], (k, i, 2 * i), (i, 0, n - 1)),
    "counts": sp.Sum(1, (j, 0, i), (i, 0, n - 1)) + sp.Sum(i, (j, 0, i - 1), (i, 0, n - 1)) * a + x[0],
    "nothing varies": sp.Sum(a * y[i], (j, 0, i), (i, 0, n - 1)),
    "in functions": sp.Sum(
        sp.tanh(sp.Sum(B[i, j] * sp.sin(sp.Sum(A[j, k] * v[k], (k, 0, m - 1))), (j, 0, i))), (i, 0, n - 1)
    ),
    "pairs": sp.Sum(sp.exp(-sp.Sum((A[i, k] - A[j, k]) ** 2, (k, 0, m - 1))), (j, i + 1, n - 1), (i, 0, n - 1)),
    "cholesky residual": sp.sqrt(1 + sp.Sum(B[f, k] * B[g, k], (k, 0, g)) ** 2),
    "autoregression": sp.Sum((x[i] - sp.Sum(v[k] * x[i - 1 - k], (k, 0, m - 1))) ** 2, (i, m, n - 1)),
    "recursion": sp.Sum((x[i] - sp.Sum(x[k] * x[i - 1 - k], (k, 0, i - 1))) ** 2, (i, 0, n - 1)),
    "product of polynomials": sp.Sum(x[j] * y[s - j] * x[s], (j, 0, s), (s, 0, n - 1)),
    "maximum so far": sp.Sum(sbp.MaxOver(y[j], (j, 0, i)) * x[i], (i, 0, n - 1)),
    "band by bounds": sp.Sum(B[i, j] * x[j], (j, sp.Max(0, i - 1), sp.Min(n - 1, i + 1)), (i, 0, n - 1)),
    "band of a given width": sp.Sum(B[i, j] * x[j] * y[i], (j, sp.Max(0, i - K), sp.Min(n - 1, i + K)), (i, 0, n - 1)),
    "window": sp.Sum((x[i] - y[j]) ** 2 * j, (j, i - 1, i + 1), (i, 1, n - 2)),
    "window of windows": sp.Sum(
        sp.tanh(sp.Sum(y[j] * sp.sin(sp.Sum(B[j, k], (k, j, j + 1))), (j, i - 1, i + 1))), (i, 1, n - 3)
    ),
    "window at both ends": sp.Sum(
        sp.exp(sp.Sum(x[j] * y[i], (j, sp.Max(0, i - 2), sp.Min(n - 1, i + 1)))), (i, 0, n - 1)
    ),
    "largest in a window": sp.Sum(sbp.MaxOver(y[j], (j, sp.Max(0, i - 1), sp.Min(n - 1, i + 1))) * x[i], (i, 0, n - 1)),
    "product over a window": sp.Sum(sp.Product(x[j], (j, i, i + m - 1)), (i, 0, n - m)),
    "window of sums of its own": sp.Sum(
        sp.tanh(sp.Sum(sp.tanh(sp.Sum(A[j, k] * v[k], (k, 0, m - 1))), (j, i - 1, i + 1))), (i, 1, n - 2)
    ),
    "delta in a window": sp.Sum(
        sp.exp(sp.Sum(sp.KroneckerDelta(j, k + 1) * y[k], (k, sp.Max(0, j - 2), sp.Min(j + 2, n - 1)))), (j, 0, n - 1)
    ),
    "delta beside a window": sp.Sum(sp.KroneckerDelta(j - 1, f) * x[j] * y[f], (j, 0, f - 1)) + x[f],
    "delta of data in a triangle": sp.Sum(sp.KroneckerDelta(word[i], j) * x[j] * y[i], (j, 0, i), (i, 0, n - 1)),
    "filter": sp.Sum(v[k] * x[f - k], (k, 0, sp.Min(f, m - 1))),
    "filter, other way": sp.Sum(v[f - k] * x[k], (k, sp.Max(0, f - m + 1), f)),
    "squared filter": sp.Sum(sp.Sum(v[k] * x[i - k], (k, 0, sp.Min(i, m - 1))) ** 2, (i, 0, n - 1)),
    "full convolution": sp.Sum(
        sp.Sum(x[k] * v[s - k], (k, sp.Max(0, s - m + 1), sp.Min(s, n - 1))) ** 2, (s, 0, n + m - 2)
    ),
    "nothing varies, band": sp.Sum(y[i], (j, sp.Max(0, i - 2), sp.Min(n - 1, i + 1)), (i, 0, n - 1)),
    "shadowed": sp.Sum(x[i] * sp.Sum(y[i], (i, 0, n - 1)), (i, 0, n - 1)),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name: str) -> None:
    agrees(CASES[name])


def test_a_condition_on_an_inner_index_only() -> None:
    """Its zeros are strong where it multiplies what varies with outer indices too."""
    for inner in (sp.Ne(j, i), sp.Ne(j - i, 0)):
        slopes_agree(sp.Sum(sp.Piecewise((sp.sin(x[i] / (i - j)), inner), (0, True)), (j, i, i + 2), (i, 0, n - 3)))
    slopes_agree(sp.Sum(sp.Piecewise((sp.sin(x[i] / k), sp.Ne(k, 0)), (0, True)), (k, 0, 2), (i, 0, n - 1)))


def test_a_periodic_boundary_shows_a_size() -> None:
    z = sp.IndexedBase("z")
    kernel = compile_plain(sp.Sum(z[i] * z[sp.Mod(i + 1, n)], (i, 0, n - 2)) * sp.Sum(y[i], (i, 0, n - 1)))
    assert [str(d) for d in kernel.inputs[1].shape] == ["n"]


@pytest.mark.parametrize("name", ["lower triangle", "above the diagonal", "three, between two", "pairs", "recursion"])
def test_smallest_sizes(name: str) -> None:
    agrees(CASES[name], {"n": 1})


@pytest.mark.parametrize(
    "expr",
    [
        sp.Sum(x[i] * x[j] / (i - j), (j, 0, i - 1), (i, 0, n - 1)),
        sp.Sum(x[j] / i, (j, 0, i - 1), (i, 0, n - 1)),
        sp.Sum(y[i] * sp.log(sp.Sum(x[j], (j, 0, i - 1)) / i), (i, 1, n - 1)),
        sp.Sum(sp.log(x[i] - x[0] + i - j) * y[j], (j, 0, i - 1), (i, 0, n - 1)),
    ],
    ids=range(4),
)
def test_terms_outside_the_range_never_poison(expr) -> None:
    slopes_agree(expr)


def test_an_empty_inner_range_is_zero() -> None:
    value = evaluated(sp.Sum(B[f, j], (j, f + 1, n - 1)))
    np.testing.assert_allclose(value, np.triu(values()["B"], 1).sum(1))
    assert value[-1] == 0


def test_a_plain_symbol_in_a_bound() -> None:
    """It is a free index where it indexes an axis beside the bounded index, else a size."""
    p = program(sp.Sum(B[i, j] * x[j], (j, 0, i)))
    assert [str(d) for d in p.outputs[0].shape] == ["n"]
    trapezoid = sp.Sum(x[j], (j, 1, i - 1)) + x[0] / 2 + x[i] / 2
    assert [a.name for a in program(trapezoid).arguments] == ["i", "x"]
    undeclared = sp.IndexedBase("z")
    p = program(sp.Sum(undeclared[j], (j, 1, n - 1)) + undeclared[0] / 2 + undeclared[n] / 2)
    assert [[str(d) for d in a.shape] for a in p.arguments] == [["n + 1"]]


def test_undeclared_shapes() -> None:
    L, z = sp.IndexedBase("L"), sp.IndexedBase("z")

    def shapes(expr) -> dict:
        return {a.name: " ".join(map(str, a.shape)) for a in program(expr).arguments}

    assert shapes(sp.Sum(L[i, j] * z[j], (j, 0, i), (i, 0, n - 1))) == {"L": "n n", "z": "n"}
    assert shapes(sp.Sum(L[i, j] * z[j], (j, 0, i))) == {"L": "L_0 L_0", "z": "L_0"}
    assert shapes(sp.Sum(z[i + j], (j, 0, i), (i, 0, n - 1))) == {"z": "2*n - 1"}
    # Short of a size that another argument tells, an axis has a size of its own; else it fits exactly.
    pairs = sp.Sum(L[i, j] * (z[i] - z[j]) ** 2, (j, 0, i - 1), (i, 0, n - 1))
    assert shapes(pairs) == {"L": "n L_1", "z": "n"}
    assert shapes(sp.Sum(L[i, i + 1], (i, 0, n - 2))) == {"L": "L_0 n"}
    assert shapes(sp.Sum(L[i, i], (i, 0, n - 3))) == {"L": "n - 2 n - 2"}
    assert shapes(sp.Sum(z[i], (i, 0, n - 2)) + z[f] * y[f]) == {"y": "n", "z": "n"}


@pytest.mark.parametrize("columns", [3, 4])
def test_an_undeclared_array_may_be_square(columns: int) -> None:
    """What is read ends one column early; a column more is right, and its gradient is 0."""
    L, z = sp.IndexedBase("L"), sp.IndexedBase("z")
    kernel = compile_plain(sp.Sum(L[i, j] * (z[i] - z[j]) ** 2, (j, 0, i - 1), (i, 0, n - 1)))
    weights, points = np.tril(np.arange(1.0, 17).reshape(4, 4), -1)[:, :columns], np.array([1.0, 3.0, -2.0, 0.5])
    gaps = points[:, None] - points[:columns]
    value, grads = kernel.value_and_grad(weights, points)
    np.testing.assert_allclose(value, (weights * gaps**2).sum())
    np.testing.assert_allclose(grads["L"], np.tril(gaps**2, -1))
    own, others = (weights * gaps).sum(1), (weights * gaps).sum(0)
    np.testing.assert_allclose(grads["z"], 2 * (own - np.pad(others, (0, 4 - columns))))
    assert "min(" not in kernel.source


def test_an_undeclared_array_is_not_cut() -> None:
    L, z = sp.IndexedBase("L"), sp.IndexedBase("z")
    kernel = compile_plain(sp.Sum(L[i, i + 1] * z[i], (i, 0, n - 2)))
    assert kernel(np.ones((4, 4)), np.ones(3)) == kernel(np.ones((3, 4)), np.ones(4)) == 3
    for rows, length, wrong in ((5, 3, "L: axis 0"), (2, 3, "L: axis 0"), (3, 5, "z: axis 0")):
        found = length if wrong.startswith("z") else rows
        with pytest.raises(InputError) as caught:
            kernel(np.ones((rows, 4)), np.ones(length))
        assert str(caught.value) == f"{wrong} has a wrong size\n  expected: n - 1 = 3 to n = 4\n  found: {found}"


def test_cost_and_code_do_not_grow() -> None:
    kernel = compile_plain(sp.Sum(T[i, j, k] * x[k], (k, j, i), (j, 0, i), (i, 0, n - 1)))
    assert kernel.cost().ratio_bound < 4
    assert sp.degree(kernel.cost().fprop, n) == sp.degree(kernel.cost().bprop, n) == 3
    nested = compile_plain(sp.Sum(x[i] * y[j] * x[k], (k, 0, j), (j, 0, i), (i, 0, n - 1)))
    assert sp.degree(nested.cost().fprop, n) == 2


@pytest.mark.parametrize(
    "expr",
    [
        sp.Sum(sp.Sum(v[k] * x[i - k], (k, 0, sp.Min(i, m - 1))) ** 2, (i, 0, n - 1)),
        sp.Sum(v[i - k] * x[k] * y[i], (k, sp.Max(0, i - m + 1), i), (i, 0, n - 1)),
        sp.Sum(v[f - k] * x[k], (k, sp.Max(0, f - m + 1), f)),
        sp.Sum(B[i, j] * x[j] * v[0], (j, sp.Max(0, i - m), sp.Min(n - 1, i + m)), (i, 0, n - 1)),
        sp.Sum(sp.exp(sp.Sum(y[j] * v[0], (j, i - m, i + m))), (i, m, n - m - 1)),
    ],
    ids=range(5),
)
def test_a_window_costs_its_width(expr) -> None:
    cost = compile_plain(expr).cost()
    for count in (cost.fprop, cost.bprop):
        assert sp.degree(count, n) == 1
        assert sp.Poly(count, n, m).total_degree() == 2


@pytest.mark.parametrize(
    ("expr", "error", "text"),
    [
        (
            sp.Sum(x[j], (j, i + 2, n - 1), (i, 0, n - 1)),
            ShapeError,
            "a sum whose upper bound lies below its lower bound\n  in: Sum(x[j], (j, i + 2, n - 1), (i, 0, n - 1))\n",
        ),
        (
            sp.Sum(x[j], (j, 0, i * i), (i, 0, n - 1)),
            UnsupportedExpressionError,
            "a bound that is not linear in the indices is not supported\n",
        ),
        (
            sp.Sum(x[j], (j, 0, sp.IndexedBase("len", (n,), integer=True)[i]), (i, 0, n - 1)),
            UnsupportedExpressionError,
            "a bound that depends on data is not supported\n",
        ),
        (
            sp.Sum(x[i + j], (j, 0, i), (i, 0, n - 1)),
            ShapeError,
            "an index leaves its axis\n  in: x[i + j]\n  expected: positions from 0 to n - 1\n  found: i + j",
        ),
        (
            sp.Sum(sp.Trace(sp.MatrixSymbol("M", i, i)), (i, 1, 3)),
            UnsupportedExpressionError,
            "the index i as the size of an array is not supported",
        ),
        (sp.Sum(x[j], (j, 5, 2)), ShapeError, "a sum whose upper bound lies below its lower bound\n"),
        (
            sp.Sum(b**j, (j, 0, sp.oo)),
            UnsupportedExpressionError,
            "an infinite sum is not supported\n  in: Sum(b**j, (j, 0, oo))\n  hint: end it after n terms: (k, 0,",
        ),
        (
            sp.Product(1 + x[0] / j**2, (j, -sp.oo, -1)),
            UnsupportedExpressionError,
            "an infinite product is not supported\n  in: Product(",
        ),
        (
            sp.Sum(x[j], (j, 0, n / 2 - 1)),
            UnsupportedExpressionError,
            (
                "a quotient in a bound is not supported\n  in: Sum(x[j], (j, 0, n/2 - 1))\n"
                "  expected: a polynomial in sizes with integer coefficients, linear in indices\n  found: n/2 - 1\n"
                "  hint: take a symbol m for the quotient and write 2*m for n: then n/2 is m"
            ),
        ),
        (
            sp.Sum(x[j] * x[n - 1 - j], (j, 0, sp.floor(n / 3) - 1)),
            UnsupportedExpressionError,
            "a quotient in a bound is not supported\n",
        ),
        (
            sp.Sum(x[j], (j, 0, sp.floor(i / 2)), (i, 0, n - 1)),
            UnsupportedExpressionError,
            "a quotient in a bound is not supported\n",
        ),
    ],
)
def test_refusals(expr, error, text) -> None:
    with pytest.raises(error) as caught:
        program(expr)
    assert str(caught.value).startswith(text)
