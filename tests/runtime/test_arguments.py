"""Arguments at call time: what is refused, in which words, and what works as NumPy users expect."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp

import symbackprop as sbp
from symbackprop.errors import InputError
from tests.plain import compile_plain

m, n, d = sp.symbols("m n d", integer=True, positive=True)
i, j = sp.symbols("i j", integer=True)
c, s = sp.Symbol("c", integer=True), sp.Symbol("s")
W, X, R, G = (
    sp.MatrixSymbol("W", m, n),
    sp.MatrixSymbol("x", n, 1),
    sp.MatrixSymbol("r", 1, m),
    sp.MatrixSymbol("g", 1, 1),
)
WIDE = sp.MatrixSymbol("v", 5 * d, 1)
E, tok = sp.IndexedBase("E"), sp.IndexedBase("tok", integer=True)

A = np.arange(6.0).reshape(2, 3)
V = np.array([1.0, 2.0, 3.0])

mixed = compile_plain(s * X[c, 0] ** 2 + s**2, name="mixed")
product = compile_plain(W * X, name="product")
several = compile_plain({"y": W * X, "t": sp.Trace(W * W.T), "q": s * s}, name="several")
wide = compile_plain(sp.Trace(WIDE * WIDE.T), name="wide")
table = compile_plain(sp.Sum(E[tok[i] + 1, j], (i, 0, n - 1), (j, 0, d - 1)), name="table")
listed = compile_plain(sp.sin(s) * sp.Symbol("t"), inputs={"p": [s, sp.Symbol("t")]}, name="listed")
batched = compile_plain(W * X, batch={"x": "N"}, name="batched")


def said(call: Any, *args: Any, **kwargs: Any) -> str:
    with pytest.raises(InputError) as error:
        call(*args, **kwargs)
    return str(error.value)


# -- refused, word by word -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kernel", "args", "kwargs", "text"),
    [
        # which arguments
        (mixed, (), {}, "missing arguments: c, s, x\n  expected: c, s, x"),
        (mixed, (1, 2.0), {}, "missing argument: x\n  expected: c, s, x"),
        (mixed, (), {"c": 1, "x": V}, "missing argument: s\n  expected: c, s, x"),
        (mixed, (1, 2.0, V, 4), {}, "too many arguments\n  expected: 3 (c, s, x)\n  found: 4"),
        (mixed, (1, 2.0), {"y": V}, "y: no such argument\n  expected: c, s, x\n  found: y"),
        (mixed, (1, 2.0, V), {"s": 3}, "s: given twice\n  expected: once\n  found: by position and by name"),
        (listed, (), {"s": 1.0}, "s: no such argument\n  expected: p\n  found: s"),
        # dtypes
        (mixed, (1.0, 2.0, V), {}, "c: wrong dtype\n  expected: integers\n  found: 1.0"),
        (mixed, (True, 2.0, V), {}, "c: wrong dtype\n  expected: integers\n  found: True"),
        (mixed, ("1", 2.0, V), {}, "c: wrong dtype\n  expected: integers\n  found: '1'"),
        (mixed, (None, 2.0, V), {}, "c: wrong dtype\n  expected: integers\n  found: None"),
        (mixed, (1, 2j, V), {}, "s: wrong dtype\n  expected: real numbers\n  found: 2j"),
        (mixed, (1, None, V), {}, "s: wrong dtype\n  expected: real numbers\n  found: None"),
        (mixed, (1, "2", V), {}, "s: wrong dtype\n  expected: real numbers\n  found: '2'"),
        (mixed, (1, 2.0, V * 1j), {}, "x: wrong dtype\n  expected: real numbers\n  found: ndarray of complex128"),
        (mixed, (1, 2.0, ["a"]), {}, "x: wrong dtype\n  expected: real numbers\n  found: list of <U1"),
        (mixed, (1, 2.0, [1, None]), {}, "x: wrong dtype\n  expected: real numbers\n  found: list of object"),
        (mixed, (1, 2.0, [1, [2]]), {}, "x: wrong dtype\n  expected: real numbers\n  found: list of object"),
        (mixed, (1, 2.0, None), {}, "x: wrong dtype\n  expected: real numbers\n  found: None"),
        (table, (A, [0.0]), {}, "tok: wrong dtype\n  expected: integers\n  found: list of float64"),
        # ranks and shapes
        (mixed, (1, [2.0], V), {}, "s: wrong shape\n  expected: a number\n  found: shape (1,)"),
        (mixed, ([1], 2.0, V), {}, "c: wrong shape\n  expected: a number\n  found: shape (1,)"),
        (mixed, (1, 2.0, 5.0), {}, "x: wrong shape\n  expected: (n,) or (n, 1)\n  found: ()"),
        (mixed, (1, 2.0, A), {}, "x: wrong shape\n  expected: (n,) or (n, 1)\n  found: (2, 3)"),
        (mixed, (1, 2.0, V[None]), {}, "x: wrong shape\n  expected: (n,) or (n, 1)\n  found: (1, 3)"),
        (product, (V, V), {}, "W: wrong rank\n  expected: 2 axes (m, n)\n  found: shape (3,)"),
        (product, (A[None], V), {}, "W: wrong rank\n  expected: 2 axes (m, n)\n  found: shape (1, 2, 3)"),
        (product, (A, V[:2]), {}, "x: wrong shape\n  expected: (n,) with n = 3 from W\n  found: (2,)"),
        (wide, (np.ones(7),), {}, "v: wrong shape\n  expected: (5*d,) with d = 1 from v\n  found: (7,)"),
        (listed, ([1.0, 2.0, 3.0],), {}, "p: wrong shape\n  expected: (2,)\n  found: (3,)"),
        (batched, (A, V), {}, "x: wrong shape\n  expected: (N, n) or (N, n, 1)\n  found: (3,)"),
        (
            batched,
            (A, np.ones((4, 2))),
            {},
            "x: wrong shape\n  expected: (N, n) with N = 4 from x, n = 3 from W\n  found: (4, 2)",
        ),
        # indices
        (mixed, (3, 2.0, V), {}, "c: index out of range\n  expected: 0 ... 2\n  found: 3"),
        (mixed, (-1, 2.0, V), {}, "c: index out of range\n  expected: 0 ... 2\n  found: -1"),
        (mixed, (0, 2.0, []), {}, "c: index out of range\n  expected: 0 ... -1\n  found: 0"),
        (table, (A, [0, 1]), {}, "tok: index out of range\n  expected: -1 ... 0\n  found: 1"),
    ],
)
def test_refused(kernel: Any, args: tuple[Any, ...], kwargs: dict[str, Any], text: str) -> None:
    for function in (kernel, kernel.fprop, kernel.value_and_grad):
        assert said(function, *args, **kwargs) == text


def test_objects_are_quoted_briefly() -> None:
    text = said(mixed, 1, 10**400, V)
    assert text.startswith("s: wrong dtype\n  expected: real numbers\n  found: 1000")
    assert max(map(len, text.splitlines())) < 140


@pytest.mark.parametrize(
    ("upstream", "text"),
    [
        ([1, 2], "upstream: wrong length\n  expected: 3\n  found: 2"),
        ({"y": 1, "t": 1}, "upstream: wrong keys\n  expected: y, t, q\n  found: y, t"),
        ({"y": 1, "t": 1, "z": 1}, "upstream: wrong keys\n  expected: y, t, q\n  found: y, t, z"),
        (None, "upstream: wrong type\n  expected: a number, or one gradient for each of y, t, q\n  found: None"),
        ([None, 1, 1], "upstream: wrong dtype\n  expected: real numbers\n  found: None"),
        ([[1, [2]], 1, 1], "upstream: wrong dtype\n  expected: real numbers\n  found: [1, [2]]"),
        ([1, 2j, 1], "upstream: wrong dtype\n  expected: real numbers\n  found: 2j"),
        ([np.ones(3), 1, 1], "upstream of y: wrong shape\n  expected: (2,)\n  found: (3,)"),
        ([np.ones((1, 2)), 1, 1], "upstream of y: wrong shape\n  expected: (2,)\n  found: (1, 2)"),
        ([1, np.ones(1), 1], "upstream of t: wrong shape\n  expected: ()\n  found: (1,)"),
    ],
)
def test_upstream_refused(upstream: Any, text: str) -> None:
    _, residuals = several.fprop(A, 2.0, V)
    assert said(several.bprop, residuals, upstream) == text
    if upstream is not None:
        assert said(several.value_and_grad, A, 2.0, V, upstream=upstream) == text


def test_residuals_refused() -> None:
    _, residuals = product.fprop(A, V)
    assert said(several.bprop, 3) == "residuals: wrong type\n  expected: what fprop returned\n  found: int"
    assert said(several.bprop, residuals) == (
        "residuals: of another kernel\n"
        "  expected: <kernel several: (W[m, n], s, x[n, 1]) -> (y[m, 1], t, q), float64>\n"
        "  found: <kernel product: (W[m, n], x[n, 1]) -> (out[m, 1]), float64>"
    )


def test_no_gradients() -> None:
    kernel = compile_plain(s**2, wrt=[])
    text = "this kernel has no gradients\n  hint: give wrt= to compile"
    assert kernel(3.0) == 9.0
    assert said(kernel.value_and_grad, 3.0) == said(kernel.fprop, 3.0) == said(kernel.bprop, None) == text


def test_negative_size() -> None:
    shifted = sp.IndexedBase("a", shape=(n + 2,))
    kernel = compile_plain(sp.Sum(shifted[i], (i, 0, n - 1)))
    assert kernel([1.0, 2.0, 4.0, 8.0]) == 3.0
    assert said(kernel, [1.0]) == "size n comes out negative\n  expected: 0 or more\n  found: -1"


def test_computed_indices_are_checked_before_they_are_used() -> None:
    """Inside the loop that computes them, for every axis they address: NumPy's own complaint would come too late."""
    e, w, b = sp.IndexedBase("e", integer=True), sp.IndexedBase("w", integer=True), sp.IndexedBase("b")
    low, high = sp.symbols("low high", integer=True)
    looked_up = compile_plain(sp.Sum(E[e[w[i]], 0] * b[e[w[i]]], (i, 0, n - 1)), name="looked up")
    added = compile_plain(b[low + high] * b[low] ** 2, inputs=[b, low, high], name="added")
    table = np.ones((3, 1))
    text = "an index computed from others is out of range\n  found: index lies outside 0 ... {} - 1"
    for kernel, args, size in (
        (looked_up, {"E": table, "b": np.ones(5), "e": [0, 4], "w": [1]}, "E_0"),
        (looked_up, {"E": table, "b": np.ones(2), "e": [0, 2], "w": [1]}, "b_0"),
        (looked_up, {"E": table, "b": np.ones(5), "e": [0, -1], "w": [1]}, "b_0"),
        (added, {"b": V, "low": 1, "high": 2}, "b_0"),
        (added, {"b": V, "low": 1, "high": -2}, "b_0"),
    ):
        for function in (kernel, kernel.fprop, kernel.value_and_grad):
            found = said(function, **args)
            assert found in {text.format(size), text.format("E_0")}
    assert looked_up(E=table, b=np.ones(5), e=[0, 2], w=[1, 0, 1]) == 3.0
    assert added(V, 1, 1) == 12.0


