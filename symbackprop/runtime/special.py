"""Functions of SciPy's C library in compiled code: the few lines that a generated module carries when it needs one.

`scipy.special.cython_special` publishes the addresses of its C functions; numba calls an address that LLVM knows by
name. The text of `scipy_function` is copied into generated modules.
"""

from __future__ import annotations

import inspect
from typing import Any

from llvmlite import ir
from llvmlite.binding import add_symbol
from numba import types
from numba.core import cgutils
from numba.core.typing import signature
from numba.extending import get_cython_function_address, intrinsic

from symbackprop.runtime.straightline import bare

__all__ = ["IMPORTS", "scipy_function", "source"]

#: The imports that the copied text needs.
IMPORTS = (
    "import inspect",
    "from llvmlite import ir",
    "from llvmlite.binding import add_symbol",
    "from numba import types",
    "from numba.core import cgutils",
    "from numba.core.typing import signature",
    "from numba.extending import get_cython_function_address, intrinsic",
)


def scipy_function(name: str, symbol: str, arity: int, outputs: int = 0, which: int = 0) -> Any:
    """Return a C function of SciPy, on numbers, for compiled code.

    It takes and returns doubles. One with several results writes them through pointers; number `which` is the value.
    """
    add_symbol(name, get_cython_function_address("scipy.special.cython_special", symbol))

    def define(_: Any, *args: Any) -> Any:
        def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
            double, flag = ir.DoubleType(), ir.IntType(32)
            given = [context.cast(builder, v, kind, types.float64) for v, kind in zip(values, sig.args, strict=True)]
            results = [cgutils.alloca_once(builder, double) for _ in range(outputs)]
            # The last argument of a function that returns its value is one of Cython's own, which it does not read.
            passed = [*given, *results] if outputs else [*given, ir.Constant(flag, 0)]
            kind = ir.FunctionType(ir.VoidType() if outputs else double, [v.type for v in passed])
            value = builder.call(cgutils.get_or_insert_function(builder.module, kind, name), passed)
            value = builder.load(results[which]) if outputs else value
            return context.cast(builder, value, types.float64, sig.return_type)

        return signature(args[0], *args), generate

    names = ["context", *(f"x{k}" for k in range(arity))]
    parameters = [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in names]
    setattr(define, "__signature__", inspect.Signature(parameters))  # noqa: B010 - mypy knows no such field
    return intrinsic(define)


def source() -> str:
    """Return the text that generated modules carry."""
    return bare(scipy_function)
