"""The oracle, against plain NumPy and loops."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from symbackprop.errors import InputError
from symbackprop.interpret import interpret
from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import Broadcast, Const, Input, Size
from symbackprop.ir.types import AxisMap, TensorType
from symbackprop.ops.contraction import einsum
from symbackprop.ops.indexing import concatenate, element, gather, scatter, stack
from symbackprop.ops.reduction import logsumexp, max_over, min_over
from symbackprop.ops.transcendental import exp, log, tanh


def arr(name, *dims, dtype="float64"):
    return Input(name, TensorType(tuple(map(Dim.of, dims)), dtype))


RNG = np.random.default_rng(0)
A, v, s = arr("A", "m", "n"), arr("v", "n"), arr("s")
VALUES = {"A": RNG.normal(size=(3, 4)), "v": RNG.normal(size=4), "s": 0.5}


def value(node, **more):
    return interpret([node], {**VALUES, **more})[0]


def test_every_kind():
    m, w = VALUES["A"], VALUES["v"]
    np.testing.assert_array_equal(value(tanh(A) * 2.0 + A), np.tanh(m) * 2 + m)
    np.testing.assert_allclose(value(einsum("ij,j->i", A, v)), m @ w)
    np.testing.assert_allclose(
        value(einsum("ij,kj,k,i->", A, A, arr("u", "m"), arr("u", "m")), u=[1, 2, 3]), [1, 2, 3] @ m @ m.T @ [1, 2, 3]
    )
    np.testing.assert_array_equal(value(Broadcast(v, A.shape, (1,)) + A), m + w)
    swapped = (Dim.of("n"), Dim.of(2), Dim.of("m"))
    np.testing.assert_array_equal(value(Broadcast(A, swapped, (2, 0))), np.stack([m.T, m.T], axis=1))
    np.testing.assert_array_equal(interpret([Const(2.5, A.type), A], VALUES)[0], np.full((3, 4), 2.5))
    assert interpret([Size(Dim.of("m") * Dim.of("n"), "float64"), A], VALUES)[0] == 12.0
    np.testing.assert_array_equal(value(max_over(A, (1,))), m.max(axis=1))
    np.testing.assert_array_equal(value(min_over(A, (0, 1))), m.min())
    np.testing.assert_allclose(value(logsumexp(A, (0,))), np.log(np.exp(m).sum(axis=0)), rtol=1e-15)


def test_gathers():
    m = VALUES["A"]
    i = arr("i", "k", dtype="int64")
    rows = gather(A, [i], [AxisMap((0,), index=0), AxisMap((1,))], (Dim.of("k"), Dim.of("n")))
    np.testing.assert_array_equal(value(rows, i=[2, 0, 2]), m[[2, 0, 2]])
    shifted = gather(v, [], [AxisMap((0,), offset=Dim.of(1))], (Dim.of("n") - 1,))
    np.testing.assert_array_equal(value(shifted), VALUES["v"][1:])
    flipped = gather(v, [], [AxisMap((0,), strides=(Dim.of(-1),), offset=Dim.of("n") - 1)], v.shape)
    np.testing.assert_array_equal(value(flipped), VALUES["v"][::-1])
    square = arr("Q", "n", "n")
    q = RNG.normal(size=(4, 4))
    diagonal = gather(square, [], [AxisMap((0,)), AxisMap((0,))], v.shape)
    np.testing.assert_array_equal(value(diagonal, Q=q), np.diag(q))
    assert value(element(A, (1, 2))) == m[1, 2]
    table = arr("T", "m", "n", dtype="int64")
    looked_up = gather(v, [table], [AxisMap((1, 0), index=0)], (Dim.of("n"), Dim.of("m")))
    positions = RNG.integers(0, 4, size=(4, 3))
    with pytest.raises(InputError, match="wrong size"):
        interpret([looked_up, A], {**VALUES, "T": positions})
    square_table = arr("T", "n", "n", dtype="int64")
    looked_up = gather(v, [square_table], [AxisMap((1, 0), index=0)], square.shape)
    positions = RNG.integers(0, 4, size=(4, 4))
    np.testing.assert_array_equal(value(looked_up, T=positions), VALUES["v"][positions.T])


def test_scatters_add_where_pieces_meet():
    i = arr("i", "n", dtype="int64")
    node = scatter([(v, [i], [AxisMap((0,), index=0)]), (s, [], [AxisMap(offset=Dim.of(1))])], (Dim.of(3),))
    want = np.zeros(3)
    np.add.at(want, [1, 1, 0, 2], VALUES["v"])
    want[1] += 0.5
    np.testing.assert_allclose(value(node, i=[1, 1, 0, 2]), want)
    np.testing.assert_array_equal(value(concatenate([v, v], 0)), np.tile(VALUES["v"], 2))
    grid = stack([s, s * 2.0, s * 3.0, s * 4.0], (Dim.of(2), Dim.of(2)))
    np.testing.assert_array_equal(value(grid), [[0.5, 1.0], [1.5, 2.0]])


def test_graph_outputs_in_order_and_dtype():
    x = arr("x", dtype="float32")
    got = interpret(Graph((x,), (x + 1.0, x * 2.0)), {"x": 3})
    assert [g.dtype.name for g in got] == ["float32", "float32"]
    assert [float(g) for g in got] == [4.0, 6.0]


def test_sizes_are_solved_and_checked():
    long = arr("l", Dim.of("n") * 2 + 1)
    assert interpret([einsum("i->", long), Size(Dim.of("n"), "float64")], {"l": np.ones(7)})[1] == 3.0
    with pytest.raises(InputError, match="wrong size"):
        interpret([einsum("i->", long)], {"l": np.ones(8)})
    with pytest.raises(InputError, match="wrong size"):
        interpret([einsum("ij,j->i", A, v)], {"A": np.ones((3, 4)), "v": np.ones(5)})
    with pytest.raises(InputError, match="wrong rank"):
        interpret([v], {"v": np.ones((4, 1))})
    with pytest.raises(InputError, match="no value"):
        interpret([v], {"w": np.ones(4)})
    with pytest.raises(InputError, match="sizes cannot be read off"):
        interpret([Const(1.0, A.type)], {})
    product = arr("p", Dim.of("m") * Dim.of("n"))
    with pytest.raises(InputError, match="sizes cannot be read off"):
        interpret([product], {"p": np.ones(12)})
    assert interpret([product], {"p": np.ones(12)}, {"m": 3, "n": 4})[0].shape == (12,)


def test_indices_out_of_bounds_are_refused():
    i = arr("i", dtype="int64")
    node = gather(v, [i], [AxisMap((), index=0)], ())
    for bad in (-1, 4):
        with pytest.raises(InputError, match="out of bounds"):
            value(node, i=bad)


def test_no_warning_escapes():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert value(log(s - 0.5)) == -np.inf
        assert value(exp(s * 2000.0)) == np.inf
