"""Kernels run as plain Python: no time goes into compiling, and memory that was never written shows.

`plain_numba` puts a stand-in for numba in place whose decorators do nothing. `compile_plain` and `compile_graph` give
kernels made under it, in which `np.empty` fills its arrays with NaN (integers with a number that fits no axis).
"""

from __future__ import annotations

import contextlib
import sys
import types
from collections.abc import Iterator, Sequence
from typing import Any
from unittest import mock

import numpy as np
import sympy as sp

import symbackprop as sbp
from symbackprop import pipeline
from symbackprop.frontend.program import Argument, Output, Program
from symbackprop.ir.graph import Graph


def njit(*args: Any, **_: Any) -> Any:
    """`numba.njit` with and without arguments, compiling nothing."""
    return args[0] if args and callable(args[0]) else lambda function: function


class PoisonedNumpy:
    """NumPy, but fresh memory holds NaN."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def empty(shape: Any, dtype: Any) -> np.ndarray:
        return np.full(shape, np.nan if np.dtype(dtype).kind == "f" else 2**62, dtype)

    @staticmethod
    def dot(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> np.ndarray:
        """`np.dot` with what numba and BLAS demand: equal dtypes, no gaps, a result that overlaps nothing."""
        assert a.dtype == b.dtype == out.dtype
        assert all(x.flags.c_contiguous or x.flags.f_contiguous for x in (a, b))
        assert out.flags.c_contiguous
        assert not np.may_share_memory(a, out)
        assert not np.may_share_memory(b, out)
        return np.dot(a, b, out)


@contextlib.contextmanager
def plain_numba() -> Iterator[None]:
    """Let modules that are loaded inside import the stand-in."""
    fake = types.ModuleType("numba")
    fake.njit = njit  # type: ignore[attr-defined]
    with mock.patch.dict(sys.modules, {"numba": fake}):
        yield


def compile_plain(*args: Any, **kwargs: Any) -> Any:
    """`sbp.compile`, the kernel running as plain Python on poisoned memory."""
    with plain_numba():
        kernel = sbp.compile(*args, **kwargs)
    kernel._module.np = PoisonedNumpy()
    return kernel


def compile_graph(graph: Graph, wrt: Sequence[str], *, dtype: str = "float64", plain: bool = True) -> Any:
    """The kernel of a bare graph, through the whole pipeline; several outputs come as a tuple."""
    arguments = tuple(Argument(n.name, n.name, n.shape, (), n.dtype) for n in graph.inputs)
    outputs = tuple(Output(f"f{k}", f"f{k}", n.shape, (), n.dtype) for k, n in enumerate(graph.outputs))
    symbols = sorted({s for n in graph.inputs for d in n.shape for s in d.symbols})
    program = Program(
        graph=graph,
        arguments=arguments,
        outputs=outputs,
        container="tuple" if len(outputs) > 1 else "single",
        wrt=tuple(wrt),
        sizes={s: s for s in symbols},
        symbols={s: sp.Symbol(s, integer=True, positive=True) for s in symbols},
    )
    with mock.patch.object(pipeline, "translate", lambda *_, **__: program):
        return compile_plain(None, dtype=dtype) if plain else sbp.compile(None, dtype=dtype)


def poison_workspace(kernel: Any) -> None:
    """Fill the scratch arrays that a kernel keeps with NaN."""
    for (arrays,) in kernel._local.__dict__.get("workspaces", {}).values():
        for array in arrays:
            array.fill(np.nan if array.dtype.kind == "f" else -(2**62))
