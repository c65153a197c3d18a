"""Declarations of functions that generated code takes from a C library: what a helper is that has no Python text."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Beyond", "External"]


@dataclass(frozen=True)
class External:
    """A function of doubles in `scipy.special.cython_special`, or a routine in `scipy.linalg.cython_lapack`.

    All arguments of a routine are addresses of arrays, those of one entry among them.

    Attributes:
        name: what generated code calls it.
        symbol: its name in the C interface; "__pyx_fuse_1psi" is the variant of psi for doubles.
        arity: number of operands.
        outputs: how many results it writes through pointers; 0 when it returns its one result.
        which: number of the result wanted.
        function: the same function for arrays.
        is_routine: whether it comes from LAPACK.
    """

    name: str
    symbol: str
    arity: int
    function: Callable[..., Any]
    outputs: int = 0
    which: int = 0
    is_routine: bool = False

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(self, *args: Any) -> Any:
        """Return the value on numbers or arrays, by SciPy itself."""
        result = self.function(*args)
        return result[self.which] if self.outputs else result


@dataclass(frozen=True)
class Beyond(External):
    """The library's function for the few arguments that a formula in a vectorised loop does not cover.

    Called with an argument and the formula's value at it, it returns the value, and the library's where the argument is
    beyond the bound. A branch in the loop would keep LLVM from vectorising it. This is a function instead that LLVM
    knows for numbers and for vectors of them; there one comparison passes whole vectors through.

    Attributes:
        bound: the largest magnitude for which the formula's value is taken.
    """

    bound: float = math.inf

    def __call__(self, *args: float) -> float:
        """Return the value on numbers; single precision is rounded from double, as in compiled code."""
        x, value = args
        return type(x)(self.function(float(x))) if abs(x) > self.bound else value
