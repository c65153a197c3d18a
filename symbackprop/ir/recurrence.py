"""Recurrences: a program for one step, and the values that repeating it makes.

A `Body` says how states follow from the states before, from what each step reads, and from what all steps share. A
`Scan` is one result of carrying it out `count` times. Scans of the same body on the same operands are results of one
and the same repetition: a plan computes them together. What a step needs besides the states is free to differ from scan
to scan, so that keeping one more value of a step for the backward pass changes no other node.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from symbackprop.errors import ShapeError, message
from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import toposort
from symbackprop.ir.node import Input, Node, intern
from symbackprop.ir.types import TensorType

__all__ = ["Body", "Mode", "Repetition", "Scan", "every_node", "made_along", "scans_of", "steps_inside"]

#: "path": the states before the first step and after every step; "stack": a value of each step; "sum": their sum.
Mode: TypeAlias = Literal["path", "stack", "sum"]


@dataclass(frozen=True)
class Body:
    """One step, closed: its nodes mention no inputs but these.

    Attributes:
        states: the states before the step.
        reads: what this step alone reads: one row of each such operand.
        shared: what all steps read.
        following: the states after the step, of the types of `states`.
    """

    states: tuple[Input, ...]
    reads: tuple[Input, ...]
    shared: tuple[Input, ...]
    following: tuple[Node, ...]

    @property
    def inputs(self) -> tuple[Input, ...]:
        """All inputs, parallel to the operands of a scan."""
        return (*self.states, *self.reads, *self.shared)


class Repetition(NamedTuple):
    """What scans computed together have in common."""

    body: Body
    times: Dim
    backwards: bool
    args: tuple[Node, ...]

    @property
    def starts(self) -> tuple[Node, ...]:
        """The states before the first step."""
        return self.args[: len(self.body.states)]

    @property
    def rows(self) -> tuple[Node, ...]:
        """The operands of which step t reads row t."""
        return self.args[len(self.body.states) :][: len(self.body.reads)]

    @property
    def shared(self) -> tuple[Node, ...]:
        """The operands that all steps read."""
        return self.args[len(self.body.states) + len(self.body.reads) :]


class Scan(Node):
    """One result of `count` steps: `args` are the first states, then row operands, then shared ones.

    `value` is a node over the body's inputs. As a "path" it is a state, and the result holds that state before the
    first step and after every step: count + 1 rows. As a "stack" the result holds the value of each step, as a "sum"
    the sum of these. `backwards` takes the steps from the last row to the first; a path then starts with its last row.
    """

    __slots__ = ("backwards", "body", "count", "mode", "value")
    body: Body
    mode: Mode
    value: Node
    count: Dim
    backwards: bool
    kind = "scan"

    def __new__(cls, repetition: Repetition, mode: Mode, value: Node) -> Scan:  # noqa: PYI034 - nodes are interned
        """Return the result of `repetition` that `mode` and `value` name.

        Raises:
            ShapeError: operands or states do not fit.
        """
        body, count, backwards, args = repetition
        _check(repetition)
        shape = value.shape
        if mode == "path":
            shape = (count + 1, *shape)
        elif mode == "stack":
            shape = (count, *shape)
        node = intern(cls, (body, mode, value, count, backwards), TensorType(shape, value.dtype), tuple(args))
        assert isinstance(node, Scan)
        node.body, node.mode, node.value, node.count, node.backwards = body, mode, value, count, backwards
        return node

    @property
    def repetition(self) -> Repetition:
        """What this scan shares with all that are computed along with it."""
        return Repetition(self.body, self.count, self.backwards, self.args)

    def rebuilt(self, args: Sequence[Node]) -> Node:  # noqa: D102 - as in every node
        return Scan(self.repetition._replace(args=tuple(args)), self.mode, self.value)

    def __repr__(self) -> str:
        return f"<{self.mode} of a scan {self.type}>"


def _check(repetition: Repetition) -> None:
    """Check the types of states and operands.

    Raises:
        ShapeError: one does not fit.
    """
    body = repetition.body
    wanted = [
        *(s.type for s in body.states),
        *(TensorType((repetition.times, *r.shape), r.dtype) for r in body.reads),
        *(s.type for s in body.shared),
    ]
    found = [a.type for a in repetition.args]
    if wanted != found:
        raise ShapeError(
            message(
                "operands of a recurrence do not fit",
                expected=", ".join(map(str, wanted)),
                found=", ".join(map(str, found)),
            )
        )
    for state, following in zip(body.states, body.following, strict=True):
        if state.type != following.type:
            raise ShapeError(
                message(f"the state {state.name} changes its shape", expected=state.type, found=following.type)
            )


def scans_of(nodes: Iterable[Node]) -> dict[Repetition, list[Scan]]:
    """Return the scans among `nodes` by what they are results of, both in the given order."""
    out: dict[Repetition, list[Scan]] = {}
    for node in nodes:
        if isinstance(node, Scan):
            out.setdefault(node.repetition, []).append(node)
    return out


def steps_inside(repetition: Repetition, scans: Iterable[Scan]) -> list[Node]:
    """Return the nodes of one step that makes the given results, operands first."""
    return toposort([*repetition.body.following, *(s.value for s in scans)])


def made_along(nodes: Iterable[Node], others: Iterable[Node]) -> list[Scan]:
    """Return the scans among `others` that are computed along with scans among `nodes`."""
    done = scans_of(nodes)
    return [s for repetition, scans in scans_of(others).items() if repetition in done for s in scans]


def every_node(roots: Iterable[Node]) -> list[Node]:
    """Return all nodes that `roots` need, those inside of steps included, each once."""
    out: dict[Node, None] = {}
    pending = [list(roots)]
    while pending:
        order = [n for n in toposort(pending.pop()) if n not in out]
        out.update(dict.fromkeys(order))
        pending += [steps_inside(r, scans) for r, scans in scans_of(order).items()]
    return list(out)
