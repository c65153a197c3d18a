"""Pieces of a scatter that are computed where they are added, instead of through memory.

The adjoint of a convolution adds n*m products into an array of n + m entries. Each takes an operation or two to compute
from what is in memory anyway, so an array of all of them would cost more than it saves.
"""

from __future__ import annotations

from collections.abc import Iterable

from symbackprop.ir.node import Contraction, Elementwise, Node
from symbackprop.ir.registry import Trait
from symbackprop.plan.access import is_leaf, reads
from symbackprop.plan.memory import is_whole, read_by
from symbackprop.plan.steps import Loop, Step, Write

__all__ = ["inline_pieces"]

#: Most operations that are carried out again for a piece.
_MOST = 12


def inline_pieces(steps: list[Step], stored: set[Node], roots: Iterable[Node]) -> None:
    """Let scatters compute the pieces that nothing else reads; changes `steps` and `stored`.

    What a piece is computed from must be in memory, or be cheap to compute again. Linear in the nodes of the steps.
    """
    keep = set(roots)
    readers: dict[Node, int] = {}
    for step in steps:
        for node in dict.fromkeys(read_by(step, stored)):
            readers[node] = readers.get(node, 0) + 1
    dropped: set[Node] = set()
    for step in steps:
        if not isinstance(step, Write):
            continue
        added = [step.node.args[p.value] for p in step.node.pieces]
        for k, value in enumerate(added):
            if not value.rank or value not in stored or value in keep or readers[value] > 1 or added.count(value) > 1:
                continue
            members = None if is_whole(step.node, k) else _recomputed(value, stored)
            if members is not None:
                step.inline[k] = members
                stored.discard(value)
                dropped.add(value)
    if dropped:
        _drop_unread(steps, stored)


def _recomputed(value: Node, stored: set[Node]) -> list[Node] | None:
    """Return what computes an entry of `value` from memory, operands first; None where that is no small matter."""
    here = tuple(range(value.rank))
    order: dict[Node, None] = {}
    work = 0
    stack = [(value, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            order[node] = None
            continue
        if node in order:
            continue
        work += node.op.flops if isinstance(node, Elementwise) else 1
        if not _is_cheap(node) or work > _MOST:
            return None
        stack.append((node, True))
        for source, where in reads(node, stored - {value}):
            if is_leaf(source) or (source in stored and source is not value):
                continue
            if source.shape != value.shape or where != here:
                return None
            stack.append((source, False))
    return list(order)


def _is_cheap(node: Node) -> bool:
    if isinstance(node, Contraction):
        return not node.spec.summed
    return isinstance(node, Elementwise) and Trait.TRANSCENDENTAL not in node.op.traits


def _drop_unread(steps: list[Step], stored: set[Node]) -> None:
    """Take values out of loops that are neither stored nor read there."""
    for step in steps:
        if not isinstance(step, Loop):
            continue
        read: set[Node] = set()
        kept: list[Node] = []
        for node in reversed(step.members):
            if node in stored or node in read:
                kept.append(node)
                read.update(source for source, _ in reads(node, stored))
        step.members = kept[::-1]
