"""Kernels run as plain Python: no time goes into compiling, and memory that was never written shows.

The text of the kernel is executed with decorators that do nothing, float literals as NumPy numbers and `math` without
exceptions, so that arithmetic is IEEE's as in numba. `np.empty` fills its arrays with NaN (integers with a number that
fits no axis).
"""

from __future__ import annotations

import ast
import ctypes
import math
import os
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar
from unittest import mock

import numba.extending
import numpy as np
import sympy as sp
from scipy import special

import symbackprop as sbp
from symbackprop import pipeline
from symbackprop.codegen import kernel as kernel_text
from symbackprop.frontend.program import Argument, Output, Program
from symbackprop.ir.external import Beyond
from symbackprop.ir.graph import Graph
from symbackprop.ops import external
from symbackprop.runtime import kernel as runtime


def njit(*args: Any, **_: Any) -> Any:
    """`numba.njit` with and without arguments, compiling nothing."""
    return args[0] if args and callable(args[0]) else lambda function: function


class PoisonedNumpy:
    """NumPy, but fresh memory holds NaN."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def empty(shape: Any, dtype: Any = float) -> np.ndarray:
        kind = np.dtype(dtype).kind
        filling = {"f": np.nan, "b": True}[kind] if kind in "fb" else np.iinfo(dtype).max // 2 + 1
        return np.full(shape, filling, dtype)

    @staticmethod
    def dot(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> np.ndarray:
        """`np.dot` with what numba and BLAS demand: equal dtypes, no gaps, a result that overlaps nothing."""
        assert a.dtype == b.dtype == out.dtype
        assert all(x.flags.c_contiguous or x.flags.f_contiguous for x in (a, b))
        assert out.flags.c_contiguous
        assert not np.may_share_memory(a, out)
        assert not np.may_share_memory(b, out)
        return np.dot(a, b, out)


class QuietMath:
    """`math` as compiled code has it: infinities and NaN instead of exceptions."""

    inf, nan, pi, e = math.inf, math.nan, math.pi, math.e
    _names: ClassVar = {
        **{f"a{name}": f"arc{name}" for name in ("tan", "sin", "cos", "tan2", "sinh", "cosh", "tanh")},
        "pow": "power",
    }
    _special: ClassVar = {"erf": special.erf, "erfc": special.erfc, "gamma": special.gamma, "lgamma": special.gammaln}

    def __getattr__(self, name: str) -> Any:
        return self._special.get(name) or getattr(np, self._names.get(name, name))


def scipy_function(_: str, symbol: str, arity: int, outputs: int = 0, which: int = 0) -> Callable[..., Any]:
    """What the function of this name in generated modules makes, called through `ctypes` instead of LLVM."""
    address = numba.extending.get_cython_function_address("scipy.special.cython_special", symbol)
    double = ctypes.c_double
    if not outputs:
        plain = ctypes.CFUNCTYPE(double, *[double] * arity, ctypes.c_int)(address)
        return lambda *args: np.float64(plain(*map(float, args), 0))
    several = ctypes.CFUNCTYPE(None, *[double] * arity, *[ctypes.POINTER(double)] * outputs)(address)

    def call(*args: Any) -> Any:
        results = [double() for _ in range(outputs)]
        several(*map(float, args), *map(ctypes.byref, results))
        return np.float64(results[which].value)

    return call


def lapack_routine(name: str, _symbol: str, _arity: int) -> Callable[..., Any]:
    """A routine of LAPACK by that name, called from Python."""
    return getattr(external, name)


def beyond(symbol: str, bound: float) -> Callable[..., Any]:
    """The function of NumPy by that name for arguments beyond a bound."""
    return Beyond(f"far_{symbol}", symbol, 2, getattr(np, symbol), bound=bound)


class _Plain(ast.NodeTransformer):
    """Wraps float literals in `float64(...)`; Python's own floats raise where IEEE arithmetic does not.

    Leaves out what only numba can run.
    """

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        return None if node.name in {"scipy_function", "lapack_routine", "beyond"} else self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        return None if node.name == "Apart" else self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        if node.module is None or node.module.partition(".")[0] not in ("numba", "llvmlite"):
            return node
        kept = [a for a in node.names if node.module == "numba" and a.name in ("njit", "prange")]
        return ast.ImportFrom("numba", kept, 0) if kept else None

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        return (
            ast.Call(ast.parse("np.float64", mode="eval").body, [node], []) if isinstance(node.value, float) else node
        )


def load_plain(source: str, name: str) -> types.ModuleType:
    """What `load_module` does, as plain Python."""
    tree = _Plain().visit(ast.parse(source))
    fake = types.ModuleType("numba")
    fake.njit = njit
    fake.prange = lambda count: reversed(range(count))
    module = types.ModuleType(f"plain_{name}")
    module.scipy_function, module.lapack_routine = scipy_function, lapack_routine
    module.beyond, module.Apart = beyond, None
    with mock.patch.dict(sys.modules, {"numba": fake}):
        exec(compile(ast.fix_missing_locations(tree), f"<plain {name}>", "exec"), module.__dict__)
    module.np, module.math = PoisonedNumpy(), QuietMath()
    return module


@contextmanager
def running_plain() -> Iterator[None]:
    """Kernels compiled inside run as plain Python on poisoned memory; none comes from the cache."""
    uncached = mock.patch.dict(os.environ, SYMBACKPROP_CACHE="0")
    loaded, short = (
        mock.patch.object(runtime, "load_module", load_plain),
        mock.patch.object(kernel_text, "LONG", math.inf),
    )
    with uncached, loaded, short:
        yield


def compile_plain(*args: Any, **kwargs: Any) -> Any:
    """`sbp.compile`, the kernel running as plain Python on poisoned memory."""
    with running_plain():
        return sbp.compile(*args, **kwargs)


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
    # Kernels are kept by their expression, which a graph does not have.
    uncached = mock.patch.dict(os.environ, SYMBACKPROP_CACHE="0")
    with uncached, mock.patch.object(pipeline, "translate", return_value=program):
        return compile_plain(None, dtype=dtype) if plain else sbp.compile(None, dtype=dtype)


def poison_workspace(kernel: Any) -> None:
    """Fill the scratch arrays that a kernel keeps with NaN."""
    for ready in vars(kernel._ready).values():
        for arrays in ready.values():
            for array in arrays:
                array.fill(np.nan if array.dtype.kind == "f" else -(2**62))
