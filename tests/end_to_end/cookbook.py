"""Chapter 2 of the Matrix Cookbook as data: SymPy expressions, and beside them value and gradient in closed form.

K. B. Petersen and M. S. Pedersen, "The Matrix Cookbook", version of November 15, 2012; the names of the records are its
equation numbers. Identities of vectors and matrices are contracted with a constant. Every size is a symbol; rows
m >= columns n wherever X is rectangular, so that X'CX can be inverted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

inv, det, power, pinv = np.linalg.inv, np.linalg.det, np.linalg.matrix_power, np.linalg.pinv

m, n, p = sp.symbols("m n p", integer=True, positive=True)
t = sp.Symbol("t", real=True)

#: Square X, its constants A, B, C, D, W and vectors a, b, c, d of the same size.
X, A, B, C, D, W = (sp.MatrixSymbol(name, n, n) for name in "XABCDW")
a, b, c, d, x, s = (sp.MatrixSymbol(name, n, 1) for name in "abcdxs")
#: Rectangular X and what multiplies it from the left (L, K; m x m) and from the right (R; n x n, G; n x p).
T = sp.MatrixSymbol("X", m, n)
L, K = sp.MatrixSymbol("L", m, m), sp.MatrixSymbol("K", m, m)
R, G, H, E = (
    sp.MatrixSymbol("R", n, n),
    sp.MatrixSymbol("G", n, p),
    sp.MatrixSymbol("H", p, m),
    sp.MatrixSymbol("E", p, p),
)
g, h, r = sp.MatrixSymbol("g", m, 1), sp.MatrixSymbol("h", m, 1), sp.MatrixSymbol("r", n, 1)
tr, dt, inverse, one = sp.Trace, sp.Determinant, sp.Inverse, sp.OneMatrix


@dataclass(frozen=True)
class Identity:
    """One identity.

    Attributes:
        name: equation number in the Cookbook, or the input as its source writes it.
        expr: what to compile.
        value: namespace of the arguments (columns as vectors) -> the value.
        grads: argument -> the gradient's closed form, in the same namespace.
        regular: square arguments far from singular, with a positive determinant.
        symmetric: square arguments that are symmetric and positive definite.
        positive: arguments with positive entries.
        jit: whether the kernel is compiled by numba; the others run as plain Python, which takes no time to compile.
    """

    name: str
    expr: Any
    value: Callable[[SimpleNamespace], Any]
    grads: Mapping[str, Callable[[SimpleNamespace], Any]]
    regular: str = ""
    symmetric: str = ""
    positive: str = ""
    jit: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


def summed(terms: Any) -> Any:
    return np.sum(list(terms), axis=0)


def single(like: np.ndarray, row: int, column: int) -> np.ndarray:
    """Return the single-entry matrix J of the shape of `like`."""
    entry = np.zeros_like(like)
    entry[row, column] = 1
    return entry


def frobenius(matrix: Any) -> Any:
    return sp.Trace(matrix.T * matrix)


def norm(v: np.ndarray) -> Any:
    return np.sqrt((v**2).sum())


# -- 2.1 determinants, 2.2 inverses, 2.3 eigenvalues -------------------------------------------------------------------

DETERMINANTS = [
    Identity(
        "46: det(Y(t))",
        dt(A + t * B),
        lambda v: det(v.A + v.t * v.B),
        {"t": lambda v: det(v.A + v.t * v.B) * np.trace(inv(v.A + v.t * v.B) @ v.B)},
        regular="A",
    ),
    Identity("49: det(X)", dt(X), lambda v: det(v.X), {"X": lambda v: det(v.X) * inv(v.X).T}, regular="X"),
    Identity("49: det(X), any X", dt(X), lambda v: det(v.X), {"X": lambda v: det(v.X) * inv(v.X).T}),
    Identity(
        "51: det(AXB)",
        dt(A * X * B),
        lambda v: det(v.A @ v.X @ v.B),
        {"X": lambda v: det(v.A @ v.X @ v.B) * inv(v.X).T},
        regular="ABX",
    ),
    Identity(
        "51: det(R'XL), rectangular",
        dt(T.T * L * T * R),
        lambda v: det(v.X.T @ v.L @ v.X @ v.R),
        {
            "R": lambda v: det(v.X.T @ v.L @ v.X @ v.R) * inv(v.R).T,
            "L": lambda v: det(v.X.T @ v.L @ v.X @ v.R) * v.X @ inv(v.X.T @ v.L @ v.X @ v.R).T @ v.R.T @ v.X.T,
        },
        symmetric="LR",
    ),
    Identity(
        "52: det(X'AX), square",
        dt(X.T * A * X),
        lambda v: det(v.X.T @ v.A @ v.X),
        {"X": lambda v: 2 * det(v.X.T @ v.A @ v.X) * inv(v.X).T},
        regular="XA",
    ),
    Identity(
        "53: det(X'AX), A symmetric",
        dt(T.T * L * T),
        lambda v: det(v.X.T @ v.L @ v.X),
        {"X": lambda v: 2 * det(v.X.T @ v.L @ v.X) * v.L @ v.X @ inv(v.X.T @ v.L @ v.X)},
        symmetric="L",
    ),
    Identity(
        "54: det(X'AX)",
        dt(T.T * L * T),
        lambda v: det(v.X.T @ v.L @ v.X),
        {
            "X": lambda v: (
                det(v.X.T @ v.L @ v.X) * (v.L @ v.X @ inv(v.X.T @ v.L @ v.X) + v.L.T @ v.X @ inv(v.X.T @ v.L.T @ v.X))
            )
        },
        regular="L",
    ),
    Identity(
        "55: log det(X'X)",
        sp.log(dt(T.T * T)),
        lambda v: np.linalg.slogdet(v.X.T @ v.X)[1],
        {"X": lambda v: 2 * pinv(v.X).T},
    ),
    Identity(
        "56: log det(X'X) by the pseudoinverse",
        -sp.log(dt(T.T * T)),
        lambda v: -np.linalg.slogdet(v.X.T @ v.X)[1],
        {"X": lambda v: -2 * pinv(v.X).T},
    ),
    Identity(
        "57: log |det(X)|",
        sp.log(sp.Abs(dt(X))),
        lambda v: np.linalg.slogdet(v.X)[1],
        {"X": lambda v: inv(v.X).T},
    ),
    Identity(
        "57: log det(X)",
        sp.log(dt(X)),
        lambda v: np.linalg.slogdet(v.X)[1],
        {"X": lambda v: inv(v.X).T},
        regular="X",
    ),
    Identity(
        "57: log det(I + XX')",
        sp.log(dt(sp.Identity(m) + T * T.T)),
        lambda v: np.linalg.slogdet(np.eye(len(v.X)) + v.X @ v.X.T)[1],
        {"X": lambda v: 2 * inv(np.eye(len(v.X)) + v.X @ v.X.T) @ v.X},
    ),
    Identity(
        "58: det(X^3)",
        dt(X**3),
        lambda v: det(v.X) ** 3,
        {"X": lambda v: 3 * det(v.X) ** 3 * inv(v.X).T},
        regular="X",
    ),
    Identity(
        "58: det(X)^t",
        dt(X) ** t,
        lambda v: det(v.X) ** v.t,
        {"X": lambda v: v.t * det(v.X) ** v.t * inv(v.X).T, "t": lambda v: det(v.X) ** v.t * np.log(det(v.X))},
        regular="X",
    ),
]

INVERSES = [
    Identity(
        "59: inv(Y(t))",
        tr(C.T * inverse(A + t * B)),
        lambda v: np.trace(v.C.T @ inv(v.A + v.t * v.B)),
        {"t": lambda v: -np.trace(v.C.T @ inv(v.A + v.t * v.B) @ v.B @ inv(v.A + v.t * v.B))},
        regular="A",
    ),
    Identity(
        "60: an entry of inv(X)",
        inverse(X)[0, n - 1],
        lambda v: inv(v.X)[0, -1],
        {"X": lambda v: -np.outer(inv(v.X)[0, :], inv(v.X)[:, -1])},
        regular="X",
    ),
    Identity(
        "61: a'inv(X)b",
        a.T * inverse(X) * b,
        lambda v: v.a @ inv(v.X) @ v.b,
        {
            "X": lambda v: -inv(v.X).T @ np.outer(v.a, v.b) @ inv(v.X).T,
            "a": lambda v: inv(v.X) @ v.b,
            "b": lambda v: inv(v.X).T @ v.a,
        },
        regular="X",
    ),
    Identity(
        "61: a'(X^-2)b",
        a.T * X**-2 * b,
        lambda v: v.a @ inv(v.X) @ inv(v.X) @ v.b,
        {
            "X": lambda v: (
                -inv(v.X).T @ np.outer(v.a, v.b) @ power(inv(v.X).T, 2)
                - power(inv(v.X).T, 2) @ np.outer(v.a, v.b) @ inv(v.X).T
            )
        },
        regular="X",
    ),
    Identity(
        "62: det(inv(X))",
        dt(inverse(X)),
        lambda v: 1 / det(v.X),
        {"X": lambda v: -inv(v.X).T / det(v.X)},
        regular="X",
    ),
    Identity(
        "63: tr(A inv(X) B)",
        tr(H * L**-1 * H.T),
        lambda v: np.trace(v.H @ inv(v.L) @ v.H.T),
        {
            "L": lambda v: -(inv(v.L) @ v.H.T @ v.H @ inv(v.L)).T,
            "H": lambda v: v.H @ (inv(v.L) + inv(v.L).T),
        },
        regular="L",
        jit=True,
    ),
    Identity(
        "64: tr(inv(X + A))",
        tr(inverse(X + A)),
        lambda v: np.trace(inv(v.X + v.A)),
        {"X": lambda v: -(inv(v.X + v.A) @ inv(v.X + v.A)).T},
        regular="XA",
    ),
    Identity("65: sum of the eigenvalues", tr(X), lambda v: np.trace(v.X), {"X": lambda v: np.eye(len(v.X))}),
    Identity(
        "66: product of the eigenvalues",
        dt(X),
        lambda v: np.prod(np.linalg.eigvals(v.X)).real,
        {"X": lambda v: np.prod(np.linalg.eigvals(v.X)).real * inv(v.X).T},
        regular="X",
    ),
]

# -- 2.4 matrices, vectors and scalar forms ---------------------------------------------------------------------------

FORMS = [
    Identity("69: x'a", x.T * a, lambda v: v.x @ v.a, {"x": lambda v: v.a}),
    Identity("69: a'x as a dot product", sp.DotProduct(a, x), lambda v: v.x @ v.a, {"x": lambda v: v.a}),
    Identity(
        "70: a'Xb",
        g.T * T * r,
        lambda v: v.g @ v.X @ v.r,
        {"X": lambda v: np.outer(v.g, v.r)},
    ),
    Identity("71: a'X'b", r.T * T.T * g, lambda v: v.g @ v.X @ v.r, {"X": lambda v: np.outer(v.g, v.r)}),
    Identity("72: a'Xa", a.T * X * a, lambda v: v.a @ v.X @ v.a, {"X": lambda v: np.outer(v.a, v.a)}),
    Identity("72: a'X'a", a.T * X.T * a, lambda v: v.a @ v.X @ v.a, {"X": lambda v: np.outer(v.a, v.a)}),
    Identity("73: an entry of X", T[1, 0], lambda v: v.X[1, 0], {"X": lambda v: single(v.X, 1, 0)}),
    Identity(
        "74: XA",
        tr(sp.MatrixSymbol("Q", m, p).T * T * G),
        lambda v: (v.Q * (v.X @ v.G)).sum(),
        {"X": lambda v: v.Q @ v.G.T},
    ),
    Identity(
        "75: X'A",
        tr(sp.MatrixSymbol("Q", n, p).T * T.T * H.T),
        lambda v: (v.Q * (v.X.T @ v.H.T)).sum(),
        {"X": lambda v: v.H.T @ v.Q.T},
    ),
    Identity(
        "76: squared sum of the entries",
        (one(1, m) * T * one(n, 1)) ** 2,
        lambda v: v.X.sum() ** 2,
        {"X": lambda v: np.full(v.X.shape, 2 * v.X.sum())},
    ),
    Identity(
        "77: b'X'Xc",
        r.T * T.T * T * sp.MatrixSymbol("z", n, 1),
        lambda v: v.r @ v.X.T @ v.X @ v.z,
        {"X": lambda v: v.X @ (np.outer(v.r, v.z) + np.outer(v.z, v.r))},
    ),
    Identity(
        "78: (Bx + b)'C(Dx + d)",
        (B * x + b).T * C * (D * x + d),
        lambda v: (v.B @ v.x + v.b) @ v.C @ (v.D @ v.x + v.d),
        {"x": lambda v: v.B.T @ v.C @ (v.D @ v.x + v.d) + v.D.T @ v.C.T @ (v.B @ v.x + v.b)},
        jit=True,
    ),
    Identity(
        "79: X'BX",
        tr(R.T * T.T * L * T),
        lambda v: (v.R * (v.X.T @ v.L @ v.X)).sum(),
        {"X": lambda v: v.L @ v.X @ v.R.T + v.L.T @ v.X @ v.R},
    ),
    Identity(
        "81: x'Bx",
        x.T * B * x,
        lambda v: v.x @ v.B @ v.x,
        {"x": lambda v: (v.B + v.B.T) @ v.x, "B": lambda v: np.outer(v.x, v.x)},
    ),
    Identity(
        "82: b'X'DXc",
        r.T * T.T * L * T * sp.MatrixSymbol("z", n, 1),
        lambda v: v.r @ v.X.T @ v.L @ v.X @ v.z,
        {"X": lambda v: v.L.T @ v.X @ np.outer(v.r, v.z) + v.L @ v.X @ np.outer(v.z, v.r)},
    ),
    Identity(
        "83: (Xb + c)'D(Xb + c)",
        (T * r + g).T * L * (T * r + g),
        lambda v: (v.X @ v.r + v.g) @ v.L @ (v.X @ v.r + v.g),
        {"X": lambda v: (v.L + v.L.T) @ np.outer(v.X @ v.r + v.g, v.r)},
    ),
    Identity(
        "84, 86, 88: (x - As)'W(x - As)",
        (x - A * s).T * W * (x - A * s),
        lambda v: (v.x - v.A @ v.s) @ v.W @ (v.x - v.A @ v.s),
        {
            "s": lambda v: -2 * v.A.T @ v.W @ (v.x - v.A @ v.s),
            "x": lambda v: 2 * v.W @ (v.x - v.A @ v.s),
            "A": lambda v: -2 * v.W @ np.outer(v.x - v.A @ v.s, v.s),
        },
        symmetric="W",
    ),
    Identity(
        "85, 87: (x - s)'W(x - s)",
        (x - s).T * W * (x - s),
        lambda v: (v.x - v.s) @ v.W @ (v.x - v.s),
        {"x": lambda v: 2 * v.W @ (v.x - v.s), "s": lambda v: -2 * v.W @ (v.x - v.s)},
        symmetric="W",
    ),
    Identity(
        "90: X^3",
        tr(C.T * X**3),
        lambda v: (v.C * power(v.X, 3)).sum(),
        {"X": lambda v: summed(power(v.X.T, k) @ v.C @ power(v.X.T, 2 - k) for k in range(3))},
    ),
    Identity(
        "91: a'X^4 b",
        a.T * X**4 * b,
        lambda v: v.a @ power(v.X, 4) @ v.b,
        {"X": lambda v: summed(power(v.X.T, k) @ np.outer(v.a, v.b) @ power(v.X.T, 3 - k) for k in range(4))},
    ),
    Identity(
        "92: a'(X^3)'X^3 b",
        a.T * (X**3).T * X**3 * b,
        lambda v: v.a @ power(v.X, 3).T @ power(v.X, 3) @ v.b,
        {
            "X": lambda v: summed(
                power(v.X.T, k) @ power(v.X, 3) @ (np.outer(v.a, v.b) + np.outer(v.b, v.a)) @ power(v.X.T, 2 - k)
                for k in range(3)
            )
        },
    ),
    Identity(
        "96, 97: x'Ax + b'x",
        x.T * A * x + b.T * x,
        lambda v: v.x @ v.A @ v.x + v.b @ v.x,
        {"x": lambda v: (v.A + v.A.T) @ v.x + v.b},
    ),
]
