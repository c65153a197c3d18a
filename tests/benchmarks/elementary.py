"""Errors and times of the elementary functions in loops: `python -m tests.benchmarks.elementary [points]`.

For each function, in both dtypes: the largest error in ulp over the whole range against 50 digits, as compiled;
nanoseconds per entry of arrays of 4096 normal numbers; and the time over that of the form for straight-line code in a
loop ("libm") and over that of NumPy, or of SciPy where NumPy has no such function. The docstring of
`symbackprop.ops.vector_math` holds a table of one run.
"""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np

from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import Input
from symbackprop.ir.registry import ELEMENTWISE
from symbackprop.ir.types import TensorType
from symbackprop.ops.vector_forms import VECTOR
from tests.benchmarks.timing import interleaved
from tests.elementary import arity, sample, worst
from tests.plain import compile_graph

__all__ = ["NAMES", "main", "row"]

NAMES = sorted([*VECTOR, "sqrt"])
SIZE = 4096
LOGARITHMIC = ("cbrt", "log", "log10", "log1p", "log2", "power", "sqrt")
ARCS = ("acos", "asin")


def main() -> None:
    """Print the table, on some 3,000 arguments per function or as many as the command line says."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else 1000
    title = f"{'':10}" + "".join(f" |{dtype:>9} ulp      ns  /libm /NumPy" for dtype in ("float64", "float32"))
    print(title, "-" * len(title), sep="\n")
    for name in NAMES:
        rows = (row(name, dtype, count) for dtype in ("float64", "float32"))
        cells = [f"| {error:12.2f} {ns:7.2f} {libm:6.2f} {numpy:6.2f}" for error, ns, libm, numpy in rows]
        print(f"{name:10}", *cells, flush=True)


def row(name: str, dtype: str, count: int) -> tuple[float, float, float, float]:
    """Return the largest error in ulp, ns per entry, and the ratios to the library in a loop and to NumPy.

    Args:
        name: the primitive.
        dtype: "float64" or "float32".
        count: about a third of the number of arguments that errors are measured at.
    """
    ours = _loop(name, dtype)
    with mock.patch.dict(ELEMENTWISE[name].vector, clear=True):
        library = _loop(name, dtype)
    points = sample(name, dtype, count, np.random.default_rng(1))
    error = worst(name, points, ours(*points))[0]
    with np.errstate(all="ignore"):
        at = _typical(name, dtype)
        close = 1e-13 if dtype == "float64" else 2e-6
        np.testing.assert_allclose(ours(*at), library(*at), rtol=close, atol=close)
        numpy = np.logaddexp if name == "logaddexp" else ELEMENTWISE[name].numpy
        calls = {"ours": lambda: ours(*at), "libm": lambda: library(*at), "numpy": lambda: numpy(*at)}
        times = interleaved(calls, rounds=40, target=0.002, clock=time.process_time)
    seconds = times["ours"].best
    return error, seconds / SIZE * 1e9, seconds / times["libm"].best, seconds / times["numpy"].best


def _loop(name: str, dtype: str) -> Callable[..., Any]:
    """Return the function as a compiled loop over arrays, the bare kernel without checks."""
    operands = [Input(v, TensorType((Dim.of("n"),), dtype)) for v in "xy"[: arity(name)]]
    kernel = compile_graph(Graph(tuple(operands), (ELEMENTWISE[name](*operands),)), (), dtype=dtype, plain=False)
    compiled = kernel._module._value
    assert list(inspect.signature(compiled.py_func).parameters)[: 1 + len(operands)] == ["n", *"xy"[: len(operands)]]

    def call(*arrays: Any) -> Any:
        out = np.empty_like(arrays[0])
        compiled(len(out), *arrays, out)
        return out

    return call


def _typical(name: str, dtype: str) -> list[Any]:
    """Return one array per operand: normal numbers of scale 2, in the function's domain."""
    rng = np.random.default_rng(0)
    first, second = (2.0 * rng.standard_normal(SIZE) for _ in range(2))
    if name in LOGARITHMIC:
        first = np.exp(1.5 * first)
    if name in ARCS:
        first = rng.uniform(-1.0, 1.0, SIZE)
    return [v.astype(dtype) for v in (first, second)[: arity(name)]]


if __name__ == "__main__":
    main()
