"""Division of whole numbers, for computed index positions."""

# ruff: noqa: ARG001 - a rule names every operand, used or not

from __future__ import annotations

import numpy as np
import sympy as sp

from symbackprop.ir.node import Node
from symbackprop.ir.registry import Trait, elementwise

__all__ = ["quotient", "remainder"]

Partials = tuple[Node | None, ...]


@elementwise(
    numpy=np.floor_divide, emit="x // y", sympy=lambda x, y: sp.floor(x / y), traits=Trait.FLAT, dtype="int64", flops=4
)
def quotient(out: Node, x: Node, y: Node) -> Partials:
    """The quotient of two integers, rounded down."""
    return (None, None)


@elementwise(numpy=np.mod, emit="x % y", sympy=sp.Mod, traits=Trait.FLAT, dtype="int64", flops=4)
def remainder(out: Node, x: Node, y: Node) -> Partials:
    """The remainder of two integers, with the sign of the second."""
    return (None, None)
