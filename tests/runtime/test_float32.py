"""float32 kernels compute in float32: in the text, in the types numba infers, and in what comes out."""

from __future__ import annotations

import ast
from typing import Any

import numpy as np
import pytest

from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import Const, Elementwise, Input
from symbackprop.ir.registry import ELEMENTWISE
from symbackprop.ir.types import TensorType
from tests.kernels import KERNELS
from tests.plain import compile_graph

#: Temporaries of a literal inside `float32(...)`.
LITERALS = ("$const", "load_attr", "unary_negative")


class Bare(ast.NodeVisitor):
    """Collects float literals and math constants that no float32 cast encloses."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def visit_Call(self, node: ast.Call) -> None:
        if not (isinstance(node.func, ast.Name) and node.func.id == "float32"):
            self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, float):
            self.found.append(ast.unparse(node))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if ast.unparse(node) in {"math.inf", "math.nan", "math.pi", "math.e", "np.float64"}:
            self.found.append(ast.unparse(node))


def bare_literals(source: str) -> list[str]:
    """Float literals outside casts in the kernels; the self-test works in double precision on purpose."""
    visitor = Bare()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            for statement in node.body:
                visitor.visit(statement)
    return visitor.found


def widened(module: Any) -> list[str]:
    """Variables and temporaries of the module's compiled functions that numba typed as float64.

    `bprop` itself is left out: its scalar residuals arrive as Python numbers and are cast first.
    """
    out = []
    for name, function in vars(module).items():
        if name == "bprop":
            continue
        for compiled in getattr(function, "overloads", {}).values():
            for variable, kind in compiled.type_annotation.typemap.items():
                if "float64" in str(kind) and not any(mark in variable for mark in LITERALS):
                    out.append(f"{name}: {variable} is {kind}")
    return out


@pytest.mark.parametrize("name", KERNELS)
def test_text(name: str) -> None:
    assert bare_literals(KERNELS[name](dtype="float32").source) == []


@pytest.mark.parametrize("rank", [0, 1])
def test_every_primitive(rank: int) -> None:
    shape = (Dim.of("n"),) * rank
    real = [Input(f"x{k}", TensorType(shape, "float32")) for k in range(3)]
    truth = ELEMENTWISE["lt"](real[0], real[1])
    outputs = []
    for op in ELEMENTWISE.values():
        args: list[Any] = real[: op.arity or 2]
        if op.name in {"and_", "or_", "not_", "and", "or", "not", "real32"}:
            args = [truth] * len(args)
        elif op.name == "select":
            args = [truth, real[0], real[1]]
        elif op.name == "expint":
            args[0] = Const(2, real[0].type)
        elif op.name == "real64" or op.dtype == "int64":
            continue
        node = Elementwise(op, args, (3,) * op.params)
        outputs.append(node if node.type.is_real else ELEMENTWISE["real32"](node))
    kernel = compile_graph(Graph(tuple(real), tuple(outputs)), (), dtype="float32", plain=False)
    given = [np.float32(v) if not rank else np.full(3, v, np.float32) for v in (0.3, 0.6, 0.9)]
    values = kernel(*given)
    assert {v.dtype for v in values} == {np.dtype("float32")}
    assert widened(kernel._module) == []
    assert bare_literals(kernel.source) == []


@pytest.mark.parametrize("name", ["scalar", "softmax_loss"])
def test_values_and_types(name: str) -> None:
    single, double = KERNELS[name](dtype="float32"), KERNELS[name]()
    given = double._module.example(np.random.default_rng(0), 0.2, 0.9)
    value, grads = single.value_and_grad(*given)
    expected, expected_grads = double.value_and_grad(*given)
    assert value.dtype == np.float32
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    for key, gradient in grads.items():
        assert gradient.dtype == np.float32
        np.testing.assert_allclose(gradient, expected_grads[key], rtol=1e-4, atol=1e-5)
    forward, residuals = single.fprop(*given)
    assert forward.dtype == np.float32
    assert all(g.dtype == np.float32 for g in single.bprop(residuals, 2.0).values())
    assert single(*given).dtype == np.float32
    assert widened(single._module) == []
    assert {r.dtype for r in (*single.inputs, *single.outputs)} - {"int64"} == {"float32"}
