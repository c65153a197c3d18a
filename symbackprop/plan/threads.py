"""Which nests threads share.

A nest runs in a fixed number of blocks of its outermost loop, on however many threads there are. Each entry is computed
by one block, and what is summed over the outermost loop is summed by each block apart; these sums are added up in the
order of the blocks. So the result depends on the sizes only, never on the threads. Places for values that live within
one iteration of a strip exist once per block.

Left as they are: nests with a maximum or a product over the outermost loop, nests that make indices (which are checked
where they are made), and nests whose outermost loop is bounded by a condition. Matrix products are BLAS's own business.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from symbackprop.ir.dims import ZERO, Dim, product
from symbackprop.ir.node import Broadcast, Contraction, Elementwise, Node
from symbackprop.ir.registry import Trait
from symbackprop.plan.access import result_positions
from symbackprop.plan.fusion import is_accumulated
from symbackprop.plan.steps import Loop, Shared, Step, Strip, loops_of
from symbackprop.plan.strips import Strips
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
        over: size symbols, a nest must run over one of them. If there are none: over what the outermost loops of the
            deepest nests run over, so that small parts of the work are left alone.

    Linear in the members of the nests.
    """
    nests = [step for step in strips.steps if isinstance(step, Strip) or (isinstance(step, Loop) and step.domain)]
    depth = max((_depth(nest) for nest in nests), default=0)
    chosen = over or {s for nest in nests if _depth(nest) == depth for s in _extent(nest).symbols}
    made = {id(nest): _shared(nest, strips, stored) for nest in nests if _runs_over(nest, chosen)}
    strips.steps = [made.get(id(step), step) for step in strips.steps]


def _loops(nest: Loop | Strip) -> list[Loop]:
    return [nest] if isinstance(nest, Loop) else list(loops_of(nest))


def _runs_over(nest: Loop | Strip, symbols: Collection[str]) -> bool:
    return any(s in symbols for loop in _loops(nest) for dim in loop.domain for s in dim.symbols)


def _extent(nest: Loop | Strip) -> Dim:
    """Return how far the outermost loop runs."""
    return nest.extent if isinstance(nest, Strip) else nest.domain[nest.order[0]]


def _depth(nest: Loop | Strip) -> int:
    """Return over how many sizes that are not fixed a nest runs."""
    return max(sum(not dim.is_const for dim in loop.domain) for loop in _loops(nest))


def _shared(step: Loop | Strip, strips: Strips, stored: set[Node]) -> Step:
    """Return the nest, marked as shared if it can be."""
    loops, extent = _loops(step), _extent(step)
    axes = [(loop.along or loop.order[:1])[:1] for loop in loops]
    if extent.is_const or (isinstance(step, Loop) and step.order[0] in find_triangle(step, step.order, stored).bounds):
        return step
    parts: dict[Node, Node] = {}
    for loop, (axis,) in zip(loops, axes, strict=True):
        for node in loop.members:
            if node.dtype == "int64":
                return step
            if axis in result_positions(node):
                continue
            if not isinstance(node, Contraction):
                return step
            shape = (Dim.of(BLOCKS), *node.shape)
            parts[node] = Broadcast(node, shape, tuple(range(1, len(shape))))
    stored.update(parts.values())
    if isinstance(step, Strip):
        own = {node for loop in loops for node in loop.members} | {packed.copy for packed in step.packed}
        for node in own & strips.local.keys():
            strips.local[node] = replace(strips.local[node], copies=BLOCKS)
    return Shared(step, extent, step.block if isinstance(step, Strip) else 1, _work(loops), parts)


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
