"""The other libraries, each at its best: compiled, on one thread, inputs where the library wants them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.benchmarks.row import Missing, Point, Work

__all__ = ["jax_work", "library", "torch_work"]


def library(name: str) -> Any:
    """Return an installed library.

    Raises:
        Missing: it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as caught:
        raise Missing(f"{name} is not installed") from caught


def jax_work(function: Callable[..., Any], at: Point, names: Sequence[str], wrt: Sequence[str]) -> Work:
    """Return a jitted `jax.value_and_grad` of a function of the inputs `names`, gradients for `wrt`."""
    jax = library("jax")
    arguments = [jax.numpy.asarray(at[name]) for name in names]
    compiled = jax.jit(jax.value_and_grad(function, argnums=tuple(names.index(name) for name in wrt)))
    value = jax.jit(function)
    return Work(
        lambda: jax.block_until_ready(compiled(*arguments)),
        objective=lambda: jax.block_until_ready(value(*arguments)),
    )


def torch_work(function: Callable[..., Any], at: Point, names: Sequence[str], wrt: Sequence[str]) -> Work:
    """Return the value and `torch.autograd.grad` of a function of the inputs `names`, gradients for `wrt`."""
    torch = library("torch")
    torch.set_num_threads(1)
    arguments = [torch.tensor(np.asarray(at[name]), requires_grad=name in wrt) for name in names]
    leaves = [arguments[names.index(name)] for name in wrt]

    def run() -> Any:
        value = function(*arguments)
        return value.detach(), torch.autograd.grad(value, leaves)

    def objective() -> Any:
        with torch.no_grad():
            return function(*arguments)

    return Work(run, objective=objective)
