"""Long scalar kernels: the same numbers as the interpreter, through LLVM directly, in a module that stands alone."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import symbackprop as sbp
from symbackprop.autodiff.bprop import build_bprop
from symbackprop.codegen import kernel as kernel_text
from symbackprop.interpret import interpret
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import PRIMITIVES, Input, Node
from symbackprop.ir.types import TensorType
from symbackprop.ops.layout import fill
from symbackprop.runtime.load import load_module
from tests.plain import compile_graph

SYMBOLS = sp.symbols("x0:6")


def long_expression(n: int) -> sp.Expr:
    """A sum of n terms that together use every scalar operation."""
    total = sp.S.Zero
    for k in range(n):
        a, b, c = (SYMBOLS[(k + j) % 6] for j in (0, 1, 3))
        term = sp.sin(a + k) * b + sp.Max(b, a * c) / (2 + sp.cos(a * b)) - sp.sqrt(1 + (c - k) ** 2)
        branch = sp.Piecewise((term, a > b), (sp.tanh(c + b), True))
        total += branch + sp.exp(-((a - k) ** 2)) + sp.Abs(a - c) ** 3
    return total


@pytest.fixture(scope="module")
def kernel() -> sbp.Kernel:
    return sbp.compile(long_expression(12), inputs={"x": SYMBOLS})


def test_a_long_kernel_is_compiled_directly(kernel: sbp.Kernel) -> None:
    assert "@straight_line\ndef _value_and_grad(" in kernel.source
    assert "straight_line" not in sbp.compile(long_expression(1), inputs={"x": SYMBOLS}).source


def test_value_and_gradient(kernel: sbp.Kernel) -> None:
    x = np.random.default_rng(3).normal(size=6)
    value, grads = kernel.value_and_grad(x)
    reference = sp.lambdify([SYMBOLS], long_expression(12), "mpmath")
    assert value == pytest.approx(float(reference(list(map(sp.Float, x)))), rel=1e-12)
    step = 1e-6
    numeric = [(kernel(x + step * e) - kernel(x - step * e)) / (2 * step) for e in np.eye(6)]
    np.testing.assert_allclose(grads["x"], numeric, rtol=1e-6, atol=1e-8)
    _, residuals = kernel.fprop(x)
    np.testing.assert_allclose(kernel.bprop(residuals, 2.0)["x"], 2 * grads["x"], rtol=1e-13)


@pytest.mark.parametrize("seed", [0, 2])
def test_parts_give_the_same_bits(seed: int) -> None:
    """Comparisons, helpers that may raise and arrays cross from part to part."""
    kernel = sbp.compile(long_expression(12) + sp.besselj(1, SYMBOLS[seed]), inputs={"x": SYMBOLS})
    assert "longest = 5000" in kernel.source
    text = kernel.source.replace("longest = 5000", "longest = 20").replace("short = 500", "short = 7")
    parts = load_module(text, "parts").value_and_grad
    x = np.random.default_rng(seed).normal(size=6)
    value, grads = kernel.value_and_grad(x)
    again, slopes = parts(x)
    assert "@part" in next(iter(parts.inspect_llvm().values()))
    assert again == value
    np.testing.assert_array_equal(slopes[0] if isinstance(slopes, tuple) else slopes, grads["x"])


def test_float32_stays_float32() -> None:
    kernel = sbp.compile(long_expression(12), inputs={"x": SYMBOLS}, dtype="float32")
    x = np.random.default_rng(3).normal(size=6).astype(np.float32)
    value, grads = kernel.value_and_grad(x)
    assert value.dtype == grads["x"].dtype == np.float32
    wide = sbp.compile(long_expression(12), inputs={"x": SYMBOLS})
    assert value == pytest.approx(wide(x.astype(np.float64)), rel=1e-4)


def random_expression(seed: int, n: int) -> Graph:
    """A random program of scalars over every kind of scalar operation, comparisons and ties included."""
    rng = np.random.default_rng(seed)
    real = TensorType((), "float64")
    inputs = tuple(Input(f"x{k}", real) for k in range(4))
    pool: list[Node] = list(inputs)
    smooth = ("tanh", "sin", "cos", "sigmoid", "softplus", "abs", "neg", "atan", "erf", "sign")

    def some() -> Node:
        return pool[int(len(pool) * rng.random() ** 0.7)]

    def call(*names: str, arity: int) -> Node:
        return PRIMITIVES[names[int(rng.integers(len(names)))]](*(some() for _ in range(arity)))

    def branch() -> Node:
        first, second = (PRIMITIVES[name](some(), some()) for name in ("lt", "le"))
        both = (
            PRIMITIVES["and"](first, PRIMITIVES["not"](second))
            if rng.random() < 0.5
            else PRIMITIVES["or"](first, second)
        )
        return PRIMITIVES["select"](both, some(), some())

    makers = (
        lambda: call(*smooth, arity=1),
        lambda: call("add", "sub", "mul", "maximum", "minimum", arity=2),
        lambda: PRIMITIVES["sin"](call("add", "mul", arity=2)),
        lambda: PRIMITIVES["div"](some(), 1.5 + PRIMITIVES["integer_power"](some(), attr=(2,))),
        lambda: PRIMITIVES["log"](1.5 + PRIMITIVES["cos"](some())),
        lambda: PRIMITIVES["exp"](PRIMITIVES["tanh"](some())),
        lambda: PRIMITIVES["maximum"](some(), some(), some()),
        branch,
    )
    while len(pool) < n:
        pool.append(makers[int(rng.integers(len(makers)))]())
    used = {a for node in pool for a in node.args}
    total: Node = pool[-1]
    for node in pool[4:]:
        total = total if node in used else total + PRIMITIVES["sin"](node)
    return Graph(inputs, (total, pool[-1]))


@pytest.mark.parametrize("seed", [0, 2])
def test_random_programs(seed: int) -> None:
    """Also connectives and ties of three."""
    graph = random_expression(seed, 130)
    kernel = compile_graph(graph, [x.name for x in graph.inputs], plain=False)
    assert "@straight_line\ndef _value_and_grad(" in kernel.source
    given = dict(zip((x.name for x in graph.inputs), np.random.default_rng(seed).normal(size=4), strict=True))
    ones = [fill(1.0, (), "float64") for _ in graph.outputs]
    expected = interpret(graph, given)
    slopes = interpret(Graph(graph.inputs, tuple(build_bprop(graph, graph.inputs, ones))), given)
    value, grads = kernel.value_and_grad(**given)
    np.testing.assert_allclose(value, expected, rtol=1e-10)
    np.testing.assert_allclose(list(grads.values()), slopes, rtol=1e-9, atol=1e-9 * np.max(np.abs(slopes)))


def test_booleans_between_the_passes_are_left_to_numba(monkeypatch: pytest.MonkeyPatch) -> None:
    """A straight-line function returns numbers of one type: one that hands on a comparison is compiled as usual."""
    monkeypatch.setattr(kernel_text, "LONG", 5)
    a, b = SYMBOLS[:2]
    condition = sp.And(a * a < sp.sin(b), sp.sin(a) < sp.cos(b))
    expr = sum(sp.Piecewise((sp.sin(k * a), condition), (sp.exp(b / k), True)) for k in range(1, 4))
    kernel = sbp.compile(expr)
    assert "bool" in {n.dtype for n in kernel._plans["fprop"].graph.outputs}
    assert "@straight_line\ndef _value_and_grad(" in kernel.source
    for point in ((0.1, 0.5), (0.9, -0.4)):
        _, residuals = kernel.fprop(*point)
        assert kernel.bprop(residuals) == pytest.approx(kernel.value_and_grad(*point)[1], rel=1e-14)


def test_hundreds_of_operands_and_branches() -> None:
    """A maximum, a conjunction and a Piecewise of hundreds of parts: shallow text, no type inference."""
    xs = sp.symbols("x0:200")
    cases = [(k * x, xs[0] < sp.Rational(k, 200)) for k, x in enumerate(xs)]
    inside = sp.And(*(x > -1 for x in xs))
    chosen = sp.Piecewise((xs[1], sp.Not(inside)), *cases, (xs[5], True), evaluate=False)
    kernel = sbp.compile(sp.Max(*xs, evaluate=False) + chosen, inputs={"x": xs})
    assert "@straight_line\ndef _value_and_grad(" in kernel.source
    x = np.linspace(0.0, 1.0, 200)
    x[0], x[7] = 0.3, 1.0
    value, grads = kernel.value_and_grad(x)
    expected = np.zeros(200)
    expected[[7, 199]] = 0.5
    expected[61] += 61
    assert value == pytest.approx(1.0 + 61 * x[61])
    np.testing.assert_allclose(grads["x"], expected)
