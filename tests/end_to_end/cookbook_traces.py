"""The Matrix Cookbook's chapter 2 continued: traces, norms; and the example inputs of matrixcalculus.org.

The example inputs are those of http://www.matrixcalculus.org/documentation. Two stored versions of the page differ in
one of the nine (`norm1(A*x-y)` against `sin(x)'*y`); both are here. There `.*` is the entrywise product, exp, log
and sin act on entries, `vector(1)` is a vector of ones, lower case a, b are scalars and y, v, w, x vectors.
"""

from __future__ import annotations

import numpy as np
import sympy as sp

from tests.end_to_end.cookbook import (
    A,
    B,
    C,
    E,
    G,
    H,
    Identity,
    K,
    L,
    R,
    T,
    X,
    a,
    c,
    det,
    dt,
    frobenius,
    g,
    inv,
    inverse,
    m,
    n,
    norm,
    one,
    power,
    summed,
    tr,
    x,
)

# -- 2.5 traces --------------------------------------------------------------------------------------------------------

first = sp.MatrixSymbol("F", n, m)
FIRST_ORDER = [
    Identity("99: tr(X)", tr(X), lambda v: np.trace(v.X), {"X": lambda v: np.eye(len(v.X))}),
    Identity("100: tr(XA)", tr(T * first), lambda v: np.trace(v.X @ v.F), {"X": lambda v: v.F.T}, jit=True),
    Identity("101: tr(AXB)", tr(H * T * G), lambda v: np.trace(v.H @ v.X @ v.G), {"X": lambda v: v.H.T @ v.G.T}),
    Identity(
        "102: tr(AX'B)",
        tr(G.T * T.T * H.T),
        lambda v: np.trace(v.G.T @ v.X.T @ v.H.T),
        {"X": lambda v: v.H.T @ v.G.T},
    ),
    Identity("103: tr(X'A)", tr(T.T * first.T), lambda v: np.trace(v.X.T @ v.F.T), {"X": lambda v: v.F.T}),
    Identity("104: tr(AX')", tr(first.T * T.T), lambda v: np.trace(v.F.T @ v.X.T), {"X": lambda v: v.F.T}),
    Identity(
        "105: tr(kron(A, X))",
        tr(sp.KroneckerProduct(E, X)),
        lambda v: np.trace(np.kron(v.E, v.X)),
        {"X": lambda v: np.trace(v.E) * np.eye(len(v.X)), "E": lambda v: np.trace(v.X) * np.eye(len(v.E))},
        jit=True,
    ),
]

