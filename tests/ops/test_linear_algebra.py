"""Inverse, systems and determinants: values and two derivatives at 50 digits, singular and non-finite matrices."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from symbackprop.autodiff.bprop import build_bprop
from symbackprop.errors import ShapeError
from symbackprop.interpret import interpret
from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import Const, Input, Node
from symbackprop.ir.registry import LIBRARY
from symbackprop.ir.types import TensorType
from symbackprop.ops.contraction import contract
from symbackprop.ops.linear_algebra import cofactor, cofactor_slope, det, inverse, logabsdet, logdet, solve, transposed
from tests.plain import compile_graph

N = 3
RNG = np.random.default_rng(7)


def array(name: str, *shape: int | str, dtype: str = "float64") -> Input:
    return Input(name, TensorType(tuple(map(Dim.of, shape)), dtype))


A, B, E, v = array("A", N, N), array("B", N, 2), array("E", N, N), array("v", N)
POINT = {"A": RNG.normal(size=(N, N)), "B": RNG.normal(size=(N, 2)), "v": RNG.normal(size=N)}
POINT["E"] = np.array([[0.5, 2.0, -1.0], [1.5, 0.25, 3.0], [-2.0, 1.0, 0.75]])
if np.linalg.det(POINT["A"]) < 0:
    POINT["A"][0] *= -1


def mp_cofactor(a: mpmath.matrix) -> mpmath.matrix:
    """By minors, so that singular matrices are no exception."""
    out = mpmath.matrix(a.rows, a.cols)
    for i, j in itertools.product(range(a.rows), range(a.cols)):
        rows, cols = ([k for k in range(a.rows) if k != skip] for skip in (i, j))
        for order in itertools.permutations(cols):
            turns = sum(p > q for p, q in itertools.combinations(order, 2))
            out[i, j] += (-1) ** (i + j + turns) * mpmath.fprod(a[r, c] for r, c in zip(rows, order, strict=True))
    return out


def mp_cofactor_slope(a: mpmath.matrix, e: mpmath.matrix) -> mpmath.matrix:
    """Exact up to rounding: the cofactors of a 3 x 3 matrix are quadratic."""
    return (mp_cofactor(a + e) - mp_cofactor(a - e)) / 2


#: Node, and the same by mpmath from the arguments it names.
CASES: dict[str, tuple[Node, Callable[..., Any]]] = {
    "inverse": (inverse(A), lambda a: mpmath.inverse(a["A"])),
    "det": (det(A), lambda a: mpmath.det(a["A"])),
    "logdet": (logdet(A), lambda a: mpmath.log(mpmath.det(a["A"]))),
    "logabsdet": (logabsdet(-A), lambda a: mpmath.log(abs(mpmath.det(a["A"])))),
    "cofactor": (cofactor(A), lambda a: mp_cofactor(a["A"])),
    "cofactor_slope": (cofactor_slope(A, E), lambda a: mp_cofactor_slope(a["A"], a["E"])),
    "solve": (solve(A, B), lambda a: mpmath.inverse(a["A"]) * a["B"]),
    "solve_vector": (solve(A, v), lambda a: mpmath.inverse(a["A"]) * a["v"]),
    "solve_transposed": (solve(transposed(A), v), lambda a: mpmath.inverse(a["A"].T) * a["v"]),
}


def as_mp(x: np.ndarray) -> mpmath.matrix:
    return mpmath.matrix([[mpmath.mpf(e) for e in np.atleast_1d(row)] for row in x])


def total(node: Node, weights: Input) -> Node:
    """The sum of a node's entries times weights of its shape."""
    return contract([node, weights], [range(node.rank)] * 2, ())


def one() -> Node:
    return Const(1.0, TensorType((), "float64"))


