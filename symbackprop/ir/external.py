"""Declarations of functions that generated code takes from a C library: what a helper is that has no Python text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["External"]


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
