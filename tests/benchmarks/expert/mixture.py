"""The Gaussian mixture's log posterior as an expert writes it: matrix products over blocks of a triangle."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.benchmarks.expert.functions import accumulate, function, jit

__all__ = ["objective_and_grad", "scratch"]

exp = function("exp")

#: Rows of a block: only what lies left of its last diagonal entry is multiplied.
BLOCK = 16

#: Points that go through everything together.
TILE = 250

#: Weights below exp(-650) of the largest count as none: nothing near them is subnormal, and all that is lost is less
#: than 1e-282 of the sums they belong to.
FLOOR = -650.0


def scratch(n: int, d: int, K: int) -> tuple[Any, ...]:
    """Return the scratch arrays: blocks of the factors, transformed points, weights, and sums per component."""
    tile = min(n, TILE)
    return (
        np.empty(K * BLOCK * d * -(-d // BLOCK)),
        np.empty(K * d * tile),
        np.empty((K, tile)),
        np.empty(d * tile),
        np.empty(K * d),
        np.empty(K * BLOCK * d),
        np.empty((3, tile)),
        np.empty((K, d)),
        np.empty((K, d)),
    )


@jit
def objective_and_grad(alpha, mu, q, l, x, gamma, m, constant, Q, Y, R, xs, shift, part, line, diagonal, sums):  # noqa: E741 - as in the formula
    """Return the log posterior and its gradients for alpha, mu, q and l."""
    n, d = x.shape
    K = len(alpha)
    ct_mu, ct_q, ct_l, ct_alpha = np.zeros((K, d)), np.zeros((K, d)), np.zeros((K, d, d)), np.zeros(K)
    top, total = alpha[0], 0.0
    for k in range(K):
        top = max(top, alpha[k])
    for k in range(K):
        total += np.exp(alpha[k] - top)
    value = constant - n * (top + np.log(total))
    for k in range(K):
        ct_alpha[k] = -n * np.exp(alpha[k] - top) / total
    start = np.zeros(K)
    for k in range(K):
        start[k] = alpha[k]
        for j in range(d):
            e = np.exp(q[k, j])
            diagonal[k, j] = e
            start[k] += q[k, j]
            value += 0.5 * gamma * gamma * e * e - m * q[k, j]
            ct_q[k, j] = gamma * gamma * e * e - m
            for c in range(j):
                value += 0.5 * gamma * gamma * l[k, j, c] * l[k, j, c]
                ct_l[k, j, c] = gamma * gamma * l[k, j, c]
    at = 0
    for low in range(0, d, BLOCK):
        high = min(low + BLOCK, d)
        for k in range(K):
            for j in range(low, high):
                for c in range(high):
                    Q[at + c] = l[k, j, c] if c < j else 0.0
                Q[at + j] = diagonal[k, j]
                offset = 0.0
                for c in range(j + 1):
                    offset = accumulate(offset, Q[at + c] * mu[k, c])
                shift[low * K + k * (high - low) + j - low] = offset
                at += high
    sums[...] = 0.0
    for first in range(0, n, TILE):
        tile = min(TILE, n - first)
        R_ = R[:, :tile]
        for k in range(K):
            R_[k, :] = 0.0
        at = 0
        for low in range(0, d, BLOCK):
            high = min(low + BLOCK, d)
            rows = K * (high - low)
            points = xs[: high * tile].reshape((high, tile))
            for c in range(high):
                for i in range(tile):
                    points[c, i] = x[first + i, c]
            Y_ = Y[low * K * tile : low * K * tile + rows * tile].reshape((rows, tile))
            np.dot(Q[at : at + rows * high].reshape((rows, high)), points, Y_)
            at += rows * high
            row = 0
            for k in range(K):
                for _ in range(high - low):
                    offset = shift[low * K + row]
                    for i in range(tile):
                        y = Y_[row, i] - offset
                        Y_[row, i] = y
                        R_[k, i] += y * y
                    row += 1
        largest, weight, scale = line[0, :tile], line[1, :tile], line[2, :tile]
        largest[:] = -np.inf
        for k in range(K):
            for i in range(tile):
                t = start[k] - 0.5 * R_[k, i]
                R_[k, i] = t
                largest[i] = max(largest[i], t)
        weight[:] = 0.0
        for k in range(K):
            for i in range(tile):
                t = R_[k, i] - largest[i]
                e = exp(t) if t > FLOOR else 0.0
                R_[k, i] = e
                weight[i] += e
        for i in range(tile):
            value += largest[i] + np.log(weight[i])
            scale[i] = 1.0 / weight[i]
        for k in range(K):
            share = 0.0
            for i in range(tile):
                e = R_[k, i] * scale[i]
                R_[k, i] = e
                share = accumulate(share, e)
            ct_alpha[k] += share
            for j in range(d):
                ct_q[k, j] += share
        for low in range(0, d, BLOCK):
            high = min(low + BLOCK, d)
            rows = K * (high - low)
            points = xs[: tile * high].reshape((tile, high))
            for i in range(tile):
                for c in range(high):
                    points[i, c] = x[first + i, c]
            Y_ = Y[low * K * tile : low * K * tile + rows * tile].reshape((rows, tile))
            row = 0
            for k in range(K):
                for j in range(low, high):
                    s = 0.0
                    for i in range(tile):
                        y = Y_[row, i] * R_[k, i]
                        Y_[row, i] = y
                        s = accumulate(s, y)
                    sums[k, j] += s
                    row += 1
            part_ = part[: rows * high].reshape((rows, high))
            np.dot(Y_, points, part_)
            row = 0
            for k in range(K):
                for j in range(low, high):
                    for c in range(j):
                        ct_l[k, j, c] -= part_[row, c]
                    ct_q[k, j] -= part_[row, j] * diagonal[k, j]
                    row += 1
    for k in range(K):
        for j in range(d):
            s = sums[k, j]
            for c in range(j):
                ct_l[k, j, c] += s * mu[k, c]
                ct_mu[k, c] += s * l[k, j, c]
            ct_q[k, j] += s * mu[k, j] * diagonal[k, j]
            ct_mu[k, j] += s * diagonal[k, j]
    return value, (ct_alpha, ct_mu, ct_q, ct_l)
