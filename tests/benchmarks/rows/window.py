"""The window classifier: mean logistic loss of u' tanh(W x + b), and its gradients for W, b, u and x."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import sympy as sp

import symbackprop as sbp
from tests.benchmarks.expert.dense import window, window_gemms
from tests.benchmarks.ours import kernel_work
from tests.benchmarks.peers import jax_work, library, torch_work
from tests.benchmarks.row import Limit, Point, Row, Sweep, Work

__all__ = ["ROWS", "kernel", "point"]

NAMES = ("W", "b", "u", "x", "y")
WRT = ("W", "b", "u", "x")
BATCHES = (1, 32, 128, 1797)


@cache
def kernel(*, batched: bool = True, dtype: str = "float64") -> sbp.Kernel:
    """Return our kernel: of one window, or of the mean over a batch of windows."""
    h, d = sp.symbols("h d", integer=True, positive=True)
    W, x = sp.MatrixSymbol("W", h, 5 * d), sp.MatrixSymbol("x", 5 * d, 1)
    b, u = sp.MatrixSymbol("b", h, 1), sp.MatrixSymbol("u", h, 1)
    y = sp.Symbol("y", real=True)
    loss = sp.log(1 + sp.exp(-y * sp.Trace(u.T * (W * x + b).applyfunc(sp.tanh))))
    order = {"inputs": [W, b, u, x, y], "wrt": list(WRT), "name": "window", "dtype": dtype}
    if batched:
        return sbp.compile(sbp.Mean(loss, "N"), batch={"x": "N", "y": "N"}, **order)
    return sbp.compile(loss, **order)


def point(batch: int, d: int = 50, h: int = 100, dtype: str = "float64") -> Point:
    """Return random inputs."""
    rng = np.random.default_rng((d, h, batch))
    made = {
        "W": rng.standard_normal((h, 5 * d)) / np.sqrt(5 * d),
        "b": rng.standard_normal(h) / 10,
        "u": rng.standard_normal(h) / np.sqrt(h),
        "x": rng.standard_normal((batch, 5 * d)),
        "y": rng.choice([-1.0, 1.0], batch),
    }
    return {name: array.astype(dtype) for name, array in made.items()}


def _ours(at: Point) -> Work:
    return kernel_work(kernel(dtype=str(at["x"].dtype)), at)


def _expert(at: Point) -> Work:
    arguments = [at[name] for name in NAMES]
    compiled = window(str(at["x"].dtype))
    work = [np.empty((len(at["x"]), len(at["b"])), at["x"].dtype) for _ in range(2)]
    return Work(lambda: compiled(*arguments, *work))


def _gemms(at: Point) -> Work:
    W, x = at["W"], at["x"]
    arrays = np.empty((len(x), len(W)), x.dtype), np.empty_like(W), np.empty_like(x)
    return Work(lambda: window_gemms(W, x, *arrays), read=lambda _: [])


def _jax(at: Point) -> Work:
    jax = library("jax")
    return jax_work(
        lambda W, b, u, x, y: jax.nn.softplus(-y * (jax.numpy.tanh(x @ W.T + b) @ u)).mean(), at, NAMES, WRT
    )


def _torch(at: Point) -> Work:
    torch = library("torch")

    def loss(W: Any, b: Any, u: Any, x: Any, y: Any) -> Any:
        scores = torch.tanh(torch.nn.functional.linear(x, W, b)) @ u
        return torch.nn.functional.softplus(-y * scores).mean()

    return torch_work(loss, at, NAMES, WRT)


SMALL = (Limit(0.5, ("jax", "torch")), Limit(1.2, ("expert",)))
LARGE = (Limit(1.0, ("jax", "torch")), Limit(1.15, ("gemms",)), Limit(1.2, ("expert",)))
SIZES = {f"{n} {dtype}": {"batch": n, "dtype": dtype} for dtype in ("float64", "float32") for n in BATCHES}

ROWS = (
    Row(
        name="window",
        what="window classifier, 5 x 50 inputs, 100 hidden units; sizes are batch and dtype",
        sizes=SIZES,
        tiny={"batch": 3, "d": 2, "h": 5},
        point=point,
        sides={"symbackprop": _ours, "expert": _expert, "gemms": _gemms, "jax": _jax, "torch": _torch},
        limits={label: SMALL if at["batch"] <= 32 else LARGE for label, at in SIZES.items()},
        tolerance=lambda at: 1e-9 if at["x"].dtype == np.float64 else 1e-3,
        fresh=("128 float64",),
        kernel=lambda at: kernel(dtype=str(at["x"].dtype)),
        sweeps=(
            Sweep("d", (100, 200, 400, 800), {"batch": 128, "h": 400}),
            Sweep("h", (100, 200, 400, 800), {"batch": 128, "d": 80}),
            Sweep("batch", (128, 256, 512, 1024), {"d": 50, "h": 256}),
        ),
    ),
)
