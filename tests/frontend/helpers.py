"""Translate, evaluate with the interpreter, and print graphs as one line."""

from __future__ import annotations

from typing import Any

import numpy as np

import symbackprop.ops  # noqa: F401 - fills the registry
from symbackprop.autodiff.bprop import build_bprop
from symbackprop.frontend.program import Program
from symbackprop.frontend.translate import translate
from symbackprop.interpret import interpret
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import Broadcast, Const, Contraction, Elementwise, Gather, Input, Node, Size
from symbackprop.options import Options


def program(expr: Any, **options: Any) -> Program:
    dtype = options.pop("dtype", "float64")
    return translate(expr, options=Options(dtype=dtype), differentiate=gradient, **options)


def gradient(output: Node, node: Node, upstream: Node) -> Node:
    return build_bprop(Graph((), (output,)), [node], [upstream])[0]


def random_values(p: Program, sizes: dict[str, int], seed: int = 0) -> dict[str, np.ndarray]:
    """A value for every argument, by its user-facing name: reals in [0.5, 1.5), integers 0 or 1."""
    rng = np.random.default_rng(seed)
    values = {}
    for a in p.arguments:
        shape = tuple(d.evaluate(sizes) for d in a.core_shape)
        values[a.name] = rng.integers(0, 2, shape) if a.dtype == "int64" else rng.uniform(0.5, 1.5, shape)
    return values


def outputs(p: Program, values: dict[str, Any], sizes: dict[str, int] | None = None) -> list[np.ndarray]:
    inputs = {a.identifier: values[a.name] for a in p.arguments}
    return interpret(p.graph, inputs, sizes or {})


def evaluate(expr: Any, sizes: dict[str, int] | None = None, seed: int = 0, **options: Any):
    """The first output of `expr` at random values, and the values."""
    p = program(expr, **options)
    values = random_values(p, sizes or {}, seed)
    return outputs(p, values, sizes)[0], values


def text(node: Node) -> str:
    """A graph as nested calls; for small graphs only."""
    match node:
        case Input():
            return node.name
        case Const():
            return f"{node.value:g}"
        case Size():
            return f"size({node.dim})"
        case Elementwise():
            attr = [str(n) for n in node.attr]
            return f"{node.op.name}({', '.join([*map(text, node.args), *attr])})"
        case Contraction():
            return f"[{node.spec}]({', '.join(map(text, node.args))})"
        case Broadcast():
            return text(node.args[0])
        case Gather():
            return f"gather({', '.join(map(text, node.args))})"
    return f"{node.kind}({', '.join(map(text, node.args))})"


def graph(expr: Any, **options: Any) -> str:
    return text(program(expr, **options).graph.outputs[0])
