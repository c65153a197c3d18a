"""Rosenbrock's function in index notation, n = 10**6: bound by memory; its peak shows whether it stays O(n)."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import sympy as sp

import symbackprop as sbp
from tests.benchmarks.expert.functions import accumulate, jit
from tests.benchmarks.ours import kernel_work
from tests.benchmarks.peers import jax_work, torch_work
from tests.benchmarks.row import Limit, Point, Row, Sweep, Work

__all__ = ["ROWS", "kernel", "point"]


@cache
def kernel() -> sbp.Kernel:
    """Return our kernel, n symbolic."""
    n, i = sp.symbols("n i", integer=True, positive=True)
    x = sp.IndexedBase("x", (n,))
    term = 100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2
    return sbp.compile(sp.Sum(term, (i, 0, n - 2)), inputs=[x], name="rosenbrock")


def point(n: int) -> Point:
    """Return a random point."""
    return {"x": np.random.default_rng(n).uniform(-2, 2, n)}


@jit
def expert(x):
    """Return value and gradient in one pass over x."""
    n = len(x)
    gradient = np.empty_like(x)
    value = 0.0
    gradient[0] = 0.0
    for i in range(n - 1):
        gap = x[i + 1] - x[i] * x[i]
        rest = 1.0 - x[i]
        value = accumulate(value, 100.0 * gap * gap + rest * rest)
    for i in range(1, n - 1):
        before = x[i] - x[i - 1] * x[i - 1]
        gap = x[i + 1] - x[i] * x[i]
        gradient[i] = 200.0 * before - 400.0 * x[i] * gap - 2.0 * (1.0 - x[i])
    gradient[0] = -400.0 * x[0] * (x[1] - x[0] * x[0]) - 2.0 * (1.0 - x[0])
    gradient[n - 1] = 200.0 * (x[n - 1] - x[n - 2] * x[n - 2])
    return value, gradient


def _function(x: Any) -> Any:
    head, tail = x[:-1], x[1:]
    gap, rest = tail - head * head, 1.0 - head
    return (100.0 * gap * gap + rest * rest).sum()


def _ours(at: Point) -> Work:
    return kernel_work(kernel(), at)


def _expert(at: Point) -> Work:
    x = at["x"]
    return Work(lambda: expert(x), read=list)


def _jax(at: Point) -> Work:
    return jax_work(_function, at, ("x",), ("x",))


def _torch(at: Point) -> Work:
    return torch_work(_function, at, ("x",), ("x",))


ROWS = (
    Row(
        name="rosenbrock",
        what="Rosenbrock's function in index notation; sizes are n",
        sizes={"1000": {"n": 1000}, "1000000": {"n": 1_000_000}},
        tiny={"n": 6},
        point=point,
        sides={"symbackprop": _ours, "expert": _expert, "jax": _jax, "torch": _torch},
        limits={"": (Limit(0.5, ("jax",)), Limit(1.2, ("expert",)))},
        fresh=("1000000",),
        kernel=lambda _: kernel(),
        sweeps=(Sweep("n", (2000, 4000, 8000, 16000, 32000)),),
    ),
)
