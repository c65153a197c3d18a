"""The models: SymPy expressions, and beside each the same computation by hand for mpmath numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import mpmath as mp
import numpy as np
import sympy as sp

import symbackprop as sbp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DIGITS, STEP = 110, "1e-30"
SEED = 20_041

m, n, p, q = sp.symbols("m n p q", integer=True, positive=True)
i, j, k = sp.symbols("i j k", integer=True)
c = sp.Symbol("c", integer=True)
r, s, t, w, x, y, z, lam = sp.symbols("r s t w x y z lam", real=True)

exp, log, sin, cos, tanh, sqrt = (np.frompyfunc(f, 1, 1) for f in (mp.exp, mp.log, mp.sin, mp.cos, mp.tanh, mp.sqrt))
larger, smaller = np.frompyfunc(max, 2, 1), np.frompyfunc(min, 2, 1)


@dataclass(frozen=True)
class Model:
    """One record: what to compile, at which point, and the same by hand.

    Attributes:
        shapes: input -> shape of a random standard normal array, or the value itself.
        by_hand: namespace of the inputs (object arrays, columns as vectors) -> value, or dict / list of values.
        options: further arguments of `compile`.
    """

    name: str
    expr: Any
    shapes: Mapping[str, Any]
    by_hand: Callable[[SimpleNamespace], Any]
    options: Mapping[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, Any]:
        """Return the concrete inputs, the same in every run."""
        rng = np.random.default_rng((SEED, *self.name.encode()))
        return {
            name: rng.standard_normal(given) if isinstance(given, tuple) else given
            for name, given in self.shapes.items()
        }


def column(name: str, size: Any) -> sp.MatrixSymbol:
    return sp.MatrixSymbol(name, size, 1)


def each(expr: Any, function: Any) -> Any:
    return expr.applyfunc(function)


# -- the models ------------------------------------------------------------------------------------------------------

W, V, A, B = (
    sp.MatrixSymbol("W", m, n),
    sp.MatrixSymbol("V", p, m),
    sp.MatrixSymbol("A", n, n),
    sp.MatrixSymbol("B", n, p),
)
xs, ys, bs, us = column("x", n), column("y", m), column("b", m), column("u", m)
score = (us.T * each(W * xs + bs, sp.tanh))[0, 0]
score_c = (us.T * each(W * column("x_c", n) + bs, sp.tanh))[0, 0]
relu = sp.Lambda(t, sp.Max(t, 0))
logistic = sp.Lambda(t, 1 / (1 + sp.exp(-t)))
logits = V * each(W * xs + bs, relu) + column("a", p)
E, T, tok, wt = (
    sp.IndexedBase("E"),
    sp.IndexedBase("T", shape=(m, n)),
    sp.IndexedBase("tok", shape=(p,), integer=True),
    sp.IndexedBase("wt"),
)
E_sized, wt_sized = sp.IndexedBase("E", shape=(m, n)), sp.IndexedBase("wt", shape=(n,))
us_i, vs_j = sp.IndexedBase("us", shape=(m,)), sp.IndexedBase("vs", shape=(n,))
angles, lengths = sp.symbols("q0:3"), sp.symbols("l0:3")


def rotation(angle: Any) -> sp.Matrix:
    return sp.Matrix([[sp.cos(angle), -sp.sin(angle)], [sp.sin(angle), sp.cos(angle)]])


def planar_arm() -> sp.Matrix:
    """Return the tip of a planar arm of three links, squared distance included."""
    tip, turn = sp.zeros(2, 1), sp.eye(2)
    for angle, length in zip(angles, lengths, strict=True):
        turn = turn * rotation(angle)
        tip += turn * sp.Matrix([length, 0])
    return tip


def planar_arm_by_hand(v: SimpleNamespace) -> Any:
    total = np.cumsum(v.q)
    tip = np.array([cos(total) @ v.l, sin(total) @ v.l])
    return tip @ tip


def turned_by_hand(v: SimpleNamespace) -> Any:
    """Return R(x) diag(y, z) R(-x) (r, s)' as a 2 x 1 array."""
    cx, sx = mp.cos(v.x), mp.sin(v.x)
    first, second = v.y * (cx * v.r + sx * v.s), v.z * (-sx * v.r + cx * v.s)
    return np.array([[cx * first - sx * second], [sx * first + cx * second]])


def softmax_loss(scores: Any, label: Any) -> Any:
    return log(exp(scores).sum()) - scores[label]


