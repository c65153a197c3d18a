"""What `parallel=True` brings: wall time of serial kernels relative to parallel ones, interleaved.

`python -m tests.benchmarks.threads` prints a table for this machine's threads. Values and gradients are compared first.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import sympy as sp

import symbackprop as sbp
from tests.benchmarks.timing import interleaved

__all__ = ["main"]

i, j, k = sp.symbols("i j k", integer=True)
N, K, d, m, n = sp.symbols("N K d m n", integer=True, positive=True)

#: A program: expression and options, and arguments for a number of examples.
Work = tuple[Any, dict[str, Any], Callable[[int], list[np.ndarray]]]


def _elementwise() -> Work:
    """A robust loss of a nonlinear curve at each of many points."""
    t, y, a, b, c = sp.symbols("t y a b c")
    loss = sp.log(sp.cosh(y - a * sp.exp(-b * t) * sp.sin(c * t)))
    rng = np.random.default_rng(0)
    options = {"batch": {"t": "N", "y": "N"}, "inputs": [a, b, c, t, y], "wrt": [a, b, c]}
    return sbp.Mean(loss, "N"), options, lambda size: [1.0, 0.5, 3.0, rng.uniform(0, 4, size), rng.normal(size=size)]


def _mixture() -> Work:
    """The log-likelihood of a mixture of 10 diagonal Gaussians in 8 dimensions."""
    x, mu, s = sp.IndexedBase("x", (N, d)), sp.IndexedBase("mu", (K, d)), sp.IndexedBase("s", (K, d))
    w = sp.IndexedBase("w", (K,))
    score = w[k] - sp.Sum((s[k, j] * (x[i, j] - mu[k, j])) ** 2, (j, 0, d - 1)) / 2
    total = sp.Sum(sp.log(sp.Sum(sp.exp(score), (k, 0, K - 1))), (i, 0, N - 1))
    rng = np.random.default_rng(0)
    parameters = [rng.normal(size=(10, 8)), rng.uniform(0.5, 2, size=(10, 8)), rng.normal(size=10)]
    return total, {"inputs": [mu, s, w, x], "wrt": [mu, s, w]}, lambda size: [*parameters, rng.normal(size=(size, 8))]


def _network() -> Work:
    """A classifier: 16 inputs, 128 hidden units, 4 classes."""
    W, b, V = sp.MatrixSymbol("W", m, n), sp.MatrixSymbol("b", m, 1), sp.MatrixSymbol("V", 4, m)
    x, c = sp.MatrixSymbol("x", n, 1), sp.Symbol("c", integer=True)
    loss = sbp.Mean(sbp.cross_entropy(V * (W * x + b).applyfunc(sp.tanh), c), "N")
    rng = np.random.default_rng(0)
    parameters = [rng.normal(size=(4, 128)), rng.normal(size=(128, 16)), rng.normal(size=128)]
    options = {"batch": {"x": "N", "c": "N"}, "inputs": [V, W, b, c, x], "wrt": [V, W, b]}
    return loss, options, lambda size: [*parameters, rng.integers(0, 4, size), rng.normal(size=(size, 16))]


def main() -> None:
    """Print serial / parallel wall time of value and gradient for several sizes."""
    print(f"{numba.get_num_threads()} threads; serial / parallel wall time of value_and_grad, more than 1 is faster")
    for title, make in (("elementwise", _elementwise), ("mixture", _mixture), ("network", _network)):
        expr, options, arguments = make()
        serial, parallel = sbp.compile(expr, **options), sbp.compile(expr, **options, parallel=True)
        for size in (100, 1000, 10_000, 100_000):
            args = arguments(size)
            start = time.perf_counter()
            value, grads = parallel.value_and_grad(*args)
            first = time.perf_counter() - start
            expected = serial.value_and_grad(*args)
            np.testing.assert_allclose(value, expected[0], rtol=1e-10)
            for name, gradient in grads.items():
                np.testing.assert_allclose(gradient, expected[1][name], rtol=1e-8, atol=1e-8)
            calls = {"serial": lambda: serial.value_and_grad(*args), "parallel": lambda: parallel.value_and_grad(*args)}  # noqa: B023
            found = interleaved(calls, rounds=15)
            ratios = [found["serial"][at] / found["parallel"][at] for at in (0, 1)]
            compiled = f"; compiled in {first:.1f} s" if size == 100 else ""
            print(f"    {title:<12} {size:>7} examples: best {ratios[0]:5.2f}, median {ratios[1]:5.2f}{compiled}")


if __name__ == "__main__":
    main()