# -- accepted --------------------------------------------------------------------------------------------------------


def read_only(array: np.ndarray) -> np.ndarray:
    out = array.copy()
    out.flags.writeable = False
    return out


@pytest.mark.parametrize(
    ("w", "x"),
    [
        (A.tolist(), V.tolist()),
        (A.astype(int), V.astype(int)),
        (A.astype(np.float32), tuple(V)),
        (np.asfortranarray(A), V[::-1][::-1]),
        (np.repeat(A, 2, axis=1)[:, ::2], np.repeat(V, 3)[::3]),
        (read_only(A), read_only(V)),
        (A.astype(">f8"), V.astype(np.uint8)),
        (np.asmatrix(A), list(np.float32(V))),
        (A.astype(object).astype(float), np.ma.array(V)),
    ],
)
def test_accepted(w: Any, x: Any) -> None:
    before = np.array(w), np.array(x)
    value, grads = product.value_and_grad(w, x)
    np.testing.assert_array_equal(value, A @ V)
    np.testing.assert_array_equal(grads["W"], np.outer(np.ones(2), V))
    np.testing.assert_array_equal(grads["x"], A.sum(axis=0))
    assert all(type(g) is np.ndarray and g.dtype == np.float64 for g in (value, *grads.values()))
    np.testing.assert_array_equal(np.array(w), before[0])
    np.testing.assert_array_equal(np.array(x), before[1])


