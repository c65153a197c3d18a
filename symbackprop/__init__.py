"""A symbolic-to-numeric backprop compiler: SymPy in, reverse-mode derivatives, readable numba kernels out."""

from symbackprop.errors import CostError, InputError, ShapeError, SymbackpropError, UnsupportedExpressionError
from symbackprop.frontend.batch import Mean
from symbackprop.pipeline import compile  # noqa: A004 - the verb users expect
from symbackprop.runtime.kernel import Kernel

__all__ = [
    "CostError",
    "InputError",
    "Kernel",
    "Mean",
    "ShapeError",
    "SymbackpropError",
    "UnsupportedExpressionError",
    "compile",
]
__version__ = "0.1.0"
