"""Piecewise functions that SymPy's constructors move out of inner sums and products."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import symbackprop as sbp
from symbackprop.errors import UnsupportedExpressionError
from tests.frontend.helpers import program
from tests.plain import compile_plain

n = sp.Symbol("n", integer=True, positive=True)
i, j, k = sp.symbols("i j k", integer=True)
t = sp.Symbol("t")
x, y, S, word = (sp.IndexedBase(name) for name in ("x", "y", "S", "word"))
over_i, over_j = (i, 0, n - 1), (j, 0, n - 1)
RATIO = (t - x[j]) / (x[i] - x[j])
AT = {
    "x": np.array([0.0, 1.0, 2.5, 4.0]),
    "y": np.array([1.0, -2.0, 0.5, 3.0]),
    "t": 1.7,
    "S": np.random.default_rng(0).normal(size=(4, 4)),
    "word": np.array([1, 0, 1, 0]),
}


def interpolated(t, x, y, **_):
    """Lagrange's polynomial."""
    a = range(len(x))
    return sum(y[i] * np.prod([(t - x[j]) / (x[i] - x[j]) for j in a if j != i]) for i in a)


def chosen(*branches):
    return sp.Piecewise(*branches)


def others(f):
    """The sum over all j but i."""
    return sp.Sum(sp.Piecewise((f, sp.Ne(i, j)), (0, True)), over_j)


LAGRANGE = {
    "Eq": sp.Product(sp.Piecewise((1, sp.Eq(i, j)), (RATIO, True)), over_j),
    "Ne": sp.Product(sp.Piecewise((RATIO, sp.Ne(i, j)), (1, True)), over_j),
    "delta in a condition": sp.Product(sp.Piecewise((1, sp.Eq(sp.KroneckerDelta(i, j), 1)), (RATIO, True)), over_j),
    "delta as an exponent": sp.Product(RATIO ** (1 - sp.KroneckerDelta(i, j)), over_j),
    "two products": sp.Product(RATIO, (j, 0, i - 1)) * sp.Product(RATIO, (j, i + 1, n - 1)),
    "quotient": sp.Product(sp.Piecewise((1, sp.Eq(i, j)), (t - x[j], True)), over_j)
    / sp.Product(sp.Piecewise((1, sp.Eq(i, j)), (x[i] - x[j], True)), over_j),
}


def off_diagonal(f):
    return lambda S, **_: np.where(np.eye(len(S)), 0, f(S)).sum(1)


OTHERS = {
    "contrastive": (
        sp.Sum(sp.log(others(sp.exp(S[i, j]))) - S[i, i], over_i),
        lambda S, **_: (np.log(off_diagonal(np.exp)(S)) - np.diag(S)).sum(),
    ),
    "square": (sp.Sum(others(S[i, j]) ** 2, over_i), lambda S, **_: (off_diagonal(np.array)(S) ** 2).sum()),
    "power": (
        sp.Sum(others(S[i, j] ** 2) ** 2 * y[i], over_i),
        lambda S, y, **_: (off_diagonal(np.square)(S) ** 2 * y).sum(),
    ),
    "data": (
        sp.Sum(sp.tanh(sp.Sum(sp.Piecewise((S[i, j], sp.Eq(word[j], word[i])), (-x[j], True)), over_j)), over_i),
        lambda S, word, x, **_: np.tanh(np.where(word[:, None] == word, S, -x).sum(1)).sum(),
    ),
    "three deep": (
        sp.Sum(
            sp.sin(sp.Sum(S[i, k] * sp.cos(sp.Sum(chosen((S[k, j], j < i), (1, True)), over_j)), (k, 0, n - 1))), over_i
        ),
        lambda S, **_: sum(
            np.sin(sum(S[i, k] * np.cos(S[k, :i].sum() + len(S) - i) for k in range(len(S)))) for i in range(len(S))
        ),
    ),
    "largest of the others": (
        sp.Sum(sbp.MaxOver(sp.Piecewise((S[i, j], sp.Ne(i, j)), (-9, True)), over_j), over_i),
        lambda S, **_: np.where(np.eye(len(S)), -9, S).max(1).sum(),
    ),
    "outer extremum": (
        sbp.MaxOver(sp.exp(others(S[i, j])), over_i),
        lambda S, **_: np.exp(off_diagonal(np.array)(S)).max(),
    ),
    "log-sum-exp": (
        sp.Sum(sbp.logsumexp(sp.Piecewise((S[i, j], sp.Ne(i, j)), (-9, True)), over_j), over_i),
        lambda S, **_: np.log(np.exp(np.where(np.eye(len(S)), -9, S)).sum(1)).sum(),
    ),
}


def agrees(expr, reference) -> None:
    kernel = compile_plain(expr)
    at = {record.name: AT[record.name] for record in kernel.inputs}
    with np.errstate(all="ignore"):
        value, grads = kernel.value_and_grad(**at)
        split = kernel.bprop(kernel.fprop(**at)[1])
    np.testing.assert_allclose(value, reference(**at), rtol=1e-12)
    for name, gradient in grads.items():
        np.testing.assert_allclose(split[name], gradient, rtol=1e-12)
        base = np.array(at[name], float)
        for place in np.ndindex(base.shape):
            step = np.zeros(base.shape)
            step[place] = 1e-6
            rise = reference(**{**at, name: base + step}) - reference(**{**at, name: base - step})
            np.testing.assert_allclose(gradient[place] if place else gradient, rise / 2e-6, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("form", LAGRANGE)
def test_lagrange_interpolation(form: str) -> None:
    """The factor 0/0 of the branch not taken poisons neither the value nor a gradient."""
    agrees(sp.Sum(y[i] * LAGRANGE[form], over_i), interpolated)


@pytest.mark.parametrize("case", OTHERS)
def test_conditions_on_the_inner_index(case: str) -> None:
    agrees(*OTHERS[case])


def test_cost() -> None:
    kernel = compile_plain(sp.Sum(y[i] * LAGRANGE["Eq"], over_i))
    assert sp.degree(kernel.cost().fprop, n) == sp.degree(kernel.cost().bprop, n) == 2


def test_a_condition_that_cannot_be_put_back() -> None:
    inner = sp.Product(sp.Piecewise((1, sp.Eq(i, j)), (x[j], True)), over_j)
    moved = sp.Sum(sp.Piecewise((y[i], i > 0), (2, True)) * inner, over_i)
    with pytest.raises(UnsupportedExpressionError) as caught:
        program(moved)
    text = str(caught.value)
    assert text.startswith("a condition on j outside the Product over j is not supported\n  in: Sum(Piecewise(")
    assert "define the inner one by name" in text
    s = sp.IndexedBase("s")
    total = sp.Sum(sp.Piecewise((y[i], i > 0), (2, True)) * s[i], over_i)
    at = {"x": AT["x"] + 1, "y": AT["y"]}
    product = np.prod(at["x"])
    expected = product * (2 / at["x"][0] + np.sum(at["y"][1:] / at["x"][1:]))
    np.testing.assert_allclose(compile_plain([sp.Eq(s[i], inner), total])(**at), expected)


def test_a_condition_on_another_index_stays() -> None:
    expr = sp.Sum(sp.Piecewise((sp.Sum(S[i, j], over_j) ** 2, i > 1), (y[i], True)), over_i)
    agrees(expr, lambda S, y, **_: (S[2:].sum(1) ** 2).sum() + y[:2].sum())
