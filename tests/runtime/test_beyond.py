"""The library in vectorised loops: asked for large arguments only, entry by entry, wherever in a vector they stand."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
import pytest

from symbackprop.runtime.beyond import beyond

far_sin, far_tan = beyond("sin", 10.0), beyond("tan", 10.0)
far_cos = beyond("cos", 100.0)


@numba.njit
def loop(x: Any, out: Any) -> None:
    """Values that no formula would give mark the entries that the library was not asked for."""
    for i in range(x.size):
        half = x[i] * x[i] * np.float32(0.5)
        out[i] = far_sin(x[i], half) + far_tan(x[i], half) + far_cos(x[i], half)


def expected(x: Any) -> Any:
    half = 0.5 * x.astype(float) ** 2
    wide = x.astype(float)
    near, middle = ~(np.abs(x) > 10.0), ~(np.abs(x) > 100.0)
    with np.errstate(invalid="ignore"):
        first = np.where(near, half, np.sin(wide)) + np.where(near, half, np.tan(wide))
        return (first + np.where(middle, half, np.cos(wide))).astype(x.dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("size", [1, 3, 4, 7, 8, 16, 33, 64, 100])
def test_only_large_arguments_go_to_the_library(size: int, dtype: str) -> None:
    rng = np.random.default_rng(size)
    rows = [np.zeros(size), np.full(size, 1e9), rng.uniform(-20.0, 20.0, size), rng.uniform(-300.0, 300.0, size)]
    for k in range(min(size, 20)):  # one large entry in every place
        rows.append(rng.uniform(-10.0, 10.0, size))
        rows[-1][k] = rng.choice([10.0, -10.0, np.nextafter(10.0, 11.0), 1e3, -1e100, math.inf, -math.inf, math.nan])
    for row in rows:
        with np.errstate(over="ignore"):
            x = row.astype(dtype)
        out = np.empty_like(x)
        loop(x, out)
        np.testing.assert_allclose(
            out, expected(x), rtol=2e-14 if dtype == "float64" else 1e-6, atol=1e-13 if dtype == "float64" else 1e-6
        )


def test_the_loop_is_vectorised() -> None:
    for kind, number in ((numba.float64, "double"), (numba.float32, "float")):
        loop.compile((kind[::1], kind[::1]))
        assert f"x {number}> @symbackprop_sin_beyond_10_{number}_" in "\n".join(loop.inspect_llvm().values())
