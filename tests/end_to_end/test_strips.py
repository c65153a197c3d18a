"""Loops in strips and triangles against the interpreter of their plans, at the ends of blocks and where nothing is."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import sympy as sp
from sympy import IndexedBase, Sum, exp, log, tanh

import symbackprop as sbp
from symbackprop.interpret import interpret
from tests.plain import compile_plain

i, j, k, c = sp.symbols("i j k c", integer=True)
n, K, d = sp.symbols("n K d", integer=True, positive=True)
x, y, mu = IndexedBase("x", (n, d)), IndexedBase("y", (n, d)), IndexedBase("mu", (K, d))
L, w, v = IndexedBase("L", (d, d)), IndexedBase("w", (n,)), IndexedBase("v", (K,))
word = IndexedBase("word", (n,), integer=True)
SHAPES = {"x": (n, d), "y": (n, d), "mu": (K, d), "L": (d, d), "w": (n,), "v": (K,)}
SIZES = [(1, 1, 1), (2, 3, 4), (63, 2, 3), (64, 3, 2), (65, 2, 3), (130, 2, 2), (0, 2, 3), (3, 1, 5)]

over_i, over_k, over_j = (i, 0, n - 1), (k, 0, K - 1), (j, 0, d - 1)
below, above = (c, 0, j - 1), (c, j, d - 1)
apart = x[i, j] - mu[k, j]

CASES = {
    "squares": Sum(apart**2, over_j),
    "triangle below": Sum((Sum(L[j, c] * (x[i, c] - mu[k, c]), below) + apart) ** 2, over_j),
    "triangle above": Sum(tanh(Sum(L[j, c] * x[i, c], above) * mu[k, j]), over_j),
    "product of two": Sum(apart * tanh(y[i, j] * mu[k, j]), over_j),
    "gathered": Sum((x[i, j] - mu[word[i], j]) ** 2, over_j) * v[k],
    "two triangles": Sum(
        Sum(L[j, c] * apart * x[i, c], (c, 0, j)) + Sum(L[c, j] * mu[k, c], (c, j + 1, d - 1)), over_j
    ),
    "triangle of triangles": Sum(Sum(L[j, c] * Sum(L[c, i] * mu[k, i], (i, 0, c)), below) * apart, over_j),
    "choices": Sum(sp.Piecewise((apart**2, apart > 0), (x[i, j], True)), over_j),
    "largest": sbp.MaxOver(apart * y[i, j], over_j) + Sum(apart, over_j) / 7,
    "triangle in both": Sum(Sum(L[j, c] * x[i, j] * x[i, c], (c, 0, j)), over_j) * v[k],
}
ENDS = {
    "log-sum-exp": lambda e: Sum(log(Sum(exp(-e / 2 + v[k]), over_k)), over_i),
    "weighted": lambda e: Sum(w[i] * Sum(v[k] * exp(-(e**2)), over_k), over_i),
    "by points twice": lambda e: Sum(tanh(Sum(e, over_k)) * Sum(e**2 * v[k], over_k), over_i),
    "over points first": lambda e: Sum(log(1 + Sum(tanh(e) ** 2, over_i)), over_k),
}


#: SymPy moves the choice out of the sum over k, which is then refused.
REFUSED = {("choices", "by points twice")}


@pytest.mark.parametrize(("case", "end"), [(c, e) for c in CASES for e in ENDS if (c, e) not in REFUSED])
def test_every_function_is_its_plan(case: str, end: str) -> None:
    """The graph of a plan knows no loops; what is computed in strips, triangles and blocks must be what it says."""
    kernel = compile_plain(ENDS[end](CASES[case]))
    rng = np.random.default_rng(random.Random(case + end).randrange(2**32))
    for sizes in SIZES:
        at = dict(zip((n, K, d), sizes, strict=True))
        arguments: dict[str, Any] = {}
        for record in kernel.inputs:
            shape = [int(size.subs(at)) for size in record.shape]
            real = record.dtype != "int64"
            arguments[record.name] = rng.standard_normal(shape) if real else rng.integers(0, sizes[1], shape)
        value, gradients = kernel.value_and_grad(**arguments)
        split, residuals = kernel.fprop(**arguments)
        backward = kernel.bprop(residuals)
        bound = dict(zip(("n", "K", "d"), sizes, strict=True))
        want = interpret(kernel._plans["value_and_grad"].graph.outputs, arguments, bound)
        close = {"rtol": 1e-11, "atol": 1e-12}
        for got in (value, split, kernel(**arguments)):
            np.testing.assert_allclose(got, want[0], **close)
        for name, expected in zip(gradients, want[1:], strict=True):
            np.testing.assert_allclose(gradients[name], expected, err_msg=name, **close)
            np.testing.assert_allclose(backward[name], expected, err_msg=name, **close)
