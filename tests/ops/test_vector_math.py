"""The vectorised forms: within their stated error of 50 digits over the whole range, and right at special values."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from symbackprop.ir.registry import ELEMENTWISE
from symbackprop.ops import vector_math

RNG = np.random.default_rng(0)
MAGNITUDES = 10.0 ** RNG.uniform(-300, 2.8, 300)
POINTS = np.concatenate(
    [RNG.uniform(-708, 709, 600), RNG.normal(size=600), RNG.uniform(-40, 40, 600), MAGNITUDES, -MAGNITUDES]
)
CASES = {
    "vexp": (vector_math.vexp, mpmath.exp, 1.1),
    "vtanh": (vector_math.vtanh, mpmath.tanh, 2.5),
    "vsigmoid": (vector_math.vsigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), 2.0),
}
INF, NAN = math.inf, math.nan
SPECIAL = [0.0, -0.0, 5e-324, -5e-324, 1e-9, 750.0, -750.0, 1e308, -1e308, INF, -INF, NAN]


def error_in_ulp(got: float, want: mpmath.mpf) -> float:
    return float(abs(mpmath.mpf(got) - want) / mpmath.mpf(float(np.spacing(abs(float(want))))))


@pytest.mark.parametrize("name", CASES)
def test_error_is_as_stated(name: str) -> None:
    function, exact, bound = CASES[name]
    with mpmath.workdps(50), np.errstate(all="ignore"):
        points = [float(x) for x in POINTS if name == "vtanh" or -708 < x < 709]
        worst = max((error_in_ulp(float(function(x)), exact(mpmath.mpf(x))), x) for x in points)
    assert worst[0] <= bound, worst


@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid"])
@pytest.mark.parametrize("x", SPECIAL)
def test_special_values_equal_numpy(name: str, x: float) -> None:
    op = ELEMENTWISE[name]
    form = op.vector["float64"]
    function = form.helpers[-1]
    assert form.emit == f"{function.__name__}(x)"
    with np.errstate(all="ignore"):
        got, want = float(function(x)), float(op.numpy(np.float64(x)))
    assert (math.isnan(got) and math.isnan(want)) or got == want
    assert math.isnan(got) or math.copysign(1, got) == math.copysign(1, want)


def test_subnormal_results_are_rounded_once() -> None:
    with np.errstate(all="ignore"), mpmath.workdps(50):
        for x in np.linspace(-745.1, -708.5, 200):
            got, want = float(vector_math.vexp(float(x))), float(mpmath.exp(mpmath.mpf(float(x))))
            assert abs(got - want) <= max(5e-324, 1.1 * np.spacing(want)), x
