"""Arrays against NumPy: values, shapes and gradients of explicit and symbolic arrays, and the graphs they become."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from sympy import permutedims, tensorcontraction, tensordiagonal, tensorproduct
from sympy.tensor.array.expressions import (
    ArrayAdd,
    ArrayContraction,
    ArrayElement,
    ArrayElementwiseApplyFunc,
    ArraySymbol,
    ArrayTensorProduct,
    OneArray,
    PermuteDims,
    Reshape,
    ZeroArray,
    convert_array_to_matrix,
    convert_matrix_to_array,
)

from symbackprop.errors import ShapeError
from symbackprop.ir.graph import toposort
from symbackprop.ir.node import Contraction
from tests.frontend.helpers import program
from tests.plain import compile_plain

m, n, k = sp.symbols("m n k", integer=True, positive=True)
i, j = sp.symbols("i j", integer=True)
x = sp.Symbol("x")
p = sp.symbols("p0:4")
A, B = ArraySymbol("A", (m, n)), ArraySymbol("B", (n, k))
C, S = ArraySymbol("C", (m, n, k)), ArraySymbol("S", (n, n))
M, v = sp.MatrixSymbol("M", m, n), sp.MatrixSymbol("v", n, 1)

RNG = np.random.default_rng(0)
DATA: dict[str, Any] = {
    name: RNG.uniform(0.5, 1.5, shape)
    for name, shape in {"A": (2, 3), "B": (3, 4), "C": (2, 3, 4), "S": (3, 3), "M": (2, 3), "v": (3,)}.items()
}
DATA |= {f"p{q}": np.asarray(0.3 + 0.1 * q) for q in range(4)}
a, b, c, s, mm, vv = (DATA[name] for name in "ABCSMv")
column = vv[:, None]
N = sp.Array([[sp.sin(p[0]), p[1]], [p[2] * p[0], p[3]]])
entries = np.array([[np.sin(0.3), 0.4], [0.15, 0.6]])

CASES = {
    "symbol": (A, a),
    "matrix product": (tensorcontraction(tensorproduct(A, B), (1, 2)), a @ b),
    "diagonal": (tensordiagonal(tensorproduct(A, B), (1, 2)), np.einsum("ij,jk->ikj", a, b)),
    "permutation": (permutedims(C, (2, 0, 1)), c.transpose(2, 0, 1)),
    "permuted product": (PermuteDims(ArrayTensorProduct(A, v), (3, 1, 0, 2)), np.einsum("ij,kl->ljik", a, column)),
    "sum": (ArrayAdd(A, M, OneArray(m, n), ZeroArray(m, n)), a + mm + 1),
    "outer product with a matrix": (tensorproduct(A, v), np.einsum("ij,kl->ijkl", a, column)),
    "matrix times vector": (ArrayContraction(ArrayTensorProduct(M, v), (1, 2)), mm @ column),
    "trace": (tensorcontraction(S, (0, 1)), np.trace(s)),
    "three axes in one": (ArrayContraction(ArrayTensorProduct(S, v), (0, 1, 2)), (np.diag(s) @ vv)[None]),
    "nested contraction": (
        ArrayContraction(ArrayTensorProduct(C, ArrayContraction(ArrayTensorProduct(A, B), (1, 2))), (0, 3), (2, 4)),
        np.einsum("ijk,ik->j", c, a @ b),
    ),
    "entrywise": (ArrayElementwiseApplyFunc(sp.tanh, C), np.tanh(c)),
    "entrywise in a product": (ArrayTensorProduct(ArrayElementwiseApplyFunc(sp.Lambda(x, x**2 * p[0]), v), p[1]), None),
    "flattened": (Reshape(A, (n * m,)), a.ravel()),
    "merged": (Reshape(C, (m * n, k)), c.reshape(6, 4)),
    "merged behind": (Reshape(C, (m, n * k)), c.reshape(2, 12)),
    "unit axis": (Reshape(C, (m * n * k, 1)), c.reshape(-1, 1)),
    "regrouped": (Reshape(Reshape(C, (m * n * k,)), (k, n, m)), c.reshape(4, 3, 2)),
    "column to vector": (Reshape(v, (n,)), vv),
    "entries": (A[0, 1] * A[i, j], a[0, 1] * a),
    "entries in a sum": (sp.Sum(A[i, j] * B[j, 1], (i, 0, m - 1), (j, 0, n - 1)), np.sum(a @ b[:, 1])),
    "entry of a product": (ArrayElement(ArrayTensorProduct(A, v), (0, 1, 2, 0)), a[0, 1] * vv[2]),
    "from a matrix": (convert_matrix_to_array(M * v), mm @ column),
    "to a matrix": (convert_array_to_matrix(convert_matrix_to_array(M * v)), mm @ vv),
    "dense": (N, entries),
    "mutable": (sp.MutableDenseNDimArray(N), entries),
    "sparse": (sp.ImmutableSparseNDimArray(N), entries),
    "mutable and sparse": (sp.MutableSparseNDimArray(N), entries),
    "rank 0": (sp.Array(p[0] ** 2), 0.09),
    "explicit product": (tensorproduct(N, N), np.einsum("ij,kl->ijkl", entries, entries)),
    "explicit in a contraction": (
        ArrayContraction(ArrayTensorProduct(N, sp.Array(p[:2])), (1, 2)),
        entries @ [0.3, 0.4],
    ),
    "scaled": (ArrayTensorProduct(p[0], N), 0.3 * entries),
}
CASES["entrywise in a product"] = (CASES["entrywise in a product"][0], column**2 * 0.3 * 0.4)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_value_and_gradient(case: Any) -> None:
    expr, expected = case
    kernel = compile_plain(expr)
    arguments = {r.name: DATA[r.name] for r in kernel.inputs}
    value, gradients = kernel.value_and_grad(**arguments)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    assert np.shape(value) == np.shape(expected)
    rng = np.random.default_rng(1)
    for name, gradient in gradients.items():
        assert np.shape(gradient) == np.shape(DATA[name])
        way = rng.uniform(-1, 1, np.shape(gradient))
        ahead, behind = (np.sum(kernel(**{**arguments, name: DATA[name] + h * way})) for h in (1e-6, -1e-6))
        assert (ahead - behind) / 2e-6 == pytest.approx(np.sum(gradient * way), rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", ["matrix product", "permuted product", "three axes in one", "diagonal"])
def test_a_product_is_one_einsum(name: str) -> None:
    nodes = toposort(program(CASES[name][0]).graph.outputs)
    assert sum(isinstance(node, Contraction) for node in nodes) == 1


def test_an_array_symbol_is_an_argument() -> None:
    kernel = compile_plain(A[0, 1] * 2, wrt=A, inputs=[A, x])
    assert [r.name for r in kernel.inputs] == ["A", "x"]
    assert kernel.value_and_grad(a, 0.0)[1]["A"].tolist() == [[0, 2, 0], [0, 0, 0]]


def test_entries_of_an_explicit_array() -> None:
    explicit = sp.Array(p[:3])
    kernel = compile_plain(explicit[i] ** 2)
    assert [r.name for r in kernel.inputs] == ["i", "p0", "p1", "p2"]
    assert kernel.value_and_grad(1, 2.0, 3.0, 4.0)[1] == {"p0": 0.0, "p1": 6.0, "p2": 0.0}
    weights = sp.IndexedBase("w")
    total = compile_plain(sp.Sum(explicit[i] * weights[i], (i, 0, 2)), inputs=[*p[:3], weights])
    assert total(1.0, 2.0, 3.0, np.array([1.0, 10.0, 100.0])) == 321.0


def test_refusals() -> None:
    with pytest.raises(ShapeError, match="another number of entries"):
        program(Reshape(A, (m, m)))
    with pytest.raises(ShapeError, match="no entries"):
        program(sp.Array([]))
    with pytest.raises(ShapeError, match="needs scalars"):
        program(sp.Piecewise((tensorproduct(A, v), x > 0), (1, True)))
