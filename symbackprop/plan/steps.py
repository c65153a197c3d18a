"""The kinds of step a kernel is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import Contraction, Library, Node, Scatter
from symbackprop.ir.recurrence import Scan

__all__ = ["Call", "Local", "Loop", "Packed", "Product", "Recur", "Shared", "Step", "Strip", "Write", "loops_of"]


@dataclass
class Loop:
    """A perfect loop nest over `domain` (outer to inner) that computes `members` at each point, in order.

    A member is an entry of a value (elementwise, outer product, copy) or a term added to an accumulator. A loop over no
    axes is straight-line scalar code.

    Attributes:
        along: the axes that the strips around it run over, outermost first.
        block: how many entries of the first of these are left to the loop's innermost loop; 1 for none.
    """

    domain: tuple[Dim, ...]
    members: list[Node] = field(default_factory=list)
    along: tuple[int, ...] = ()
    block: int = 1

    @property
    def order(self) -> tuple[int, ...]:
        """The axes of the loops inside the strips, outer to inner."""
        inner = tuple(axis for axis in range(len(self.domain)) if axis not in self.along)
        return (*inner, self.along[0]) if self.block > 1 else inner


@dataclass
class Strip:
    """Loops that share an outer loop: one iteration of all parts, in order, before the next.

    What one iteration makes and uses is kept for one iteration only.

    Attributes:
        extent: how far the outer loop runs.
        parts: loops, and strips within this one.
        block: how many entries of the axis one iteration takes; more than 1 only outermost.
        packed: arrays of which the parts read copies of a block's entries, adjacent in memory.
    """

    extent: Dim
    parts: list[Loop | Strip]
    block: int = 1
    packed: list[Packed] = field(default_factory=list)


@dataclass(frozen=True)
class Packed:
    """An array, its copy with the entries of a block adjacent, and which of the array's axes the block is of."""

    source: Node
    copy: Node
    axis: int


@dataclass(frozen=True)
class Local:
    """The place of a value that lives within one iteration of a strip.

    Attributes:
        kept: the value's axes that the place has.
        lane: the value's axis of which the place has a block, as its last axis, None if it has none.
        block: the length of that axis.
        copies: how many such places there are, as the first axis: one for each block of a shared nest; 0 for just one.
    """

    kept: tuple[int, ...]
    lane: int | None = None
    block: int = 1
    copies: int = 0

    def depth(self, node: Node) -> int:
        """Return within how many strips `node` lives and dies."""
        return node.rank - len(self.kept)

    def shape(self, full: tuple[Dim, ...]) -> tuple[Dim, ...]:
        """Return the shape of the place of a value of shape `full`."""
        kept = tuple(full[axis] for axis in self.kept)
        one = kept if self.lane is None else (*kept, Dim.of(self.block))
        return (Dim.of(self.copies), *one) if self.copies and one else one


@dataclass
class Product:
    """A matrix product handed to BLAS."""

    node: Contraction


@dataclass
class Write:
    """A scatter: pieces written or added into place.

    A piece in `inline` is computed entry by entry as it is added: piece number -> the values it takes, operands first.
    """

    node: Scatter
    inline: dict[int, list[Node]] = field(default_factory=dict)


@dataclass
class Call:
    """A linear-algebra routine, called once per entry of the batch."""

    node: Library


@dataclass
class Shared:
    """A nest whose outermost loop runs in blocks, on several threads where it is long enough.

    Attributes:
        step: the nest.
        extent: how far its outermost loop runs.
        unit: entries of it that stay together.
        work: about how many operations it takes.
        parts: each sum over the outermost axis -> the node that stands for the array of what the blocks sum up.
    """

    step: Loop | Strip
    extent: Dim
    unit: int
    work: Dim
    parts: dict[Node, Node]


@dataclass
class Recur:
    """A loop over the steps of a recurrence, each carried out by steps of its own.

    Attributes:
        scans: the paths of all states in order, then what else the steps make.
        graph: the program of one step; its outputs are parallel to `scans`.
        steps: what one step computes, in order.
        stored: values of one step in memory or, as scalars, in variables.
        added: values that are never in memory: each entry is added to that scan, a sum, where it is computed.
        slots: the workspace slot of stored values that are no outputs, of the kernel that this is a step of.
        within: see `Workspace`.
    """

    scans: list[Scan]
    graph: Graph
    steps: list[Step]
    stored: set[Node]
    added: dict[Node, Scan] = field(default_factory=dict)
    slots: dict[Node, int] = field(default_factory=dict)
    within: dict[Node, Node] = field(default_factory=dict)


Step = Loop | Product | Write | Call | Recur | Strip | Shared


def loops_of(strip: Strip) -> Iterator[Loop]:
    """Yield the loops of a strip in order, those of the strips within it included."""
    for part in strip.parts:
        if isinstance(part, Strip):
            yield from loops_of(part)
        else:
            yield part
