"""Where arrays live: results belong to the caller, everything else shares a workspace, slot by slot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from symbackprop.ir.node import Node, Scatter
from symbackprop.ir.types import AxisMap, TensorType
from symbackprop.plan.access import is_leaf, library_operands, reads, recurrence_operands
from symbackprop.plan.steps import Call, Loop, Product, Recur, Step, Write

__all__ = ["Workspace", "assign_slots", "is_whole", "made_by", "read_by"]


@dataclass(frozen=True)
class Workspace:
    """Scratch arrays of a kernel.

    Attributes:
        slots: the type of each slot.
        at: the slot of each stored intermediate.
        within: values made right where they are needed: value -> the scatter whose memory it starts off.
    """

    slots: tuple[TensorType, ...]
    at: dict[Node, int]
    within: dict[Node, Node]


def made_by(step: Step) -> list[Node]:
    """Return the values a step computes."""
    if isinstance(step, Recur):
        return list(step.scans)
    return list(step.members) if isinstance(step, Loop) else [step.node]


def read_by(step: Step, stored: set[Node]) -> Iterator[Node]:
    """Yield the values a step reads from memory or variables, leaves included."""
    match step:
        case Loop(members=members):
            for node in members:
                yield from (source for source, _ in reads(node, stored))
        case Product(node=node):
            yield from node.args
        case Write(node=node, inline=inline):
            for k, piece in enumerate(node.pieces):
                yield from (node.args[j] for j in piece.indices)
                if k not in inline:
                    yield node.args[piece.value]
                for member in inline.get(k, ()):
                    yield from (source for source, _ in reads(member, stored) if source not in inline[k])
        case Call(node=node):
            yield from (source for source, _ in library_operands(node))
        case Recur(scans=scans):
            yield from recurrence_operands(scans[0])


def assign_slots(steps: list[Step], stored: set[Node], results: Iterable[Node]) -> Workspace:
    """Return the workspace: each stored array that is no result gets a slot, free again after its last reader.

    Slots are shared by values of equal type (shape and dtype). One pass forward, one to find the last readers. A step
    of a recurrence takes its slots from the same store, and gives them back at its end.
    """
    slots: list[TensorType] = []
    where, within = _assign(steps, stored, set(results), slots, {})
    return Workspace(tuple(slots), where, within)


def _assign(
    steps: list[Step],
    stored: set[Node],
    results: set[Node],
    slots: list[TensorType],
    free: dict[TensorType, list[int]],
) -> tuple[dict[Node, int], dict[Node, Node]]:
    """Return the slot of each value, and the values made within others; recursive in the nesting of recurrences."""
    last: dict[Node, int] = {}
    for at, step in enumerate(steps):
        for node in read_by(step, stored):
            last[node] = at
    within = _made_in_place(steps, stored, results)
    where: dict[Node, int] = {}
    for at, step in enumerate(steps):
        for made in made_by(step):
            node = within.get(made, made)
            if node.rank == 0 or node not in stored or node in results or node in where:
                continue
            available = free.get(node.type)
            if available:
                where[node] = available.pop()
            else:
                where[node] = len(slots)
                slots.append(node.type)
        if isinstance(step, Recur):
            inner = {n for s, n in zip(step.scans, step.graph.outputs, strict=True) if n.rank and s.mode != "sum"}
            step.slots, step.within = _assign(step.steps, step.stored, inner, slots, free)
        done = dict.fromkeys([*read_by(step, stored), *made_by(step)])
        for node in done:
            if node in where and last.get(node, at) == at and not is_leaf(node):
                free.setdefault(node.type, []).append(where[node])
                last[node] = -1
    return where, within


def _made_in_place(steps: list[Step], stored: set[Node], results: set[Node]) -> dict[Node, Node]:
    """Return value -> scatter for each array that a scatter alone reads, as the whole of what it adds pieces to."""
    readers: dict[Node, int] = {}
    for step in steps:
        for node in dict.fromkeys(read_by(step, stored)):
            readers[node] = readers.get(node, 0) + 1
    within: dict[Node, Node] = {}
    for step in steps:
        if isinstance(step, Write) and not is_leaf(step.node.args[step.node.pieces[0].value]):
            value = step.node.args[step.node.pieces[0].value]
            # Another piece that reads it, at whatever position, would meet entries that have been added to already.
            once = sum(node is value for node in read_by(step, stored)) == 1
            alone = once and readers.get(value) == 1 and value not in results
            if is_whole(step.node, 0) and alone and not isinstance(value, Scatter):
                within[value] = step.node
    return within


def is_whole(node: Scatter, k: int) -> bool:
    """Whether piece k of a scatter covers the result entry by entry."""
    piece = node.pieces[k]
    whole = tuple(AxisMap((a,)) for a in range(node.rank))
    return piece.spec == whole and node.args[piece.value].shape == node.shape
