"""Positions: shifts, strides, several indices, integer data, divisions, deltas."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from symbackprop.errors import InputError, ShapeError, UnsupportedExpressionError
from symbackprop.ir.node import Gather
from tests.frontend.helpers import program
from tests.indices import (
    A,
    B,
    T,
    a,
    agrees,
    c,
    evaluated,
    f,
    flat,
    g,
    i,
    j,
    k,
    long,
    m,
    n,
    p,
    pad,
    q,
    tok,
    twice,
    v,
    values,
    word,
    x,
    y,
)
from tests.plain import compile_plain

delta = sp.KroneckerDelta
over_i, over_j, over_m = (i, 0, n - 1), (j, 0, n - 1), (j, 0, m - 1)

CASES = {
    "stride": sp.Sum(twice[2 * i] * sp.sin(twice[2 * i + 1]), over_i),
    "reversed": sp.Sum(x[i] * y[n - 1 - i], over_i),
    "convolution": sp.Sum(v[j] * long[f + j], over_m),
    "convolution, in a function": sp.Sum(sp.tanh(sp.Sum(v[j] * long[i + j], over_m)), over_i),
    "correlation": sp.Sum(v[j] * long[f + m - 1 - j], over_m),
    "strided difference": sp.Sum(twice[2 * i - j + 1], (j, 0, 1), over_i),
    "matrix in a vector": sp.Sum(flat[i * m + j] * A[i, j], over_i, over_m),
    "diagonal": sp.Sum(B[i, i + 1] * x[i], (i, 0, n - 2)),
    "diagonal of three": sp.Sum(T[i, j, i] ** 2, over_i, over_j),
    "gather": sp.Sum(A[tok[q], j] * v[j], (q, 0, p - 1), over_m),
    "gather of a gather": sp.Sum(v[word[tok[q]]] ** 2, (q, 0, p - 1)),
    "gather, shifted by an index": sp.Sum(twice[word[i] + i], over_i),
    "gather, scaled": sp.Sum(twice[2 * word[i] + 1] * x[i], over_i),
    "halved": sp.Sum(x[sp.floor(i / 2)] * y[i], over_i),
    "halved, rounded up": sp.Sum(twice[sp.ceiling((i + 1) / 2)] * y[i], over_i),
    "wrapped": sp.Sum(x[sp.Mod(i + 1, n)] * y[i], over_i),
    "circular convolution": sp.Sum(x[sp.Mod(f - j, n)] * v[j], over_m),
    "squared": sp.Sum(long[i**2] * A[i, 0], (i, 0, 2)),
    "product of indices": sp.Sum(flat[i * j] * y[i], over_m, (i, 0, 3)),
    "larger of two": sp.Sum(x[sp.Max(i, j)] * y[i] * y[j], over_i, over_j),
    "delta": sp.Sum(delta(i, j) * B[i, j] * x[i] * y[j], over_i, over_j),
    "delta, shifted": sp.Sum(delta(i, j + 1) * x[i] * y[j], over_i, over_j),
    "delta, reversed": sp.Sum(delta(i + j, n - 1) * x[i] * y[j], over_i, over_j),
    "delta with a free index": sp.Sum(delta(f, j) * x[j] ** 2, over_j),
    "delta with data": sp.Sum(delta(word[i], j) * A[i, j], over_m, over_i),
    "delta with data, part of a range": sp.Sum(delta(word[i], j) * x[i] * v[j], (j, 1, m - 1), over_i),
    "delta with data, no array": sp.Sum(delta(word[i], j) * x[i] * j, over_m, over_i) + v[0],
    "delta with a number": sp.Sum(delta(i, 2) * x[i], over_i),
    "delta in a sum": sp.Sum((delta(i, j) + a) * x[i] * y[j], over_i, over_j),
    "two deltas": sp.Sum(delta(i, j) * delta(j, k) * T[i, j, k], over_i, over_j, (k, 0, n - 1)),
    "delta by itself": delta(f, g) * x[f] * y[g],
    "delta up to the diagonal": sp.Sum(delta(i, j) * B[i, j], (j, 0, i), over_i),
    "delta below the diagonal": sp.Sum(delta(i, j) * B[i, j], (j, 0, i - 1), over_i) + a,
    "identity minus matrix": sp.Sum((delta(i, j) - B[i, j]) ** 2 * x[j], over_i, over_j),
    "delta sum, done": sp.Sum(delta(i, k) * x[k], (k, 0, n - 1)).doit().subs(i, f),
    "levi-civita": sp.Sum(sp.LeviCivita(i, j, k) * T[i, j, k], (i, 0, 2), (j, 0, 2), (k, 0, 2)),
}


@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name: str) -> None:
    agrees(CASES[name])


def test_scalar_positions() -> None:
    agrees(x[c] * y[c + 1] + sp.Sum(long[c + i], over_i), inputs=[long, x, y, c], sizes={"m": 3})
    M = sp.MatrixSymbol("M", n, n)
    expr = sp.Sum(M[i, n - 1 - i] * M[c, i] + M[sp.floor(i / 2), word[i]], over_i)
    at = {**values(), "M": values()["B"]}
    value = compile_plain(expr)(**{name: at[name] for name in ("M", "c", "word")})
    reference = sum(at["M"][r, 4 - r] * at["M"][1, r] + at["M"][r // 2, at["word"][r]] for r in range(5))
    np.testing.assert_allclose(value, reference)


def test_padding_is_never_read() -> None:
    given = {"pad": np.array([1, -1, 4, -1, 0])}
    agrees(sp.Sum(sp.Piecewise((x[pad[i]] * y[i], pad[i] >= 0), (0, True)), over_i), given=given)
    with pytest.raises(InputError, match="pad: index out of range"):
        compile_plain(sp.Sum(x[pad[i]] * y[i], over_i))(given["pad"], values()["x"], values()["y"])


def test_data_outside_the_axis_is_refused() -> None:
    kernel = compile_plain(sp.Sum(delta(word[i], j) * A[i, j], over_m, over_i))
    with pytest.raises(InputError, match="word: index out of range"):
        kernel(np.ones((2, 3)), np.array([0, 3]))
    part = compile_plain(sp.Sum(delta(word[i], j) * x[i] * v[j], (j, 1, m - 1), over_i))
    assert part(np.ones(2), np.array([0, 1]), np.array([5.0, 7.0])) == 7
    halves = compile_plain(sp.Sum(v[sp.floor(i / 2)] * x[i], over_i))
    with pytest.raises((InputError, IndexError)):
        halves(np.ones(1), np.ones(4))


def test_a_delta_never_makes_a_loop() -> None:
    kernel = compile_plain(sp.Sum(delta(i, j) * B[i, j] * x[i] * y[j], over_i, over_j))
    assert sp.degree(kernel.cost().fprop, n) == sp.degree(kernel.cost().bprop, n) == 1
    kernel = compile_plain(sp.Sum(delta(word[i], j) * A[i, j], over_m, over_i))
    assert m not in kernel.cost().fprop.free_symbols


def test_a_convolution_needs_no_memory() -> None:
    kernel = compile_plain(sp.Sum(sp.tanh(sp.Sum(v[j] * long[i + j], over_m)), over_i))
    assert "np.empty((n, m)" not in kernel.source
    assert "long[i + j]" in kernel.source
    assert kernel.cost().ratio_bound < 3
    assert sp.degree(kernel.cost().bprop, n) == 1


def test_affine_positions_are_one_gather() -> None:
    nodes = program(sp.Sum(v[j] * long[f + j], over_m)).graph.nodes()
    (gather,) = (node for node in nodes if isinstance(node, Gather))
    assert len(gather.spec[0].axes) == 2


def test_ranges_of_free_indices() -> None:
    z, w = sp.IndexedBase("z"), sp.IndexedBase("w", (n,))
    p_ = program(w[i] * z[i + 1])
    assert [[str(d) for d in arg.shape] for arg in p_.arguments] == [["n"], ["n + 1"]]
    assert [str(d) for d in program(z[i] - z[0]).outputs[0].shape] == ["z_0"]
    value = evaluated(i + x[i])
    np.testing.assert_allclose(value, np.arange(5) + values()["x"])


@pytest.mark.parametrize(
    ("expr", "error", "text"),
    [
        (sp.Sum(x[sp.pi * i], over_i), UnsupportedExpressionError, "Pi is not supported in an index"),
        (sp.Sum(x[sp.sin(i)], over_i), UnsupportedExpressionError, "sin is not supported in an index"),
        (sp.Sum(x[i + j] * v[j], over_i, over_m), ShapeError, "an index leaves its axis\n  in: x[i + j]\n"),
        (
            sp.Sum(sp.IndexedBase("s", (n,), strides=(2,))[i], over_i),
            UnsupportedExpressionError,
            "IndexedBase with strides is not supported",
        ),
        (
            sp.Sum(sp.IndexedBase("o", (n,), offset=1)[i], over_i),
            UnsupportedExpressionError,
            "IndexedBase with an offset is not supported",
        ),
        (
            sp.IndexedBase("z")[i + 1] - sp.IndexedBase("z")[i],
            UnsupportedExpressionError,
            "the free index i has no range\n  in: z[i + 1]\n  hint: give it one: Idx('i', n)",
        ),
        (sp.sin(sp.Idx("t")), UnsupportedExpressionError, "the free index t has no range"),
    ],
)
def test_refusals(expr, error, text) -> None:
    with pytest.raises(error) as caught:
        program(expr)
    assert str(caught.value).startswith(text)


def test_a_gradient_read_while_it_is_added_to() -> None:
    """One term of x's gradient goes to its own place and, as part of another, to a gathered one."""
    agrees(sp.Sum(y[i] * (x[word[i]] + x[i]) * x[word[i]], over_i))
    agrees(sp.Product(1 + (x[sp.Mod(i + 1, n)] + x[i]) * x[sp.Mod(i + 1, n)] * y[i], over_i))


def test_packed_triangles_are_read_by_quotients() -> None:
    packed = sp.IndexedBase("L")
    rows = sp.Sum(packed[i * (i - 1) / 2 + j] * x[j], (j, 0, i - 1))
    kernel = compile_plain(sp.Sum(rows**2, (i, 0, n - 1)))
    rng = np.random.default_rng(0)
    full = np.tril(rng.standard_normal((5, 5)), -1)
    point = rng.standard_normal(5)
    value, grads = kernel.value_and_grad(L=full[np.tril_indices(5, -1)], x=point)
    assert value == pytest.approx(((full @ point) ** 2).sum())
    np.testing.assert_allclose(grads["x"], 2 * full.T @ full @ point)
    np.testing.assert_allclose(grads["L"], 2 * np.outer(full @ point, point)[np.tril_indices(5, -1)])


def test_a_fraction_that_may_be_no_whole_number_is_refused() -> None:
    with pytest.raises(UnsupportedExpressionError, match="for example at i = 1"):
        program(sp.Sum(x[i * (i + 2) / 2], (i, 0, n - 1)))