@pytest.mark.parametrize("zero_d", [1, np.int8(1), np.array(1), np.uint64(1)])
@pytest.mark.parametrize("number", [2, 2.0, np.float32(2), np.array(2.0), np.array(2), np.int64(2), np.bool_(True)])
def test_scalars(zero_d: Any, number: Any) -> None:
    value, grads = mixed.value_and_grad(zero_d, number, V)
    assert value == float(number) * 4 + float(number) ** 2
    assert grads["s"] == 4 + 2 * float(number)
    assert np.ndim(grads["s"]) == 0
    np.testing.assert_array_equal(grads["x"], [0, 4 * float(number), 0])


def test_bool_arrays_are_numbers() -> None:
    np.testing.assert_array_equal(product(A > 2, V > 1), [0, 2])


def test_names_and_positions_mix() -> None:
    assert mixed(1, x=V, s=2.0) == mixed(s=2.0, c=1, x=V) == mixed(1, 2.0, V)


def test_empty_axes() -> None:
    np.testing.assert_array_equal(product(np.zeros((2, 0)), []), [0, 0])
    value, grads = product.value_and_grad(np.zeros((0, 3)), V)
    assert value.shape == (0,)
    assert grads["W"].shape == (0, 3)
    np.testing.assert_array_equal(grads["x"], [0, 0, 0])
    for shape in ((0, 3), (0, 3, 1)):
        value, grads = batched.value_and_grad(A, np.ones(shape))
        np.testing.assert_array_equal(grads["W"], np.zeros((2, 3)))
        assert grads["x"].shape == shape


