"""Long chains and wide sums pass every stage without recursion, in time proportional to their length."""

from __future__ import annotations

import time

import pytest

from symbackprop.autodiff.bprop import build_bprop
from symbackprop.codegen.kernel import KernelText, emit_kernel
from symbackprop.codegen.scope import Helpers
from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import Input, Node
from symbackprop.ir.registry import ELEMENTWISE
from symbackprop.ir.types import TensorType
from symbackprop.ir.verify import verify
from symbackprop.ops.indexing import element
from symbackprop.plan.plan import make_plan
from symbackprop.plan.products import choose_paths
from symbackprop.rewrite.engine import simplify
from tests.plain import compile_graph


def chain(length: int, rank: int) -> Graph:
    """y = sin(y * x) + y, again and again: three operations a link."""
    shape = TensorType((Dim.of("n"),) * rank, "float64")
    x = y = Input("x", shape)
    for _ in range(length // 3):
        y = ELEMENTWISE["sin"](y * x) + y
    return Graph((x,), (y,))


def through_all_stages(graph: Graph) -> KernelText:
    simple = choose_paths(simplify(graph))
    (out,) = simple.outputs
    ct = Input("ct", out.type)
    gradients = build_bprop(simple, simple.inputs, [ct])
    joint = simplify(Graph((*simple.inputs, ct), (out, *gradients)))
    verify(joint)
    plan = make_plan(joint, ["y", "ct_x"])
    assert str(plan)
    return emit_kernel(plan, {"x": "x"}, {"n": "n"}, Helpers(), taken=["x", "n"], checks=())


@pytest.mark.parametrize("rank", [0, 1])
def test_no_recursion(rank: int) -> None:
    """20,000 scalar operations, and 4,000 on arrays."""
    text = through_all_stages(chain(20_000 if not rank else 4_000, rank))
    assert len(text.body) > 4_000
    assert max(map(len, text.body)) < 250


def test_time_is_linear() -> None:
    def seconds(length: int) -> float:
        graph = chain(length, 0)
        start = time.process_time()
        through_all_stages(graph)
        return time.process_time() - start

    seconds(300)
    short = min(seconds(600) for _ in range(2))
    assert seconds(3_000) < 15 * short


def test_wide_sum_of_reads() -> None:
    """A sum of 600 entries of one array: its gradient is one scatter, not 600 arrays."""
    x = Input("x", TensorType((Dim.of(600),), "float64"))
    total: Node = element(x, [0])
    for k in range(1, 600):
        total = total + element(x, [k]) * float(k)
    kernel = compile_graph(Graph((x,), (total,)), ["x"])
    assert kernel.cost().ratio_bound < 3
