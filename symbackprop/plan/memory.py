"""Where arrays live: results belong to the caller, everything else shares a workspace, slot by slot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from symbackprop.ir.node import Node, Scatter
from symbackprop.ir.types import AxisMap, TensorType
from symbackprop.plan.access import is_leaf, library_operands, reads, recurrence_operands
from symbackprop.plan.steps import Call, Local, Loop, Product, Recur, Shared, Step, Strip, Write, loops_of

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
    match step:
        case Loop(members=members):
            return list(members)
        case Recur(scans=scans):
            return list(scans)
        case Strip(packed=packed):
            members = [node for loop in loops_of(step) for node in loop.members]
            return list(dict.fromkeys([*(p.copy for p in packed), *members]))
        case Shared():
            return [*made_by(step.step), *step.parts.values()]
        case _:
            return [step.node]


def read_by(step: Step, stored: set[Node]) -> Iterator[Node]:
    """Yield the values a step reads from memory or variables, leaves included."""
    match step:
        case Loop(members=members):
            for node in members:
                yield from (source for source, _ in reads(node, stored))
        case Strip(packed=packed):
            yield from (p.source for p in packed)
            for loop in loops_of(step):
                yield from read_by(loop, stored)
        case Shared():
            yield from read_by(step.step, stored)
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


def assign_slots(
    steps: Sequence[Step], stored: set[Node], results: Iterable[Node], local: Mapping[Node, Local] | None = None
) -> Workspace:
    """Return the workspace: each stored array that is no result gets a slot, free again after its last reader.

    Slots are shared by values of equal type (shape and dtype). A value that lives within one iteration of a strip takes
    turns with others of that strip; one that outlives it has its slot for all of the strip. One pass forward and one to
    find the last readers for each level of strips.
    """
    results = set(results)
    within = _made_in_place(steps, stored, results)
    slots = _Slots({n for n in stored if n not in results}, within, local or {}, stored)
    slots.again = _made_again(steps)
    slots.run(steps, 0)
    return Workspace(tuple(slots.types), slots.at, within)


class _Slots:
    """Slots handed out so far."""

    def __init__(
        self,
        wanted: set[Node],
        within: Mapping[Node, Node],
        local: Mapping[Node, Local],
        stored: set[Node],
        outer: _Slots | None = None,
    ) -> None:
        self.wanted = wanted
        self.within = within
        self.local = local
        self.stored = stored
        self.types: list[TensorType] = [] if outer is None else outer.types
        self.free: dict[TensorType, list[int]] = {} if outer is None else outer.free
        self.at: dict[Node, int] = {}
        #: What is made in several strips keeps its slot.
        self.again: set[Node] = set()

    def run(self, parts: Sequence[Step], depth: int) -> None:
        """Give slots to the values that live among `parts`, inside `depth` strips. Recursive over strips."""
        reads = [dict.fromkeys(read_by(part, self.stored)) for part in parts]
        last = {node: k for k, read in enumerate(reads) for node in read}
        for k, part in enumerate(parts):
            made = made_by(part)
            for value in made:
                node = self.within.get(value, value)
                if node in self.wanted and node not in self.at and self._depth(node) == depth:
                    self._take(node)
            if isinstance(part, Recur):
                self._run_inside(part)
            strip = part.step if isinstance(part, Shared) else part
            if isinstance(strip, Strip):
                for packed in strip.packed:
                    self._take(packed.copy)
                self.run(strip.parts, depth + 1)
                for packed in strip.packed:
                    self._give_back(packed.copy)
            for node in dict.fromkeys([*reads[k], *made]):
                if node in self.at and last.get(node, k) == k and self._depth(node) == depth:
                    self._give_back(node)
                    last[node] = -1

    def _run_inside(self, part: Recur) -> None:
        """Give slots from the same store to the values of one step of a recurrence; they are back at its end."""
        outputs = zip(part.scans, part.graph.outputs, strict=True)
        results = {n for s, n in outputs if n.rank and s.mode != "sum"}
        part.within = _made_in_place(part.steps, part.stored, results)
        inner = _Slots({n for n in part.stored if n not in results}, part.within, {}, part.stored, self)
        inner.run(part.steps, 0)
        part.slots = inner.at

    def _take(self, node: Node) -> None:
        if not self._type(node).shape:
            return
        available = self.free.get(self._type(node))
        if available:
            self.at[node] = available.pop()
        else:
            self.at[node] = len(self.types)
            self.types.append(self._type(node))

    def _give_back(self, node: Node) -> None:
        if node not in self.again:
            self.free.setdefault(self._type(node), []).append(self.at[node])

    def _depth(self, node: Node) -> int:
        place = self.local.get(node)
        return place.depth(node) if place else 0

    def _type(self, node: Node) -> TensorType:
        place = self.local.get(node)
        return TensorType(place.shape(node.shape), node.dtype) if place else node.type


def _made_again(steps: Sequence[Step]) -> set[Node]:
    """Return the values that several loops of strips make."""
    found: Counter[Node] = Counter()
    nests = (step.step if isinstance(step, Shared) else step for step in steps)
    stack = [nest for nest in nests if isinstance(nest, Strip)]
    while stack:
        strip = stack.pop()
        for part in strip.parts:
            if isinstance(part, Strip):
                stack.append(part)
            else:
                found.update(set(part.members))
    return {node for node, count in found.items() if count > 1}


def _made_in_place(steps: Sequence[Step], stored: set[Node], results: set[Node]) -> dict[Node, Node]:
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
