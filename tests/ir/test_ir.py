"""Nodes, sizes, traversal, verification and listing."""

from __future__ import annotations

import gc
import math

import pytest

import symbackprop.ops  # noqa: F401 - fills the registry
from symbackprop.errors import ShapeError
from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph, rebuild, substitute, toposort, users
from symbackprop.ir.node import _TABLE, Broadcast, Const, Input, Node
from symbackprop.ir.printer import show
from symbackprop.ir.types import AxisMap, EinsumSpec, TensorType
from symbackprop.ir.verify import verify, verify_pass
from symbackprop.ops.contraction import einsum, permute
from symbackprop.ops.indexing import element, stack

REAL = TensorType((), "float64")
x, y = Input("x", REAL), Input("y", REAL)
m, n = Dim.of("m"), Dim.of("n")
A, v = Input("A", TensorType((m, n), "float64")), Input("v", TensorType((n,), "float64"))


def test_equal_nodes_are_one_node() -> None:
    assert x * 2.0 + y is x * 2.0 + y
    assert einsum("ij,j->i", A, v) is einsum("ab,b->a", A, v)
    assert Input("x", REAL) is x
    assert x * y is not y * x


def test_constants_are_keyed_by_their_bits() -> None:
    assert Const(0.0, REAL) is not Const(-0.0, REAL)
    assert Const(math.nan, REAL) is Const(float("nan"), REAL)
    assert Const(1, REAL) is Const(1.0, REAL)


def test_the_table_forgets_dead_nodes() -> None:
    gc.collect()
    before = len(_TABLE)
    node: Node = x
    for _ in range(1000):
        node = node + y
    assert len(_TABLE) >= before + 1000
    del node
    gc.collect()
    assert len(_TABLE) <= before + 5


def test_constructors_check_shapes_and_name_both_sizes() -> None:
    with pytest.raises(ShapeError) as caught:
        einsum("ij,j->i", A, Input("w", TensorType((m,), "float64")))
    assert str(caught.value) == "einsum 'ij,j->i': label 'j' has two sizes\n  expected: n\n  found: m in operand 1"
    with pytest.raises(ShapeError, match="add needs operands of one shape"):
        _ = v + Input("w", TensorType((m,), "float64"))
    with pytest.raises(ShapeError, match="broadcast does not fit"):
        Broadcast(v, (m, n), (0,))


def test_sizes_are_canonical_polynomials() -> None:
    assert (m + n) * (m - n) == m * m - n * n
    assert str(2 * m * n + m - 3) == "2*m*n + m - 3"
    assert (m - m).terms == ()
    assert (5 * m + 1).linear_in("m") == (5, Dim.of(1))
    assert (m * n).linear_in("m") is None
    assert (5 * m + 1).evaluate({"m": 4}) == 21
    assert (m * m).substitute({"m": n + 1}) == n * n + 2 * n + 1
    with pytest.raises(ValueError, match="m is not a constant"):
        _ = m.value


def test_einsum_labels_are_renumbered() -> None:
    assert str(EinsumSpec.parse("bi,ij->bj")) == "ij,jk->ik"
    assert EinsumSpec.parse("ij->ji").is_permutation
    assert EinsumSpec.parse("ij,jk->k").summed == (0, 1)


def test_traversal_is_operands_first_and_deep() -> None:
    node: Node = x
    for _ in range(20_000):
        node = node + y
    order = toposort([node])
    assert len(order) == 20_002
    assert order[-1] is node
    place = {each: k for k, each in enumerate(order)}
    assert all(place[a] < place[each] for each in order for a in each.args)
    assert len(users(order)[y]) == 20_000
    assert rebuild([node], lambda each: each)[node] is node


def test_substitute_stops_at_what_it_replaces() -> None:
    inner = x * y
    new = substitute([inner + x], {inner: y})
    assert new[inner + x] is y + x


def test_verify() -> None:
    verify(Graph((x, y), (x * y,)))
    with pytest.raises(ShapeError, match="an input is not declared"):
        verify(Graph((x,), (x * y,)))
    with pytest.raises(ShapeError, match="a pass changed a result's type"):
        verify_pass(Graph((A, v), (A,)), Graph((A, v), (v,)))
    with pytest.raises(ShapeError, match="a pass lost a label"):
        verify_pass(Graph((x,), (x,), {"s": x}), Graph((x,), (x,)))


def test_listing() -> None:
    graph = Graph((A, v), (einsum("ij,j->i", A, v), element(v, [0])), {"t": permute(A, [1, 0])})
    assert show(graph) == (
        "%2 = einsum 'ij,j->i'(%A, %v)  (m,) float64\n"
        "%3 = gather(%v) at [0]  () float64\n"
        "%4 = einsum 'ij->ji'(%A)  (n, m) float64\n"
        "return %2, %3\n"
        "t: %4"
    )
    assert "disjoint" in show(Graph((x, y), (stack([x, y], [Dim.of(2)]),)))


def test_an_affine_index_has_one_stride_for_each_axis() -> None:
    assert AxisMap((0, 1)).strides == (Dim.of(1), Dim.of(1))
    with pytest.raises(ShapeError, match="one stride for each axis"):
        AxisMap((0, 0))
    with pytest.raises(ShapeError, match="no definite sign"):
        AxisMap((0,), (Dim.of("m") - "n",))


def test_reach_of_an_affine_index() -> None:
    n, k = Dim.of("n"), Dim.of("k")
    assert AxisMap((0, 1), (Dim.of(1), Dim.of(-1)), Dim.of(2)).reach((n, k)) == (Dim.of(3) - k, n + 1)
    assert AxisMap((0,), (n,)).reach((k,)) == (Dim.of(0), k * n - n)
    assert AxisMap((0,)).along == 0
    assert AxisMap((0,), span=(Dim.of(0), n)).along is None
