"""Perceptrons with one hidden layer of tanh and cross entropy: gradients for both layers."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import sympy as sp

import symbackprop as sbp
from tests.benchmarks.expert.dense import mlp, mlp_gemms
from tests.benchmarks.ours import kernel_work
from tests.benchmarks.peers import jax_work, library, torch_work
from tests.benchmarks.row import Limit, Point, Row, Sweep, Work

__all__ = ["ROWS", "kernel", "point"]

NAMES = ("V", "b", "R", "s", "x", "label")
WRT = ("V", "b", "R", "s")


@cache
def kernel(dtype: str = "float64") -> sbp.Kernel:
    """Return our kernel, all sizes symbolic."""
    n, h, c = sp.symbols("n h c", integer=True, positive=True)
    V, b = sp.MatrixSymbol("V", h, n), sp.MatrixSymbol("b", h, 1)
    R, s = sp.MatrixSymbol("R", c, h), sp.MatrixSymbol("s", c, 1)
    x, label = sp.MatrixSymbol("x", n, 1), sp.Symbol("label", integer=True)
    loss = sbp.cross_entropy(R * (V * x + b).applyfunc(sp.tanh) + s, label)
    return sbp.compile(
        sbp.Mean(loss, "N"),
        wrt=list(WRT),
        inputs=[V, b, R, s, x, label],
        batch={"x": "N", "label": "N"},
        dtype=dtype,
        name="mlp",
    )


def point(batch: int, n: int = 64, h: int = 32, c: int = 10, dtype: str = "float64") -> Point:
    """Return random inputs."""
    rng = np.random.default_rng((n, h, c, batch))
    made: Point = {
        "V": rng.standard_normal((h, n)) / np.sqrt(n),
        "b": rng.standard_normal(h) / 10,
        "R": rng.standard_normal((c, h)) / np.sqrt(h),
        "s": rng.standard_normal(c) / 10,
        "x": rng.standard_normal((batch, n)),
    }
    made = {name: array.astype(dtype) for name, array in made.items()}
    return {**made, "label": rng.integers(0, c, batch)}


def _ours(at: Point) -> Work:
    return kernel_work(kernel(str(at["x"].dtype)), at)


def _expert(at: Point) -> Work:
    arguments = [at[name] for name in NAMES]
    compiled = mlp(str(at["x"].dtype))
    shapes = (len(at["x"]), len(at["b"])), (len(at["x"]), len(at["b"])), (len(at["x"]), len(at["s"]))
    work = [np.empty(shape, at["x"].dtype) for shape in shapes]
    return Work(lambda: compiled(*arguments, *work))


def _gemms(at: Point) -> Work:
    V, R, x = at["V"], at["R"], at["x"]
    shapes = (len(x), len(V)), (len(x), len(R)), V.shape, R.shape
    arrays = [np.ones(shape, x.dtype) for shape in shapes]
    return Work(lambda: mlp_gemms(V, R, x, *arrays), read=lambda _: [])


def _jax(at: Point) -> Work:
    jax = library("jax")
    jnp = jax.numpy

    def loss(V: Any, b: Any, R: Any, s: Any, x: Any, label: Any) -> Any:
        scores = jnp.tanh(x @ V.T + b) @ R.T + s
        mine = jnp.take_along_axis(scores, label[:, None], axis=1)[:, 0]
        return (jax.nn.logsumexp(scores, axis=1) - mine).mean()

    return jax_work(loss, at, NAMES, WRT)


def _torch(at: Point) -> Work:
    torch = library("torch")
    F = torch.nn.functional

    def loss(V: Any, b: Any, R: Any, s: Any, x: Any, label: Any) -> Any:
        return F.cross_entropy(F.linear(torch.tanh(F.linear(x, V, b)), R, s), label)

    return torch_work(loss, at, NAMES, WRT)


SMALL = (Limit(0.5, ("jax", "torch")), Limit(1.2, ("expert",)))
LARGE = (Limit(1.0, ("jax", "torch")), Limit(1.2, ("expert",)))
WIDE = (*LARGE, Limit(1.15, ("gemms",)))  # matrix products dominate
SHAPES = {
    "250-100-2": ({"n": 250, "h": 100, "c": 2}, (1,)),
    "64-32-10": ({"n": 64, "h": 32, "c": 10}, (1, 32, 128, 1797)),
    "784-256-10": ({"n": 784, "h": 256, "c": 10}, (128,)),
}
SIZES = {
    f"{name} {batch} {dtype}": {**shape, "batch": batch, "dtype": dtype}
    for dtype in ("float64", "float32")
    for name, (shape, batches) in SHAPES.items()
    for batch in batches
}

ROWS = (
    Row(
        name="mlp",
        what="perceptron with one hidden layer of tanh, cross entropy; sizes are layers, batch and dtype",
        sizes=SIZES,
        tiny={"batch": 3, "n": 4, "h": 5, "c": 3},
        point=point,
        sides={"symbackprop": _ours, "expert": _expert, "gemms": _gemms, "jax": _jax, "torch": _torch},
        limits={label: SMALL if at["batch"] <= 32 else WIDE if at["h"] > 200 else LARGE for label, at in SIZES.items()},
        tolerance=lambda at: 1e-9 if at["x"].dtype == np.float64 else 1e-3,
        fresh=("784-256-10 128 float64",),
        kernel=lambda at: kernel(str(at["x"].dtype)),
        sweeps=(
            Sweep("n", (200, 400, 800, 1600), {"batch": 128, "h": 256, "c": 10}),
            Sweep("h", (200, 400, 800, 1600), {"batch": 128, "n": 256, "c": 10}),
            Sweep("c", (200, 400, 800, 1600), {"batch": 128, "n": 64, "h": 128}),
            Sweep("batch", (128, 256, 512, 1024), {"n": 128, "h": 128, "c": 10}),
        ),
    ),
)
