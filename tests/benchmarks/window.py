"""The window classifier in symbackprop, JAX and PyTorch: mean logistic loss and its gradient for W, b, u and x."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp

import symbackprop as sbp

__all__ = ["WRT", "jax_function", "kernel", "point", "torch_function"]

Array = np.ndarray
Point = dict[str, Any]
Call = Callable[[], Any]

WRT = ("W", "b", "u", "x")


def kernel(*, batched: bool) -> sbp.Kernel:
    """Return our kernel: of one window, or of the mean over a batch of windows."""
    h, d = sp.symbols("h d", integer=True, positive=True)
    W, x = sp.MatrixSymbol("W", h, 5 * d), sp.MatrixSymbol("x", 5 * d, 1)
    b, u = sp.MatrixSymbol("b", h, 1), sp.MatrixSymbol("u", h, 1)
    y = sp.Symbol("y", real=True)
    loss = sp.log(1 + sp.exp(-y * sp.Trace(u.T * (W * x + b).applyfunc(sp.tanh))))
    order = {"inputs": [W, b, u, x, y], "wrt": list(WRT), "name": "window"}
    if batched:
        return sbp.compile(sbp.Mean(loss, "N"), batch={"x": "N", "y": "N"}, **order)
    return sbp.compile(loss, **order)


def point(batch: int | None, d: int, h: int) -> Point:
    """Return random inputs; without a batch axis if `batch` is None."""
    rng = np.random.default_rng((d, h, batch or 0))
    lead = () if batch is None else (batch,)
    return {
        "W": rng.standard_normal((h, 5 * d)) / np.sqrt(5 * d),
        "b": rng.standard_normal(h) / 10,
        "u": rng.standard_normal(h) / np.sqrt(h),
        "x": rng.standard_normal((*lead, 5 * d)),
        "y": rng.choice([-1.0, 1.0], lead) if lead else 1.0,
    }


def torch_function(at: Point) -> Call | None:
    """Return value and gradients by PyTorch's autograd in place, or None where it is not installed."""
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return None
    torch.set_num_threads(1)
    leaves = [torch.tensor(at[name], requires_grad=True) for name in WRT]
    y = torch.tensor(at["y"], dtype=torch.float64)

    def call() -> tuple[Any, tuple[Any, ...]]:
        W, b, u, x = leaves
        scores = torch.tanh(torch.nn.functional.linear(x, W, b)) @ u
        loss = torch.nn.functional.softplus(-y * scores).mean()
        return loss.detach(), torch.autograd.grad(loss, leaves)

    return call


def jax_function(at: Point) -> Call | None:
    """Return value and gradients by a jitted `jax.value_and_grad`, or None where it is not installed."""
    try:
        jax = importlib.import_module("jax")
    except ImportError:
        return None
    jnp = jax.numpy

    def loss(W: Any, b: Any, u: Any, x: Any, y: Any) -> Any:
        return jax.nn.softplus(-y * (jnp.tanh(x @ W.T + b) @ u)).mean()

    compiled = jax.jit(jax.value_and_grad(loss, argnums=(0, 1, 2, 3)))
    arguments = [jnp.asarray(at[name], dtype=jnp.float64) for name in (*WRT, "y")]
    return lambda: jax.block_until_ready(compiled(*arguments))
