"""What passes over recurrences share: rows of paths, names for inputs of a step, and what is cheap to have again."""

from __future__ import annotations

import itertools

from symbackprop.ir.dims import Dim
from symbackprop.ir.node import Broadcast, Contraction, Elementwise, Input, Node
from symbackprop.ir.recurrence import Repetition
from symbackprop.ir.registry import Trait
from symbackprop.ir.types import AxisMap
from symbackprop.ops.indexing import gather

__all__ = ["after", "before", "fresh_name", "is_cheap", "is_rearrangement", "name_of", "row_slice"]


def is_rearrangement(node: Node) -> bool:
    """Return whether the node only repeats or reorders its operand."""
    return isinstance(node, Broadcast) or (isinstance(node, Contraction) and node.spec.is_permutation)


def is_cheap(node: Node) -> bool:
    """Return whether computing an entry again costs no more than reading it."""
    return isinstance(node, Elementwise) and node.op.flops <= 2 and Trait.TRANSCENDENTAL not in node.op.traits


def row_slice(path: Node, first: Dim | int, count: Dim) -> Node:
    """Return rows first ... first + count - 1 of an array."""
    rest = [AxisMap((k,)) for k in range(1, path.rank)]
    return gather(path, (), [AxisMap((0,), offset=Dim.of(first)), *rest], (count, *path.shape[1:]))


def before(path: Node, repetition: Repetition) -> Node:
    """Return the rows of a path that hold the state before each step."""
    return row_slice(path, 1 if repetition.backwards else 0, repetition.times)


def after(path: Node, repetition: Repetition) -> Node:
    """Return the rows of a path that hold the state after each step."""
    return row_slice(path, 0 if repetition.backwards else 1, repetition.times)


def fresh_name(base: str, taken: set[str]) -> str:
    """Return `base`, with a number if it is taken, and take it."""
    name = base
    for k in itertools.count(2):
        if name not in taken:
            break
        name = f"{base}_{k}"
    taken.add(name)
    return name


def name_of(node: Node, default: str) -> str:
    """Return the name of an input, of any other node the default."""
    return node.name if isinstance(node, Input) else default