def window(v: SimpleNamespace, rows: Any) -> Any:
    return tanh(rows @ v.W.T + v.b) @ v.u


def mean(values: Any) -> Any:
    return values.sum() / len(values)


def net(v: SimpleNamespace, row: Any) -> Any:
    return v.V @ larger(v.W @ row + v.b, mp.mpf(0)) + v.a


def logits_by_class(size: Any) -> Any:
    return sp.log(sp.Sum(sp.exp(logits[k, 0]), (k, 0, size - 1))) - logits[c, 0]


NET = {"W": (4, 3), "b": (4,), "V": (3, 4), "a": (3,)}
WINDOW = {"W": (4, 6), "b": (4,), "u": (4,)}
residual = sp.MatrixSymbol("M", m, n) - sp.MatrixSymbol("U", m, p) * sp.MatrixSymbol("V", n, p).T
plain = sp.MatrixSymbol("Z", p, 1)

MODELS = [
    # scalars
    Model("lecture", (x + y) * sp.Max(y, z), {"x": 1.0, "y": 2.0, "z": 0.5}, lambda v: (v.x + v.y) * max(v.y, v.z)),
    Model(
        "rosenbrock",
        (1 - x) ** 2 + 100 * (y - x**2) ** 2 + (1 - y) ** 2 + 100 * (z - y**2) ** 2,
        {"x": -0.7, "y": 1.3, "z": 0.4},
        lambda v: (1 - v.x) ** 2 + 100 * (v.y - v.x**2) ** 2 + (1 - v.y) ** 2 + 100 * (v.z - v.y**2) ** 2,
    ),
    Model(
        "powers",
        x**y * sp.sqrt(z) + x**-3 - y ** sp.Rational(3, 2) / z,
        {"x": 1.7, "y": 0.6, "z": 2.3},
        lambda v: v.x**v.y * mp.sqrt(v.z) + 1 / v.x**3 - v.y * mp.sqrt(v.y) / v.z,
    ),
    Model(
        "abs, min, max",
        sp.Abs(x - y) * sp.Min(x, y, z) + sp.Max(x, z, -y),
        {"x": 0.3, "y": -1.4, "z": 0.9},
        lambda v: abs(v.x - v.y) * min(v.x, v.y, v.z) + max(v.x, v.z, -v.y),
    ),
    Model(
        "logarithm in the untaken branch",
        y * sp.Piecewise((sp.log(x) + sp.sqrt(x), x > 0), (x**2, True)),
        {"x": -1.5, "y": 0.7},
        lambda v: v.y * v.x**2,
    ),
    Model(
        "three branches",
        sp.Piecewise((x**2 / 2, sp.Abs(x) < y), (y * (sp.Abs(x) - y / 2), x < 5), (x * y, True)) * sp.cos(y),
        {"x": -2.5, "y": 1.1},
        lambda v: v.y * (abs(v.x) - v.y / 2) * mp.cos(v.y),
    ),
    Model(
        "mixture of bells",
        sp.log(w * sp.exp(-(x**2)) + (1 - w) * sp.exp(-((x - y) ** 2) / 2)),
        {"w": 0.3, "x": 0.8, "y": -1.2},
        lambda v: mp.log(v.w * mp.exp(-(v.x**2)) + (1 - v.w) * mp.exp(-((v.x - v.y) ** 2) / 2)),
    ),
    Model(
        "shared sub-expressions",
        sp.tanh(sp.sin(x * y) + sp.exp(-sp.sin(x * y))) / (1 + sp.exp(-x * y)) + sp.sin(x * y) ** 2,
        {"x": 0.9, "y": -1.7},
        lambda v: (
            mp.tanh(mp.sin(v.x * v.y) + mp.exp(-mp.sin(v.x * v.y))) / (1 + mp.exp(-v.x * v.y)) + mp.sin(v.x * v.y) ** 2
        ),
    ),
    Model(
        "planar arm, nested inputs",
        (planar_arm().T * planar_arm())[0, 0],
        {"q": (3,), "l": (3,)},
        planar_arm_by_hand,
        {"inputs": {"q": list(angles), "l": list(lengths)}},
    ),
    # dense, sizes as symbols
    Model("quadratic form", (xs.T * A * xs)[0, 0] / 2, {"A": (4, 4), "x": (4,)}, lambda v: v.x @ v.A @ v.x / 2),
    Model("trace of a product", sp.Trace(A.T * A * A), {"A": (4, 4)}, lambda v: np.trace(v.A.T @ v.A @ v.A)),
    Model(
        "chain of products",
        (ys.T * W * A * B * column("z", p))[0, 0],
        {"y": (3,), "W": (3, 4), "A": (4, 4), "B": (4, 2), "z": (2,)},
        lambda v: v.y @ v.W @ v.A @ v.B @ v.z,
    ),
    Model(
        "least squares",
        sp.Trace((W * xs - ys).T * (W * xs - ys)) + lam * sp.Trace(xs.T * xs),
        {"W": (5, 3), "x": (3,), "y": (5,), "lam": 0.1},
        lambda v: (v.W @ v.x - v.y) @ (v.W @ v.x - v.y) + v.lam * (v.x @ v.x),
    ),
    Model(
        "matrix factorisation",
        sp.Trace(residual.T * residual),
        {"M": (4, 3), "U": (4, 2), "V": (3, 2)},
        lambda v: ((v.M - v.U @ v.V.T) ** 2).sum(),
    ),
    Model(
        "masked matrix factorisation",
        sp.Trace(sp.HadamardProduct(sp.MatrixSymbol("G", m, n), residual).T * residual),
        {"M": (4, 3), "U": (4, 2), "V": (3, 2), "G": np.tril(np.ones((4, 3)))},
        lambda v: (v.G * (v.M - v.U @ v.V.T) ** 2).sum(),
    ),
    Model("window score", score, {**WINDOW, "x": (6,)}, lambda v: window(v, v.x)),
    Model(
        "window score as a trace",
        sp.Trace(us.T * each(W * xs + bs, sp.tanh)),
        {**WINDOW, "x": (6,)},
        lambda v: window(v, v.x),
    ),
    Model(
        "max margin",
        sp.Max(0, 1 - score + score_c),
        {**WINDOW, "x": (6,), "x_c": (6,)},
        lambda v: max(mp.mpf(0), 1 - window(v, v.x) + window(v, v.x_c)),
    ),
    Model(
        "logistic loss with penalty",
        sp.log(1 + sp.exp(-y * score)) + lam * sp.Trace(W.T * W),
        {**WINDOW, "x": (6,), "y": -1.0, "lam": 0.05},
        lambda v: mp.log(1 + mp.exp(-v.y * window(v, v.x))) + v.lam * (v.W**2).sum(),
    ),
    Model(
        "gated unit",
        sp.Trace(ys.T * sp.HadamardProduct(each(W * xs, logistic), each(W * xs + bs, sp.tanh))),
        {"y": (3,), "W": (3, 4), "x": (4,), "b": (3,)},
        lambda v: v.y @ (tanh(v.W @ v.x + v.b) / (1 + exp(-(v.W @ v.x)))),
    ),
    Model("net with ReLU, vector output", logits, {**NET, "x": (3,)}, lambda v: net(v, v.x)),
    Model(
        "matrix output",
        each(W * A + W, sp.tanh) * B,
        {"W": (3, 4), "A": (4, 4), "B": (4, 2)},
        lambda v: tanh(v.W @ v.A + v.W) @ v.B,
    ),
    Model(
        "scaled sum of matrices",
        (x * W - W * A / y).T,
        {"x": 0.4, "y": -1.3, "W": (3, 4), "A": (4, 4)},
        lambda v: (v.x * v.W - v.W @ v.A / v.y).T,
    ),
    # explicit matrices and several outputs
    Model(
        "turned and stretched",
        rotation(x) * sp.diag(y, z) * rotation(-x) * sp.Matrix([r, s]),
        {"r": 0.3, "s": -0.8, "x": 0.5, "y": 1.4, "z": 0.7},
        turned_by_hand,
    ),
    Model(
        "list of scalars", [x * y, sp.sin(x) + y**2], {"x": 0.6, "y": 1.9}, lambda v: [v.x * v.y, mp.sin(v.x) + v.y**2]
    ),
    Model(
        "dict of values",
        {"loss": sp.log(1 + sp.exp(-score)), "score": score, "hidden": each(W * xs + bs, sp.tanh)},
        {**WINDOW, "x": (6,)},
        lambda v: {
            "loss": mp.log(1 + mp.exp(-window(v, v.x))),
            "score": window(v, v.x),
            "hidden": tanh(v.W @ v.x + v.b),
        },
    ),
    # gathers and sums over an index
    Model(
        "cross entropy of given scores",
        sp.log(sp.Sum(sp.exp(plain[k, 0]), (k, 0, p - 1))) - plain[c, 0],
        {"Z": (5,), "c": 3},
        lambda v: softmax_loss(v.Z, v.c),
    ),
    Model(
        "cross entropy on top of a net",
        logits_by_class(p),
        {**NET, "x": (3,), "c": 1},
        lambda v: softmax_loss(net(v, v.x), v.c),
    ),
    Model(
        "matrix times vector as a sum",
        sp.Sum(sp.Sum(T[i, j] * vs_j[j], (j, 0, n - 1)) ** 2, (i, 0, m - 1)),
        {"T": (3, 4), "vs": (4,)},
        lambda v: ((v.T @ v.vs) ** 2).sum(),
    ),
    Model(
        "bilinear form as one sum",
        sp.Sum(us_i[i] * T[i, j] * vs_j[j], (i, 0, m - 1), (j, 0, n - 1)),
        {"us": (3,), "T": (3, 4), "vs": (4,)},
        lambda v: v.us @ v.T @ v.vs,
    ),
    Model(
        "words gathered, one of them twice",
        sp.Sum(sp.tanh(sp.Sum(E_sized[tok[i], j] * wt_sized[j], (j, 0, n - 1))), (i, 0, p - 1)),
        {"E": (5, 3), "tok": np.array([4, 0, 4, 2]), "wt": (3,)},
        lambda v: tanh(v.E[v.tok] @ v.wt).sum(),
    ),
    Model(
        "skip-gram pair",
        sp.log(1 + sp.exp(-sp.Sum(sp.MatrixSymbol("U", m, n)[c, k] * sp.MatrixSymbol("V", m, n)[i, k], (k, 0, n - 1)))),
        {"U": (4, 3), "V": (4, 3), "c": 2, "i": 0},
        lambda v: mp.log(1 + mp.exp(-(v.U[v.c] @ v.V[v.i]))),
    ),
    # batches
    Model(
        "batch of window losses",
        sbp.Mean(sp.log(1 + sp.exp(-y * score)), "N") + lam * sp.Trace(W.T * W),
        {**WINDOW, "x": (3, 6), "y": np.array([1.0, -1.0, 1.0]), "lam": 0.05},
        lambda v: mean(log(1 + exp(-v.y * window(v, v.x)))) + v.lam * (v.W**2).sum(),
        {"batch": {"x": "N", "y": "N"}},
    ),
    Model(
        "batch of margins",
        sbp.Mean(sp.Max(0, 1 - score + score_c), "N"),
        {**WINDOW, "x": (4, 6), "x_c": (4, 6)},
        lambda v: mean(larger(mp.mpf(0), 1 - window(v, v.x) + window(v, v.x_c))),
        {"batch": {"x": "N", "x_c": "N"}},
    ),
    Model(
        "logistic regression",
        sbp.Mean(sp.log(1 + sp.exp(-y * (column("w", n).T * xs)[0, 0])), "N")
        + lam * sp.Trace(column("w", n).T * column("w", n)),
        {"w": (3,), "x": (5, 3), "y": np.array([1.0, 1.0, -1.0, 1.0, -1.0]), "lam": 0.2},
        lambda v: mean(log(1 + exp(-v.y * (v.x @ v.w)))) + v.lam * (v.w @ v.w),
        {"batch": {"x": "N", "y": "N"}},
    ),
    Model(
        "softmax regression",
        sbp.Mean(logits_by_class(p), "N") + lam * (sp.Trace(W.T * W) + sp.Trace(V.T * V)),
        {**NET, "x": (4, 3), "c": np.array([2, 0, 2, 1]), "lam": 0.01},
        lambda v: (
            mean(np.array([softmax_loss(net(v, row), label) for row, label in zip(v.x, v.c, strict=True)]))
            + v.lam * ((v.W**2).sum() + (v.V**2).sum())
        ),
        {"batch": {"x": "N", "c": "N"}},
    ),
    Model(
        "squared hinge, one value per example",
        sp.Piecewise(((1 - y * score) ** 2, y * score < 1), (0, True)),
        {**WINDOW, "x": (3, 6), "y": np.array([1.0, -1.0, -1.0])},
        lambda v: larger(mp.mpf(0), 1 - v.y * window(v, v.x)) ** 2,
        {"batch": {"x": "N", "y": "N"}},
    ),
    Model(
        "batch of vectors out",
        each(W * xs + bs, logistic),
        {"W": (3, 4), "b": (3,), "x": (2, 4)},
        lambda v: 1 / (1 + exp(-(v.x @ v.W.T + v.b))),
        {"batch": {"x": "N"}},
    ),
]


# -- the reference ---------------------------------------------------------------------------------------------------
