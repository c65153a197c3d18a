"""Plans: what they must satisfy on any program, and the cases that once went wrong."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import sympy as sp

from symbackprop.interpret import interpret
from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import Input, Node
from symbackprop.ir.registry import ELEMENTWISE
from symbackprop.ir.sizes import Bind, Check, read_sizes
from symbackprop.ir.types import AxisMap, TensorType
from symbackprop.ops.contraction import einsum, sum_over
from symbackprop.ops.indexing import gather, scatter
from symbackprop.plan.access import is_leaf
from symbackprop.plan.memory import made_by, read_by
from symbackprop.plan.plan import Plan
from symbackprop.plan.steps import Loop, Product, Step, Strip, Write
from tests.plain import compile_graph, compile_plain
from tests.random_graphs import random_program

m, n, p = sp.symbols("m n p", integer=True, positive=True)


def real(name: str, *dims: Any) -> Input:
    return Input(name, TensorType(tuple(map(Dim.of, dims)), "float64"))


def check_plan(plan: Plan) -> None:
    """Every value is made once and before it is read; no loop is empty; values alive together have different slots."""
    stored, workspace = set(plan.stored), plan.workspace
    made: dict[Node, int] = {}
    for at, step in enumerate(plan.steps):
        assert made_by(step)
        for node in made_by(step):
            assert node not in made
            made[node] = at
        for node in read_by(step, stored):
            assert is_leaf(node) or made[node] <= at
    results = {n for n in plan.graph.outputs if n.rank}
    assert results <= stored
    for node in plan.graph.outputs:
        assert is_leaf(node) or node in made
    check_slots(plan, plan.steps, 0)
    arrays = {n for n in stored if place(plan, n).shape and n not in results and n not in workspace.within}
    copies = {node for node in workspace.at if isinstance(node, Input)}
    assert arrays == set(workspace.at) - set(workspace.within) - copies


def place(plan: Plan, node: Node) -> TensorType:
    """Return the type of the memory that a value has."""
    local = plan.local.get(node)
    return TensorType(local.shape(node.shape), node.dtype) if local else node.type


def check_slots(plan: Plan, parts: Sequence[Step], depth: int) -> set[int]:
    """Values alive together have different slots; return the slots of all values made here and further inside.

    A value made inside the memory of a scatter lives as long as the scatter.
    """
    workspace, stored = plan.workspace, set(plan.stored)
    spans: dict[Node, tuple[int, int]] = {}
    inner: list[set[int]] = []
    for at, part in enumerate(parts):
        inner.append(check_slots(plan, part.parts, depth + 1) if isinstance(part, Strip) else set())
        if isinstance(part, Strip):
            copies = {workspace.at[packed.copy] for packed in part.packed}
            assert copies.isdisjoint(inner[-1])
            inner[-1] |= copies
        for node in (*made_by(part), *read_by(part, stored)):
            home = workspace.within.get(node, node)
            level = plan.local[home].depth(home) if home in plan.local else 0
            if home in workspace.at and level == depth:
                spans[home] = (spans.get(home, (at, at))[0], at)
    by_slot: dict[int, list[tuple[int, int]]] = {}
    for node, span in spans.items():
        slot = workspace.at[node]
        assert workspace.slots[slot] == place(plan, node)
        by_slot.setdefault(slot, []).append(span)
        assert all(slot not in inner[at] for at in range(span[0], span[1] + 1))
    for intervals in by_slot.values():
        intervals.sort()
        assert all(end < start for (_, end), (start, _) in itertools.pairwise(intervals))
    return set(by_slot).union(*inner)


@pytest.mark.parametrize("seed", range(300, 340))
def test_invariants(seed: int) -> None:
    program = random_program(seed, 10 + seed % 12)
    for plan in compile_graph(program.graph, program.wrt)._plans.values():
        check_plan(plan)


# -- BLAS ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "shapes", "kind"),
    [
        ("ij,jk->ik", ("mn", "np"), Product),
        ("ij,kj->ik", ("mn", "pn"), Product),
        ("ji,jk->ki", ("nm", "np"), Product),
        ("ij,j->i", ("mn", "n"), Product),
        ("j,ij->i", ("n", "mn"), Product),
        ("ji,j->i", ("nm", "n"), Product),
        ("bij,bjk->bik", ("pmn", "pnm"), Product),
        ("bij,bkj->bki", ("pmn", "pmn"), Product),
        ("ijkl,klm->ijm", ("mnpm", "pmn"), Product),
        ("ikj,kl->ijl", ("mnp", "np"), Product),
        ("ikj,kjl->li", ("mnp", "npm"), Product),
        ("ibj,bjk->ibk", ("mpn", "pnm"), Product),
        ("ij,jk->", ("mn", "np"), None),
        ("ij,ij->", ("mn", "mn"), Loop),
        ("i,j->ij", ("m", "n"), Loop),
        ("i,j->ji", ("m", "n"), Loop),
        ("ii,ij->j", ("mm", "mn"), None),
        ("iij,jk->ik", ("mmn", "np"), None),
        ("bi,bi->b", ("mn", "mn"), Loop),
        ("ij->", ("mn",), Loop),
        ("ij->j", ("mn",), Loop),
        ("ii->i", ("mm",), Loop),
        ("ijij->ji", ("mnmn",), Loop),
        ("ij,jk,kl->il", ("mn", "np", "pm"), Product),
    ],
)
@pytest.mark.parametrize("sizes", [{"m": 2, "n": 3, "p": 4}, {"m": 1, "n": 1, "p": 1}, {"m": 3, "n": 0, "p": 2}])
def test_contractions(spec: str, shapes: tuple[str, ...], kind: type | None, sizes: dict[str, int]) -> None:
    """Each form of contraction, of arguments and of computed values, in the layout it is in and transposed after."""
    inputs = tuple(real(f"x{k}", *shape) for k, shape in enumerate(shapes))
    bare = einsum(spec, *inputs)
    computed = einsum(spec, *(ELEMENTWISE["tanh"](x) for x in inputs))
    outputs = [bare, computed, ELEMENTWISE["sin"](bare)]
    if bare.rank == 2:
        outputs.append(einsum("ij->ji", bare))
    bind = tuple(real(f"size_{s}", s) for s in sizes)
    graph = Graph((*inputs, *bind), tuple(outputs))
    kernel = compile_graph(graph, [x.name for x in inputs])
    rng = np.random.default_rng(0)
    given = {x.name: rng.standard_normal([d.evaluate(sizes) for d in x.shape]) for x in graph.inputs}
    for found, expected in zip(kernel(**given), interpret(graph, given, sizes), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    _, grads = kernel.value_and_grad(**given)
    for x in inputs:
        step = rng.standard_normal(given[x.name].shape)
        sides = [interpret(graph, {**given, x.name: given[x.name] + h * step}, sizes) for h in (1e-6, -1e-6)]
        slope = sum(float(np.sum(a - b)) for a, b in zip(*sides, strict=True)) / 2e-6
        assert float(np.sum(grads[x.name] * step)) == pytest.approx(slope, rel=1e-6, abs=1e-6)
    if kind is not None:
        plan = compile_graph(Graph(graph.inputs, (bare,)), [])._plans["value"]
        assert any(isinstance(step, kind) for step in plan.steps)


def test_tiny_products_are_loops() -> None:
    plan = compile_graph(Graph((a := real("a", 3, 3), b := real("b", 3, 3)), (einsum("ij,jk->ik", a, b),)), [])._plans[
        "value"
    ]
    assert all(isinstance(step, Loop) for step in plan.steps)


def test_order_of_products() -> None:
    """A*B*C*x is three matrix-vector products; so is its gradient for x, and no n-by-n matrix appears."""
    A, B, C = (sp.MatrixSymbol(s, n, n) for s in "ABC")
    x = sp.MatrixSymbol("x", n, 1)
    kernel = compile_plain(A * B * C * x, wrt=["x"])
    assert kernel.cost().fprop == 6 * n**2
    assert kernel.cost().bprop == 6 * n**2
    for plan in kernel._plans.values():
        assert all(node.rank < 2 for node in plan.stored)


# -- residuals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "kept"),
    [
        (sp.tanh, ["r0"]),
        (sp.exp, ["r0"]),
        (sp.sin, ["x"]),
        (sp.sqrt, ["x"]),
        (lambda t: 3 * t + 1, []),
        (sp.log, ["x"]),
    ],
)
def test_residuals_are_few(function: Any, kept: list[str]) -> None:
    """Kept is the output where the derivative is written with it, the input where it needs that, else nothing."""
    t, x = sp.Symbol("t"), sp.MatrixSymbol("x", n, 1)
    kernel = compile_plain(x.applyfunc(sp.Lambda(t, function(t))))
    plan = kernel._plans["bprop"]
    used = {node.name for node in plan.graph.nodes() if isinstance(node, Input)}
    assert used - {"ct_out"} == set(kept)


# -- sizes -----------------------------------------------------------------------------------------------------------


def test_sizes_are_bound_by_the_plainest_axis() -> None:
    wide, plain, short = real("wide", Dim.of("d") * 5), real("plain", "n"), real("short", Dim.of("n") - 1)
    actions, missing = read_sizes([short, wide, plain])
    assert missing == []
    assert actions == [
        Bind("n", 2, 0, 1, Dim.of(0)),
        Bind("d", 1, 0, 5, Dim.of(0)),
        Check(0, 0, Dim.of("n") - 1),
        Check(1, 0, Dim.of("d") * 5),
    ]
    assert read_sizes([real("x", Dim.of("a") * Dim.of("b"))])[1] == ["a", "b"]


# -- what went wrong once --------------------------------------------------------------------------------------------


def test_a_value_scattered_twice() -> None:
    """A scatter onto a value made in its own memory must still add that value where it is a second piece too."""
    x = real("x", "n")
    value = ELEMENTWISE["sin"](x)
    whole = (AxisMap((0,)),)
    flipped = (AxisMap((0,), strides=(Dim.of(-1),), offset=Dim.of("n") - 1),)
    for second in (whole, flipped):
        graph = Graph((x,), (scatter([(value, (), whole), (value, (), second)], x.shape),))
        given = np.array([1.0, 2.0, 4.0])
        expected = np.sin(given) + (np.sin(given) if second is whole else np.sin(given)[::-1])
        np.testing.assert_array_equal(compile_graph(graph, [])(given), expected)


def test_equal_values_of_different_making_scattered() -> None:
    """Two pieces that simplify to one value are two pieces still."""
    x = real("x", "n")
    once, twice = ELEMENTWISE["sin"](x), ELEMENTWISE["sin"](x * 1.0)
    whole = (AxisMap((0,)),)
    graph = Graph((x,), (scatter([(once, (), whole), (twice, (), whole)], x.shape),))
    np.testing.assert_array_equal(compile_graph(graph, [])(np.array([1.0, 2.0])), 2 * np.sin([1.0, 2.0]))


def test_pieces_of_different_extent_at_one_place() -> None:
    """One entry repeated along axes of two lengths: the gradients meet but cannot be added as arrays."""
    x, a, b = real("x", 3), real("a", "m"), real("b", "n")
    first, second = (gather(x, (), [AxisMap(offset=Dim.of(1))], y.shape) for y in (a, b))
    total = sum_over(first * a, [0]) + sum_over(second * b, [0])
    kernel = compile_graph(Graph((x, a, b), (total,)), ["x"])
    _, grads = kernel.value_and_grad(np.ones(3), np.array([1.0, 2.0]), np.array([4.0, 8.0, 16.0]))
    np.testing.assert_array_equal(grads["x"], [0.0, 31.0, 0.0])


def test_loops_emptied_by_sinking_are_gone() -> None:
    program = random_program(3)
    for plan in compile_graph(program.graph, program.wrt)._plans.values():
        assert all(step.members for step in plan.steps if isinstance(step, Loop))


def test_sinking_heeds_every_place_a_value_is_read_at() -> None:
    """`t * t.T` sinks into the last loop; `t`, which it reads both straight and across, must stay in memory."""
    x, y, z = (real(name, "n", "n") for name in "xyz")
    t = x * y
    late = einsum("ij,jk->ik", ELEMENTWISE["sin"](einsum("ij,kj->ik", x, y)), z)
    at = [np.random.default_rng(seed).normal(size=(3, 3)) for seed in range(3)]
    straight, across = at[0] * at[1], (at[0] * at[1]).T
    expected = straight * across + np.sin(at[0] @ at[1].T) @ at[2]
    for product in (t * einsum("ij->ji", t), einsum("ij->ji", t) * t):
        kernel = compile_graph(Graph((x, y, z), (product + late,)), [])
        np.testing.assert_allclose(kernel(*at), expected, rtol=1e-13)


def test_plan_prints() -> None:
    x, c = real("x", "n"), Input("c", TensorType((Dim.of("n"),), "int64"))
    piece = scatter([(ELEMENTWISE["sin"](x), (c,), (AxisMap((0,), index=0),))], (Dim.of("n"),))
    plan = compile_graph(Graph((x, c), (piece, sum_over(x, [0]))), [])._plans["value"]
    text = str(plan)
    assert "loop n: " in text
    assert "write 1 pieces into (n,) float64" in text
    assert "slot 0: (n,) float64" in text
    assert any(isinstance(step, Write) for step in plan.steps)