SECOND_ORDER = [
    Identity("106: tr(X^2)", tr(X**2), lambda v: np.trace(v.X @ v.X), {"X": lambda v: 2 * v.X.T}),
    Identity(
        "107: tr(X^2 B)",
        tr(X**2 * B),
        lambda v: np.trace(v.X @ v.X @ v.B),
        {"X": lambda v: (v.X @ v.B + v.B @ v.X).T},
    ),
    Identity(
        "108: tr(X'BX)",
        tr(T.T * L * T),
        lambda v: np.trace(v.X.T @ v.L @ v.X),
        {"X": lambda v: v.L @ v.X + v.L.T @ v.X},
    ),
    Identity(
        "109: tr(BXX')",
        tr(L * T * T.T),
        lambda v: np.trace(v.L @ v.X @ v.X.T),
        {"X": lambda v: v.L @ v.X + v.L.T @ v.X},
    ),
    Identity(
        "110: tr(XX'B)",
        tr(T * T.T * L),
        lambda v: np.trace(v.X @ v.X.T @ v.L),
        {"X": lambda v: v.L @ v.X + v.L.T @ v.X},
    ),
    Identity(
        "111: tr(XBX')",
        tr(T * R * T.T),
        lambda v: np.trace(v.X @ v.R @ v.X.T),
        {"X": lambda v: v.X @ v.R.T + v.X @ v.R},
    ),
    Identity(
        "112: tr(BX'X)",
        tr(R * T.T * T),
        lambda v: np.trace(v.R @ v.X.T @ v.X),
        {"X": lambda v: v.X @ v.R.T + v.X @ v.R},
    ),
    Identity(
        "113: tr(X'XB)",
        tr(T.T * T * R),
        lambda v: np.trace(v.X.T @ v.X @ v.R),
        {"X": lambda v: v.X @ v.R.T + v.X @ v.R},
    ),
    Identity(
        "114: tr(AXBX)",
        tr(A * X * B * X),
        lambda v: np.trace(v.A @ v.X @ v.B @ v.X),
        {"X": lambda v: v.A.T @ v.X.T @ v.B.T + v.B.T @ v.X.T @ v.A.T},
    ),
    Identity("115: tr(X'X)", tr(T.T * T), lambda v: (v.X**2).sum(), {"X": lambda v: 2 * v.X}),
    Identity(
        "116: tr(B'X'CXB)",
        tr(G.T * T.T * L * T * G),
        lambda v: np.trace(v.G.T @ v.X.T @ v.L @ v.X @ v.G),
        {"X": lambda v: v.L.T @ v.X @ v.G @ v.G.T + v.L @ v.X @ v.G @ v.G.T},
    ),
    Identity(
        "117: tr(X'BXC)",
        tr(T.T * L * T * R),
        lambda v: np.trace(v.X.T @ v.L @ v.X @ v.R),
        {"X": lambda v: v.L @ v.X @ v.R + v.L.T @ v.X @ v.R.T},
    ),
    Identity(
        "118: tr(AXBX'C)",
        tr(H * T * R * T.T * H.T),
        lambda v: np.trace(v.H @ v.X @ v.R @ v.X.T @ v.H.T),
        {"X": lambda v: v.H.T @ v.H @ v.X @ v.R.T + v.H.T @ v.H @ v.X @ v.R},
    ),
    Identity(
        "119: tr((AXB + C)(AXB + C)')",
        tr((H * T * G + E) * (H * T * G + E).T),
        lambda v: ((v.H @ v.X @ v.G + v.E) ** 2).sum(),
        {
            "X": lambda v: 2 * v.H.T @ (v.H @ v.X @ v.G + v.E) @ v.G.T,
            "G": lambda v: 2 * (v.H @ v.X).T @ (v.H @ v.X @ v.G + v.E),
        },
    ),
    Identity(
        "120: tr(kron(X, X))",
        tr(sp.KroneckerProduct(X, X)),
        lambda v: np.trace(np.kron(v.X, v.X)),
        {"X": lambda v: 2 * np.trace(v.X) * np.eye(len(v.X))},
    ),
]

