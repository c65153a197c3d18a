"""Where arrays live: results belong to the caller, everything else shares a workspace, slot by slot."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from symbackprop.ir.node import Node
from symbackprop.ir.types import TensorType
from symbackprop.plan.access import is_leaf, reads
from symbackprop.plan.fusion import Loop, Product, Step, Write

__all__ = ["Workspace", "assign_slots", "made_by", "read_by"]


@dataclass(frozen=True)
class Workspace:
    """Scratch arrays of a kernel: `slots[s]` is the type of slot s, `at` the slot of each stored intermediate."""

    slots: tuple[TensorType, ...]
    at: dict[Node, int]


def made_by(step: Step) -> list[Node]:
    """Return the values a step computes."""
    return list(step.members) if isinstance(step, Loop) else [step.node]


def read_by(step: Step, stored: set[Node]) -> Iterator[Node]:
    """Yield the values a step reads from memory or variables, leaves included."""
    match step:
        case Loop(members=members):
            for node in members:
                yield from (source for source, _ in reads(node, stored))
        case Product(node=node) | Write(node=node):
            yield from node.args


def assign_slots(steps: list[Step], stored: set[Node], results: Iterable[Node]) -> Workspace:
    """Return the workspace: each stored array that is no result gets a slot, free again after its last reader.

    Slots are shared by values of equal type (shape and dtype). One pass forward, one to find the last readers.
    """
    results = set(results)
    last: dict[Node, int] = {}
    for at, step in enumerate(steps):
        for node in read_by(step, stored):
            last[node] = at
    slots: list[TensorType] = []
    free: dict[TensorType, list[int]] = {}
    where: dict[Node, int] = {}
    for at, step in enumerate(steps):
        for node in made_by(step):
            if node.rank == 0 or node not in stored or node in results:
                continue
            available = free.get(node.type)
            if available:
                where[node] = available.pop()
            else:
                where[node] = len(slots)
                slots.append(node.type)
        done = dict.fromkeys([*read_by(step, stored), *made_by(step)])
        for node in done:
            if node in where and last.get(node, at) == at and not is_leaf(node):
                free.setdefault(node.type, []).append(where[node])
                last[node] = -1
    return Workspace(tuple(slots), where)


