"""What a call costs beside the compiled function itself: the methods, the raw entry, calls from compiled code.

`python -m tests.benchmarks.calls` prints ratios; each row is one kernel, interleaved, in processor time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp
from numba import njit

import symbackprop as sbp
from tests.benchmarks.timing import interleaved

__all__ = ["main"]


@njit(error_model="numpy")
def _product_by_hand(x: float, y: float, z: float, ct: Any) -> float:
    larger = max(z, y)
    ct[0], ct[1] = larger, larger + (x + y if y > z else 0.5 * (x + y) if y == z else 0.0)
    ct[2] = x + y if z > y else 0.5 * (x + y) if y == z else 0.0
    return (x + y) * larger


@njit(error_model="numpy")
def _logistic_by_hand(w: Any, x: Any, y: float, ct_w: Any) -> float:
    score = 0.0
    for i in range(w.size):
        score += w[i] * x[i]
    decay = np.exp(-abs(y * score))
    slope = -y * (decay if y * score > 0 else 1.0) / (1.0 + decay)
    for i in range(w.size):
        ct_w[i] = slope * x[i]
    return max(-y * score, 0.0) + np.log1p(decay)


def _ratios(title: str, bare: str, calls: dict[str, Callable[[], Any]]) -> None:
    """Print the time of each call relative to the one called `bare`."""
    timings = interleaved({**calls, "nothing": lambda: None}, clock=time.process_time, rounds=40)
    empty = timings["nothing"].median
    print(f"{title}; {bare}: {(timings[bare].median - empty) * 1e9:.0f} ns")
    for name in calls:
        ratio = (timings[name].median - empty) / (timings[bare].median - empty)
        print(f"    {name:<44} {ratio:6.2f}")


def _numbers() -> None:
    x, y, z = sp.symbols("x y z")
    kernel = sbp.compile((x + y) * sp.Max(y, z), inputs=[x, y, z])
    value, both, into = (kernel._module.__dict__[n] for n in ("value", "value_and_grad", "value_and_grad_into"))
    ct = np.empty(3)
    calls = {
        "value_and_grad of the module": lambda: both(1.0, 2.0, 0.0),
        "kernel.value_and_grad": lambda: kernel.value_and_grad(1.0, 2.0, 0.0),
        "kernel.value_and_grad, whole numbers": lambda: kernel.value_and_grad(1, 2, 0),
        "value of the module": lambda: value(1.0, 2.0, 0.0),
        "kernel()": lambda: kernel(1.0, 2.0, 0.0),
    }
    _ratios("(x + y) Max(y, z)", "value_and_grad of the module", calls)
    raw = {
        "by hand, into an array": lambda: _product_by_hand(1.0, 2.0, 0.0, ct),
        "kernel.value_and_grad_into": lambda: into(1.0, 2.0, 0.0, ct),
    }
    _ratios("(x + y) Max(y, z), raw", "by hand, into an array", raw)

    def loop(function: Any) -> Any:
        @njit(error_model="numpy")
        def many(points: Any, ct: Any) -> float:
            total = 0.0
            for k in range(points.shape[0]):
                total += function(points[k, 0], points[k, 1], points[k, 2], ct) + ct[0] + ct[1] + ct[2]
            return total

        return many

    points = np.random.default_rng(0).standard_normal((1000, 3))
    ours, theirs = loop(into), loop(_product_by_hand)
    assert ours(points, ct) == theirs(points, ct)
    inside = {"by hand": lambda: theirs(points, ct), "value_and_grad_into": lambda: ours(points, ct)}
    _ratios("the same, 1000 times inside compiled code", "by hand", inside)


def _arrays() -> None:
    n, y = sp.Symbol("n", integer=True, positive=True), sp.Symbol("y")
    w, x = sp.MatrixSymbol("w", n, 1), sp.MatrixSymbol("x", n, 1)
    kernel = sbp.compile(sp.log(1 + sp.exp(-y * (w.T * x)[0, 0])), inputs=[w, x, y], wrt=[w])
    both, into = kernel._module.value_and_grad, kernel.value_and_grad_into
    a, b, ct = np.array([0.1, 0.2, 0.3]), np.array([1.0, -1.0, 2.0]), np.empty(3)
    calls = {
        "value_and_grad of the module": lambda: both(a, b, 1.0),
        "kernel.value_and_grad": lambda: kernel.value_and_grad(a, b, 1.0),
        "kernel.value_and_grad, a list": lambda: kernel.value_and_grad(a, [1.0, -1.0, 2.0], 1.0),
        "kernel()": lambda: kernel(a, b, 1.0),
    }
    _ratios("logistic loss of a 3-vector", "value_and_grad of the module", calls)
    raw = {
        "by hand, into an array": lambda: _logistic_by_hand(a, b, 1.0, ct),
        "kernel.value_and_grad_into": lambda: into(a, b, 1.0, ct),
    }
    _ratios("logistic loss of a 3-vector, raw", "by hand, into an array", raw)


def main() -> None:
    """Print all tables."""
    _numbers()
    _arrays()


if __name__ == "__main__":
    main()
