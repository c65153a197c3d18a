"""Which nests threads share.

A nest runs in a fixed number of blocks of its outermost loop, on however many threads there are. Each entry is computed
by one block, and what is summed over the outermost loop is summed by each block apart; these sums are added up in the
order of the blocks. So the result depends on the sizes only, never on the threads. Places for values that live within
one iteration of a strip exist once per block.

Left as they are: nests with a maximum or a product over the outermost loop, nests that make indices (which are checked
where they are made), and nests whose outermost loop is bounded by a condition. Matrix products are BLAS's own business.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from symbackprop.ir.dims import ZERO, Dim, product
from symbackprop.ir.node import Contraction, Elementwise, Input, Node
from symbackprop.ir.registry import Trait
from symbackprop.ir.types import TensorType
from symbackprop.plan.access import result_positions
from symbackprop.plan.fusion import is_accumulated
from symbackprop.plan.steps import Loop, Shared, Strip, loops_of
from symbackprop.plan.strips import BLOCK, Strips
from symbackprop.plan.triangles import find_triangle

__all__ = ["BLOCKS", "share_nests"]

#: Blocks of a shared nest: enough for the threads of most machines, and to even out their loads.
BLOCKS = 32


#: Operations that a call of a function such as exp is as long as.
_CALL = 20


def share_nests(strips: Strips, stored: set[Node], over: Collection[str]) -> None:
    """Mark the nests that threads can share; changes the steps, the places of local values, and `stored`.

    Args:
        strips: the steps.
        stored: values in memory.
        over: size symbols, the outermost loop must run over one of them. If there are none: over what the outermost
            loops of the deepest nests run over, so that small parts of the work are left alone.

    Linear in the members of the nests.
    """
    nests = [step for step in strips.steps if isinstance(step, Strip) or (isinstance(step, Loop) and step.domain)]
    depth = max((_depth(nest) for nest in nests), default=0)
    chosen = over or {s for nest in nests if _depth(nest) == depth for s in _extent(nest).symbols}
    fitting = {id(nest) for nest in nests if _fits(nest, strips, stored, chosen)}
    makers: dict[Node, list[int]] = {}
    for nest in nests:
        for node in _own(nest) & strips.local.keys():
            makers.setdefault(node, []).append(id(nest))
    # A value that several strips make has one place, with or without copies.
    while any(not fitting.isdisjoint(at) and not fitting.issuperset(at) for at in makers.values()):
        fitting.difference_update(*(at for at in makers.values() if not fitting.issuperset(at)))
    number = itertools.count()
    for k, step in enumerate(strips.steps):
        if isinstance(step, Loop | Strip) and id(step) in fitting:
            strips.steps[k] = _shared(step, strips, stored, number)


def _loops(nest: Loop | Strip) -> list[Loop]:
    return [nest] if isinstance(nest, Loop) else list(loops_of(nest))


def _fits(nest: Loop | Strip, strips: Strips, stored: set[Node], chosen: Collection[str]) -> bool:
    """Whether a nest can be shared."""
    if not any(symbol in chosen for symbol in _extent(nest).symbols):
        return False
    if isinstance(nest, Loop) and nest.order[0] in find_triangle(nest, nest.order, stored).bounds:
        return False
    for node in _own(nest) & strips.local.keys():
        # Blocks have places of their own, which are not to be as large as the arrays that strips do without.
        place = strips.local[node].shape(node.shape)
        if len(place) > 1 and any(symbol in chosen for dim in place for symbol in dim.symbols):
            return False
    for loop in _loops(nest):
        for node in loop.members:
            summed = _axis(loop) not in result_positions(node)
            if node.dtype == "int64" or (summed and not isinstance(node, Contraction)):
                return False
    return True


def _axis(loop: Loop) -> int:
    """Return the axis of the outermost loop."""
    return (*loop.along, *loop.order)[0]


def _own(nest: Loop | Strip) -> set[Node]:
    """Return the values that a nest makes, copies of arrays included."""
    copies = {packed.copy for packed in nest.packed} if isinstance(nest, Strip) else set()
    return copies.union(*(loop.members for loop in _loops(nest)))


def _extent(nest: Loop | Strip) -> Dim:
    """Return how far the outermost loop runs."""
    return nest.extent if isinstance(nest, Strip) else nest.domain[nest.order[0]]


def _depth(nest: Loop | Strip) -> int:
    """Return over how many sizes that are not fixed a nest runs."""
    return max(sum(not dim.is_const for dim in loop.domain) for loop in _loops(nest))


def _shared(nest: Loop | Strip, strips: Strips, stored: set[Node], number: Iterator[int]) -> Shared:
    """Return a nest that fits, marked as shared; `number` counts the sums."""
    loops = _loops(nest)
    parts: dict[Node, Node] = {}
    for loop in loops:
        for node in loop.members:
            if _axis(loop) not in result_positions(node):
                parts[node] = Input(f"parts {next(number)}", TensorType((Dim.of(BLOCKS), *node.shape), node.dtype))
    stored.update(parts.values())
    for node in _own(nest) & strips.local.keys():
        strips.local[node] = replace(strips.local[node], copies=BLOCKS)
    # A part of a vector is no whole number of registers.
    flat = isinstance(nest, Loop) and len(nest.domain) == 1
    return Shared(nest, _extent(nest), BLOCK if flat else nest.block, _work(loops), parts)


def _work(loops: Sequence[Loop]) -> Dim:
    """Return about how many operations some nests take."""
    total = ZERO
    for loop in loops:
        total = total + product(loop.domain) * max(1, sum(map(_operations, loop.members)))
    return total


def _operations(node: Node) -> int:
    """Return the operations of one entry, or of one term of a sum."""
    match node:
        case Elementwise():
            each = max(node.op.flops, _CALL) if Trait.TRANSCENDENTAL in node.op.traits else node.op.flops
            return each * (len(node.args) - 1 if node.op.arity is None else 1)
        case Contraction():
            return len(node.args) - 1 + is_accumulated(node)
        case _:
            return 1
