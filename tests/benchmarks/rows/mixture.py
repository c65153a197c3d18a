"""The Gaussian mixture's log posterior with a Wishart prior, ADBench's objective, in index notation.

Each component has a mean, the logarithms `q` of the diagonal and the strict lower triangle `l` of its inverse square
root of a covariance. ADBench packs q and l into one array; here each has its own.
Objective: F. Srajer, Z. Kukelova, A. Fitzgibbon, "A benchmark of selected algorithmic differentiation tools on some
problems in computer vision and machine learning" (2018), section 3.1.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import sympy as sp

import symbackprop as sbp
from tests.benchmarks.expert import mixture
from tests.benchmarks.ours import kernel_work
from tests.benchmarks.peers import jax_work, library, torch_work
from tests.benchmarks.row import Limit, Point, Row, Sweep, Work

__all__ = ["ROWS", "kernel", "point"]

NAMES = ("alpha", "mu", "q", "l", "x", "gamma", "m", "constant")
WRT = ("alpha", "mu", "q", "l")


@cache
def kernel() -> sbp.Kernel:
    """Return our kernel, all sizes symbolic."""
    i, j, k, c = sp.symbols("i j k c", integer=True)
    n, d, K = sp.symbols("n d K", integer=True, positive=True)
    alpha, mu, q = sp.IndexedBase("alpha", (K,)), sp.IndexedBase("mu", (K, d)), sp.IndexedBase("q", (K, d))
    triangle, x = sp.IndexedBase("l", (K, d, d)), sp.IndexedBase("x", (n, d))
    gamma, m, constant = sp.symbols("gamma m constant")
    below = sp.Sum(triangle[k, j, c] * (x[i, c] - mu[k, c]), (c, 0, j - 1))
    moved = sp.exp(q[k, j]) * (x[i, j] - mu[k, j]) + below
    exponent = alpha[k] + sp.Sum(q[k, j], (j, 0, d - 1)) - sp.Sum(moved**2, (j, 0, d - 1)) / 2
    likelihood = sp.Sum(sp.log(sp.Sum(sp.exp(exponent), (k, 0, K - 1))), (i, 0, n - 1))
    weights = n * sp.log(sp.Sum(sp.exp(alpha[k]), (k, 0, K - 1)))
    squares = sp.Sum(sp.exp(2 * q[k, j]) + sp.Sum(triangle[k, j, c] ** 2, (c, 0, j - 1)), (j, 0, d - 1), (k, 0, K - 1))
    prior = gamma**2 * squares / 2 - m * sp.Sum(q[k, j], (j, 0, d - 1), (k, 0, K - 1))
    return sbp.compile(
        constant + likelihood - weights + prior,
        wrt=list(WRT),
        inputs=[alpha, mu, q, triangle, x, gamma, m, constant],
        name="gaussian mixture",
    )


def point(n: int, d: int, K: int, gamma: float = 1.0, m: int = 0) -> Point:
    """Return random inputs."""
    rng = np.random.default_rng((n, d, K))
    degrees = d + m + 1
    gammas = sum(math.lgamma(0.5 * degrees + 0.5 * (1 - j)) for j in range(1, d + 1))
    wishart = degrees * d * (math.log(gamma) - 0.5 * math.log(2)) - (0.25 * d * (d - 1) * math.log(math.pi) + gammas)
    return {
        "alpha": rng.standard_normal(K),
        "mu": rng.uniform(0, 1, (K, d)),
        "q": rng.standard_normal((K, d)),
        "l": np.tril(rng.standard_normal((K, d, d)), -1),
        "x": rng.standard_normal((n, d)),
        "gamma": gamma,
        "m": float(m),
        "constant": -0.5 * n * d * math.log(2 * math.pi) - K * wishart,
    }


def _ours(at: Point) -> Work:
    return kernel_work(kernel(), at)


def _expert(at: Point) -> Work:
    arguments = [at[name] for name in NAMES]
    (n, d), K = at["x"].shape, len(at["alpha"])
    work = mixture.scratch(n, d, K)
    return Work(lambda: mixture.objective_and_grad(*arguments, *work))


def _jax(at: Point) -> Work:
    """Matrix products, points last; one product for all components where that is the faster form for JAX (d < 40)."""
    jax = library("jax")
    jnp = jax.numpy

    def objective(alpha: Any, mu: Any, q: Any, l: Any, x: Any, gamma: Any, m: Any, constant: Any) -> Any:  # noqa: E741 - as in the formula
        K, d = mu.shape
        diagonal, lower = jnp.exp(q), jnp.tril(l, -1)
        factor = lower + diagonal[:, :, None] * jnp.eye(d)
        if d < 40:
            shift = jnp.einsum("kjc,kc->kj", factor, mu)[:, :, None]
            squares = jnp.square((factor.reshape(K * d, d) @ x.T).reshape(K, d, -1) - shift).sum(1)
        else:
            squares = jnp.square(jnp.einsum("kjc,knc->knj", factor, x - mu[:, None, :])).sum(2)
        exponent = (alpha + q.sum(1))[:, None] - 0.5 * squares
        likelihood = jax.nn.logsumexp(exponent, axis=0).sum() - len(x) * jax.nn.logsumexp(alpha)
        return constant + likelihood + 0.5 * gamma**2 * ((diagonal**2).sum() + (lower**2).sum()) - m * q.sum()

    return jax_work(objective, at, NAMES, WRT)


def _torch(at: Point) -> Work:
    torch = library("torch")

    def objective(alpha: Any, mu: Any, q: Any, l: Any, x: Any, gamma: Any, m: Any, constant: Any) -> Any:  # noqa: E741 - as in the formula
        K, d = mu.shape
        diagonal, lower = torch.exp(q), torch.tril(l, -1)
        factor = lower + torch.diag_embed(diagonal)
        shift = torch.bmm(factor, mu[:, :, None]).reshape(K * d)
        moved = torch.addmm(-shift, x, factor.reshape(K * d, d).T).reshape(-1, K, d)
        exponent = alpha + q.sum(1) - 0.5 * (moved * moved).sum(2)
        likelihood = torch.logsumexp(exponent, 1).sum() - len(x) * torch.logsumexp(alpha, 0)
        return constant + likelihood + 0.5 * gamma**2 * ((diagonal**2).sum() + (lower**2).sum()) - m * q.sum()

    return torch_work(objective, at, NAMES, WRT)


ROWS = (
    Row(
        name="gmm",
        what="Gaussian mixture, ADBench's objective; 1000 points; sizes are dimension and components",
        sizes={
            "d10 K25": {"n": 1000, "d": 10, "K": 25},
            "d20 K50": {"n": 1000, "d": 20, "K": 50},
            "d64 K25": {"n": 1000, "d": 64, "K": 25},
        },
        tiny={"n": 4, "d": 3, "K": 2, "gamma": 1.5, "m": 2},
        point=point,
        sides={"symbackprop": _ours, "expert": _expert, "jax": _jax, "torch": _torch},
        limits={"": (Limit(0.4, ("jax",)), Limit(2.5, figure="objective"), Limit(1.2, ("expert",)))},
        fresh=("d10 K25",),
        kernel=lambda _: kernel(),
        sweeps=(
            Sweep("n", (250, 500, 1000, 2000), {"d": 10, "K": 10}),
            Sweep("d", (16, 32, 64, 128), {"n": 200, "K": 5}),
            Sweep("K", (10, 20, 40, 80), {"n": 200, "d": 10}),
        ),
    ),
)