def test_every_routine_has_a_case() -> None:
    assert set(LIBRARY) <= set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_value_and_two_derivatives(name: str) -> None:
    node, reference = CASES[name]
    inputs = [i for i in (A, B, E, v) if i in set(Graph((), (node,)).nodes())]
    weights = Input("w", node.type)
    at = {**POINT, "w": RNG.normal(size=[d.value for d in node.shape])}
    turn = {i: Input(f"u{i.name}", i.type) for i in inputs}
    at |= {u.name: RNG.normal(size=[d.value for d in u.shape]) for u in turn.values()}
    first = build_bprop(Graph((), (total(node, weights),)), inputs, [one()])
    along = [total(g, turn[i]) for i, g in zip(inputs, first, strict=True)]
    slope = along[0] if len(along) == 1 else along[0] + along[1]
    second = build_bprop(Graph((), (slope,)), inputs, [one()])
    value, *found = interpret([node, *first, *second], at)
    with mpmath.workdps(60):
        exact = {i.name: as_mp(POINT[i.name]) for i in inputs}
        turned = {i.name: as_mp(at[turn[i].name]) for i in inputs}
        wanted = reference(exact)
        flat = np.array([float(e) for e in (wanted if isinstance(wanted, mpmath.matrix) else [wanted])])
        np.testing.assert_allclose(np.ravel(value), flat, rtol=1e-13, atol=1e-14)
        w = [mpmath.mpf(e) for e in np.ravel(at["w"])]

        def scalar(point: dict[str, Any]) -> Any:
            out = reference(point)
            return mpmath.fdot(w, list(out) if isinstance(out, mpmath.matrix) else [out])

        def directional(point: dict[str, Any]) -> Any:
            h = mpmath.mpf(10) ** -15
            ends = [scalar({k: x + s * h * turned[k] for k, x in point.items()}) for s in (1, -1)]
            return (ends[0] - ends[1]) / (2 * h)

        expected = [gradient(f, exact, i.name) for f in (scalar, directional) for i in inputs]
    for got, want in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.ravel(got), want, rtol=1e-10, atol=1e-11)


def gradient(f: Callable[..., Any], point: dict[str, Any], name: str) -> np.ndarray:
    """Central differences at high precision."""
    h = mpmath.mpf(10) ** -12
    out = []
    x = point[name]
    for i, j in itertools.product(range(x.rows), range(x.cols)):
        step = mpmath.zeros(x.rows, x.cols)
        step[i, j] = h
        out.append(float((f({**point, name: x + step}) - f({**point, name: x - step})) / (2 * h)))
    return np.array(out)


SINGULAR = {
    "rank 2": np.array([[1.0, 2, 3], [4, 5, 6], [5, 7, 9]]),
    "rank 1": np.outer([1.0, 2, 3], [2.0, -1, 1]),
    "zero row": np.array([[1.0, 2, 3], [0, 0, 0], [3, 1, 2]]),
    "zero": np.zeros((3, 3)),
    "nearly": np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 9 + 1e-13]]),
    "tiny": 1e-120 * np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 10]]),
    "large": 1e120 * np.array([[1.0, 2, 3], [4, 5, 6], [7, 8, 10]]),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_cofactors_at_singular_matrices(name: str) -> None:
    matrix = SINGULAR[name]
    with mpmath.workdps(300):
        want = np.array(mp_cofactor(as_mp(matrix)).tolist(), float)
        slope = np.array(mp_cofactor_slope(as_mp(matrix), as_mp(POINT["E"])).tolist(), float)
    scale = np.abs(matrix).max()
    kernel = compile_graph(Graph((A, E), (cofactor(A), cofactor_slope(A, E))), [])
    for got in (
        interpret([cofactor(A), cofactor_slope(A, E)], {"A": matrix, "E": POINT["E"]}),
        kernel(matrix, POINT["E"]),
    ):
        np.testing.assert_allclose(got[0], want, rtol=1e-12, atol=1e-14 * scale**2)
        np.testing.assert_allclose(got[1], slope, rtol=1e-12, atol=1e-14 * scale)


