from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from symbackprop.errors import InputError, ShapeError, UnsupportedExpressionError
from tests.frontend.helpers import evaluate, graph, program
from tests.plain import compile_plain

m, n, k, d = sp.symbols("m n k d")
i, j = sp.symbols("i j")
SIZES = {"m": 3, "n": 5, "k": 2, "d": 4, "N": 6, "A_0": 3, "E_0": 7, "x_0": 5, "r": 3}
A, B, C, E = (sp.IndexedBase(name) for name in "ABCE")
x, y, w = sp.IndexedBase("x"), sp.IndexedBase("y"), sp.IndexedBase("w")
tok = sp.IndexedBase("tok")
over_j = (j, 0, n - 1)
over_i = (i, 0, m - 1)


def chain(v):
    x = v["x"]
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


CASES = [
    (sp.Sum(A[i, j] * x[j], over_j), lambda v: v["A"] @ v["x"]),
    (sp.Sum(A[j, i] * x[j], over_j), lambda v: v["A"].T @ v["x"]),
    (sp.Sum(A[i, j] * x[j] * y[i], over_j, over_i), lambda v: v["y"] @ v["A"] @ v["x"]),
    (sp.Sum(sp.Sum(A[i, j] * x[j], over_j) ** 2, over_i), lambda v: ((v["A"] @ v["x"]) ** 2).sum()),
    (sp.Sum(y[i] * sp.tanh(sp.Sum(A[i, j] * x[j], over_j)), over_i), lambda v: v["y"] @ np.tanh(v["A"] @ v["x"])),
    (sp.Sum(E[tok[i], j] * w[j], (i, 0, k - 1), (j, 0, d - 1)), lambda v: (v["E"][v["tok"]] @ v["w"]).sum()),
    (sp.Sum(E[tok[i] + 1, j] * w[j], (i, 0, k - 1), (j, 0, d - 1)), lambda v: (v["E"][v["tok"] + 1] @ v["w"]).sum()),
    (sp.Sum((x[j + 1] - x[j] ** 2) ** 2 * 100 + (1 - x[j]) ** 2, (j, 0, n - 2)), chain),
    (sp.Sum(x[2 * j] * x[2 * j + 1], (j, 0, k - 1)), lambda v: (v["x"][::2] * v["x"][1::2]).sum()),
    (sp.Sum(x[j] * y[n - 1 - j], over_j), lambda v: (v["x"] * v["y"][::-1]).sum()),
    (sp.Sum(A[j, j], over_j), lambda v: np.trace(v["A"])),
    (sp.Sum(A[j, j] * x[j], over_j), lambda v: np.diag(v["A"]) @ v["x"]),
    (sp.Sum(C[j, j + 1], (j, 0, n - 2)), lambda v: np.trace(v["C"], offset=1)),
    (sp.Sum(x[j], (j, 1, n - 1)) - x[0], lambda v: v["x"][1:].sum() - v["x"][0]),
    (sp.Sum(x[j] / y[j], over_j), lambda v: (v["x"] / v["y"]).sum()),
    (sp.Sum(A[i, j] * x[j] / y[j], over_j), lambda v: v["A"] @ (v["x"] / v["y"])),
    (sp.Sum(A[i, j] * B[i, j] * x[j], over_j, over_i), lambda v: ((v["A"] * v["B"]) @ v["x"]).sum()),
    (sp.Sum(3 * x[j], over_j, over_i) + y[m - 1], lambda v: 3 * 3 * v["x"].sum() + v["y"][-1]),
    (sp.Sum(2, over_j) * sp.Sum(x[j], over_j), lambda v: 2 * 5 * v["x"].sum()),
    (sp.Sum(x[j] * sp.Sum(x[j], over_j), over_j), lambda v: v["x"].sum() ** 2),
    (sp.Sum(x[j], over_j) + sp.Sum(y[j], (j, 0, m - 1)), lambda v: v["x"].sum() + v["y"].sum()),
    (sp.Sum(x[j], (j, 0, 3)) * x[2], lambda v: v["x"][:4].sum() * v["x"][2]),
    (sp.Sum(x[j], (j, 1, 0)) + x[2], lambda v: v["x"][2]),
    (sp.Sum(sp.exp(x[j]), over_j) / n, lambda v: np.exp(v["x"]).mean()),
    (sp.sin(x[i]) + y[i], lambda v: np.sin(v["x"]) + v["y"]),
    (x[i] * y[j], lambda v: np.outer(v["x"], v["y"])),
    (sp.Sum(w[i, tok[j], j], over_j), lambda v: v["w"][:, v["tok"], np.arange(5)].sum(1)),
    (sp.Sum(sp.MatrixSymbol("M", m, n)[i, j] * x[j], over_j, over_i), lambda v: (v["M"] @ v["x"]).sum()),
]
EXTRA = {"C_0": 5, "w_0": 2, "w_1": 3, "y_0": 5}


