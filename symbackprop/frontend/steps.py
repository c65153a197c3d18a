"""Recurrences in index notation: `h[0, i] = ...` and `h[t + 1, i] = f(h[t, j], x[t, k])` among the definitions.

A step is translated with t standing for the number of the step, an integer, and h for an array of which nothing is
known yet. What the step then reads of h is its row t: the state. To read row t + 1 of a state that an earlier
definition of the same step gives is to read that definition. Any other row is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symbackprop.errors import ShapeError, UnsupportedExpressionError, message
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe
from symbackprop.frontend.dispatch import Scope, run
from symbackprop.frontend.request import Definition
from symbackprop.frontend.scan import Scan
from symbackprop.frontend.value import Axis, Index, Slot, Value, place
from symbackprop.ir.dims import ONE, ZERO, Dim
from symbackprop.ir.graph import toposort
from symbackprop.ir.node import Gather, Input, Iota, Node
from symbackprop.ir.types import TensorType
from symbackprop.ops.contraction import permute
from symbackprop.ops.indexing import gather
from symbackprop.ops.recurrence import repeated

__all__ = ["Steps", "carry_out", "grouped"]


@dataclass
class Steps:
    """The definitions of one recurrence.

    Attributes:
        time: the index symbol that counts the steps.
        starts: state -> the definition of its value before the first step.
        members: the definitions of a step in order: states, and what they are computed from.
    """

    time: Any
    starts: dict[Any, Definition] = field(default_factory=dict)
    members: list[Definition] = field(default_factory=list)

    @property
    def states(self) -> list[Any]:
        """What the steps define from row to row."""
        return [d.leaf for d in self.members if d.time is not None]


def grouped(definitions: Sequence[Definition], scan: Scan) -> Iterator[Definition | Steps]:
    """Yield the definitions in order, those of a recurrence together where the last of them stands.

    Raises:
        UnsupportedExpressionError: a state without a start, a start without a step, or two definitions of either.
    """
    times: dict[Any, Any] = {}
    last: dict[Any, int] = {}
    for k, d in enumerate(definitions):
        if d.time is not None:
            if d.leaf in times:
                raise _refusal(d, f"{d.name} has two definitions of its step")
            times[d.leaf] = d.time
            last[d.time] = k
    groups = {time: Steps(time) for time in last}
    inside = {leaf: groups[time] for leaf, time in times.items()}
    for k, d in enumerate(definitions):
        if d.is_start:
            if d.leaf not in inside:
                raise _refusal(d, f"{d.name} has a first row and no step", hint=f"define {d.name}[t + 1] too")
            if d.leaf in inside[d.leaf].starts:
                raise _refusal(d, f"{d.name} has two first rows")
            inside[d.leaf].starts[d.leaf] = d
            continue
        group = inside.get(d.leaf) if d.time is not None else None
        if group is None:
            open_groups = [inside[leaf] for leaf in scan.free(d.rhs) if leaf in inside]
            group = next((g for g in open_groups if last[g.time] > k), None)
        if group is None:
            yield d
            continue
        inside[d.leaf] = group
        group.members.append(d)
        if last[group.time] == k:
            missing = next((s for s in group.states if s not in group.starts), None)
            if missing is not None:
                name = next(m.name for m in group.members if m.leaf == missing)
                raise _refusal(d, f"{name} has a step and no first row", hint=f"define {name}[0] before the step")
            yield group


def _refusal(definition: Definition, what: str, **more: Any) -> UnsupportedExpressionError:
    return UnsupportedExpressionError(message(what, where=describe(definition.lhs), **more))


@dataclass
class _Row:
    """What stands for one array of the recurrence while a step is translated.

    Attributes:
        whole: stands for the array.
        now: the row of this step, None for what has none.
        following: the row of the next step, None as long as it is not known.
        axes: axes of a row.
    """

    definition: Definition
    whole: Input
    now: Node | None
    following: Node | None
    axes: tuple[Axis, ...]


class _Translation:
    """One recurrence while it is translated."""

    def __init__(self, ctx: Context, steps: Steps, scope: Scope) -> None:
        self.ctx, self.steps, self.scope = ctx, steps, scope
        index = ctx.indices.get(steps.time)
        if index is None or index.low != ZERO:
            raise _refusal(
                steps.members[0],
                f"the steps are not counted by a free index {steps.time} from 0",
                found="a number that is passed" if index is None else f"{steps.time} from {ctx.sizes.text(index.low)}",
            )
        self.count = index.count
        self.time = self._stand_in("t", TensorType((), "int64"))
        self.starts = {leaf: self._value(d, run(ctx, d.rhs, scope)) for leaf, d in steps.starts.items()}
        self.carried: dict[Any, tuple[Axis, ...]] = {s: self._carried(self.starts[s]) for s in steps.states}
        self.extents: dict[Axis, Dim] = {}
        for value in self.starts.values():
            self.extents |= {a: value.extent(a) for a in value.axes}

    def _stand_in(self, name: str, kind: TensorType) -> Input:
        self.ctx.stand_ins += 1
        return Input(f"{name}@{self.ctx.stand_ins}", kind)

    def _running(self, definition: Definition) -> list[Index]:
        """Return the free indices of a left-hand side but the one that counts steps."""
        out = []
        for position in definition.indices:
            if position == self.steps.time:
                continue
            index = self.ctx.indices.get(position)
            if index is None or index.low != ZERO:
                raise _refusal(
                    definition,
                    f"the definition of {definition.name} does not cover it",
                    expected=f"{position} to run from 0 over the whole axis",
                )
            out.append(index)
        return out

    def _value(self, definition: Definition, value: Value) -> Value:
        """Return the value of a right-hand side, whose free indices are those of the left-hand side.

        Raises:
            UnsupportedExpressionError: there are others.
            ShapeError: it is no scalar.
        """
        value = self.ctx.scalar(value, definition.rhs)
        own = self._running(definition)
        extra = [a for a in value.axes if isinstance(a, Index) and a not in own]
        if extra:
            names = ", ".join(str(a.symbol) for a in extra)
            raise _refusal(
                definition,
                f"the definition of {definition.name} has the free index {names} on its right-hand side only",
                found=describe(definition.rhs),
            )
        return value

    def _carried(self, value: Value) -> tuple[Axis, ...]:
        """Return the axes that are no index of the left-hand side, such as that of a batch."""
        return tuple(a for a in value.axes if not isinstance(a, Index))

    def _axes(self, definition: Definition, carried: Sequence[Axis]) -> tuple[Axis, ...]:
        return (*carried, *self._running(definition))

    def _shape(self, axes: Sequence[Axis]) -> tuple[Dim, ...]:
        return tuple(a.count if isinstance(a, Index) else self.extents[a] for a in axes)

    def rows(self) -> dict[Any, _Row]:
        """Return every array of the recurrence after a step is translated; axes of a batch are added as they show."""
        while True:
            rows: dict[Any, _Row] = {}
            for definition in self.steps.members:
                if definition.time is not None:
                    axes = self._axes(definition, self.carried[definition.leaf])
                    rows[definition.leaf] = self._row(definition, axes, self.count + 1, is_state=True)
            grown = False
            for definition in self.steps.members:
                value = self._value(definition, run(self.ctx, definition.rhs, self._inner(rows)))
                self.extents |= {a: value.extent(a) for a in value.axes}
                carried = self._carried(value)
                if definition.time is None:
                    axes = self._axes(definition, carried)
                    row = rows[definition.leaf] = self._row(definition, axes, self.count, is_state=False)
                    row.now = self._resolved(place(value, axes, self._shape(axes)), rows, definition)
                    continue
                known = self.carried[definition.leaf]
                new = [a for a in carried if a not in known]
                if new:
                    self.carried[definition.leaf] = (*known, *new)
                    grown = True
                    break
                row = rows[definition.leaf]
                node = place(value, row.axes, self._shape(row.axes))
                row.following = self._resolved(node, rows, definition)
            if not grown:
                return rows

    def _row(self, definition: Definition, axes: tuple[Axis, ...], count: Dim, *, is_state: bool) -> _Row:
        shape = self._shape(axes)
        whole = self._stand_in(definition.name, TensorType((count, *shape), self.ctx.dtype))
        now = self._stand_in(definition.name, TensorType(shape, self.ctx.dtype)) if is_state else None
        return _Row(definition, whole, now, None, axes)

    def _inner(self, rows: Mapping[Any, _Row]) -> dict[Any, Any]:
        """Return the scope of a step."""
        inner: dict[Any, Any] = {**self.scope, self.steps.time: Value(self.time)}
        for leaf, row in rows.items():
            inner[leaf] = Value(row.whole, self.slots(row))
        return inner

    def slots(self, row: _Row) -> tuple[Axis, ...]:
        """Return the axes of an array of the recurrence, its axis of steps first."""
        indices = row.definition.indices
        at = {self.ctx.indices[i]: Slot(k) for k, i in enumerate(indices) if i in self.ctx.indices}
        time = Slot(indices.index(self.steps.time))
        return (time, *(at[a] if isinstance(a, Index) else a for a in row.axes))

    def _resolved(self, node: Node, rows: Mapping[Any, _Row], definition: Definition) -> Node:
        """Return a value of a step with the rows that it reads put in.

        Raises:
            UnsupportedExpressionError: it reads other rows than this step's, or a row that is not known yet.
        """
        by_input = {row.whole: row for row in rows.values()}
        new: dict[Node, Node] = {}
        for n in toposort([node]):
            if isinstance(n, Gather) and n.args[0] in by_input:
                row = by_input[n.args[0]]
                new[n] = self._read(n, row, definition, [new[a] for a in n.args[1:]])
            elif any(a in by_input for a in n.args):
                row = next(by_input[a] for a in n.args if a in by_input)
                raise self._not_causal(row, definition, "all rows at once")
            else:
                new[n] = n.with_args([new[a] for a in n.args])
        return new[node]

    def _read(self, node: Gather, row: _Row, definition: Definition, indices: list[Node]) -> Node:
        first, *rest = node.spec
        if first.index is None or node.args[1 + first.index] is not self.time:
            raise self._not_causal(row, definition, "a row that is not this step's")
        if first.offset == ONE and row.definition.time is not None:
            source = row.following
            if source is None:
                name, time = row.definition.name, self.steps.time
                raise self._not_causal(row, definition, f"{name}[{time} + 1] before it is defined")
        elif first.offset == ZERO:
            source = row.now
        else:
            raise self._not_causal(row, definition, f"row {self.steps.time} + ({self.ctx.sizes.text(first.offset)})")
        assert source is not None
        used = sorted({m.index for m in rest if m.index is not None})
        number = {k: at for at, k in enumerate(used)}
        spec = [m.renumber(number) for m in rest]
        if source.rank == node.rank and not used:
            order = [m.along for m in spec]
            if None not in order and len(set(order)) == len(order) and _fits(source, node, order):
                return permute(source, sorted(range(len(order)), key=order.__getitem__))  # type: ignore[arg-type]
        return gather(source, [indices[k] for k in used], spec, node.shape)

    def _not_causal(self, row: _Row, definition: Definition, found: str) -> UnsupportedExpressionError:
        name, time = row.definition.name, self.steps.time
        return UnsupportedExpressionError(
            message(
                f"the step of {definition.name} reads more of {name} than a recurrence can",
                where=describe(definition.rhs),
                expected=f"{name}[{time}, ...]",
                found=found,
                hint="give an earlier row a state of its own, and define what a step uses in front of it",
            )
        )


def _fits(source: Node, node: Node, order: Sequence[Any]) -> bool:
    return all(node.shape[a] == d for a, d in zip(order, source.shape, strict=True))


def carry_out(ctx: Context, steps: Steps, scope: Scope) -> dict[Any, Value]:
    """Return the arrays that a recurrence defines, with the steps along their axis of the time index.

    Raises:
        UnsupportedExpressionError: a step depends on something else than the states before it.
        ShapeError: an array's declared shape is another.
    """
    translation = _Translation(ctx, steps, scope)
    rows = translation.rows()
    states = [row for row in rows.values() if row.definition.time is not None]
    triples = []
    for row in states:
        start = translation.starts[row.definition.leaf]
        shape = translation._shape(row.axes)  # noqa: SLF001
        assert isinstance(row.now, Input)
        assert row.following is not None
        triples.append((row.now, place(start, row.axes, shape), row.following))
        _check_declared(ctx, row, (translation.count + 1, *translation._shape(translation._running(row.definition))))  # noqa: SLF001
    others = [row for row in rows.values() if row.definition.time is None]
    count = translation.count
    values = [row.now for row in others if row.now is not None]
    nodes = repeated(count, triples, [(translation.time, Iota(count))], values)
    return {
        row.definition.leaf: Value(node, translation.slots(row))
        for row, node in zip([*states, *others], nodes, strict=True)
    }


def _check_declared(ctx: Context, row: _Row, found: Sequence[Dim]) -> None:
    declared = row.definition.leaf.shape
    if declared is not None and [ctx.sizes.dim(size) for size in declared] != list(found):
        raise ShapeError(
            message(
                f"the recurrence of {row.definition.name} does not cover it",
                where=describe(row.definition.lhs),
                expected=ctx.sizes.shape_text([ctx.sizes.dim(size) for size in declared]),
                found=ctx.sizes.shape_text(found),
            )
        )