@pytest.mark.parametrize("rank", [4, 3, 2, 1])
def test_cofactors_and_their_slope_of_any_rank(rank: int) -> None:
    """Of 5 x 5 matrices, singular by construction: the cofactors are 0 below rank 4, their slope below rank 3."""
    rng = np.random.default_rng(rank)
    matrix = rng.integers(-3, 4, (5, rank)).astype(float) @ rng.integers(-3, 4, (rank, 5))
    a, e = array("a", 5, 5), array("e", 5, 5)
    along = rng.normal(size=(5, 5))
    with mpmath.workdps(60):
        exact, step = as_mp(matrix), mpmath.mpf(10) ** -20 * as_mp(along)
        want = np.array(mp_cofactor(exact).tolist(), float)
        ends = (mp_cofactor(exact + step) - mp_cofactor(exact - step)) * (mpmath.mpf(10) ** 20 / 2)
        slope = np.array(ends.tolist(), float)
    kernel = compile_graph(Graph((a, e), (cofactor(a), cofactor_slope(a, e))), [])
    size = np.abs(matrix).max()
    for got in (kernel(matrix, along), interpret([cofactor(a), cofactor_slope(a, e)], {"a": matrix, "e": along})):
        np.testing.assert_allclose(got[0], want, rtol=1e-11, atol=1e-12 * size**4)
        np.testing.assert_allclose(got[1], slope, rtol=1e-11, atol=1e-12 * size**3)


def test_products_of_extreme_pivots_do_not_overflow_on_the_way() -> None:
    """The determinant is 1e100, and 0 where the last entry is: the other cofactors are within range."""
    for last in (1e-200, 0.0):
        matrix = np.diag([1e200, 1e300, 1e-200, last])
        a = array("a", 4, 4)
        kernel = compile_graph(Graph((a,), (cofactor(a), det(a))), [])
        with np.errstate(over="ignore"):
            got = kernel(matrix)
        np.testing.assert_allclose(got[1], 1e100 if last else 0.0, rtol=1e-13)
        want = [1e-100, 1e-200, 1e300, 1e300] if last else [0.0, 0.0, 0.0, 1e300]
        np.testing.assert_allclose(np.diag(got[0]), want, rtol=1e-13)


