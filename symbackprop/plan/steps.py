"""The four kinds of step a kernel is made of."""

from __future__ import annotations

from dataclasses import dataclass, field

from symbackprop.ir.dims import Dim
from symbackprop.ir.node import Contraction, Library, Node, Scatter

__all__ = ["Call", "Loop", "Product", "Step", "Write"]


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


Step = Loop | Product | Write | Call
