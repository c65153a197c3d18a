"""Pendulums of several links on a cart, as `sympy.physics.mechanics` derives them by Kane's method.

The value is u' M u / 2 + w' f of the mass matrix M and the forcing vector f; the gradient, for positions and speeds.
All sides get the same expression, common subexpressions taken out by SymPy.
"""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import numpy as np
import sympy as sp
from sympy.physics.mechanics.models import n_link_pendulum_on_cart

import symbackprop as sbp
from tests.benchmarks.peers import library
from tests.benchmarks.row import Limit, Point, Row, Work

__all__ = ["ROWS", "point"]


@cache
def expression(links: int) -> tuple[Any, list[sp.Symbol]]:
    """Return the value, and the symbols of positions and speeds in this order; masses, lengths and g are 1."""
    kane = n_link_pendulum_on_cart(links, cart_force=False, joint_torques=False)
    moving = [*kane.q, *kane.u]
    symbols = list(sp.symbols(f"x:{len(moving)}", real=True))
    M, f = kane.mass_matrix, kane.forcing
    constants = sorted((M.free_symbols | f.free_symbols) - {sp.Symbol("t")}, key=str)
    given = {**dict(zip(moving, symbols, strict=True)), **{c: sp.Integer(1) for c in constants}}
    speeds = sp.Matrix(symbols[len(symbols) // 2 :])
    M, f = M.xreplace(given), f.xreplace(given)
    weights = sp.Matrix([sp.Rational(1, k + 1) for k in range(len(f))])
    return (speeds.T * M * speeds)[0] / 2 + (weights.T * f)[0], symbols


def point(links: int) -> Point:
    """Return random positions and speeds, one array."""
    return {"links": np.int64(links), "x": np.random.default_rng(links).uniform(-1, 1, 2 * (links + 1))}


def _ours(at: Point) -> Work:
    value, symbols = expression(int(at["links"]))
    start = time.process_time()
    kernel = sbp.compile(value, inputs={"x": symbols}, name="pendulum")
    kernel.value_and_grad(at["x"])
    seconds = time.process_time() - start
    return Work(lambda: kernel.value_and_grad(at["x"]), read=lambda r: [r[0], r[1]["x"]], seconds=seconds)


def _built(at: Point, functions: dict[str, Any], variables: Any) -> Any:
    value, symbols = expression(int(at["links"]))
    return sp.lambdify(symbols, value, modules=[functions], cse=True)(*variables)


def _casadi(at: Point) -> Work:
    casadi = library("casadi")
    start = time.process_time()
    x = casadi.SX.sym("x", len(at["x"]))
    value = _built(at, {"sin": casadi.sin, "cos": casadi.cos}, [x[k] for k in range(len(at["x"]))])
    function = casadi.Function("pendulum", [x], [value, casadi.gradient(value, x)])
    buffer, evaluate = function.buffer()
    given, out, slope = at["x"].copy(), np.zeros(1), np.zeros(len(at["x"]))
    buffer.set_arg(0, memoryview(given))
    buffer.set_res(0, memoryview(out))
    buffer.set_res(1, memoryview(slope))
    evaluate()
    kept = (function, buffer, given)  # the buffer holds bare pointers
    seconds = time.process_time() - start
    return Work(evaluate, read=lambda _: [out[0], slope] if kept else [], seconds=seconds)


def _heyoka(at: Point) -> Work:
    heyoka = library("heyoka")
    start = time.process_time()
    x = heyoka.make_vars(*(f"x{k}" for k in range(len(at["x"]))))
    value = _built(at, {"sin": heyoka.sin, "cos": heyoka.cos}, x)
    tensors = heyoka.diff_tensors([value], diff_args=x, diff_order=1)
    function = heyoka.cfunc([value, *tensors.gradient], vars=x)
    out = np.zeros(1 + len(at["x"]))
    function(at["x"], outputs=out)
    seconds = time.process_time() - start
    return Work(lambda: function(at["x"], outputs=out), read=lambda _: [out[0], out[1:].copy()], seconds=seconds)


ROWS = (
    Row(
        name="pendulum",
        what="pendulums on a cart from sympy.physics.mechanics, energy and its gradient; sizes are links",
        sizes={f"{links}": {"links": links} for links in (3, 6, 10)},
        tiny={"links": 1},
        point=point,
        sides={"symbackprop": _ours, "casadi": _casadi, "heyoka": _heyoka},
        limits={"": (Limit(1.0, ("casadi", "heyoka")), Limit(1.0, ("heyoka",), "compile"))},
        fresh=("3", "6", "10"),
    ),
)
