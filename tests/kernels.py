"""A few kernels that tests share: name -> how to compile it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

import symbackprop as sbp

m, n, p, d = sp.symbols("m n p d", integer=True, positive=True)
i, j = sp.symbols("i j", integer=True)
x, y, z = sp.symbols("x y z")


def column(name: str, size: Any) -> sp.MatrixSymbol:
    return sp.MatrixSymbol(name, size, 1)


def scalar(compiler: Callable[..., Any] = sbp.compile, **options: Any) -> Any:
    return compiler((x + y) * sp.Max(y, z), name="scalar", **options)


def window_scorer(compiler: Callable[..., Any] = sbp.compile, **options: Any) -> Any:
    W, words, b, u = sp.MatrixSymbol("W", m, 5 * d), column("x", 5 * d), column("b", m), column("u", m)
    before = W * words + b
    hidden = before.applyfunc(sp.tanh)
    return compiler(u.T * hidden, names={"z": before, "h": hidden}, name="window scorer", **options)


def logistic_loss(compiler: Callable[..., Any] = sbp.compile, **options: Any) -> Any:
    score = (column("w", n).T * column("x", n))[0, 0]
    loss = sbp.Mean(sp.log(1 + sp.exp(-y * score)), "N")
    return compiler(loss, wrt=["w"], batch={"x": "N", "y": "N"}, name="logistic loss", **options)


def softmax_loss(compiler: Callable[..., Any] = sbp.compile, **options: Any) -> Any:
    scores = sp.MatrixSymbol("V", p, n) * column("x", n)
    label = sp.Symbol("c", integer=True)
    loss = sp.log(sp.Sum(sp.exp(scores[i, 0]), (i, 0, p - 1))) - scores[label, 0]
    return compiler(loss, name="softmax cross entropy", **options)


def embedding(compiler: Callable[..., Any] = sbp.compile, **options: Any) -> Any:
    E, tok, v = sp.IndexedBase("E"), sp.IndexedBase("tok", integer=True), sp.IndexedBase("v")
    return compiler(sp.Sum(sp.tanh(E[tok[i], j] * v[j]), (i, 0, p - 1), (j, 0, d - 1)), name="embedding", **options)


def arm(compiler: Callable[..., Any] = sbp.compile, **options: Any) -> Any:
    angles, lengths = sp.symbols("q0:3"), sp.symbols("l0:3")

    def joint(a: Any, length: Any) -> sp.Matrix:
        c, s = sp.cos(a), sp.sin(a)
        return sp.Matrix([[c, -s, length * c], [s, c, length * s], [0, 0, 1]])

    tip = joint(angles[0], lengths[0]) * joint(angles[1], lengths[1]) * joint(angles[2], lengths[2])
    miss = (tip[0, 2] - 1) ** 2 + (tip[1, 2] - 2) ** 2
    return compiler(miss, inputs={"q": angles, "l": lengths}, name="planar arm", **options)


def gaussian(compiler: Callable[..., Any] = sbp.compile, **options: Any) -> Any:
    S, mu = sp.MatrixSymbol("S", n, n), column("mu", n)
    r = column("x", n) - mu
    distance = (r.T * S.I * r)[0, 0]
    loglik = -(distance + sp.log(sp.Determinant(S)) + n * sp.log(2 * sp.pi)) / 2
    return compiler(loglik, wrt=["S", "mu"], names={"r": r}, name="gaussian log-likelihood", **options)


def triangular(compiler: Callable[..., Any] = sbp.compile, **options: Any) -> Any:
    L, r = sp.IndexedBase("L", (n, n)), sp.IndexedBase("r", (n,))
    row = sp.Sum(L[i, j] * r[j], (j, 0, i))
    return compiler(sp.Sum(row**2 / (i + 1), (i, 0, n - 1)), name="triangular sum", **options)


def convolution(compiler: Callable[..., Any] = sbp.compile, **options: Any) -> Any:
    signal, weights = sp.IndexedBase("signal", (n + m - 1,)), sp.IndexedBase("w", (m,))
    smooth = sp.Sum(weights[j] * signal[i + j], (j, 0, m - 1))
    return compiler(sp.Sum(sp.tanh(smooth), (i, 0, n - 1)), name="convolution", **options)


def recurrent_network(compiler: Callable[..., Any] = sbp.compile, **options: Any) -> Any:
    steps, k = sp.symbols("T k", integer=True, positive=True)
    h, row = column("h", d), column("x", k)
    W, U, X = sp.MatrixSymbol("W", d, d), sp.MatrixSymbol("U", d, k), sp.MatrixSymbol("X", steps, k)
    step = (W * h + U * row + column("b", d)).applyfunc(sp.tanh)
    states = sbp.Recurrence({h: step}, start={h: column("h0", d)}, over={row: X})
    loss = column("v", d).T * states.final(h) + states.total(h.T * h)
    return compiler(loss, name="recurrent network", **options)


def location(compiler: Callable[..., Any] = sbp.compile, **options: Any) -> Any:
    points, center = sp.IndexedBase("x", (n,)), sp.IndexedBase("center", (n,))
    distance = sp.Sum(sp.sqrt(1 + (points[i] - center[i]) ** 2), (i, 0, n - 1))
    loss = sbp.Mean(distance, "N")
    return compiler(loss, wrt=["center"], batch={"x": "N"}, name="location", parallel=True, **options)


KERNELS = {
    "scalar": scalar,
    "window_scorer": window_scorer,
    "logistic_loss": logistic_loss,
    "softmax_loss": softmax_loss,
    "embedding": embedding,
    "arm": arm,
    "gaussian": gaussian,
    "triangular": triangular,
    "convolution": convolution,
    "recurrent_network": recurrent_network,
    "location": location,
}
