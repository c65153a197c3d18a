"""A serial arm of Denavit-Hartenberg joints: squared distance of its tip from (1, 1, 1), and the gradient.

Four inputs for each joint: theta, alpha, a, d. One recursion over the joints, written once, builds the expression for
SymPy, CasADi, heyoka and JAX alike: the tip is moved from the last joint to the base, or (`poses=True`) the pose of the
hand is carried from the base outwards as a product of matrices, which is how textbooks write it.

Each `*_call` returns a `Peer`: how to call it, what it returns as one flat array, seconds spent on building the
expression and on compiling it up to and with the first call.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

import symbackprop as sbp
from tests.benchmarks.frontend import arm

__all__ = ["PEERS", "Peer", "casadi_call", "distance", "heyoka_call", "jax_call", "our_call", "point"]

NAMES = ("theta", "alpha", "a", "d")


@dataclass(frozen=True)
class Peer:
    """One library's value and gradient at a point.

    Attributes:
        call: evaluates value and gradient once, at the point given when it was built.
        result: value, then gradient (theta0, alpha0, a0, d0, theta1 ...) after a call.
        build: processor seconds for building the expression.
        compile: processor seconds from the expression to the first result.
    """

    call: Callable[[], Any]
    result: Callable[[], np.ndarray]
    build: float
    compile: float


def point(joints: int) -> np.ndarray:
    """Return random parameters, (4*joints,): theta, alpha, a, d of each joint in turn; the arm's length stays O(1)."""
    rng = np.random.default_rng(joints)
    at = rng.uniform(-1.5, 1.5, (joints, 4))
    at[:, 2:] /= math.sqrt(joints)
    return at.ravel()


def distance(parameters: Sequence[Any], sin: Callable[[Any], Any], cos: Callable[[Any], Any]) -> Any:
    """Return the squared distance of the tip from (1, 1, 1), for any type with arithmetic."""
    pose: list[list[Any]] = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
    for k in range(0, len(parameters), 4):
        theta, alpha, a, d = parameters[k : k + 4]
        ct, st, ca, sa = cos(theta), sin(theta), cos(alpha), sin(alpha)
        columns = ((ct, st, 0.0), (-st * ca, ct * ca, sa), (st * sa, -ct * sa, ca), (a * ct, a * st, d))
        pose = [
            [
                _sum([(row[p], column[p]) for p in range(3)], row[3] if c == 3 else 0.0)
                for c, column in enumerate(columns)
            ]
            for row in pose
        ]
    x, y, z = (row[3] - 1.0 for row in pose)
    return x * x + y * y + z * z


def _sum(pairs: Sequence[tuple[Any, Any]], start: Any) -> Any:
    """Return a dot product plus `start` without the terms that are zero by the structure of the matrices."""
    total: Any = None
    for left, right in (*pairs, (start, 1.0)):
        if _is(left, 0.0) or _is(right, 0.0):
            continue
        term = right if _is(left, 1.0) else left if _is(right, 1.0) else left * right
        total = term if total is None else total + term
    return 0.0 if total is None else total


def _is(value: Any, number: float) -> bool:
    return isinstance(value, float) and value == number


def our_call(joints: int) -> Peer:
    """Return our kernel: one array argument, value and gradient from Python."""
    start = time.process_time()
    tip = arm(joints)
    expr = sp.Add(*(sp.Pow(sp.Add(c, -1, evaluate=False), 2, evaluate=False) for c in tip), evaluate=False)
    symbols = [sp.Symbol(f"{name}{k}", real=True) for k in range(joints) for name in NAMES]
    built = time.process_time()
    kernel = sbp.compile(expr, inputs={"p": symbols}, name="arm")
    at = point(joints)
    kernel.value_and_grad(at)
    done = time.process_time()

    def result() -> np.ndarray:
        value, grads = kernel.value_and_grad(at)
        return np.concatenate([[value], grads["p"]])

    return Peer(lambda: kernel.value_and_grad(at), result, built - start, done - built)


def casadi_call(joints: int) -> Peer:
    """Return CasADi's: an SX function by reverse mode, called through its buffer interface."""
    casadi = importlib.import_module("casadi")
    start = time.process_time()
    p = casadi.SX.sym("p", 4 * joints)
    value = distance([p[k] for k in range(4 * joints)], casadi.sin, casadi.cos)
    built = time.process_time()
    function = casadi.Function("arm", [p], [value, casadi.gradient(value, p)])
    buffer, evaluate = function.buffer()
    at, out, slope = point(joints), np.zeros(1), np.zeros(4 * joints)
    buffer.set_arg(0, memoryview(at))
    buffer.set_res(0, memoryview(out))
    buffer.set_res(1, memoryview(slope))
    evaluate()
    done = time.process_time()
    kept = (function, buffer, at)  # the buffer holds bare pointers

    def result() -> np.ndarray:
        evaluate()
        return np.concatenate([out, slope]) if kept else out

    return Peer(evaluate, result, built - start, done - built)


def heyoka_call(joints: int) -> Peer:
    """Return heyoka's: a compiled function of value and reverse-mode gradient, writing into a given array."""
    heyoka = importlib.import_module("heyoka")
    start = time.process_time()
    p = heyoka.make_vars(*(f"p{k}" for k in range(4 * joints)))
    value = distance(list(p), heyoka.sin, heyoka.cos)
    built = time.process_time()
    tensors = heyoka.diff_tensors([value], diff_args=p, diff_order=1)
    function = heyoka.cfunc([value, *tensors.gradient], vars=p)
    at, out = point(joints), np.zeros(1 + 4 * joints)
    function(at, outputs=out)
    done = time.process_time()

    def result() -> np.ndarray:
        function(at, outputs=out)
        return out.copy()

    return Peer(lambda: function(at, outputs=out), result, built - start, done - built)


def jax_call(joints: int) -> Peer:
    """Return JAX's: `jit(value_and_grad)` of one array argument, the recursion traced joint by joint."""
    jax = importlib.import_module("jax")
    jnp = jax.numpy
    start = time.process_time()
    function = jax.jit(jax.value_and_grad(lambda p: distance(list(p), jnp.sin, jnp.cos)))
    built = time.process_time()
    at = jnp.asarray(point(joints), dtype=jnp.float64)
    jax.block_until_ready(function(at))
    done = time.process_time()

    def result() -> np.ndarray:
        value, slope = function(at)
        return np.concatenate([[float(value)], np.asarray(slope)])

    return Peer(lambda: jax.block_until_ready(function(at)), result, built - start, done - built)


#: library -> its function above.
PEERS = {"symbackprop": our_call, "CasADi": casadi_call, "heyoka": heyoka_call, "JAX": jax_call}
