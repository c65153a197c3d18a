"""Models against references that share nothing with the compiler.

Each record holds a SymPy expression and, beside it, the same computation written by hand for mpmath numbers in NumPy
object arrays. The reference gradient is a central difference of that at 110 digits with step 1e-30, so good to more
than 50 digits; no symbolic derivative takes part in it.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

import symbackprop as sbp
from tests.end_to_end.models import (
    DIGITS,
    MODELS,
    SEED,
    STEP,
    A,
    Model,
    score,
    x,
    xs,
    y,
    z,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


def lift(value: Any) -> Any:
    """Return a float or float array as mpf; integers stay."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return np.frompyfunc(lambda e: mp.mpf(float(e)), 1, 1)(value)
    return mp.mpf(value) if isinstance(value, float) else value


def entries(value: Any) -> list[Any]:
    """Return the numbers of a value, row-major, containers in their order."""
    if isinstance(value, dict | list | tuple):
        parts = value.values() if isinstance(value, dict) else value
        return [number for part in parts for number in entries(part)]
    return list(np.ravel(np.asarray(value)))


def reference(model: Model, values: Mapping[str, Any], upstream: Any) -> tuple[list[Any], dict[str, Any]]:
    """Return the value's entries and the gradient of sum(upstream * value), both as floats from 110 digits."""
    with mp.workdps(DIGITS):
        point = {name: lift(value) for name, value in values.items()}
        weights = [mp.mpf(float(weight)) for weight in entries(upstream)]

        def total(changed: Mapping[str, Any]) -> Any:
            out = entries(model.by_hand(SimpleNamespace(**changed)))
            return mp.fsum(weight * number for weight, number in zip(weights, out, strict=True))

        grads = {}
        for name, value in point.items():
            if isinstance(value, int) or (isinstance(value, np.ndarray) and value.dtype != object):
                continue
            base, step = np.asarray(value, dtype=object), mp.mpf(STEP)
            slopes = np.empty(base.size)
            for at in range(base.size):
                moved = []
                for sign in (1, -1):
                    array = base.copy()
                    array.reshape(-1)[at] += sign * step
                    moved.append(total({**point, name: array if array.shape else array[()]}))
                slopes[at] = float((moved[0] - moved[1]) / (2 * step))
            grads[name] = slopes.reshape(base.shape)
        return [float(number) for number in entries(model.by_hand(SimpleNamespace(**point)))], grads