def test_sizes_zero_and_one() -> None:
    for size, numbers in ((0, np.zeros((0, 0))), (1, np.array([[-2.0]]))):
        a = array("a", size, size)
        outputs = (det(a), inverse(a), cofactor(a), logabsdet(a))
        wanted = (1.0, np.zeros((0, 0)), np.zeros((0, 0)), 0.0) if not size else (-2.0, -0.5, 1.0, np.log(2))
        for values in (interpret(outputs, {"a": numbers}), compile_graph(Graph((a,), outputs), [])(numbers)):
            for got, want in zip(values, wanted, strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-15)


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "numba"])
def test_no_answer_is_nan_and_nothing_raises(plain: bool) -> None:
    rhs, batch, one, many = array("b", "N", N), array("A", "N", N, N), array("C", N, N), array("D", N, "k")
    outputs = (inverse(batch), solve(batch, rhs), det(batch), logdet(batch), logabsdet(batch), solve(one, many))
    kernel = compile_graph(Graph((batch, rhs, one, many), outputs), [], plain=plain)
    regular, singular = np.eye(N) * [1, 2, -3], np.zeros((N, N))
    holds_nan, holds_inf = np.eye(N), np.eye(N)
    holds_nan[0, 1], holds_inf[2, 2] = np.nan, np.inf
    matrices = np.array([regular, singular, holds_nan, holds_inf])
    right = np.ones((N, 3))
    right[1, 1], right[0, 2] = np.nan, np.inf
    inverted, solved, dets, logs, sizes, columns = kernel(matrices, np.ones((4, N)), 2 * np.eye(N), right)
    np.testing.assert_array_equal(columns, [[0.5, np.nan, np.nan]] * 3)
    np.testing.assert_allclose(inverted[0], np.diag([1, 0.5, -1 / 3]), rtol=1e-15)
    np.testing.assert_allclose(solved[0], [1, 0.5, -1 / 3], rtol=1e-15)
    assert np.isnan(inverted[1:]).all()
    assert np.isnan(solved[1:]).all()
    np.testing.assert_allclose(dets, [-6, 0, np.nan, np.nan], rtol=1e-14)
    np.testing.assert_allclose(logs, [np.nan, -np.inf, np.nan, np.nan])
    np.testing.assert_allclose(sizes, [np.log(6), -np.inf, np.nan, np.nan], rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_kernels_agree_with_the_oracle(dtype: str) -> None:
    """Batches, right sides of any rank, transposed operands, a singular matrix's determinant and gradient."""
    a, rhs = array("A", "N", "n", "n", dtype=dtype), array("T", "N", "n", "k", "l", dtype=dtype)
    outputs = (solve(transposed(a), rhs), det(a), inverse(a))
    kernel = compile_graph(Graph((a, rhs), outputs), ["A", "T"], plain=dtype == "float64", dtype=dtype)
    rng = np.random.default_rng(1)
    matrices = rng.normal(size=(4, 3, 3)).astype(dtype)
    right = rng.normal(size=(4, 3, 2, 5)).astype(dtype)
    upstream = [rng.normal(size=s).astype(dtype) for s in (right.shape, (4,), matrices.shape)]
    names = [Input(f"u{k}", n.type) for k, n in enumerate(outputs)]
    grads = build_bprop(Graph((), outputs), [a, rhs], names)
    at = {"A": matrices, "T": right, **{u.name: x for u, x in zip(names, upstream, strict=True)}}
    wanted = interpret([*outputs, *grads], at)
    value, residuals = kernel.fprop(matrices, right)
    found = [*value, *kernel.bprop(residuals, upstream).values()]
    for got, want in zip(found, wanted, strict=True):
        assert got.dtype == want.dtype == np.dtype(dtype)
        np.testing.assert_allclose(
            got, want, rtol=1e-11 if dtype == "float64" else 2e-3, atol=1e-10 if dtype == "float64" else 2e-3
        )


def test_cofactors_of_a_singular_matrix_compiled() -> None:
    kernel = compile_graph(Graph((A, E), (cofactor(A), cofactor_slope(A, transposed(E)))), [], plain=False)
    matrix, along = SINGULAR["rank 2"], POINT["E"]
    with mpmath.workdps(50):
        slope = np.array(mp_cofactor_slope(as_mp(matrix), as_mp(along.T)).tolist(), float)
    cofactors = np.array([[3.0, -6, 3], [3, -6, 3], [-3, 6, -3]])
    for got, want in zip(kernel(matrix, along), (cofactors, slope), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["rank 2", "rank 1", "zero row", "zero"])
def test_second_derivatives_of_a_determinant_at_singular_matrices(name: str) -> None:
    first = build_bprop(Graph((), (det(A),)), [A], [one()])[0]
    second = build_bprop(Graph((), (total(first, E),)), [A], [one()])[0]
    matrix = SINGULAR[name]
    with mpmath.workdps(50):
        want = np.array(mp_cofactor_slope(as_mp(matrix), as_mp(POINT["E"])).tolist(), float)
    got = compile_graph(Graph((A, E), (second,)), [])(matrix, POINT["E"])
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)


def test_costs_are_cubic_and_bounded() -> None:
    n = Dim.of("n")
    cube = n * n * n
    assert LIBRARY["inverse"].flops((n, n)) == 2 * cube
    assert LIBRARY["solve"].flops((n, n), (n, Dim.of("k"))) == cube + 2 * n * n * Dim.of("k")
    assert all(LIBRARY[name].flops((n, n)) == cube for name in ("det", "logdet", "logabsdet"))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: inverse(array("R", "m", "n")), "a matrix is not square\n  found: m x n"),
        (lambda: solve(array("A", "n", "n"), array("b", "m")), "a right side does not fit its matrix"),
        (lambda: solve(array("A", "N", "n", "n"), array("b", "n")), "solve needs operands of one batch"),
        (lambda: solve(array("A", "N", "n", "n"), array("b", "N")), "solve needs operands of one batch"),
        (lambda: solve(array("A", "n", "n")), "solve has the wrong operand count"),
    ],
)
def test_operands_that_do_not_fit(make: Callable[[], Node], text: str) -> None:
    with pytest.raises(ShapeError) as caught:
        make()
    assert str(caught.value).startswith(text)