@pytest.mark.parametrize(("expr", "reference"), CASES, ids=range(len(CASES)))
def test_values(expr, reference) -> None:
    sizes = {**SIZES, **EXTRA, "A_1": 3}
    value, at = evaluate(expr, sizes)
    np.testing.assert_allclose(value, reference(at), rtol=1e-13)


def test_contractions() -> None:
    assert graph(sp.Sum(A[i, j] * x[j], over_j)) in {"[ij,j->i](A, x)", "[i,ji->j](x, A)"}
    assert graph(sp.Sum(x[j] * y[j], over_j)) == "[i,i->](x, y)"
    assert graph(sp.Sum(x[j] ** 2, over_j)) == "[i->](integer_power(x, 2))"
    assert graph(sp.Sum(A[j, j], over_j)) == "[i->]([ii->i](A))"
    assert graph(sp.Sum(sp.Symbol("c") * x[j] / 2, over_j)) == "div(mul(c, [i->](x)), 2)"


def test_inferred_shapes() -> None:
    def shapes(expr, **options):
        return {a.name: " ".join(map(str, a.shape)) for a in program(expr, **options).arguments}

    assert shapes(sp.Sum(A[i, j] * x[j], over_j)) == {"A": "A_0 n", "x": "n"}
    assert shapes(sp.Sum((x[j + 1] - x[j]) ** 2, (j, 0, n - 2))) == {"x": "n"}
    assert shapes(sp.Sum(x[j], (j, 1, n))) == {"x": "n + 1"}
    assert shapes(x[0] + x[3]) == {"x": "4"}
    assert shapes(x[0] + sp.Sum(x[j], over_j)) == {"x": "n"}
    assert shapes(sp.Sum(E[tok[i], j], (i, 0, k - 1), (j, 0, d - 1))) == {"E": "E_0 d", "tok": "k"}
    assert shapes(x[i] + y[i] + sp.Sum(y[j], over_j)) == {"x": "n", "y": "n"}
    assert shapes(sp.IndexedBase("x", shape=(n, m))[i, j] * y[j]) == {"x": "n m", "y": "m"}
    assert shapes(x[sp.Idx("q", n)]) == {"x": "n"}
    assert shapes(sp.Sum(x[2 * j], (j, 0, k - 1)) + y[k - 1]) == {"x": "2*k - 1", "y": "k"}


def test_idx_makes_an_output_axis() -> None:
    p, q = sp.Idx("p", n), sp.Idx("q", (1, n - 1))
    value, v = evaluate(x[p] ** 2, SIZES)
    np.testing.assert_array_equal(value, v["x"] ** 2)
    value, v = evaluate(x[q] - x[q - 1], SIZES)
    np.testing.assert_allclose(value, np.diff(v["x"]))
    value, v = evaluate(sp.Sum(A[p, q] * x[q], (q, 1, n - 1)), SIZES)
    np.testing.assert_allclose(value, v["A"][:, 1:] @ v["x"][1:])


def test_free_indices_are_ordered_by_name() -> None:
    p = program(A[j, i] + 0 * i)
    value, v = evaluate(A[j, i], SIZES | {"A_1": 2})
    np.testing.assert_array_equal(value, v["A"].T)
    assert [str(dim) for dim in p.outputs[0].shape] == ["A_1", "A_0"]


def test_a_listed_index_is_an_argument() -> None:
    value, v = evaluate(sp.Sum(A[i, j] * x[j], over_j), SIZES, inputs=[A, x, i])
    np.testing.assert_allclose(value, v["A"][v["i"]] @ v["x"])
    value, v = evaluate(sp.Sum(A[i, j] * x[j], over_j), SIZES, batch={i: "N"})
    np.testing.assert_allclose(value, v["A"][v["i"]] @ v["x"])


