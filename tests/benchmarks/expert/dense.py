"""Window classifier, perceptron and softmax regression as an expert writes them: matrix products and fused loops.

Each maker returns functions for one dtype. `work` holds the scratch arrays, made once by the caller; results are new
arrays, as a kernel's are.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from tests.benchmarks.expert.functions import accumulate, function, jit

__all__ = ["mlp", "mlp_gemms", "regression", "window", "window_gemms"]


@cache
def window(dtype: str) -> Any:
    """Return value and gradients (W, b, u, x) of the window classifier."""
    tanh, softplus, sigmoid = (function(name, dtype) for name in ("tanh", "softplus", "sigmoid"))
    real = np.dtype(dtype).type
    one = real(1)

    @jit
    def value_and_grad(W, b, u, x, y, hidden, before):
        n, h = hidden.shape
        ct_W, ct_x = np.empty_like(W), np.empty_like(x)
        ct_b, ct_u = np.zeros_like(b), np.zeros_like(u)
        np.dot(x, W.T, before)
        value = real(0)
        for i in range(n):
            score = real(0)
            for j in range(h):
                t = tanh(before[i, j] + b[j])
                hidden[i, j] = t
                score = accumulate(score, t * u[j])
            value += softplus(-y[i] * score)
            slope = -y[i] * sigmoid(-y[i] * score) / real(n)
            for j in range(h):
                t = hidden[i, j]
                back = slope * u[j] * ((one - t) * (one + t))
                before[i, j] = back
                ct_b[j] += back
                ct_u[j] += slope * t
        np.dot(before.T, x, ct_W)
        np.dot(before, W, ct_x)
        return value / real(n), (ct_W, ct_b, ct_u, ct_x)

    return value_and_grad


@jit
def window_gemms(W, x, hidden, ct_W, ct_x):
    """Run the three matrix products of the window classifier's value and gradients alone."""
    np.dot(x, W.T, hidden)
    np.dot(hidden.T, x, ct_W)
    np.dot(hidden, W, ct_x)


@cache
def mlp(dtype: str) -> Any:
    """Return value and gradients (V, b, R, s) of a perceptron with one hidden layer of tanh and cross entropy."""
    tanh, exp = function("tanh", dtype), function("exp", dtype)
    real = np.dtype(dtype).type
    one = real(1)

    @jit
    def value_and_grad(V, b, R, s, x, label, hidden, before, scores):
        n, h = hidden.shape
        c = scores.shape[1]
        ct_V, ct_R = np.empty_like(V), np.empty_like(R)
        ct_b, ct_s = np.zeros_like(b), np.zeros_like(s)
        np.dot(x, V.T, before)
        for i in range(n):
            for j in range(h):
                hidden[i, j] = tanh(before[i, j] + b[j])
        np.dot(hidden, R.T, scores)
        value = real(0)
        share = one / real(n)
        for i in range(n):
            row = scores[i]
            top = row[0] + s[0]
            for j in range(c):
                row[j] += s[j]
                top = max(top, row[j])
            mine = row[label[i]] - top
            total = real(0)
            for j in range(c):
                e = exp(row[j] - top)
                row[j] = e
                total = accumulate(total, e)
            value += np.log(total) - mine
            scale = share / total
            for j in range(c):
                row[j] *= scale
            row[label[i]] -= share
            for j in range(c):
                ct_s[j] += row[j]
        np.dot(scores.T, hidden, ct_R)
        np.dot(scores, R, before)
        for i in range(n):
            for j in range(h):
                t = hidden[i, j]
                back = before[i, j] * ((one - t) * (one + t))
                before[i, j] = back
                ct_b[j] += back
        np.dot(before.T, x, ct_V)
        return value * share, (ct_V, ct_b, ct_R, ct_s)

    return value_and_grad


@jit
def mlp_gemms(V, R, x, hidden, scores, ct_V, ct_R):
    """Run the five matrix products of the perceptron's value and gradients alone."""
    np.dot(x, V.T, hidden)
    np.dot(hidden, R.T, scores)
    np.dot(scores.T, hidden, ct_R)
    np.dot(scores, R, hidden)
    np.dot(hidden.T, x, ct_V)


@cache
def regression(dtype: str) -> Any:
    """Return value and gradients (W, b) of softmax regression with a penalty on W."""
    exp = function("exp", dtype)
    real = np.dtype(dtype).type

    @jit
    def value_and_grad(W, b, x, label, lam, scores):
        n, c = scores.shape
        ct_W, ct_b = np.empty_like(W), np.zeros_like(b)
        np.dot(x, W.T, scores)
        share = real(1) / real(n)
        value = real(0)
        for i in range(n):
            row = scores[i]
            top = row[0] + b[0]
            for j in range(c):
                row[j] += b[j]
                top = max(top, row[j])
            mine = row[label[i]] - top
            total = real(0)
            for j in range(c):
                e = exp(row[j] - top)
                row[j] = e
                total = accumulate(total, e)
            value += np.log(total) - mine
            scale = share / total
            for j in range(c):
                row[j] *= scale
            row[label[i]] -= share
            for j in range(c):
                ct_b[j] += row[j]
        np.dot(scores.T, x, ct_W)
        squares = real(0)
        for i in range(c):
            for j in range(W.shape[1]):
                squares = accumulate(squares, W[i, j] * W[i, j])
                ct_W[i, j] += real(2) * lam * W[i, j]
        return value * share + lam * squares, (ct_W, ct_b)

    return value_and_grad