HIGHER_ORDER = [
    Identity(
        "121: tr(X^5)",
        tr(X**5),
        lambda v: np.trace(power(v.X, 5)),
        {"X": lambda v: 5 * power(v.X, 4).T},
        jit=True,
    ),
    Identity(
        "122: tr(AX^4)",
        tr(A * X**4),
        lambda v: np.trace(v.A @ power(v.X, 4)),
        {"X": lambda v: summed((power(v.X, k) @ v.A @ power(v.X, 3 - k)).T for k in range(4))},
    ),
    Identity(
        "123: tr(B'X'CXX'CXB)",
        tr(G.T * T.T * L * T * T.T * L * T * G),
        lambda v: np.trace(v.G.T @ v.X.T @ v.L @ v.X @ v.X.T @ v.L @ v.X @ v.G),
        {
            "X": lambda v: (
                v.L @ v.X @ v.X.T @ v.L @ v.X @ v.G @ v.G.T
                + v.L.T @ v.X @ v.G @ v.G.T @ v.X.T @ v.L.T @ v.X
                + v.L @ v.X @ v.G @ v.G.T @ v.X.T @ v.L @ v.X
                + v.L.T @ v.X @ v.X.T @ v.L.T @ v.X @ v.G @ v.G.T
            )
        },
    ),
    Identity(
        "124: tr(A inv(X) B)",
        tr(A * X**-1 * B),
        lambda v: np.trace(v.A @ inv(v.X) @ v.B),
        {"X": lambda v: -inv(v.X).T @ v.A.T @ v.B.T @ inv(v.X).T},
        regular="X",
    ),
    Identity(
        "125: tr(inv(X'CX) A)",
        tr(inverse(T.T * L * T) * R),
        lambda v: np.trace(inv(v.X.T @ v.L @ v.X) @ v.R),
        {"X": lambda v: -(v.L @ v.X @ inv(v.X.T @ v.L @ v.X)) @ (v.R + v.R.T) @ inv(v.X.T @ v.L @ v.X)},
        symmetric="L",
    ),
    Identity(
        "126: tr(inv(X'CX) X'BX)",
        tr(inverse(T.T * L * T) * (T.T * K * T)),
        lambda v: np.trace(inv(v.X.T @ v.L @ v.X) @ v.X.T @ v.K @ v.X),
        {
            "X": lambda v: (
                -2 * v.L @ v.X @ inv(v.X.T @ v.L @ v.X) @ v.X.T @ v.K @ v.X @ inv(v.X.T @ v.L @ v.X)
                + 2 * v.K @ v.X @ inv(v.X.T @ v.L @ v.X)
            )
        },
        symmetric="LK",
    ),
    Identity(
        "127: tr(inv(A + X'CX) X'BX)",
        tr(inverse(R + T.T * L * T) * (T.T * K * T)),
        lambda v: np.trace(inv(v.R + v.X.T @ v.L @ v.X) @ v.X.T @ v.K @ v.X),
        {
            "X": lambda v: (
                -2 * v.L @ v.X @ inv(v.R + v.X.T @ v.L @ v.X) @ v.X.T @ v.K @ v.X @ inv(v.R + v.X.T @ v.L @ v.X)
                + 2 * v.K @ v.X @ inv(v.R + v.X.T @ v.L @ v.X)
            )
        },
        symmetric="LKR",
    ),
]

# -- 2.6, 2.7 norms ----------------------------------------------------------------------------------------------------

NORMS = [
    Identity(
        "129: ||x - a||",
        sp.sqrt((x - a).T * (x - a)),
        lambda v: norm(v.x - v.a),
        {"x": lambda v: (v.x - v.a) / norm(v.x - v.a)},
        jit=True,
    ),
    Identity(
        "129: ||x - a|| by the entry of a product",
        sp.sqrt(((x - a).T * (x - a))[0, 0]),
        lambda v: norm(v.x - v.a),
        {"x": lambda v: (v.x - v.a) / norm(v.x - v.a)},
    ),
    Identity(
        "129: ||x - a|| by a dot product",
        sp.sqrt(sp.DotProduct(x - a, x - a)),
        lambda v: norm(v.x - v.a),
        {"x": lambda v: (v.x - v.a) / norm(v.x - v.a)},
    ),
    Identity(
        "130: (x - a)/||x - a||",
        c.T * (x - a) / sp.sqrt(tr((x - a).T * (x - a))),
        lambda v: v.c @ (v.x - v.a) / norm(v.x - v.a),
        {"x": lambda v: v.c / norm(v.x - v.a) - (v.x - v.a) * ((v.x - v.a) @ v.c) / norm(v.x - v.a) ** 3},
    ),
    Identity("131: ||x||^2", x.T * x, lambda v: v.x @ v.x, {"x": lambda v: 2 * v.x}),
    Identity("132: ||X||_F^2", tr(T * T.T), lambda v: (v.X**2).sum(), {"X": lambda v: 2 * v.X}),
    Identity(
        "132: ||X||_F^2 by an entrywise square",
        one(1, m) * sp.HadamardPower(T, 2) * one(n, 1),
        lambda v: (v.X**2).sum(),
        {"X": lambda v: 2 * v.X},
    ),
    Identity("132: ||X||_F", sp.sqrt(frobenius(T)), lambda v: norm(v.X), {"X": lambda v: v.X / norm(v.X)}, jit=True),
    Identity(
        "132: ||AX - B||_F^2",
        frobenius(L * T - first.T),
        lambda v: ((v.L @ v.X - v.F.T) ** 2).sum(),
        {"X": lambda v: 2 * v.L.T @ (v.L @ v.X - v.F.T), "L": lambda v: 2 * (v.L @ v.X - v.F.T) @ v.X.T},
    ),
]

