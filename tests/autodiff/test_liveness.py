"""Strong zeros behind sums: guarded where the local gradient may be infinite, and nowhere else."""

from __future__ import annotations

import time

import numpy as np

import symbackprop.ops  # noqa: F401 - fills the registry
from symbackprop.autodiff.bprop import build_bprop
from symbackprop.interpret import interpret
from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph, toposort
from symbackprop.ir.node import Const, Elementwise, Input, Node
from symbackprop.ir.types import TensorType
from symbackprop.ops.arithmetic import sqrt
from symbackprop.ops.contraction import einsum
from symbackprop.ops.layout import spread
from symbackprop.ops.logic import lt, select
from symbackprop.ops.reduction import prod_over
from symbackprop.ops.transcendental import log, tanh
from symbackprop.rewrite.engine import simplify

M, N = Dim.of("m"), Dim.of("n")
SIZES = {"m": 2, "n": 3}


def real(name: str, *shape: Dim) -> Input:
    return Input(name, TensorType(shape, "float64"))


A, X, V, T = real("A", N, M), real("x", N), real("v", M), real("t")
CT = real("ct")
TAKEN = lt(0.0, X)
ZERO = Const(0.0, X.type)
POINT = {"A": np.array([[0.3, 0.4], [-0.1, -0.2], [0.5, 0.6]]), "v": np.array([0.7, 0.3]), "t": -1.0, "ct": 1.0}


def gradients(value: Node, wrt: list[Node]) -> tuple[Node, ...]:
    """The gradients of the sum of the entries that are taken."""
    chosen = einsum("i->", select(TAKEN, value, ZERO))
    return simplify(Graph((), tuple(build_bprop(Graph((), (chosen,)), wrt, [CT])))).outputs


def at(nodes: tuple[Node, ...], x: list[float]) -> list[np.ndarray]:
    with np.errstate(all="ignore"):
        return interpret(nodes, {**POINT, "x": np.array(x)}, SIZES)


def guards(nodes: tuple[Node, ...]) -> int:
    """How many selections there are beside those by the condition itself."""
    found = [n for n in toposort(nodes) if isinstance(n, Elementwise) and n.op is select]
    return sum(n.args[0] is not TAKEN for n in found)


def test_shared_scalar() -> None:
    """No entry takes the root of a negative number: its slope is nan, its gradient 0."""
    (found,) = at(gradients(spread(sqrt(T), (N,), ()) * X, [T]), [-1.0, -2.0, -3.0])
    assert found == 0.0
    (found,) = at(gradients(spread(sqrt(T), (N,), ()) * X, [T]), [-1.0, 2.0, -3.0])
    assert np.isnan(found)


def test_rows_and_vectors() -> None:
    """The logarithms of a row that is not taken are nan; they enter a product of all rows with the cotangent."""
    x = [1.0, -1.0, 2.0]
    by_row = np.log(POINT["A"][[0, 2]]).sum(axis=0)
    for outer in (lambda v: v, tanh):
        ct_a, ct_v = at(gradients(outer(einsum("ij,j->i", log(A), V)), [A, V]), x)
        assert np.isfinite(ct_a).all()
        assert (ct_a[1] == 0.0).all()
        assert np.isfinite(ct_v).all()
    np.testing.assert_allclose(at(gradients(einsum("ij,j->i", log(A), V), [V]), x)[0], by_row)
    (ct_v,) = at(gradients(einsum("ij,j->i", A, log(V - 1.0)), [V]), [-1.0, -1.0, -1.0])
    assert (ct_v == 0.0).all()


def test_product_over_an_axis() -> None:
    (ct_a,) = at(gradients(prod_over(sqrt(A), (1,)), [A]), [1.0, -1.0, 2.0])
    np.testing.assert_allclose(ct_a, [[np.sqrt(4 / 3) / 2, np.sqrt(3 / 4) / 2], [0, 0], [0.547722558, 0.456435465]])


def test_nothing_is_guarded_without_need() -> None:
    """Products with finite local gradients stay plain contractions."""
    assert guards(gradients(tanh(einsum("ij,j->i", A, tanh(V))), [A, V])) == 0
    assert guards(gradients(spread(tanh(T), (N,), ()) * X, [T])) == 0
    assert guards(gradients(einsum("ij,j->i", log(A), V), [V])) == 1


def test_conditions_grow_with_the_program() -> None:
    """Choices within choices: each further one costs the same."""
    counts, times = (250, 1000), []
    for count in counts:
        value: Node = X
        for k in range(count):
            value = select(lt(float(k), value), tanh(value) + spread(einsum("i->", value), (N,), ()), value)
        start = time.process_time()
        (ct,) = build_bprop(Graph((), (einsum("i->", value),)), [X], [CT])
        times.append(time.process_time() - start)
        assert len(toposort([ct])) < 60 * count
    assert times[1] < 10 * times[0] + 0.1, times