def upstream_like(value: Any, rng: np.random.Generator) -> Any:
    """Return random upstream gradients in the container and shapes of a value."""
    if isinstance(value, dict):
        return {key: upstream_like(part, rng) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [upstream_like(part, rng) for part in value]
    return rng.standard_normal(np.shape(value)) if np.shape(value) else float(rng.standard_normal())


def assert_close(found: Any, expected: Any, rtol: float) -> None:
    """Assert agreement relative to the largest entry."""
    found, expected = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    assert found.shape == expected.shape
    scale = np.max(np.abs(expected), initial=0.0)
    assert np.max(np.abs(found - expected), initial=0.0) <= rtol * scale


def differences(kernel: Any, values: Mapping[str, Any], name: str, upstream: Any) -> np.ndarray:
    """Return the central difference of the kernel's own value with respect to one input."""
    base = np.asarray(values[name], dtype=np.float64)
    weights = np.array(entries(upstream), dtype=np.float64)
    slopes = np.empty(base.size)
    for at in range(base.size):
        step = 1e-5 * max(1.0, abs(float(base.reshape(-1)[at])))
        moved = []
        for sign in (1, -1):
            array = base.copy()
            array.reshape(-1)[at] += sign * step
            out, _ = kernel.fprop(**{**values, name: array if array.shape else float(array)})
            moved.append(weights @ np.array(entries(out), dtype=np.float64))
        slopes[at] = (moved[0] - moved[1]) / (2 * step)
    return slopes.reshape(base.shape)


# -- the tests -------------------------------------------------------------------------------------------------------


def test_at_least_25_models() -> None:
    assert len(MODELS) >= 25
    assert len({model.name for model in MODELS}) == len(MODELS)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_model(model: Model) -> None:
    """Value and gradient, fused and in two calls, against the 50-digit reference and against differences."""
    kernel = sbp.compile(model.expr, **model.options)
    values = model.values()
    value, grads = kernel.value_and_grad(**values)
    ones = filled(upstream_like(value, np.random.default_rng(0)), 1.0)
    expected, slopes = reference(model, values, ones)
    assert_close(entries(value), expected, 1e-12)
    assert set(grads) == set(slopes)
    for name, slope in slopes.items():
        assert np.shape(grads[name]) == np.shape(values[name])
        assert_close(grads[name], slope, 1e-12)

    upstream = upstream_like(value, np.random.default_rng(1))
    again, residuals = kernel.fprop(**values)
    assert_close(entries(again), expected, 1e-12)
    weighted = kernel.bprop(residuals, upstream)
    _, slopes = reference(model, values, upstream)
    for name, slope in slopes.items():
        assert np.shape(weighted[name]) == np.shape(values[name])
        assert_close(weighted[name], slope, 1e-12)
        assert_close(differences(kernel, values, name, upstream), weighted[name], 1e-6)


def filled(container: Any, number: float) -> Any:
    """Return a container like the given one with every number replaced."""
    if isinstance(container, dict):
        return {key: filled(part, number) for key, part in container.items()}
    if isinstance(container, list):
        return [filled(part, number) for part in container]
    return np.full(np.shape(container), number)


@pytest.mark.parametrize(
    "name", ["rosenbrock", "net with ReLU, vector output", "softmax regression", "words gathered, one of them twice"]
)
def test_float32_in_and_out(name: str) -> None:
    model = next(model for model in MODELS if model.name == name)
    kernel = sbp.compile(model.expr, dtype="float32", **model.options)
    values = {
        key: np.float32(value) if isinstance(value, float) or np.asarray(value).dtype.kind == "f" else value
        for key, value in model.values().items()
    }
    value, grads = kernel.value_and_grad(**values)
    exact = {
        key: np.asarray(v, dtype=np.float64) if isinstance(v, np.ndarray) and v.dtype.kind == "f" else v
        for key, v in values.items()
    }
    exact = {key: float(v) if isinstance(v, np.float32) else v for key, v in exact.items()}
    expected, slopes = reference(model, exact, filled(value if np.shape(value) else 0.0, 1.0))
    assert np.asarray(value).dtype == np.float32
    assert_close(np.ravel(value), expected, 2e-6)
    for key, slope in slopes.items():
        assert np.asarray(grads[key]).dtype == np.float32
        assert_close(grads[key], slope, 5e-6)
    upstream = np.ones(np.shape(value), dtype=np.float32) if np.shape(value) else np.float32(1)
    for key, grad in kernel.bprop(kernel.fprop(**values)[1], upstream).items():
        assert np.asarray(grad).dtype == np.float32
        assert_close(grad, grads[key], 5e-6)


# -- single facts ----------------------------------------------------------------------------------------------------


def test_lecture_example() -> None:
    kernel = sbp.compile((x + y) * sp.Max(y, z))
    assert kernel(1.0, 2.0, 0.0) == 6.0
    assert kernel.value_and_grad(1.0, 2.0, 0.0) == (6.0, {"x": 2.0, "y": 5.0, "z": 0.0})


def test_tie_is_split_evenly() -> None:
    """At y = z each gets half of the upstream 3 of max, y another max = 2 from the sum."""
    kernel = sbp.compile((x + y) * sp.Max(y, z))
    assert kernel.value_and_grad(1.0, 2.0, 2.0) == (6.0, {"x": 2.0, "y": 3.5, "z": 1.5})


def test_tie_of_three_sums_to_one() -> None:
    _, grads = sbp.compile(sp.Max(x, y, z)).value_and_grad(2.0, 2.0, 2.0)
    assert sum(grads.values()) == pytest.approx(1.0, abs=1e-15)
    assert grads["x"] == grads["y"] == grads["z"]


@pytest.mark.parametrize("expr", [sp.Max(x, 0), sp.Min(x, 0), sp.Abs(x)], ids=str)
def test_kinks_at_zero_give_zero(expr: sp.Expr) -> None:
    assert sbp.compile(expr).value_and_grad(0.0) == (0.0, {"x": 0.0})


def test_batch_of_one_equals_no_batch() -> None:
    single = sbp.compile(sp.log(1 + sp.exp(-y * score)))
    batched = sbp.compile(sbp.Mean(sp.log(1 + sp.exp(-y * score)), "N"), batch={"x": "N", "y": "N"})
    rng = np.random.default_rng(SEED)
    weights = {"W": rng.standard_normal((4, 6)), "b": rng.standard_normal(4), "u": rng.standard_normal(4)}
    row = rng.standard_normal(6)
    value, grads = single.value_and_grad(**weights, x=row, y=-1.0)
    value_1, grads_1 = batched.value_and_grad(**weights, x=row[None], y=np.array([-1.0]))
    assert value_1 == pytest.approx(value, rel=1e-14)
    for name, grad in grads.items():
        assert_close(np.reshape(grads_1[name], np.shape(grad)), grad, 1e-13)


def test_one_compile_serves_all_sizes() -> None:
    kernel = sbp.compile(score)
    for rows, columns in ((1, 1), (2, 7), (64, 5), (3, 200)):
        rng = np.random.default_rng(rows)
        weights, bias = rng.standard_normal((rows, columns)), rng.standard_normal(rows)
        top, vector = rng.standard_normal(rows), rng.standard_normal(columns)
        value, grads = kernel.value_and_grad(W=weights, b=bias, u=top, x=vector)
        hidden = np.tanh(weights @ vector + bias)
        delta = top * (1 - hidden**2)
        assert value == pytest.approx(top @ hidden, rel=1e-12, abs=1e-12)
        assert_close(grads["W"], np.outer(delta, vector), 1e-12)
        assert_close(grads["x"], weights.T @ delta, 1e-12)


def test_columns_keep_the_shape_they_came_in() -> None:
    kernel = sbp.compile((xs.T * A * xs)[0, 0])
    matrix = np.arange(9.0).reshape(3, 3)
    for vector in (np.ones(3), np.ones((3, 1))):
        value, grads = kernel.value_and_grad(A=matrix, x=vector)
        assert value == matrix.sum()
        assert grads["x"].shape == vector.shape


def test_the_call_alone_gives_the_same_value() -> None:
    for name in ("matrix output", "softmax regression", "dict of values"):
        model = next(model for model in MODELS if model.name == name)
        kernel = sbp.compile(model.expr, **model.options)
        values = model.values()
        assert_close(entries(kernel(**values)), entries(kernel.fprop(**values)[0]), 1e-15)