def test_integer_arrays() -> None:
    p = program(sp.Sum(E[tok[i], j], (i, 0, k - 1), (j, 0, d - 1)))
    assert {a.name: a.dtype for a in p.arguments} == {"E": "float64", "tok": "int64"}
    assert p.wrt == ("E",)
    declared = sp.IndexedBase("c", integer=True)
    p = program(sp.Sum(declared[j] * x[j], over_j))
    assert {a.name: a.dtype for a in p.arguments} == {"c": "int64", "x": "float64"}
    value, v = evaluate(sp.Sum(x[tok[w[j]]], over_j), {**SIZES, "tok_0": 2})
    np.testing.assert_allclose(value, v["x"][v["tok"][v["w"]]].sum())


def test_batched_gather() -> None:
    z, c = sp.MatrixSymbol("z", k, 1), sp.Symbol("c", integer=True)
    loss = sp.log(sp.Sum(sp.exp(z[j, 0]), (j, 0, k - 1))) - z[c, 0]
    value, v = evaluate(loss, SIZES, batch={"z": "N", "c": "N"})
    picked = v["z"][np.arange(6), v["c"]]
    np.testing.assert_allclose(value, np.log(np.exp(v["z"]).sum(1)) - picked)
    value, v = evaluate(loss, SIZES, batch={"c": "N"})
    np.testing.assert_allclose(value, np.log(np.exp(v["z"]).sum()) - v["z"][v["c"]])


def test_an_elementwise_function_over_an_indexed_sum_does_not_capture() -> None:
    M = sp.MatrixSymbol("M", n, n)
    t = sp.Symbol("t")
    inner = sp.Lambda(t, t * sp.Sum(y[j] * t, over_j))
    expr = sp.Sum(x[j] * sp.Trace((x[j] * M).applyfunc(inner)), over_j)
    value, v = evaluate(expr, SIZES)
    scaled = v["x"][:, None, None] * v["M"]
    np.testing.assert_allclose(value, (v["x"] * np.trace(scaled**2, axis1=1, axis2=2) * v["y"].sum()).sum())


@pytest.mark.parametrize(
    ("expr", "error", "text"),
    [
        (x + 1, UnsupportedExpressionError, "IndexedBase without indices is not supported\n  in: x\n  hint: index it"),
        (
            x[i + 1] - x[i],
            UnsupportedExpressionError,
            "the free index i has no range\n  in: x[i + 1]\n  hint: give it one",
        ),
        (A[i, j] + A[i], ShapeError, "A is used with different numbers of indices\n"),
        (
            sp.Sum(x[i], (i, 0, n - 1)) + sp.Sum(x[i], (i, 0, m - 1)),
            ShapeError,
            "axis 0 of x is indexed over two different ranges\n",
        ),
        (
            sp.Sum(sp.IndexedBase("x", shape=(m,))[j] * y[j], over_j),
            ShapeError,
            "an index leaves its axis\n  in: x[j]\n  expected: positions from 0 to m - 1\n  found: j from 0 to n - 1",
        ),
        (
            sp.IndexedBase("x", shape=(3,))[3],
            ShapeError,
            "an index leaves its axis\n  in: x[3]\n  expected: positions from 0 to 2\n  found: 3",
        ),
        (
            sp.Sum(x[j - 1], over_j),
            ShapeError,
            "an index leaves its axis\n  in: x[j - 1]\n",
        ),
        (
            sp.Sum(x[j], (j, 5, 2)),
            ShapeError,
            "a sum whose upper bound lies below its lower bound\n",
        ),
    ],
)
def test_refusals(expr, error, text) -> None:
    with pytest.raises(error) as caught:
        program(expr)
    assert str(caught.value).startswith(text)


def test_a_free_index_passed_by_name() -> None:
    """It is an axis of the output; the error says so, and how to make it an argument."""
    expr = sp.Sum(A[i, j] * x[j], over_j)
    at = {"A": np.arange(6.0).reshape(2, 3), "x": np.ones(3)}
    kernel = compile_plain(expr)
    np.testing.assert_array_equal(kernel(**at), [3, 12])
    with pytest.raises(InputError) as caught:
        kernel(**at, i=1)
    assert str(caught.value) == (
        "i: no such argument\n  expected: A, x\n  found: i\n"
        "  hint: i is a free index and so an axis of the output; list it in inputs= to pass its value instead"
    )
    with pytest.raises(InputError, match="n is a size, read off the shapes of the arguments"):
        kernel(**at, n=3)
    assert compile_plain(expr, inputs=[A, x, i])(at["A"], at["x"], 1) == 12
