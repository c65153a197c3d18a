"""LAPACK in compiled code: the few lines that a generated module carries when it needs a routine.

numba's own `np.linalg` calls the same routines, but brings along checks and messages that take seconds to compile.
"""

from __future__ import annotations

import ctypes
from typing import Any

from numba.extending import get_cython_function_address

from symbackprop.runtime.straightline import bare

__all__ = ["IMPORTS", "lapack_routine", "source"]

#: The imports that the copied text needs.
IMPORTS = ("import ctypes", "from numba.extending import get_cython_function_address")


def lapack_routine(_: str, symbol: str, arity: int) -> Any:
    """Return a routine of SciPy's LAPACK for compiled code; it takes addresses of arrays and returns nothing."""
    address = get_cython_function_address("scipy.linalg.cython_lapack", symbol)
    return ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * arity)(address)


def source() -> str:
    """Return the text that generated modules carry."""
    return bare(lapack_routine)