def test_vectors_and_columns() -> None:
    """A gradient has the shape that was passed; a value is a column if a column went in."""
    column = V[:, None]
    flat, gradients = product.value_and_grad(A, V)
    assert flat.shape == (2,)
    assert gradients["x"].shape == (3,)
    tall, gradients = product.value_and_grad(A, column)
    assert tall.shape == (2, 1)
    assert gradients["x"].shape == (3, 1)
    _, residuals = product.fprop(A, column)
    for upstream in (np.array([1.0, 2.0]), np.array([[1.0], [2.0]])):
        np.testing.assert_array_equal(product.bprop(residuals, upstream)["x"], A.T @ [[1.0], [2.0]])


def test_rows_and_single_entries() -> None:
    kernel = compile_plain({"y": R * W, "q": G * G[0, 0], "z": G[0, 0] * X})
    for number, row, column in ((2.0, [1.0, 2.0], V), ([[2.0]], [[1.0, 2.0]], V[:, None]), (np.array(2), [1, 2], V)):
        value, grads = kernel.value_and_grad(W=A, g=number, r=row, x=column)
        np.testing.assert_array_equal(np.ravel(value["y"]), [1, 2] @ A)
        np.testing.assert_array_equal(np.ravel(value["z"]), 2 * V)
        assert np.shape(value["q"]) == ()
        assert value["q"] == 4.0
        assert {k: np.shape(g) for k, g in grads.items()} == {
            "W": (2, 3),
            "g": np.shape(number),
            "r": np.shape(row),
            "x": np.shape(column),
        }
        assert float(np.ravel(grads["g"])[0]) == 4.0 + V.sum()


def test_batch_with_unit_axes() -> None:
    many = np.arange(12.0).reshape(4, 3)
    value, grads = batched.value_and_grad(A, many)
    np.testing.assert_array_equal(value, many @ A.T)
    assert grads["x"].shape == (4, 3)
    tall, grads = batched.value_and_grad(A, many[:, :, None])
    np.testing.assert_array_equal(tall, (many @ A.T)[:, :, None])
    assert grads["x"].shape == (4, 3, 1)
    rows = compile_plain(R * W, batch={"r": "N"})
    value, grads = rows.value_and_grad(A, np.ones((4, 1, 2)))
    assert grads["r"].shape == (4, 1, 2)
    np.testing.assert_array_equal(np.squeeze(value), np.ones((4, 2)) @ A)
    ones = compile_plain(G[0, 0] * s, batch={"g": "N"})
    for g in (np.ones(4), np.ones((4, 1, 1))):
        assert ones.value_and_grad(g, 2.0)[1]["g"].shape == g.shape


def test_one_upstream_for_all() -> None:
    _, residuals = several.fprop(A, 2.0, V)
    expected = several.bprop(residuals, {"y": [3, 3], "t": 3, "q": 3.0})
    for upstream in (3, np.float32(3), np.array(3.0), [3, 3, 3], (np.full((2, 1), 3), 3, 3)):
        found = several.bprop(residuals, upstream)
        for name, gradient in expected.items():
            np.testing.assert_array_equal(found[name], gradient)
    _, both = several.value_and_grad(A, 2.0, V, upstream=3)
    np.testing.assert_array_equal(both["W"], expected["W"])


