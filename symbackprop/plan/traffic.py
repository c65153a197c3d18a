"""Bytes that a plan moves: each step reads every array it uses once and writes every array it makes once."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from symbackprop.ir.dims import ZERO, Dim, product
from symbackprop.ir.node import Input, Node
from symbackprop.plan.access import is_leaf
from symbackprop.plan.memory import made_by, read_by
from symbackprop.plan.plan import Plan
from symbackprop.plan.steps import Recur, Step

__all__ = ["traffic"]

_BYTES = {"float64": 8, "float32": 4, "int64": 8, "bool": 1}


def traffic(plan: Plan) -> Dim:
    """Return the bytes read and written in memory by the steps of `plan`; scalars stay in registers."""
    return _traffic(plan.steps, set(plan.stored), plan.local)


def _traffic(steps: Iterable[Step], stored: set[Node], local: Collection[Node] = ()) -> Dim:
    """Return the bytes of some steps; recursive in the nesting of recurrences."""
    total = ZERO
    for step in steps:
        if isinstance(step, Recur):
            total = total + step.scans[0].count * _traffic(step.steps, step.stored)
            continue
        made = [n for n in made_by(step) if n in stored and n not in local]
        own = set(made_by(step))
        read = dict.fromkeys(n for n in read_by(step, stored) if n not in own)
        for node in (*made, *read):
            total = total + _size(node)
    return total


def _size(node: Node) -> Dim:
    """Return the bytes of an array, 0 for what is no array."""
    if not node.rank or (is_leaf(node) and not isinstance(node, Input)):
        return ZERO
    return product(node.shape) * _BYTES[node.dtype]
