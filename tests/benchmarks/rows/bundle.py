"""Bundle adjustment: the Jacobian of the reprojection error of every observation, as values.

Residuals of ADBench: a rotation by its vector, perspective, radial distortion. Camera: rotation vector (3), centre (3),
focal length, principal point (2), distortion (2). Jacobian of an observation: 2 rows; 11 columns for the camera, 3 for
the point, 1 for the weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import sympy as sp

import symbackprop as sbp
from tests.benchmarks.expert.bundle import jacobian
from tests.benchmarks.peers import library
from tests.benchmarks.row import Limit, Point, Row, Work

__all__ = ["ROWS", "kernel", "point"]

NAMES = ("cam", "X", "w", "feat")


def _cross(a: Sequence[Any], b: Sequence[Any]) -> list[Any]:
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]


@cache
def kernel() -> sbp.Kernel:
    """Return our kernel: the 2 x 15 derivatives of one observation, over a batch of them."""
    cam = sp.symbols("r1:4 c1:4 f x0 y0 k1 k2")
    X, w, feat = sp.symbols("X1:4"), sp.Symbol("w"), sp.symbols("u v")
    r, f, x0, y0, k1, k2 = cam[:3], *cam[6:]
    p = [a - b for a, b in zip(X, cam[3:6], strict=True)]
    square = r[0] ** 2 + r[1] ** 2 + r[2] ** 2
    angle = sp.sqrt(square)
    axis = [a / angle for a in r]
    along = sum(a * b for a, b in zip(axis, p, strict=True)) * (1 - sp.cos(angle))
    turned = [
        a * sp.cos(angle) + b * sp.sin(angle) + c * along for a, b, c in zip(p, _cross(axis, p), axis, strict=True)
    ]
    near = [a + b for a, b in zip(p, _cross(r, p), strict=True)]
    P = [sp.Piecewise((a, sp.Ne(square, 0)), (b, True)) for a, b in zip(turned, near, strict=True)]
    x, y = P[0] / P[2], P[1] / P[2]
    radius = x**2 + y**2
    warp = 1 + k1 * radius + k2 * radius**2
    residuals = w * (f * x * warp + x0 - feat[0]), w * (f * y * warp + y0 - feat[1])
    derivatives = sp.Matrix([[sp.Derivative(e, v) for v in (*cam, *X, w)] for e in residuals])
    inputs = {"cam": list(cam), "X": list(X), "w": w, "feat": list(feat)}
    return sbp.compile(derivatives, wrt=[], inputs=inputs, batch=dict.fromkeys(inputs, "N"), name="bundle adjustment")


def point(n: int) -> Point:
    """Return observations of random cameras and points."""
    rng = np.random.default_rng(n)
    cam = rng.standard_normal((n, 11)) * 0.3
    cam[:, 6] += 2.0
    return {
        "cam": cam,
        "X": rng.standard_normal((n, 3)) + np.array([0.0, 0.0, 6.0]),
        "w": rng.standard_normal(n),
        "feat": rng.standard_normal((n, 2)),
    }


def _ours(at: Point) -> Work:
    compiled = kernel()
    arguments = [at[name] for name in NAMES]
    return Work(lambda: compiled(*arguments), read=lambda result: [result])


def _expert(at: Point) -> Work:
    arguments = [at[name] for name in NAMES]
    return Work(lambda: jacobian(*arguments), read=lambda result: [result])


def _residual(np_: Any, v: Any, feat: Any) -> Any:
    """Return the two errors of one observation, in the functions of `np_`."""
    r, f, x0, k1, k2, w = v[:3], v[6], v[7:9], v[9], v[10], v[14]
    p = v[11:14] - v[3:6]
    square = np_.sum(r * r)
    turns = square != 0.0
    angle = np_.sqrt(np_.where(turns, square, 1.0))
    axis = r / angle
    c, s = np_.cos(angle), np_.sin(angle)
    rotated = p * c + np_.cross(axis, p) * s + axis * (np_.dot(axis, p) * (1.0 - c))
    P = np_.where(turns, rotated, p + np_.cross(r, p))
    xy = P[:2] / P[2]
    radius = np_.dot(xy, xy)
    return w * (f * xy * (1.0 + radius * (k1 + k2 * radius)) + x0 - feat)


def _jax(at: Point) -> Work:
    """Forward mode, as 15 columns are few: `vmap(jacfwd)`."""
    jax = library("jax")
    jnp = jax.numpy
    arguments = [jnp.asarray(at[name]) for name in NAMES]

    def one(cam: Any, X: Any, w: Any, feat: Any) -> Any:
        v = jnp.concatenate([cam, X, w[None]])
        return jax.jacfwd(lambda u: _residual(jnp, u, feat))(v)

    compiled = jax.jit(jax.vmap(one))
    return Work(lambda: jax.block_until_ready(compiled(*arguments)), read=lambda result: [result])


ROWS = (
    Row(
        name="bundle",
        what="bundle adjustment, 2 x 15 derivatives of every observation; sizes are observations",
        sizes={"31843": {"n": 31843}},
        tiny={"n": 3},
        point=point,
        sides={"symbackprop": _ours, "expert": _expert, "jax": _jax},
        limits={"": (Limit(0.1, ("jax",)), Limit(1.2, ("expert",)))},
        fresh=("31843",),
    ),
)
