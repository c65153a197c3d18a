"""LAPACK in compiled code: the few lines that a generated module carries when it needs a routine.

numba's own `np.linalg` calls the same routines, but brings along checks and messages that take seconds to compile.
"""

from __future__ import annotations

from typing import Any

from llvmlite.binding import add_symbol
from numba import types
from numba.extending import get_cython_function_address

from symbackprop.runtime.straightline import bare

__all__ = ["IMPORTS", "lapack_routine", "source"]

#: The imports that the copied text needs.
IMPORTS = (
    "from llvmlite.binding import add_symbol",
    "from numba import types",
    "from numba.extending import get_cython_function_address",
)


def lapack_routine(name: str, symbol: str, arity: int) -> Any:
    """Return a routine of SciPy's LAPACK for compiled code; it takes addresses of arrays and returns nothing.

    Compiled code knows it by name, since its address is another one in every process.
    """
    add_symbol(f"scipy_{name}", get_cython_function_address("scipy.linalg.cython_lapack", symbol))
    return types.ExternalFunction(f"scipy_{name}", types.void(*[types.voidptr] * arity))


def source() -> str:
    """Return the text that generated modules carry."""
    return bare(lapack_routine)
