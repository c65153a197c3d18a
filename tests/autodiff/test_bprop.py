"""Reverse accumulation: adjoint identities, accumulation at branches, only what is asked for, higher derivatives."""

from __future__ import annotations

import numpy as np
import pytest

import symbackprop.ops  # noqa: F401 - fills the registry
from symbackprop.autodiff.bprop import build_bprop
from symbackprop.interpret import interpret
from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph, toposort
from symbackprop.ir.node import Input, Node, Scatter
from symbackprop.ir.registry import ELEMENTWISE
from symbackprop.ir.types import AxisMap, TensorType
from symbackprop.ir.verify import verify
from symbackprop.ops.contraction import einsum, sum_over
from symbackprop.ops.indexing import element, gather
from symbackprop.ops.layout import fill

SIZES = {"i": 3, "j": 4, "k": 2, "l": 3}
SPECS = [
    "ij,j->i",
    "ij,jk->ik",
    "ij,kj->ik",
    "i,j->ij",
    "ij->ji",
    "ij->j",
    "ij->",
    "ij,ij->i",
    "ijk,jk->i",
    "ij,ik,kj->",
    "ii->",
    "ii->i",
    "ij,ik->ijk",
]


def tensor(name: str, labels: str, sizes: dict[str, int] = SIZES) -> Input:
    return Input(name, TensorType(tuple(Dim.of(sizes[c]) for c in labels), "float64"))


def gradients(outputs: list[Node], wrt: list[Node]) -> list[Node]:
    graph = Graph((), tuple(outputs))
    return build_bprop(graph, wrt, [fill(1.0, o.shape, "float64") for o in outputs])


@pytest.mark.parametrize("spec", SPECS)
def test_adjoint_of_every_contraction(spec: str) -> None:
    """<ct, J t> == <J* ct, t> for each operand: a contraction is linear in it."""
    rng = np.random.default_rng(1)
    operands = [tensor(f"x{k}", labels) for k, labels in enumerate(spec.partition("->")[0].split(","))]
    node = einsum(spec, *operands)
    ct = Input("ct", node.type)
    values = {a.name: rng.normal(size=[d.value for d in a.shape]) for a in [*operands, ct]}
    grads = build_bprop(Graph((), (node,)), operands, [ct])
    for operand, grad in zip(operands, grads, strict=True):
        assert grad.type == operand.type
        tangent = rng.normal(size=values[operand.name].shape)
        (moved,) = interpret([node], {**values, operand.name: tangent})
        (adjoint,) = interpret([grad], values)
        assert np.sum(values["ct"] * moved) == pytest.approx(np.sum(adjoint * tangent), rel=1e-12)


def test_contributions_add_up_and_equal_ones_are_counted() -> None:
    x = tensor("x", "i")
    (grad,) = gradients([sum_over(x * x, [0])], [x])
    (value,) = interpret([grad], {"x": np.array([1.0, 2.0, 3.0])})
    np.testing.assert_array_equal(value, [2.0, 4.0, 6.0])


def test_reads_of_single_entries_merge_into_one_scatter() -> None:
    n = 50
    x = Input("x", TensorType((Dim.of(n),), "float64"))
    total = element(x, [0])
    for k in range(1, n):
        total = total * element(x, [k])
    (grad,) = gradients([total], [x])
    assert isinstance(grad, Scatter)
    assert grad.disjoint
    assert sum(isinstance(node, Scatter) for node in toposort([grad])) == 1


def test_entries_that_are_never_read_get_zero() -> None:
    x = Input("x", TensorType((Dim.of(3),), "float64"))
    (grad,) = gradients([element(x, [0]) * element(x, [2])], [x])
    np.testing.assert_array_equal(interpret([grad], {"x": np.array([2.0, 9.0, 5.0])})[0], [5.0, 0.0, 2.0])


def test_a_look_up_used_twice_adds_into_one_row() -> None:
    table = Input("table", TensorType((Dim.of("V"), Dim.of("d")), "float64"))
    rows = Input("rows", TensorType((Dim.of("L"),), "int64"))
    picked = gather(table, [rows], [AxisMap((0,), index=0), AxisMap((1,))], (Dim.of("L"), Dim.of("d")))
    (grad,) = gradients([sum_over(picked * picked, [0, 1])], [table])
    values = {"table": np.arange(8.0).reshape(4, 2), "rows": np.array([1, 1, 3])}
    expected = np.zeros((4, 2))
    np.add.at(expected, values["rows"], 2 * values["table"][values["rows"]])
    np.testing.assert_array_equal(interpret([grad], values)[0], expected)


def test_only_what_wrt_needs_is_built() -> None:
    x, y = tensor("x", "i"), tensor("y", "i")
    (grad,) = gradients([sum_over(ELEMENTWISE["exp"](x) * ELEMENTWISE["sin"](y), [0])], [x])
    assert not any(getattr(n, "op", None) is ELEMENTWISE["cos"] for n in toposort([grad]))


def test_what_does_not_matter_has_zero_gradient_of_its_shape() -> None:
    x, y = tensor("x", "i"), tensor("y", "ij")
    (grad,) = gradients([sum_over(x, [0])], [y])
    assert grad is fill(0.0, y.shape, "float64")


def test_second_and_third_derivatives() -> None:
    """The gradient graph is in the same vocabulary: differentiate it again, and again."""
    x = Input("x", TensorType((), "float64"))
    f = ELEMENTWISE["sin"](x) * ELEMENTWISE["exp"](x)
    nodes = [f]
    for _ in range(3):
        nodes += gradients([nodes[-1]], [x])
    graph = Graph((x,), tuple(nodes))
    verify(graph)
    at = 0.7
    s, c, e = np.sin(at), np.cos(at), np.exp(at)
    expected = [s * e, (s + c) * e, 2 * c * e, 2 * (c - s) * e]
    np.testing.assert_allclose(interpret(graph, {"x": np.array(at)}), expected, rtol=1e-14)


def test_hessian_vector_product_of_a_network_is_symmetric() -> None:
    rng = np.random.default_rng(2)
    W, x = tensor("W", "ij"), tensor("x", "j")
    f = sum_over(ELEMENTWISE["tanh"](einsum("ij,j->i", W, x)), [0])
    v, w = Input("v", W.type), Input("w", W.type)
    (grad,) = gradients([f], [W])
    products = [gradients([einsum("ij,ij->", grad, t)], [W])[0] for t in (v, w)]
    values = {n: rng.normal(size=(3, 4)) for n in "Wvw"} | {"x": rng.normal(size=4)}
    hv, hw = interpret(products, values)
    assert np.sum(values["w"] * hv) == pytest.approx(np.sum(values["v"] * hw), rel=1e-12)
