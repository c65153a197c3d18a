"""The options of one compilation: a frozen record that every pass reads and none changes."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from symbackprop.errors import InputError, message

__all__ = ["Options", "Warrant"]


class Warrant(enum.IntEnum):
    """Where a rewrite is true; the larger, the more it assumes.

    EXACT: bit for bit on every float. FINITE: where inputs and intermediates are finite, up to the sign of
    zero. REAL: equal as real numbers; rounding may differ.
    """

    EXACT = 0
    FINITE = 1
    REAL = 2


@dataclass(frozen=True)
class Options:
    """What a user may choose about a compilation.

    Attributes:
        dtype: "float64" or "float32", of every real value inside the kernel and at its boundary.
        warrant: the weakest guarantee a rewrite may have to be applied.
        name: the kernel's name, used for the generated module's title.
        parallel: whether long loops run on several threads.
    """

    dtype: str = "float64"
    warrant: Warrant = Warrant.REAL
    name: str = "kernel"
    parallel: bool = False

    def __post_init__(self) -> None:
        """Refuse anything but the two float types, a name that is no text, and a switch that is neither on nor off.

        Raises:
            InputError: for another dtype, name or switch.
        """
        if self.dtype not in {"float64", "float32"}:
            raise InputError(
                message("dtype is not supported", expected="'float64' or 'float32'", found=repr(self.dtype))
            )
        if not isinstance(self.name, str):
            raise InputError(message("name is not a string", expected="a str", found=repr(self.name)))
        if not isinstance(self.parallel, bool):
            raise InputError(message("parallel is no switch", expected="True or False", found=repr(self.parallel)))
