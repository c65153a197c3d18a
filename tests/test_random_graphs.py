"""Random programs: the compiled text, run as plain Python on poisoned memory, against the interpreter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symbackprop.autodiff.bprop import build_bprop
from symbackprop.errors import InputError
from symbackprop.interpret import interpret
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import Input, Node
from symbackprop.ir.types import TensorType
from symbackprop.ir.verify import verify, verify_pass
from symbackprop.rewrite.engine import simplify
from tests.plain import compile_graph, poison_workspace
from tests.random_graphs import RandomProgram, random_program

SIZES = {"k": 2, "m": 3, "n": 4}
ALL_SIZES = (
    SIZES,
    {"k": 1, "m": 1, "n": 2},
    {"k": 3, "m": 2, "n": 1},
    {"k": 0, "m": 3, "n": 2},
    {"k": 2, "m": 0, "n": 3},
)
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def gradient_graph(graph: Graph, wrt: tuple[str, ...]) -> tuple[Graph, tuple[Input, ...]]:
    """The graph of the gradients, unsimplified, and the upstream inputs it takes."""
    prefix = "ct" if all(n.name != "ct0" for n in graph.inputs) else "ct_ct"
    upstream = tuple(Input(f"{prefix}{k}", TensorType(n.shape, "float64")) for k, n in enumerate(graph.outputs))
    nodes = [n for n in graph.inputs if n.name in wrt]
    return Graph((*graph.inputs, *upstream), tuple(build_bprop(graph, nodes, upstream))), upstream


def assert_close(found: Any, expected: list[np.ndarray], what: str, rtol: float = 1e-9) -> None:
    parts = found if isinstance(found, tuple) else (found,)
    assert len(parts) == len(expected)
    for k, (a, b) in enumerate(zip(parts, expected, strict=True)):
        assert np.shape(a) == b.shape, f"{what} {k}"
        scale = np.max(np.abs(b), initial=1.0, where=np.isfinite(b))
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * scale, err_msg=f"{what} {k}")


def assert_apart(arrays: list[Any]) -> None:
    """No two of the arrays share memory."""
    real = [a for a in arrays if isinstance(a, np.ndarray) and a.size]
    for k, a in enumerate(real):
        assert not any(np.shares_memory(a, b) for b in real[:k])


def check_kernel(p: RandomProgram, sizes: dict[str, int], seed: int) -> None:
    """Every function of the kernel agrees with the interpreter, leaves its arguments alone and shares no memory."""
    kernel = compile_graph(p.graph, p.wrt)
    gradients, upstream = gradient_graph(p.graph, p.wrt)
    for turn in range(2):
        given = p.arguments(sizes, seed + turn)
        before = {name: array.copy() for name, array in given.items()}
        rng = np.random.default_rng(seed)
        ct = {u.name: rng.standard_normal([d.evaluate(sizes) for d in u.shape]) for u in upstream}
        expected = interpret(p.graph, given, sizes)
        expected_grads = interpret(gradients, {**given, **ct}, sizes)
        ones = interpret(gradients, {**given, **{name: np.ones_like(c) for name, c in ct.items()}}, sizes)
        parts = tuple(ct.values()) if len(ct) > 1 else next(iter(ct.values()))
        value = kernel(**given)
        assert_close(value, expected, "value")
        forward, residuals = kernel.fprop(**given)
        poison_workspace(kernel)
        assert_close(forward, expected, "fprop")
        grads = kernel.bprop(residuals, parts)
        assert_close(tuple(grads.values()), expected_grads, "bprop")
        poison_workspace(kernel)
        both, fused = kernel.value_and_grad(**given)
        assert_close(both, expected, "value of value_and_grad")
        assert_close(tuple(fused.values()), ones, "value_and_grad")
        values = both if isinstance(both, tuple) else (both,)
        assert_apart([*given.values(), *values, *fused.values()])
        assert_apart([*given.values(), *(forward if isinstance(forward, tuple) else (forward,)), *grads.values()])
        poison_workspace(kernel)
        assert_close(tuple(kernel.bprop(residuals, parts).values()), expected_grads, "second bprop")
        for name, array in given.items():
            np.testing.assert_array_equal(array, before[name], err_msg=f"{name} was changed")


def check_adjoint(
    graph: Graph, wrt: tuple[str, ...], given: dict[str, np.ndarray], sizes: dict[str, int], seed: int
) -> None:
    """<ct, J t> = <J* ct, t>, J t from central differences of the interpreter."""
    rng = np.random.default_rng(seed)
    gradients, upstream = gradient_graph(graph, wrt)
    values = interpret(graph, given, sizes)
    ct = {u.name: rng.standard_normal(v.shape) for u, v in zip(upstream, values, strict=True)}
    tangent = {name: rng.standard_normal(given[name].shape) for name in wrt}
    grads = interpret(gradients, {**given, **ct}, sizes)
    right = sum(float(np.sum(g * tangent[n.name])) for g, n in zip(grads, _wrt_nodes(graph, wrt), strict=True))
    sides = []
    for h in (1e-6, -1e-6):
        moved = {name: a + h * tangent[name] if name in wrt else a for name, a in given.items()}
        sides.append(interpret(graph, moved, sizes))
    left = sum(float(np.sum(c * (a - b))) for c, a, b in zip(ct.values(), *sides, strict=True)) / 2e-6
    scale = max(1.0, max((float(np.max(np.abs(v), initial=0.0)) for v in values), default=0.0), abs(right))
    assert abs(left - right) < 2e-6 * scale, (left, right)


def _wrt_nodes(graph: Graph, wrt: tuple[str, ...]) -> list[Node]:
    return [n for n in graph.inputs if n.name in wrt]


def usable(graph: Graph, given: dict[str, np.ndarray], sizes: dict[str, int]) -> bool:
    """Whether all indices are in range (no axis they address is empty) and no value is infinite (an empty maximum)."""
    try:
        values = interpret(graph.nodes(), given, sizes)
    except InputError:
        return False
    return all(np.all(np.isfinite(v)) for v in values)


def sample(seed: int, *, second: bool = False) -> tuple[RandomProgram, dict[str, int]]:
    """The program of a seed (or that of its gradient), and sizes; those that leave a program without a value are passed
    over, so that empty axes occur where they can."""
    p = random_program(seed, 8 + seed % 16)
    if second:
        gradients, _ = gradient_graph(p.graph, p.wrt)
        p = RandomProgram(gradients, (*p.wrt, "ct0"), p.limits)
    for sizes in (ALL_SIZES[seed % len(ALL_SIZES)], SIZES):
        given = p.arguments(sizes, seed)
        gradients, upstream = gradient_graph(p.graph, p.wrt)
        ct = {u.name: np.ones([d.evaluate(sizes) for d in u.shape]) for u in upstream}
        if usable(p.graph, given, sizes) and usable(gradients, {**given, **ct}, sizes):
            return p, sizes
    raise AssertionError(seed)


@pytest.mark.parametrize("seed", range(60))
def test_kernel_is_interpreter(seed: int) -> None:
    p, sizes = sample(seed)
    verify(p.graph)
    simple = simplify(p.graph)
    verify_pass(p.graph, simple)
    given = p.arguments(sizes, seed)
    assert_close(tuple(interpret(simple, given, sizes)), interpret(p.graph, given, sizes), "simplified")
    check_kernel(p, sizes, seed)


@pytest.mark.parametrize("seed", range(100, 160))
def test_gradient_is_adjoint(seed: int) -> None:
    p, sizes = sample(seed)
    check_adjoint(p.graph, p.wrt, p.arguments(sizes, seed), sizes, seed)


@pytest.mark.parametrize("seed", range(200, 208))
def test_gradient_of_gradient(seed: int) -> None:
    p, sizes = sample(seed, second=True)
    check_adjoint(p.graph, p.wrt, p.arguments(sizes, seed), sizes, seed)
    check_kernel(p, sizes, seed)


def test_compiled_by_numba() -> None:
    p, sizes = sample(5013)
    kernel = compile_graph(p.graph, p.wrt, plain=False)
    given = p.arguments(sizes, 0)
    gradients, upstream = gradient_graph(p.graph, p.wrt)
    ones = {u.name: np.ones([d.evaluate(sizes) for d in u.shape]) for u in upstream}
    value, grads = kernel.value_and_grad(**given)
    assert_close(value, interpret(p.graph, given, sizes), "value")
    assert_close(tuple(grads.values()), interpret(gradients, {**given, **ones}, sizes), "gradients")