# -- matrixcalculus.org ------------------------------------------------------------------------------------------------

y, w, z = sp.MatrixSymbol("y", m, 1), sp.MatrixSymbol("w", n, 1), sp.MatrixSymbol("z", n, 1)
base, exponent = sp.symbols("a b", positive=True)
margins = sp.HadamardProduct(y, T * w)


def sigmoid(q: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-q))


WEBSITE = [
    Identity(
        "0.5*x'*A*x",
        0.5 * x.T * A * x,
        lambda v: 0.5 * v.x @ v.A @ v.x,
        {"x": lambda v: 0.5 * (v.A + v.A.T) @ v.x, "A": lambda v: 0.5 * np.outer(v.x, v.x)},
    ),
    Identity(
        "A*exp(x)",
        g.T * T * w.applyfunc(sp.exp),
        lambda v: v.g @ v.X @ np.exp(v.w),
        {"w": lambda v: v.X.T @ v.g * np.exp(v.w), "X": lambda v: np.outer(v.g, np.exp(v.w))},
        jit=True,
    ),
    Identity(
        "sin(x)'*y",
        x.applyfunc(sp.sin).T * z,
        lambda v: np.sin(v.x) @ v.z,
        {"x": lambda v: np.cos(v.x) * v.z, "z": lambda v: np.sin(v.x)},
    ),
    Identity(
        "(y.*v)'*x",
        sp.HadamardProduct(z, w).T * x,
        lambda v: (v.z * v.w) @ v.x,
        {"x": lambda v: v.z * v.w, "z": lambda v: v.w * v.x, "w": lambda v: v.z * v.x},
    ),
    Identity(
        "a^b",
        base**exponent,
        lambda v: v.a**v.b,
        {"a": lambda v: v.b * v.a ** (v.b - 1), "b": lambda v: v.a**v.b * np.log(v.a)},
        positive="ab",
        jit=True,
    ),
    Identity(
        "norm1(A*x-y)",
        one(1, m) * (T * w - y).applyfunc(sp.Abs),
        lambda v: np.abs(v.X @ v.w - v.y).sum(),
        {
            "w": lambda v: v.X.T @ np.sign(v.X @ v.w - v.y),
            "X": lambda v: np.outer(np.sign(v.X @ v.w - v.y), v.w),
            "y": lambda v: -np.sign(v.X @ v.w - v.y),
        },
        jit=True,
    ),
    Identity(
        "norm2(A*x-y)^2",
        sp.sqrt((T * w - y).T * (T * w - y)) ** 2,
        lambda v: ((v.X @ v.w - v.y) ** 2).sum(),
        {"w": lambda v: 2 * v.X.T @ (v.X @ v.w - v.y), "X": lambda v: 2 * np.outer(v.X @ v.w - v.y, v.w)},
    ),
    Identity(
        "sum(log(exp(-y.*(X*w)) + vector(1)))",
        one(1, m) * ((-margins).applyfunc(sp.exp) + one(m, 1)).applyfunc(sp.log),
        lambda v: np.log1p(np.exp(-v.y * (v.X @ v.w))).sum(),
        {
            "w": lambda v: -v.X.T @ (v.y * sigmoid(-v.y * (v.X @ v.w))),
            "X": lambda v: -np.outer(v.y * sigmoid(-v.y * (v.X @ v.w)), v.w),
        },
        jit=True,
    ),
    Identity(
        "tr(A*X'*B*X*C)",
        tr(R * T.T * L * T * C),
        lambda v: np.trace(v.R @ v.X.T @ v.L @ v.X @ v.C),
        {"X": lambda v: v.L @ v.X @ v.C @ v.R + v.L.T @ v.X @ (v.C @ v.R).T},
    ),
    Identity(
        "log(det(inv(X)))",
        sp.log(dt(inverse(X))),
        lambda v: -np.log(det(v.X)),
        {"X": lambda v: -inv(v.X).T},
        regular="X",
    ),
]
