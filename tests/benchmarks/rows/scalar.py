"""`(x + y) * max(y, z)`: value and gradient of three numbers, from Python; what a call costs."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import sympy as sp
from numba import njit

import symbackprop as sbp
from tests.benchmarks.ours import kernel_work
from tests.benchmarks.peers import jax_work, library, torch_work
from tests.benchmarks.row import Limit, Point, Row, Work

__all__ = ["ROWS", "kernel", "point"]

NAMES = ("x", "y", "z")


@cache
def kernel() -> sbp.Kernel:
    """Return our kernel."""
    x, y, z = sp.symbols("x y z")
    return sbp.compile((x + y) * sp.Max(y, z), inputs=[x, y, z], name="scalar")


def point() -> Point:
    """Return three numbers."""
    return {"x": 1.25, "y": 2.5, "z": 0.75}


def _ours(at: Point) -> Work:
    return kernel_work(kernel(), at)


@njit
def expert(x, y, z):
    """Return value and gradients, by hand; at a tie both share."""
    if y > z:
        return (x + y) * y, (y, y + (x + y), 0.0)
    if y < z:
        return (x + y) * z, (z, z, x + y)
    half = 0.5 * (x + y)
    return (x + y) * y, (y, y + half, half)


def _expert(at: Point) -> Work:
    x, y, z = (at[name] for name in NAMES)
    return Work(lambda: expert(x, y, z))


def _jax(at: Point) -> Work:
    jnp = library("jax").numpy
    return jax_work(lambda x, y, z: (x + y) * jnp.maximum(y, z), at, NAMES, NAMES)


def _torch(at: Point) -> Work:
    torch = library("torch")
    return torch_work(lambda x, y, z: (x + y) * torch.maximum(y, z), at, NAMES, NAMES)


def _casadi_function() -> Any:
    casadi = library("casadi")
    symbols = [casadi.SX.sym(name) for name in NAMES]
    x, y, z = symbols
    value = (x + y) * casadi.fmax(y, z)
    gradient = casadi.gradient(value, casadi.vertcat(*symbols))
    return casadi.Function("f", symbols, [value, gradient])


def _casadi(at: Point) -> Work:
    compiled = _casadi_function()
    x, y, z = (at[name] for name in NAMES)
    return Work(lambda: compiled(x, y, z), read=lambda result: [result[0], *np.asarray(result[1]).ravel()])


def _casadi_buffer(at: Point) -> Work:
    """Bind memory once; a call then neither takes nor returns Python numbers, which is less than the others do."""
    compiled = _casadi_function()
    buffer, trigger = compiled.buffer()
    arguments = [np.array([at[name]]) for name in NAMES]
    value, gradient = np.zeros(1), np.zeros(3)
    for k, argument in enumerate(arguments):
        buffer.set_arg(k, memoryview(argument))
    for k, result in enumerate((value, gradient)):
        buffer.set_res(k, memoryview(result))
    return Work(trigger, read=lambda _, kept=(compiled, buffer, arguments): [value[0], *gradient])  # noqa: ARG005 - keeps memory alive


ROWS = (
    Row(
        name="scalar",
        what="(x + y) * max(y, z), three numbers in, four out",
        sizes={"from Python": {}},
        tiny={},
        point=point,
        sides={
            "symbackprop": _ours,
            "expert": _expert,
            "jax": _jax,
            "torch": _torch,
            "casadi": _casadi,
            "casadi buffer": _casadi_buffer,
        },
        # A call from Python costs at most three bare numba calls; there is nothing else to be saved.
        limits={"": (Limit(0.05, ("jax", "torch", "casadi")), Limit(3.0, ("expert",)))},
        fresh=("from Python",),
    ),
)
