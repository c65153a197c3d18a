"""The kinds of step a kernel is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import Contraction, Library, Node, Scatter
from symbackprop.ir.recurrence import Scan

__all__ = ["Call", "Loop", "Product", "Recur", "Step", "Write"]


@dataclass
class Loop:
    """A perfect loop nest over `domain` (outer to inner) that computes `members` at each point, in order.

    A member is an entry of a value (elementwise, outer product, copy) or a term added to an accumulator. A loop over no
    axes is straight-line scalar code.
    """

    domain: tuple[Dim, ...]
    members: list[Node] = field(default_factory=list)


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


Step = Loop | Product | Write | Call | Recur
