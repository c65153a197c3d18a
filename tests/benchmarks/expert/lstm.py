"""ADBench's LSTM as an expert writes it: gates kept by step, rows padded to whole vectors, one pass back in time."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.benchmarks.expert.functions import accumulate, function, jit

__all__ = ["objective_and_grad", "scratch"]

exp, tanh, sigmoid = function("exp"), function("tanh"), function("sigmoid")

LANES = 8


def scratch(layers: int, length: int, width: int) -> tuple[Any, ...]:
    """Return the scratch arrays: padded parameters, their gradients, everything a step leaves for the way back."""
    padded = -(-width // LANES) * LANES
    return (
        np.zeros((layers, 2, 4 * padded)),
        np.zeros((layers, 2, 4 * padded)),
        np.zeros((3, padded)),
        np.zeros((3, padded)),
        np.zeros((length, layers, 4 * padded)),
        np.zeros((length + 1, layers, 3, padded)),
        np.zeros((length, 3, padded)),
        np.zeros((2, layers, padded)),
        np.zeros(4 * padded),
        np.zeros(padded),
    )


@jit
def _forward(x, w, bias, hidden, cell, g, kept):
    """Do one layer's step: gates into g (forget, out, in, change), new hidden, cell and tanh(cell) into kept."""
    p = len(x)
    for q in range(2):
        for j in range(p):
            g[q * p + j] = x[j] * w[q * p + j] + bias[q * p + j]
    for q in range(2, 4):
        for j in range(p):
            g[q * p + j] = hidden[j] * w[q * p + j] + bias[q * p + j]
    for j in range(3 * p):
        g[j] = sigmoid(g[j])
    change = g[3 * p :]
    for j in range(p):
        change[j] = tanh(change[j])
    new, bent, out = kept[1], kept[2], kept[0]
    for j in range(p):
        new[j] = cell[j] * g[j] + g[2 * p + j] * change[j]
    for j in range(p):
        bent[j] = tanh(new[j])
    for j in range(p):
        out[j] = g[p + j] * bent[j]


@jit
def _backward(x, w, hidden, cell, g, bent, ct_x, ct_hidden, ct_cell, at, ct_w, ct_bias):
    """Do one layer's step back in time: ct_x, ct_hidden, ct_cell from what arrives to what goes on."""
    p = len(x)
    for j in range(p):
        ct_x[j] += ct_hidden[j]
    for j in range(p):
        ct_cell[j] += ct_x[j] * g[p + j] * (1.0 - bent[j] * bent[j])
    for j in range(p):
        at[p + j] = ct_x[j] * bent[j]
    for j in range(p):
        at[j] = ct_cell[j] * cell[j]
        at[2 * p + j] = ct_cell[j] * g[3 * p + j]
    for j in range(3 * p):
        at[j] *= g[j] * (1.0 - g[j])
    for j in range(p):
        change = g[3 * p + j]
        at[3 * p + j] = ct_cell[j] * g[2 * p + j] * (1.0 - change * change)
        ct_cell[j] *= g[j]
    for j in range(p):
        ct_x[j] = at[j] * w[j] + at[p + j] * w[p + j]
        ct_hidden[j] = at[2 * p + j] * w[2 * p + j] + at[3 * p + j] * w[3 * p + j]
    for q in range(2):
        for j in range(p):
            ct_w[q * p + j] += at[q * p + j] * x[j]
    for q in range(2, 4):
        for j in range(p):
            ct_w[q * p + j] += at[q * p + j] * hidden[j]
    for j in range(4 * p):
        ct_bias[j] += at[j]


@jit
def objective_and_grad(main, extra, state, sequence, P, G, E, H, gates, kept, seen, carried, at, first):
    """Return the objective and its gradients for the main and the extra parameters.

    kept[t + 1, layer]: hidden values, cell and its tanh after step t. seen[t]: exponentials of the prediction, the
    slope of the likelihood, what comes in.
    """
    layers, b = len(main) // 2, sequence.shape[1]
    steps, p = len(sequence) - 1, E.shape[1]
    order = (0, 2, 1, 3)
    for k in range(layers):
        for q in range(4):
            for j in range(b):
                P[k, 0, order[q] * p + j] = main[2 * k, q * b + j]
                P[k, 1, order[q] * p + j] = main[2 * k + 1, q * b + j]
        for j in range(b):
            kept[0, k, 0, j] = state[2 * k, j]
            kept[0, k, 1, j] = state[2 * k + 1, j]
    E[:, :b] = extra
    total = 0.0
    for t in range(steps):
        for j in range(b):
            seen[t, 2, j] = sequence[t, j] * E[0, j]
        x = seen[t, 2]
        for k in range(layers):
            _forward(x, P[k, 0], P[k, 1], kept[t, k, 0], kept[t, k, 1], gates[t, k], kept[t + 1, k])
            x = kept[t + 1, k, 0]
        e, slope = seen[t, 0], seen[t, 1]
        for j in range(p):
            e[j] = exp(x[j] * E[1, j] + E[2, j])
        mass, gold, along = 0.0, 0.0, 0.0
        for j in range(b):
            y = sequence[t + 1, j]
            mass = accumulate(mass, e[j])
            gold = accumulate(gold, y)
            along = accumulate(along, y * (x[j] * E[1, j] + E[2, j]))
        total += along - gold * np.log(2.0 + mass)
        share = gold / (2.0 + mass)
        for j in range(b):
            slope[j] = share * e[j] - sequence[t + 1, j]
    scale = 1.0 / (steps * b)
    G[...] = 0.0
    H[...] = 0.0
    carried[...] = 0.0
    for t in range(steps - 1, -1, -1):
        x, slope = kept[t + 1, layers - 1, 0], seen[t, 1]
        for j in range(p):
            H[1, j] += scale * slope[j] * x[j]
        for j in range(p):
            H[2, j] += scale * slope[j]
            first[j] = scale * slope[j] * E[1, j]
        for k in range(layers - 1, -1, -1):
            x = kept[t + 1, k - 1, 0] if k else seen[t, 2]
            hidden, cell, bent = kept[t, k, 0], kept[t, k, 1], kept[t + 1, k, 2]
            _backward(
                x, P[k, 0], hidden, cell, gates[t, k], bent, first, carried[0, k], carried[1, k], at, G[k, 0], G[k, 1]
            )
        for j in range(b):
            H[0, j] += first[j] * sequence[t, j]
    ct_main = np.empty_like(main)
    for k in range(layers):
        for q in range(4):
            for j in range(b):
                ct_main[2 * k, q * b + j] = G[k, 0, order[q] * p + j]
                ct_main[2 * k + 1, q * b + j] = G[k, 1, order[q] * p + j]
    return -total * scale, (ct_main, H[:, :b].copy())
