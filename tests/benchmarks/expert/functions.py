"""Elementary functions that vectorise inside numba loops: those that generated kernels use, for the experts too."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from symbackprop.codegen.expression import helper_source
from symbackprop.ops.vector_forms import ACTIVATIONS, VECTOR

__all__ = ["accumulate", "function", "jit"]

jit = njit(error_model="numpy")
inline = njit(error_model="numpy", forceinline=True, fastmath={"contract"})


@njit(fastmath={"reassoc", "nsz"})
def accumulate(total: Any, term: Any) -> Any:
    """Add to a running sum that may be reordered, so that it vectorises."""
    return total + term


def function(name: str, dtype: str = "float64") -> Any:
    """Return the compiled form of an elementary function, inlined where it is called."""
    made: dict[str, Any] = {"np": np, "math": math, "float32": np.float32, "float64": np.float64}
    form = {**VECTOR, **ACTIVATIONS}[name][dtype]
    for plain in form.helpers:
        # In single precision the literals are single numbers too.
        exec(helper_source(plain, dtype), made)
        made[plain.__name__] = inline(made[plain.__name__])
    return made[form.helpers[-1].__name__]
