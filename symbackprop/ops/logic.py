"""Comparisons, boolean connectives, selection, and casts to real numbers."""

# ruff: noqa: ARG001 - a rule names every operand, used or not

from __future__ import annotations

import numpy as np
import sympy as sp

from symbackprop.ir.node import Const, Node
from symbackprop.ir.registry import Trait, elementwise

__all__ = ["and_", "eq", "le", "lt", "ne", "not_", "or_", "real32", "real64", "select", "to_real"]

Partials = tuple[Node | None, ...]


@elementwise(numpy=np.less, emit="x < y", sympy=sp.Lt, traits=Trait.FLAT, dtype="bool")
def lt(out: Node, x: Node, y: Node) -> Partials:
    """Whether x < y; false for NaN."""
    return (None, None)


@elementwise(numpy=np.less_equal, emit="x <= y", sympy=sp.Le, traits=Trait.FLAT, dtype="bool")
def le(out: Node, x: Node, y: Node) -> Partials:
    """Whether x <= y; false for NaN."""
    return (None, None)


@elementwise(numpy=np.equal, emit="x == y", sympy=sp.Eq, traits=Trait.FLAT | Trait.COMMUTATIVE, dtype="bool")
def eq(out: Node, x: Node, y: Node) -> Partials:
    """Whether x == y; false for NaN."""
    return (None, None)


@elementwise(numpy=np.not_equal, emit="x != y", sympy=sp.Ne, traits=Trait.FLAT | Trait.COMMUTATIVE, dtype="bool")
def ne(out: Node, x: Node, y: Node) -> Partials:
    """Whether x != y; true for NaN."""
    return (None, None)


@elementwise(numpy=np.logical_and, emit="x & y", sympy=sp.And, traits=Trait.FLAT | Trait.COMMUTATIVE, dtype="bool")
def and_(out: Node, x: Node, y: Node) -> Partials:
    """Both of two booleans; written with `&`, which does not branch."""
    return (None, None)


@elementwise(numpy=np.logical_or, emit="x | y", sympy=sp.Or, traits=Trait.FLAT | Trait.COMMUTATIVE, dtype="bool")
def or_(out: Node, x: Node, y: Node) -> Partials:
    """Either of two booleans; written with `|`, which does not branch."""
    return (None, None)


@elementwise(numpy=np.logical_not, emit="not x", sympy=sp.Not, traits=Trait.FLAT, dtype="bool")
def not_(out: Node, x: Node) -> Partials:
    """The opposite of a boolean."""
    return (None,)


@elementwise(numpy=np.where, emit="y if x else z", sympy=lambda c, x, y: sp.Piecewise((x, c), (y, True)))
def select(out: Node, cond: Node, x: Node, y: Node) -> Partials:
    """The second operand where the condition holds, else the third.

    Partials are selections too: the strong-zero rules turn `ct * select(c, 1, 0)` into `select(c, ct, 0)`, so that a
    branch not taken never poisons a gradient with NaN or infinity.
    """
    one, zero = Const(1, out.type), Const(0, out.type)
    return (None, select(cond, one, zero), select(cond, zero, one))


@elementwise(numpy=lambda x: np.asarray(x, np.float64), emit="np.float64(x)", traits=Trait.LINEAR, dtype="float64")
def real64(out: Node, x: Node) -> Partials:
    """An integer or boolean as a float64 number: 0 or 1 for a boolean."""
    return (None,)


@elementwise(numpy=lambda x: np.asarray(x, np.float32), emit="np.float32(x)", traits=Trait.LINEAR, dtype="float32")
def real32(out: Node, x: Node) -> Partials:
    """An integer or boolean as a float32 number: 0 or 1 for a boolean."""
    return (None,)


def to_real(x: Node, dtype: str) -> Node:
    """Return the integer or boolean node `x` as a real one of `dtype`."""
    return real32(x) if dtype == "float32" else real64(x)
