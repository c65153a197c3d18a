"""Softmax regression with an L2 penalty on scikit-learn's handwritten digits: 1797 images of 8 x 8, ten classes."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import sympy as sp

import symbackprop as sbp
from tests.benchmarks.expert.dense import regression
from tests.benchmarks.ours import kernel_work
from tests.benchmarks.peers import jax_work, library, torch_work
from tests.benchmarks.row import Limit, Point, Row, Sweep, Work

__all__ = ["ROWS", "kernel", "point"]

NAMES = ("W", "b", "x", "label", "lam")
WRT = ("W", "b")


@cache
def kernel() -> sbp.Kernel:
    """Return our kernel, all sizes symbolic."""
    n, c = sp.symbols("n c", integer=True, positive=True)
    W, b, x = sp.MatrixSymbol("W", c, n), sp.MatrixSymbol("b", c, 1), sp.MatrixSymbol("x", n, 1)
    label, lam = sp.Symbol("label", integer=True), sp.Symbol("lam")
    objective = sbp.Mean(sbp.cross_entropy(W * x + b, label), "N") + lam * sp.Trace(W.T * W)
    return sbp.compile(
        objective,
        wrt=list(WRT),
        inputs=[W, b, x, label, lam],
        batch={"x": "N", "label": "N"},
        name="softmax regression",
    )


def point(batch: int | None = None, n: int = 64, c: int = 10) -> Point:
    """Return the digits, or random inputs of other sizes.

    Raises:
        Missing: the digits without scikit-learn.
    """
    rng = np.random.default_rng((n, c, batch or 0))
    if batch is None:
        images, label = library("sklearn.datasets").load_digits(return_X_y=True)
        x = images / 16.0
    else:
        x, label = rng.uniform(0, 1, (batch, n)), rng.integers(0, c, batch)
    return {"W": rng.standard_normal((c, n)) / 8, "b": rng.standard_normal(c) / 8, "x": x, "label": label, "lam": 0.01}


def _ours(at: Point) -> Work:
    return kernel_work(kernel(), at)


def _expert(at: Point) -> Work:
    arguments = [at[name] for name in NAMES]
    compiled = regression("float64")
    scores = np.empty((len(at["x"]), len(at["b"])))
    return Work(lambda: compiled(*arguments, scores))


def _jax(at: Point) -> Work:
    jax = library("jax")
    jnp = jax.numpy

    def loss(W: Any, b: Any, x: Any, label: Any, lam: Any) -> Any:
        scores = x @ W.T + b
        mine = jnp.take_along_axis(scores, label[:, None], axis=1)[:, 0]
        return (jax.nn.logsumexp(scores, axis=1) - mine).mean() + lam * (W * W).sum()

    return jax_work(loss, at, NAMES, WRT)


def _torch(at: Point) -> Work:
    torch = library("torch")
    F = torch.nn.functional

    def loss(W: Any, b: Any, x: Any, label: Any, lam: Any) -> Any:
        return F.cross_entropy(F.linear(x, W, b), label) + lam * (W * W).sum()

    return torch_work(loss, at, NAMES, WRT)


ROWS = (
    Row(
        name="digits",
        what="softmax regression + L2 on scikit-learn's digits, 1797 x 64, 10 classes",
        sizes={"1797": {}},
        tiny={"batch": 5, "n": 4, "c": 3},
        point=point,
        sides={"symbackprop": _ours, "expert": _expert, "jax": _jax, "torch": _torch},
        limits={"": (Limit(0.7, ("jax", "torch")), Limit(1.2, ("expert",)))},
        fresh=("1797",),
        kernel=lambda _: kernel(),
        sweeps=(
            Sweep("n", (400, 800, 1600, 3200), {"batch": 256, "c": 10}),
            Sweep("c", (200, 400, 800, 1600), {"batch": 256, "n": 64}),
            Sweep("batch", (1000, 2000, 4000, 8000), {"n": 64, "c": 10}),
        ),
    ),
)
