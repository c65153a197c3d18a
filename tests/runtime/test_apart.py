"""Kernels whose arrays share no memory: loops over many arrays are vectorised, without comparing addresses."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import Input, Node
from symbackprop.ir.registry import ELEMENTWISE
from symbackprop.ir.types import TensorType
from tests.plain import compile_graph

COUNT = 20


def test_a_loop_over_many_arrays_is_vectorised() -> None:
    x, y = (Input(name, TensorType((Dim.of("n"),), "float64")) for name in "xy")
    outputs: list[Node] = [ELEMENTWISE["add"](ELEMENTWISE["mul"](x, float(k)), y) for k in range(2, COUNT)]
    kernel: Any = compile_graph(Graph((x, y), tuple(outputs)), (), plain=False)
    values = np.linspace(0.0, 1.0, 37)
    for k, got in enumerate(kernel(values, values), start=2):  # the same array twice: it is only read
        np.testing.assert_allclose(got, (k + 1) * values, rtol=1e-15)
    assert kernel.source.count("for i in range") == 1
    text = "\n".join(kernel._module._value.inspect_llvm().values())
    assert len(re.findall(r"fmul <\d+ x double>", text)) >= COUNT - 2
    assert "memcheck" not in text
