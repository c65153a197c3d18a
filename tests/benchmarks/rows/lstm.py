"""ADBench's LSTM: layers of gates without mixing between hidden units, and the likelihood of a sequence.

Objective: F. Srajer, Z. Kukelova, A. Fitzgibbon, "A benchmark of selected algorithmic differentiation tools on some
problems in computer vision and machine learning" (2018), and ADBench's later LSTM. Gradients for all parameters.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.benchmarks.expert import lstm
from tests.benchmarks.peers import jax_work, library
from tests.benchmarks.row import Limit, Missing, Point, Row, Work

__all__ = ["ROWS", "point"]

NAMES = ("main", "extra", "state", "sequence")
WRT = ("main", "extra")


def point(layers: int, length: int, width: int = 14) -> Point:
    """Return random parameters and a sequence of characters, one-hot.

    Arrays: main (2 layers, 4 width), weights and biases of the four gates in turn; extra (3, width); state (2 layers,
    width), hidden and cell in turn; sequence (length, width).
    """
    rng = np.random.default_rng((layers, length, width))
    return {
        "main": rng.standard_normal((2 * layers, 4 * width)) / 2,
        "extra": rng.standard_normal((3, width)) / 2,
        "state": rng.standard_normal((2 * layers, width)) / 2,
        "sequence": np.eye(width)[rng.integers(0, width, length)],
    }


def _ours(_: Point) -> Work:
    raise Missing("not available: recurrences")


def _expert(at: Point) -> Work:
    arguments = [at[name] for name in NAMES]
    work = lstm.scratch(len(at["main"]) // 2, *at["sequence"].shape)
    return Work(lambda: lstm.objective_and_grad(*arguments, *work))


def _jax(at: Point) -> Work:
    """A scan over time, layers unrolled in its step."""
    jax = library("jax")
    jnp = jax.numpy

    def objective(main: Any, extra: Any, state: Any, sequence: Any) -> Any:
        layers, b = len(main) // 2, sequence.shape[1]
        gates = main.reshape(layers, 2, 4, b)

        def step(carry: Any, pair: Any) -> Any:
            before, gold = pair
            x, states = before * extra[0], []
            for (weight, bias), (hidden, cell) in zip(gates, carry, strict=True):
                forget = jax.nn.sigmoid(x * weight[0] + bias[0])
                ingate = jax.nn.sigmoid(hidden * weight[1] + bias[1])
                outgate = jax.nn.sigmoid(x * weight[2] + bias[2])
                change = jnp.tanh(hidden * weight[3] + bias[3])
                cell = cell * forget + ingate * change
                x = outgate * jnp.tanh(cell)
                states.append((x, cell))
            y = x * extra[1] + extra[2]
            return states, gold @ (y - jnp.log(2 + jnp.exp(y).sum()))

        start = [(state[2 * k], state[2 * k + 1]) for k in range(layers)]
        likelihoods = jax.lax.scan(step, start, (sequence[:-1], sequence[1:]))[1]
        return -likelihoods.sum() / (len(sequence) - 1) / b

    return jax_work(objective, at, NAMES, WRT)


ROWS = (
    Row(
        name="lstm",
        what="ADBench's LSTM, 14 hidden units; sizes are layers and characters",
        sizes={"l2 c1024": {"layers": 2, "length": 1024}, "l4 c1024": {"layers": 4, "length": 1024}},
        tiny={"layers": 2, "length": 4, "width": 3},
        point=point,
        sides={"symbackprop": _ours, "expert": _expert, "jax": _jax},
        limits={"": (Limit(0.3, ("jax",)), Limit(1.2, ("expert",)))},
        fresh=("l2 c1024",),
    ),
)
