"""ADBench's LSTM: layers of gates without mixing between hidden units, and the likelihood of a sequence.

Objective: F. Srajer, Z. Kukelova, A. Fitzgibbon, "A benchmark of selected algorithmic differentiation tools on some
problems in computer vision and machine learning" (2018), and ADBench's later LSTM. Gradients for all parameters.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import sympy as sp

import symbackprop as sbp
from tests.benchmarks.expert import lstm
from tests.benchmarks.ours import kernel_work
from tests.benchmarks.peers import jax_work, library
from tests.benchmarks.row import Limit, Point, Row, Sweep, Work

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


@cache
def kernel(layers: int) -> sbp.Kernel:
    """Return our kernel; the width and the number of characters are symbolic."""
    b, c, i = sp.symbols("b c i", integer=True, positive=True)
    main, extra = sp.MatrixSymbol("main", 2 * layers, 4 * b), sp.MatrixSymbol("extra", 3, b)
    state, sequence = sp.MatrixSymbol("state", 2 * layers, b), sp.MatrixSymbol("sequence", c, b)

    def row(matrix: Any, r: int, part: int = 0) -> Any:
        return matrix[r : r + 1, part * b : (part + 1) * b].T

    def gate(layer: int, part: int, value: Any, f: Any) -> Any:
        return (times(value, row(main, 2 * layer, part)) + row(main, 2 * layer + 1, part)).applyfunc(f)

    times = sp.HadamardProduct
    x, gold = sp.MatrixSymbol("x", b, 1), sp.MatrixSymbol("gold", b, 1)
    step: dict[Any, Any] = {}
    start: dict[Any, Any] = {}
    below, hidden = times(x, row(extra, 0)), x
    for layer in range(layers):
        hidden, cell = sp.MatrixSymbol(f"h{layer}", b, 1), sp.MatrixSymbol(f"c{layer}", b, 1)
        forget, out = gate(layer, 0, below, sbp.sigmoid), gate(layer, 2, below, sbp.sigmoid)
        change = times(gate(layer, 1, hidden, sbp.sigmoid), gate(layer, 3, hidden, sp.tanh))
        step[cell] = times(cell, forget) + change
        step[hidden] = below = times(out, step[cell].applyfunc(sp.tanh))
        start[hidden], start[cell] = row(state, 2 * layer), row(state, 2 * layer + 1)
    recurrence = sbp.Recurrence(step, start=start, over={x: sequence[0 : c - 1, :], gold: sequence[1:c, :]})
    y = times(hidden, row(extra, 1)) + row(extra, 2)
    normalizer = sp.log(sp.Sum(sp.exp(y[i, 0]), (i, 0, b - 1)) + 2)
    likelihood = recurrence.total(sp.Sum(gold[i, 0] * (y[i, 0] - normalizer), (i, 0, b - 1)))
    return sbp.compile(
        -likelihood / ((c - 1) * b), wrt=list(WRT), inputs=[main, extra, state, sequence], name=f"lstm_{layers}"
    )


def _ours(at: Point) -> Work:
    return kernel_work(kernel(len(at["main"]) // 2), at)


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
                kept = cell * forget + ingate * change
                x = outgate * jnp.tanh(kept)
                states.append((x, kept))
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
        kernel=lambda at: kernel(len(at["main"]) // 2),
        sweeps=(
            Sweep("length", (250, 500, 1000, 2000, 4000), {"layers": 2, "width": 14}),
            Sweep("width", (50, 100, 200, 400, 800), {"layers": 2, "length": 100}),
        ),
    ),
)
