"""ADBench's LSTM end to end, against a loop in NumPy."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import sympy as sp
from sympy import MatrixSymbol, Sum, exp, log, tanh

import symbackprop as sbp
from symbackprop.frontend.translate import translate
from symbackprop.interpret import interpret
from symbackprop.options import Options
from tests.plain import compile_plain
from tests.recurrent import agrees, draw, sigmoid

i = sp.Symbol("i", integer=True)


def vector(name: str, size: Any) -> Any:
    return MatrixSymbol(name, size, 1)


def lstm(layers: int) -> tuple[Any, list[Any]]:
    """ADBench's LSTM objective: elementwise weights, `layers` layers, next characters predicted."""
    b, c = sp.symbols("b c", integer=True, positive=True)
    main, extra = MatrixSymbol("main_params", 2 * layers, 4 * b), MatrixSymbol("extra_params", 3, b)
    state, sequence = MatrixSymbol("state", 2 * layers, b), MatrixSymbol("sequence", c, b)
    times = sp.HadamardProduct

    def row(matrix: Any, r: int, part: int = 0) -> Any:
        return matrix[r : r + 1, part * b : (part + 1) * b].T

    x, gold = vector("x", b), vector("gold", b)
    step: dict[Any, Any] = {}
    start: dict[Any, Any] = {}
    below, hidden = times(x, row(extra, 0)), x
    for layer in range(layers):
        hidden, cell = vector(f"h{layer}", b), vector(f"c{layer}", b)

        def gate(part: int, value: Any, f: Any, layer: int = layer) -> Any:
            return (times(value, row(main, 2 * layer, part)) + row(main, 2 * layer + 1, part)).applyfunc(f)

        forget, out = gate(0, below, sbp.sigmoid), gate(2, below, sbp.sigmoid)
        step[cell] = times(cell, forget) + times(gate(1, hidden, sbp.sigmoid), gate(3, hidden, tanh))
        step[hidden] = below = times(out, step[cell].applyfunc(tanh))
        start[hidden], start[cell] = row(state, 2 * layer), row(state, 2 * layer + 1)
    recurrence = sbp.Recurrence(step, start=start, over={x: sequence[0 : c - 1, :], gold: sequence[1:c, :]})
    y = times(hidden, row(extra, 1)) + row(extra, 2)
    normalizer = log(Sum(exp(y[i, 0]), (i, 0, b - 1)) + 2)
    likelihood = recurrence.total(Sum(gold[i, 0] * (y[i, 0] - normalizer), (i, 0, b - 1)))
    return -likelihood / ((c - 1) * b), [main, extra, state, sequence]


def lstm_reference(main_params: Any, extra_params: Any, state: Any, sequence: Any) -> float:
    b, total = sequence.shape[1], 0.0
    s = state.copy()
    for now, gold in itertools.pairwise(sequence):
        x = now * extra_params[0]
        for layer in range(len(s) // 2):
            weight, bias = main_params[2 * layer], main_params[2 * layer + 1]
            h, c = s[2 * layer], s[2 * layer + 1]
            gates = np.concatenate([x, h, x, h]) * weight + bias
            c = c * sigmoid(gates[:b]) + sigmoid(gates[b : 2 * b]) * np.tanh(gates[3 * b :])
            x = sigmoid(gates[2 * b : 3 * b]) * np.tanh(c)
            s[2 * layer], s[2 * layer + 1] = x, c
        y = x * extra_params[1] + extra_params[2]
        total += gold @ (y - np.log(np.sum(np.exp(y)) + 2))
    return -total / ((len(sequence) - 1) * b)


def test_lstm() -> None:
    expr, inputs = lstm(2)
    kernel = compile_plain(expr, inputs=inputs)
    for length in (6, 2):
        rng = np.random.default_rng(length)
        shapes = {"main_params": (4, 12), "extra_params": (3, 3), "state": (4, 3), "sequence": (length, 3)}
        agrees(kernel, lstm_reference, draw(rng, **shapes))


def test_interpreter_agrees() -> None:
    expr, inputs = lstm(2)
    program = translate(expr, inputs=inputs, options=Options(dtype="float64", name="lstm"))
    rng = np.random.default_rng(0)
    args = draw(rng, main_params=(4, 12), extra_params=(3, 3), state=(4, 3), sequence=(5, 3))
    np.testing.assert_allclose(interpret(program.graph, args)[0], lstm_reference(**args), rtol=1e-12)
