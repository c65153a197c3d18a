"""An index used as a number, and sizes that no array has."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp

import symbackprop as sbp
from symbackprop.errors import InputError
from symbackprop.ir.node import Iota
from tests.frontend.helpers import program
from tests.indices import A, K, a, agrees, b, f, g, i, j, k, m, n, v, x, y
from tests.plain import compile_plain

CASES = {
    "weights": sp.Sum(i * x[i] + x[i] / (i + 1), (i, 0, n - 1)),
    "powers": sp.Sum(i**2 * x[i] + 2**i * y[i], (i, 0, n - 1)),
    "two indices": sp.Sum(i * j * A[i, j], (i, 0, n - 1), (j, 0, m - 1)),
    "signs": sp.Sum((-1) ** i * x[i], (i, 0, n - 1)),
    "counted from two": sp.Sum(i * x[i - 2], (i, 2, n + 1)),
    "exponents": sp.Sum(x[i] * a**i, (i, 0, n - 1)),
    "taylor series": sp.Sum(b**k / sp.factorial(k), (k, 0, K)) * x[0],
    "fourier": sp.Sum(x[i] * sp.cos(2 * sp.pi * i * j / n) * y[j], (i, 0, n - 1), (j, 0, n - 1)),
    "even entries": sp.Sum(sp.Piecewise((x[i], sp.Eq(sp.Mod(i, 2), 0)), (-2 * x[i], True)), (i, 0, n - 1)),
    "order": sp.Sum(sp.Piecewise((x[i] * y[j], i < j), (0, True)), (i, 0, n - 1), (j, 0, n - 1)),
    "distance": sp.Sum(sp.exp(-sp.Abs(i - j)) * x[i] * y[j], (i, 0, n - 1), (j, 0, n - 1)),
    "free": f * x[f] + sp.sin(f),
    "free alone": f**2 + a,
    "free, two": x[f] * y[g] + f * g,
    "size": sp.Sum(x[i], (i, 0, n - 1)) / n + sp.log(n) * x[0],
    "an arithmetic series": sp.Sum(i, (i, 0, n - 1)) * a + x[0],
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name: str) -> None:
    agrees(CASES[name])


def test_a_series_at_zero() -> None:
    kernel = compile_plain(sp.Sum(a**k / sp.factorial(k), (k, 0, K)))
    assert [record.name for record in kernel.inputs] == ["K", "a"]
    value, gradients = kernel.value_and_grad(6, 0.0)
    assert (value, gradients) == (1.0, {"a": 1.0})
    value, gradients = kernel.value_and_grad(0, 0.5)
    assert (value, gradients) == (1.0, {"a": 0.0})


def test_an_index_takes_no_memory() -> None:
    graph = program(sp.Sum(i * x[i], (i, 0, n - 1))).graph
    assert any(isinstance(node, Iota) for node in graph.nodes())
    kernel = compile_plain(sp.Sum((i + 1) * x[i] ** 2, (i, 0, n - 1)))
    assert "work" not in kernel.source.split("def self_test")[0]


def test_a_size_that_no_array_has_is_an_argument() -> None:
    kernel = compile_plain(sp.Sum(sp.sin(a) / (j + 1), (j, 0, K - 1)))
    assert [(r.name, r.dtype) for r in kernel.inputs] == [("K", "int64"), ("a", "float64")]
    for size in (0, 1, 4):
        value, gradients = kernel.value_and_grad(size, 0.3)
        harmonic = sum(1 / (q + 1) for q in range(size))
        assert value == pytest.approx(math.sin(0.3) * harmonic)
        assert gradients["a"] == pytest.approx(math.cos(0.3) * harmonic)
    with pytest.raises(InputError, match="size K comes out negative"):
        kernel(-1, 0.3)
    _, residuals = kernel.fprop(3, 0.3)
    assert kernel.bprop(residuals)["a"] == pytest.approx(math.cos(0.3) * 11 / 6)


def test_a_size_argument_is_checked_against_axes() -> None:
    kernel = compile_plain(sp.Sum(x[j], (j, 0, K - 1)))
    assert kernel(2, np.array([1.0, 2.0, 4.0])) == 3
    with pytest.raises(InputError, match="an index runs outside axis 0"):
        kernel(4, np.array([1.0, 2.0, 4.0]))
    tail = compile_plain(sp.Sum(x[j], (j, K, n - 1)))
    assert tail(2, np.array([1.0, 2.0, 4.0])) == 4
    with pytest.raises(InputError, match="fewer values than none"):
        tail(5, np.array([1.0, 2.0, 4.0]))


def test_a_listed_size() -> None:
    expr = sp.Sum(x[j], (j, 0, n - 1))
    kernel = compile_plain(expr, inputs=[n, x])
    assert kernel(3, np.array([1.0, 2.0, 4.0])) == 7
    with pytest.raises(InputError, match="x: wrong shape"):
        kernel(2, np.array([1.0, 2.0, 4.0]))
    series = sp.Sum(a**k, (k, 0, K))
    assert compile_plain(series, inputs=["a", "K"])(2.0, 3) == 15
    with pytest.raises(InputError, match="the size K cannot be read off any argument"):
        program(series, inputs=[a])
    with pytest.raises(InputError, match="batch names the size K"):
        program(series, batch={"K": "N"}, inputs=[K, a])


def test_a_saved_module_with_a_size_argument(tmp_path) -> None:
    kernel = sbp.compile(sp.Sum(a**k * v[0], (k, 0, K)), name="series")
    value, gradients = kernel.value_and_grad(2, 0.5, np.array([2.0]))
    assert value == 3.5
    assert gradients["a"] == 4.0
    scope: dict = {"__name__": "saved"}
    exec(compile(kernel.save(tmp_path / "series.py").read_text(), "series", "exec"), scope)
    assert scope["value"](2, 0.5, np.array([2.0])) == 3.5
    with pytest.raises(ValueError, match="K: a size must not be negative"):
        scope["value"](-1, 0.5, np.array([2.0]))
    assert scope["self_test"]()