# -- nothing shared --------------------------------------------------------------------------------------------------


def arrays_in(result: Any) -> list[np.ndarray]:
    parts = result.values() if isinstance(result, dict) else result if isinstance(result, (list, tuple)) else [result]
    return [a for p in parts for a in (arrays_in(p) if isinstance(p, (dict, list, tuple)) else [p]) if np.ndim(a)]


@pytest.mark.parametrize(
    "expr",
    [
        W * X,
        [W, W],
        [X, X + X, W * X],
        W.T,
        (W + W).applyfunc(sp.tanh),
        [sp.Trace(W * W.T) * X, X],
        W.applyfunc(sp.exp) * X,
    ],
    ids=str,
)
def test_results_belong_to_the_caller(expr: Any) -> None:
    """Writing into a result changes neither an input, nor another result, nor a later call."""
    kernel = compile_plain(expr)
    given = {"W": A.copy(), "x": V.copy()}
    given = {r.name: given[r.name] for r in kernel.inputs}
    before = {k: a.copy() for k, a in given.items()}
    first = kernel.value_and_grad(**given)
    kept = [a.copy() for a in arrays_in(first)]
    for a in arrays_in(first):
        assert not any(np.shares_memory(a, b) for b in given.values())
    second = kernel.value_and_grad(**given)
    for k, a in enumerate(arrays_in(first)):
        assert not any(np.shares_memory(a, b) for b in arrays_in(first)[:k] + arrays_in(second))
        a.fill(np.nan)
    for a, b in zip(arrays_in(second), kept, strict=True):
        np.testing.assert_array_equal(a, b)
    value, residuals = kernel.fprop(**given)
    for a in arrays_in(value):
        a.fill(np.nan)
    upstream = (
        np.ones(np.shape(value)) if kernel._program.container == "single" else [np.ones(np.shape(v)) for v in value]
    )
    grads = kernel.bprop(residuals, upstream)
    assert all(np.all(np.isfinite(g)) for g in grads.values())
    assert not any(np.shares_memory(a, b) for a in arrays_in(grads) for b in (*given.values(), *arrays_in(upstream)))
    for k, a in given.items():
        np.testing.assert_array_equal(a, before[k])


def test_compiled_takes_the_same() -> None:
    """The numba kernel accepts what the plain one does: read-only, strided, Fortran order, empty, 0-d."""
    kernel = sbp.compile(s * (W * X), name="compiled")
    for w, x in ((A, V), (np.asfortranarray(A), V[::-1][::-1]), (read_only(A), read_only(V)), (A.tolist(), V[:, None])):
        value, grads = kernel.value_and_grad(w, np.array(2.0), x)
        np.testing.assert_array_equal(np.ravel(value), 2 * A @ V)
        assert grads["x"].shape == np.shape(x)
    np.testing.assert_array_equal(kernel.value_and_grad(np.zeros((2, 0)), 1, [])[0], [0, 0])
    np.testing.assert_array_equal(kernel.value_and_grad(np.zeros((0, 3)), 1, V)[1]["x"], [0, 0, 0])


@pytest.mark.parametrize("name", ["upstream", "residuals", "self", "args", "kwargs", "out", "work", "value"])
def test_inputs_named_like_parameters(name: str) -> None:
    """They are passed by position and by keyword wherever the same input of another name is."""
    kernel = compile_plain(sp.Symbol(name) ** 2 * sp.Symbol("zeta"))
    expected = {name: 12.0, "zeta": 9.0}
    for args, kwargs in (((3.0, 2.0), {}), ((), {name: 3.0, "zeta": 2.0}), ((3.0,), {"zeta": 2.0})):
        value, residuals = kernel.fprop(*args, **kwargs)
        assert kernel(*args, **kwargs) == value == 18.0
        assert kernel.bprop(residuals, upstream=1.0) == expected
        assert kernel.value_and_grad(*args, **kwargs) == (18.0, expected)
        if name != "upstream" or args:
            _, doubled = kernel.value_and_grad(*args, **kwargs, upstream=2.0)
            assert doubled == {name: 24.0, "zeta": 18.0}
