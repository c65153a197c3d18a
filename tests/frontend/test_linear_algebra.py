"""Matrix constructs beyond sums and products: value and gradient against NumPy, cost, refusals, saved modules."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy.stats import multivariate_normal
from sympy.combinatorics import Permutation
from sympy.matrices.expressions import (
    BlockDiagMatrix,
    CompanionMatrix,
    DotProduct,
    KroneckerProduct,
    MatrixPermute,
    Permanent,
    PermutationMatrix,
)
from sympy.matrices.expressions.special import GenericIdentity, GenericZeroMatrix

import symbackprop as sbp
from symbackprop.errors import ShapeError, UnsupportedExpressionError
from tests.frontend.helpers import program
from tests.kernels import gaussian
from tests.plain import compile_plain

m, n, k = sp.symbols("m n k", integer=True, positive=True)
i, j = sp.symbols("i j", integer=True)
lam = sp.Symbol("lam")
SIZES = {"m": 4, "n": 3, "k": 2}
A, B = sp.MatrixSymbol("A", n, n), sp.MatrixSymbol("B", n, n)
W, V = sp.MatrixSymbol("W", m, n), sp.MatrixSymbol("V", m, n)
x, y = sp.MatrixSymbol("x", n, 1), sp.MatrixSymbol("y", n, 1)
b = sp.MatrixSymbol("b", m, 1)
P, Q = sp.MatrixSymbol("P", 3, 3), sp.MatrixSymbol("Q", 2, 2)
r = sp.IndexedBase("r", (n,))
inv, det, eye = np.linalg.inv, np.linalg.det, np.eye


def grid(entry: Any) -> Any:
    """The n x n matrix of a formula in i and j."""
    return sp.FunctionMatrix(n, n, sp.Lambda((i, j), entry))


CASES: dict[str, tuple[Any, Callable[..., Any]]] = {
    "inverse": (A.I, lambda v: inv(v.A)),
    "inverse of transpose": (A.T.I * x, lambda v: inv(v.A.T) @ v.x),
    "inverse of product": ((A * B).I * x, lambda v: inv(v.A @ v.B) @ v.x),
    "normal equations": ((W.T * W).I * W.T * b, lambda v: inv(v.W.T @ v.W) @ v.W.T @ v.b),
    "ridge": ((W.T * W + lam * sp.Identity(n)).I * W.T * b, lambda v: inv(v.W.T @ v.W + v.lam * eye(3)) @ v.W.T @ v.b),
    "quadratic form of an inverse": (x.T * A.I * y, lambda v: v.x @ inv(v.A) @ v.y),
    "inverse twice": (x.T * A.I.T * A.I * x, lambda v: np.sum((inv(v.A) @ v.x) ** 2)),
    "matrix over matrix": (W * A.I, lambda v: v.W @ inv(v.A)),
    "matrix over matrix times matrix": (W * A.I * B, lambda v: v.W @ inv(v.A) @ v.B),
    "inverse in sandwich": (A.I * B * A.I, lambda v: inv(v.A) @ v.B @ inv(v.A)),
    "trace with inverse": (sp.Trace(A.I * B), lambda v: np.trace(inv(v.A) @ v.B)),
    "inverse of 1x1": (sp.Inverse(x.T * A * x) * x.T * y, lambda v: v.x @ v.y / (v.x @ v.A @ v.x)),
    "inverse of numbers": (
        sp.MatrixSymbol("R", 2, 2) * sp.Inverse(sp.Matrix([[lam, 1], [2, 3]])),
        None,
    ),
    "entry of an inverse": (A.I[0, 1], lambda v: inv(v.A)[0, 1]),
    "entry of a solution": ((A.I * x)[2, 0], lambda v: (inv(v.A) @ v.x)[2]),
    "negative power": (A**-2 * x, lambda v: inv(v.A) @ inv(v.A) @ v.x),
    "negative power alone": (A**-3, lambda v: np.linalg.matrix_power(inv(v.A), 3)),
    "power on a vector": (y.T * A**3 * x, lambda v: v.y @ v.A @ v.A @ v.A @ v.x),
    "power zero": (sp.MatPow(A, 0) * x + y, lambda v: v.x + v.y),
    "trace of power": (sp.Trace(A**3) + sp.Trace(A**2), lambda v: np.trace(v.A @ v.A @ v.A + v.A @ v.A)),
    "trace of negative power": (sp.Trace(A**-2), lambda v: np.trace(inv(v.A) @ inv(v.A))),
    "trace of sum": (sp.Trace(A * B + 2 * A.T - B), lambda v: np.trace(v.A @ v.B + 2 * v.A - v.B)),
    "determinant": (sp.Determinant(A), lambda v: det(v.A)),
    "determinant of 1x1": (sp.Determinant(sp.Transpose(x) * y), lambda v: v.x @ v.y),
    "log det": (sp.log(sp.Determinant(A)), lambda v: np.log(det(v.A))),
    "log abs det": (sp.log(sp.Abs(sp.Determinant(-A))), lambda v: np.log(abs(det(v.A)))),
    "log of root of det": (sp.log(1 / sp.sqrt((2 * sp.pi) ** n * sp.Determinant(A))), None),
    "log of scaled det": (sp.log(3 * sp.Determinant(A) / 2), lambda v: np.log(1.5 * det(v.A))),
    "log of squared det": (sp.log(sp.Determinant(A) ** 2), lambda v: 2 * np.log(abs(det(v.A)))),
    "det of inverse": (sp.Determinant(A.I), lambda v: 1 / det(v.A)),
    "log det of inverse": (sp.log(sp.Determinant(sp.Inverse(A))), lambda v: -np.log(det(v.A))),
    "scalar from vectors times matrix": ((x.T * y) * A, lambda v: (v.x @ v.y) * v.A),
    "matrix times scalar from vectors": (W * (x.T * A * y), lambda v: v.W * (v.x @ v.A @ v.y)),
    "mirrored": (sp.sqrt(x.T * W.T * W * x), lambda v: np.linalg.norm(v.W @ v.x)),
    "exp of quadratic form": (sp.exp(-x.T * A * x / 2) * 2, lambda v: 2 * np.exp(-v.x @ v.A @ v.x / 2)),
    "generic": (
        sp.MatAdd(A, GenericZeroMatrix(), evaluate=False) + sp.MatMul(B, GenericIdentity(), evaluate=False),
        None,
    ),
    "diag of vector": (sp.DiagMatrix(x) * A * sp.DiagMatrix(y), lambda v: np.diag(v.x) @ v.A @ np.diag(v.y)),
    "diag of row": (sp.DiagMatrix(x.T) * y, lambda v: v.x * v.y),
    "diag alone": (sp.DiagMatrix(x), lambda v: np.diag(v.x)),
    "diag sum": (lam * sp.DiagMatrix(x) - sp.DiagMatrix(y), lambda v: np.diag(v.lam * v.x - v.y)),
    "inverse of diag": (sp.Inverse(sp.DiagMatrix(x)) * A, lambda v: v.A / v.x[:, None]),
    "diag under inverse": ((sp.DiagMatrix(x) + A).I * y, lambda v: inv(np.diag(v.x) + v.A) @ v.y),
    "log det of diag": (sp.log(sp.Determinant(sp.DiagMatrix(x))), lambda v: np.log(v.x).sum()),
    "diagonal of matrix": (sp.DiagonalOf(A * B), lambda v: np.diag(v.A @ v.B)),
    "diagonal of tall matrix": (sp.DiagonalOf(sp.MatrixSymbol("T", n + 1, n)), lambda v: np.diag(v.T)),
    "only the diagonal": (sp.DiagonalMatrix(A) * x, lambda v: np.diag(v.A) * v.x),
    "dot product": (DotProduct(x, y.T) + DotProduct(x.T, x), lambda v: v.x @ v.y + v.x @ v.x),
    "block diagonal": (BlockDiagMatrix(A, x, Q), lambda v: _block_diag(v.A, v.x[:, None], v.Q)),
    "inverse of block diagonal": (sp.Inverse(BlockDiagMatrix(A, Q)), lambda v: _block_diag(inv(v.A), inv(v.Q))),
    "transposed blocks": (sp.BlockMatrix([[A, x], [y.T, sp.Matrix([[2]])]]).T, None),
    "inverse of blocks": (sp.BlockMatrix([[A, x], [y.T, sp.Matrix([[2]])]]).I, None),
    "slice": (W[1:3, :-1], lambda v: v.W[1:3, :-1]),
    "slice of product": ((W * A)[1:, 0], lambda v: (v.W @ v.A)[1:, 0]),
    "slice with step": (sp.MatrixSymbol("S", 2 * n, 5)[::2, 1::3], lambda v: v.S[::2, 1::3]),
    "slice to a size": (W[0:n, 0:k] * sp.MatrixSymbol("K", k, k), None),
    "function of indices": (grid(1 / (i + j + 1)) + A, lambda v: 1 / (np.add.outer(range(3), range(3)) + 1) + v.A),
    "function of arrays": (grid(r[i] * r[j] * A[i, j]) * x, lambda v: np.outer(v.r, v.r) * v.A @ v.x),
    "function with delta": (grid(sp.KroneckerDelta(i, j) * r[i] + lam) * x, lambda v: v.r * v.x + v.lam * v.x.sum()),
    "two deltas of one pair": (
        sp.Sum(sp.KroneckerDelta(i, j) * sp.KroneckerDelta(i, j, (0, n - 1)) * r[i], (i, 0, n - 1), (j, 0, n - 1)),
        lambda v: v.r.sum(),
    ),
    "function in a determinant": (sp.Determinant(grid(sp.exp(-((r[i] - r[j]) ** 2)))), None),
    "entries of a solution": (sp.Sum((A.I * x)[i, 0] ** 2, (i, 0, n - 1)), lambda v: ((inv(v.A) @ v.x) ** 2).sum()),
    "entries of a kronecker product": (
        sp.Sum(KroneckerProduct(A, x)[i, j] ** 2, (i, 0, n**2 - 1), (j, 0, n - 1)),
        None,
    ),
    "kronecker": (KroneckerProduct(A, W), lambda v: np.kron(v.A, v.W)),
    "kronecker of vectors": (KroneckerProduct(x, b.T) + 0 * W.T, lambda v: np.outer(v.x, v.b)),
    "kronecker of columns": (KroneckerProduct(x, b), lambda v: np.kron(v.x, v.b)),
    "kronecker times vector": (KroneckerProduct(A, Q, x) * sp.MatrixSymbol("z", 2 * n, 1), None),
    "permutation": (PermutationMatrix(Permutation([1, 2, 0])) * P, lambda v: v.P[[1, 2, 0]]),
    "permuted rows": (MatrixPermute(P, Permutation([1, 2, 0])), lambda v: v.P[[1, 2, 0]]),
    "permuted columns": (MatrixPermute(P, Permutation([1, 2, 0]), 1), lambda v: v.P[:, [1, 2, 0]]),
    "explicit times symbol": (sp.ImmutableMatrix([[lam, 1], [2, lam**2]]) * Q, None),
    "sparse": (
        sp.SparseMatrix(3, 3, {(0, 2): lam, (1, 1): 2}) * P,
        lambda v: np.array([[0, 0, v.lam], [0, 2, 0], [0, 0, 0]]) @ v.P,
    ),
    "explicit det": (P.as_explicit().det(), lambda v: det(v.P)),
    "explicit inverse": (Q.as_explicit().inv(), lambda v: inv(v.Q)),
    "entry of product": ((A * B)[0, n - 1], lambda v: (v.A @ v.B)[0, -1]),
    "entry of product unevaluated": (sp.matrices.expressions.matexpr.MatrixElement(A * B * lam, 0, n - 1), None),
    "vector entry": ((A * x)[0] * (x.T * y)[0], lambda v: (v.A @ v.x)[0] * (v.x @ v.y)),
    "sum entry": ((A + B)[n - 1, 0], lambda v: (v.A + v.B)[-1, 0]),
    "sum over entries": (sp.Sum((A * B)[i, i], (i, 0, n - 1)), lambda v: np.trace(v.A @ v.B)),
    "hadamard with identity": (sp.HadamardProduct(A, sp.Identity(n)) * x, lambda v: np.diag(v.A) * v.x),
    "norm": (sbp.norm(x - y) + sbp.norm(W), lambda v: np.linalg.norm(v.x - v.y) + np.linalg.norm(v.W)),
    "norm of residual": (sbp.norm(W * x - b), lambda v: np.linalg.norm(v.W @ v.x - v.b)),
    "1-norm": (sbp.norm(x - y, 1), lambda v: np.abs(v.x - v.y).sum()),
    "largest": (sbp.norm(x - y, sp.oo), lambda v: np.abs(v.x - v.y).max()),
    "p-norm": (sbp.norm(x - y, 3), lambda v: (np.abs(v.x - v.y) ** 3).sum() ** (1 / 3)),
    "column sums": (sbp.norm(W, 1), lambda v: np.abs(v.W).sum(0).max()),
    "row sums": (sbp.norm(W, float("inf")), lambda v: np.abs(v.W).sum(1).max()),
    "norm of explicit": (sbp.norm(sp.Matrix([lam, 2])), lambda v: np.hypot(v.lam, 2)),
}


def _block_diag(*blocks: np.ndarray) -> np.ndarray:
    out = np.zeros(np.sum([c.shape for c in blocks], axis=0))
    at = [0, 0]
    for c in blocks:
        out[at[0] : at[0] + c.shape[0], at[1] : at[1] + c.shape[1]] = c
        at = [at[0] + c.shape[0], at[1] + c.shape[1]]
    return out


def _bordered(v: Any) -> np.ndarray:
    return np.block([[v.A, v.x[:, None]], [v.y[None], np.full((1, 1), 2.0)]])


#: References too long for the table.
REFERENCES: dict[str, Callable[..., Any]] = {
    "inverse of numbers": lambda v: v.R @ inv(np.array([[v.lam, 1], [2, 3]])),
    "log of root of det": lambda v: -0.5 * (3 * np.log(2 * np.pi) + np.log(det(v.A))),
    "generic": lambda v: v.A + v.B,
    "transposed blocks": lambda v: _bordered(v).T,
    "inverse of blocks": lambda v: inv(_bordered(v)),
    "function in a determinant": lambda v: det(np.exp(-(np.subtract.outer(v.r, v.r) ** 2))),
    "entries of a kronecker product": lambda v: (v.A**2).sum() * (v.x**2).sum(),
    "slice to a size": lambda v: v.W[:3, :2] @ v.K,
    "kronecker times vector": lambda v: np.kron(np.kron(v.A, v.Q), v.x[:, None]) @ v.z,
    "explicit times symbol": lambda v: np.array([[v.lam, 1], [2, v.lam**2]]) @ v.Q,
    "entry of product unevaluated": lambda v: (v.A @ v.B)[0, -1] * v.lam,
}


class Values(dict):
    """Arguments by name, as attributes."""

    __getattr__ = dict.__getitem__


def arguments(kernel: Any) -> Values:
    """Positive arguments; square matrices are well away from singular, with a positive determinant."""
    rng = np.random.default_rng(3)
    out = Values()
    for record in kernel.inputs:
        shape = [int(d.xreplace({s: SIZES[s.name] for s in d.free_symbols})) for d in record.shape]
        value = rng.uniform(0.5, 1.5, [d for d in shape if d != 1] if len(shape) == 2 else shape)
        if len(shape) == 2 and shape[0] == shape[1]:
            value += 2 * np.eye(shape[0])
        out[record.name] = value
    return out


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient(name: str) -> None:
    expr, reference = CASES[name]
    reference = reference or REFERENCES[name]
    kernel = compile_plain(expr)
    values = arguments(kernel)
    expected = np.asarray(reference(values))
    weights = np.asarray(np.random.default_rng(4).uniform(0.5, 1.5, expected.shape))
    value, grads = kernel.value_and_grad(**values, upstream=weights)
    np.testing.assert_allclose(np.reshape(value, expected.shape), expected, rtol=1e-12, atol=1e-13)
    for key, argument in values.items():
        numeric = np.zeros(np.shape(argument))
        for at in np.ndindex(numeric.shape):
            sides = []
            for h in (1e-6, -1e-6):
                moved = np.array(argument)
                moved[at] += h
                sides.append(np.sum(weights * reference(Values(values, **{key: moved}))))
            numeric[at] = (sides[0] - sides[1]) / 2e-6
        np.testing.assert_allclose(grads[key], numeric, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("expr", "at_zero"),
    [
        (sbp.norm(x), ["x"]),
        (sbp.norm(x, 1), ["x"]),
        (sbp.norm(x, sp.oo), ["x"]),
        (sbp.norm(x, 3), ["x"]),
        (sbp.norm(W), ["W"]),
        (sbp.norm(W, sp.oo), ["W"]),
        (sp.sqrt(sp.Trace(W.T * W)), ["W"]),
        (sp.sqrt(x.T * x), ["x"]),
        (sp.sqrt(x.T * W.T * W * x), ["x"]),
        (sbp.norm(W * x - b), ["x", "b"]),
    ],
)
def test_norms_have_gradient_zero_at_zero(expr: Any, at_zero: list[str]) -> None:
    kernel = compile_plain(expr)
    values = arguments(kernel)
    values.update({name: np.zeros_like(values[name]) for name in at_zero})
    value, grads = kernel.value_and_grad(**values)
    assert value == 0
    for gradient in grads.values():
        np.testing.assert_array_equal(gradient, 0)


#: Expression, and the calls of the routines in its one fused kernel, by first letter: inverse, solution ...
CALLS = {
    x.T * A.I * y: "ss",
    x.T * A.I.T * A.I * x: "ss",
    W * A.I * x: "ss",
    W * A.I: "ss",
    A.I * B * x: "ss",
    A**-2 * x: "ssss",
    sp.Trace(A.I * B): "i",
    sp.log(sp.Determinant(A)): "li",
    sp.log(sp.Abs(sp.Determinant(A))): "li",
    sp.Trace(A.I) + sp.log(sp.Determinant(A)): "il",
    sp.Determinant(A): "dc",
    sp.Inverse(sp.DiagMatrix(x)) * A * y: "",
    sp.log(sp.Determinant(sp.DiagMatrix(x))): "",
    sp.Determinant(-sp.DiagMatrix(x)): "",
    sp.Trace(sp.DiagMatrix(x).I * A): "",
}


@pytest.mark.parametrize("expr", CALLS, ids=str)
def test_no_inverse_where_a_system_will_do(expr: Any) -> None:
    source = compile_plain(expr).source
    body = source[source.index("def _value_and_grad") : source.index("def value_and_grad")]
    calls = [call[0] for call in re.findall(r"\w+(?=_of\()", body)]
    assert sorted(calls) == sorted(CALLS[expr])


@pytest.mark.parametrize(
    ("expr", "cost"),
    [
        (sp.DiagMatrix(x) * A, n**2),
        (W * sp.DiagMatrix(x), m * n),
        (sp.DiagMatrix(x) * sp.DiagMatrix(y), 2 * n),
        (sp.MatMul(A, sp.Identity(n), x, evaluate=False), 2 * n**2),
        (sp.Trace(A * B + A.T), 2 * n**2 + n + 1),
        (sp.Trace(A**2), 2 * n**2),
        (x.T * A**4 * y, 8 * n**2 + 2 * n),
        ((A * B)[0, 1], 4 * n),
        (sp.matrices.expressions.matexpr.MatrixElement(A * B, 0, 1), 4 * n),
        (KroneckerProduct(A, sp.MatrixSymbol("C", m, m)), 2 * m**2 * n**2),
    ],
    ids=str,
)
def test_cost(expr: Any, cost: Any) -> None:
    found = compile_plain(expr).cost().fprop
    names = {s.name: s for s in (m, n)}
    assert sp.expand(found.xreplace({s: names[s.name] for s in found.free_symbols}) - cost) == 0


def test_systems_of_a_batch_are_one_system_with_many_right_sides() -> None:
    kernel = compile_plain(sbp.Mean((x.T * A.I * x)[0, 0], "N"), batch={"x": "N"})
    assert str(kernel.cost().fprop).startswith("2*N*n**2")
    rng = np.random.default_rng(0)
    a, xs = rng.normal(size=(3, 3)) + 4 * np.eye(3), rng.normal(size=(5, 3))
    value, grads = kernel.value_and_grad(A=a, x=xs)
    s = np.linalg.solve(a, xs.T).T
    np.testing.assert_allclose(value, np.mean(np.sum(xs * s, 1)), rtol=1e-13)
    np.testing.assert_allclose(grads["A"], -np.linalg.solve(a.T, xs.T) @ s / 5, rtol=1e-12)


def test_a_system_for_each_of_a_batch() -> None:
    kernel = compile_plain(A.I * x + y, batch={"A": "N"})
    rng = np.random.default_rng(0)
    a, b1, c = rng.normal(size=(4, 3, 3)) + 4 * np.eye(3), rng.normal(size=3), rng.normal(size=3)
    value, grads = kernel.value_and_grad(A=a, x=b1, y=c)
    np.testing.assert_allclose(value, np.array([np.linalg.solve(e, b1) for e in a]) + c, rtol=1e-12)
    np.testing.assert_allclose(grads["x"], sum(np.linalg.solve(e.T, np.ones(3)) for e in a), rtol=1e-12)


@pytest.mark.parametrize(
    ("expr", "error", "text"),
    [
        (
            Permanent(A),
            UnsupportedExpressionError,
            "Permanent is not supported\n  in: Permanent(A)\n  hint: for a small",
        ),
        (CompanionMatrix(sp.Poly([1, 2, 3], lam)), UnsupportedExpressionError, "CompanionMatrix is not supported"),
        (sp.Determinant(A).diff(A), UnsupportedExpressionError, "ArrayDerivative is not supported"),
        (W[::2, :], UnsupportedExpressionError, "MatrixSlice with this step is not supported"),
        (sp.MatMul(P[0:3, 0:2], x), ShapeError, "MatMul of 3 x 2 and n x 1"),
        (sp.DiagonalOf(W), UnsupportedExpressionError, "DiagonalOf of a matrix with sides that cannot be compared"),
        (sp.Trace(sp.MatAdd(A, Q)), ShapeError, "MatAdd of different shapes"),
        (sp.MatMul(W, b, x.T, x), ShapeError, "MatMul of m x n and m x 1"),
    ],
)
def test_refusals(expr: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        program(expr)
    assert str(caught.value).startswith(text)


def test_norms_that_there_are_not() -> None:
    with pytest.raises(UnsupportedExpressionError, match="spectral norm"):
        sbp.norm(W, 2)
    with pytest.raises(sbp.InputError, match="no such norm"):
        sbp.norm(W, 3)
    with pytest.raises(sbp.InputError, match="no such norm"):
        sbp.norm(x, -1)
    with pytest.raises(sbp.InputError, match="no matrix"):
        sbp.norm(lam)


def test_saved_gaussian(tmp_path: Any) -> None:
    """The module stands alone, and a singular matrix gives -inf or nan, not an exception."""
    path = gaussian().save(tmp_path / "gaussian.py")
    spec = importlib.util.spec_from_file_location("saved_gaussian", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rng = np.random.default_rng(0)
    S = np.cov(rng.normal(size=(3, 20)))
    mean, point = rng.normal(size=3), rng.normal(size=3)
    value, (by_S, by_mean) = module.value_and_grad(S, mean, point)
    r = point - mean
    np.testing.assert_allclose(value, multivariate_normal.logpdf(point, mean, S), rtol=1e-12)
    s = np.linalg.solve(S, r)
    np.testing.assert_allclose(by_mean, s, rtol=1e-11)
    np.testing.assert_allclose(by_S, (np.outer(s, s) - inv(S)) / 2, rtol=1e-11)
    value, gradients = module.value_and_grad(np.zeros((3, 3)), mean, point)
    assert np.isnan(value)
    assert all(np.isnan(g).all() for g in gradients)
