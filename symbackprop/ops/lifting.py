"""One step for all steps at once: a step's values with a leading axis of steps, or added up over the steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from symbackprop.ir.dims import Dim
from symbackprop.ir.node import Broadcast, Contraction, Elementwise, Gather, Iota, Library, Node, Reduction, Scatter
from symbackprop.ir.types import AxisMap
from symbackprop.ops.arithmetic import add, neg, sub
from symbackprop.ops.contraction import contract, sum_over
from symbackprop.ops.indexing import Piece, pieces_of, scatter
from symbackprop.ops.layout import spread

__all__ = ["Lifting"]

#: The label of the axis of steps in a contraction.
_STEPS = "steps"


class Lifting:
    """Values of one step carried over to all `count` steps.

    Args of the constructor:
        count: the number of steps.
        rows: node of the step -> its values in all steps, along a leading axis.
        shared: node of the step -> the same value outside, for what no step changes.
    """

    def __init__(self, count: Dim, rows: Mapping[Node, Node], shared: Mapping[Node, Node]) -> None:
        self.count = count
        self._rows = dict(rows)
        self._same = dict(shared)

    def stacked(self, node: Node) -> Node:
        """Return the values of `node` in all steps, along a leading axis."""
        self._lift([node])
        return self._row(node)

    def value(self, node: Node) -> Node:
        """Return a value that is the same in all steps."""
        self._lift([node])
        return self._same[node]

    def total(self, node: Node) -> Node:
        """Return the sum of `node` over all steps; sums, repetitions and scatters are of sums, where that is so."""
        done: dict[Node, Node] = {}
        stack = [node]
        while stack:
            top = stack[-1]
            if top in done:
                stack.pop()
                continue
            parts = self._summands(top)
            waiting = [p for p in parts if p not in done]
            if waiting:
                stack.extend(waiting)
                continue
            stack.pop()
            done[top] = self._total(top, [done[p] for p in parts])
        return done[node]

    def _summands(self, node: Node) -> tuple[Node, ...]:
        """Return the operands whose sums over the steps give the sum of `node`."""
        if node in self._rows or node in self._same:
            return ()
        if isinstance(node, Elementwise) and node.op in {add, sub, neg}:
            return node.args
        if isinstance(node, Broadcast):
            return node.args
        if isinstance(node, Scatter):
            self._lift(node.args)
            if all(node.args[k] in self._same for p in node.pieces for k in p.indices):
                return tuple(dict.fromkeys(node.args[p.value] for p in node.pieces))
        return ()

    def _total(self, node: Node, parts: Sequence[Node]) -> Node:
        if parts and isinstance(node, Scatter):
            sums = dict(zip(dict.fromkeys(node.args[p.value] for p in node.pieces), parts, strict=True))
            placed: list[Piece] = [(sums[v], [self._same[i] for i in at], spec) for v, at, spec in pieces_of(node)]
            return scatter(placed, node.shape, disjoint=node.disjoint)
        if parts:
            return node.with_args(parts)
        self._lift([node])
        if isinstance(node, Contraction) and node in self._rows and isinstance(self._rows[node], Contraction):
            lifted = self._rows[node]
            assert isinstance(lifted, Contraction)
            return contract(lifted.args, lifted.spec.ins, lifted.spec.out[1:])
        lifted_scatter = self._rows.get(node)
        if isinstance(lifted_scatter, Scatter):
            return scatter([(v, at, spec[1:]) for v, at, spec in pieces_of(lifted_scatter)], node.shape)
        return sum_over(self._row(node), (0,))

    def _row(self, node: Node) -> Node:
        """Return a lifted value; one that is the same in all steps is repeated."""
        if node in self._rows:
            return self._rows[node]
        same = self._same[node]
        return spread(same, (self.count, *same.shape), range(1, same.rank + 1))

    def _lift(self, roots: Iterable[Node]) -> None:
        """Carry over everything that `roots` need; nodes known already are not looked below."""
        for node in self._missing(roots):
            if all(a in self._same for a in node.args):
                self._same[node] = node.with_args([self._same[a] for a in node.args])
            else:
                self._rows[node] = self._lifted(node)

    def _missing(self, roots: Iterable[Node]) -> list[Node]:
        """Return what is not known yet, operands first."""
        order: list[Node] = []
        seen: set[Node] = set()
        stack = [(root, False) for root in roots]
        while stack:
            node, ready = stack.pop()
            if ready:
                order.append(node)
            elif node not in seen and node not in self._rows and node not in self._same:
                seen.add(node)
                stack.append((node, True))
                stack.extend((a, False) for a in reversed(node.args))
        return order

    def _lifted(self, node: Node) -> Node:
        """Return one operation for all steps, some operand of which changes from step to step."""
        shape = (self.count, *node.shape)
        match node:
            case Elementwise() | Library():
                return node.with_args([self._row(a) for a in node.args])
            case Contraction():
                varies = [a in self._rows for a in node.args]
                args = [self._rows.get(a) or self._same[a] for a in node.args]
                labels = [((_STEPS, *part) if v else part) for v, part in zip(varies, node.spec.ins, strict=True)]
                return contract(args, labels, (_STEPS, *node.spec.out))
            case Broadcast():
                return Broadcast(self._rows[node.args[0]], shape, (0, *(a + 1 for a in node.axes)))
            case Reduction():
                return Reduction(node.op, self._rows[node.args[0]], [a + 1 for a in node.axes])
            case Gather():
                source, *indices = node.args
                spec, arrays = self._map(node.spec, indices)
                if source in self._rows:
                    return Gather(self._rows[source], arrays, (AxisMap((0,)), *spec), shape)
                return Gather(self._same[source], arrays, spec, shape)
            case Scatter():
                pieces: list[Piece] = []
                for value, where, at in pieces_of(node):
                    spec, arrays = self._map(at, where)
                    pieces.append((self._row(value), arrays, (AxisMap((0,)), *spec)))
                return scatter(pieces, shape, disjoint=node.disjoint)
            case _:
                raise TypeError(f"{node.kind} is not done for all steps at once")

    def _map(self, spec: Sequence[AxisMap], indices: Sequence[Node]) -> tuple[tuple[AxisMap, ...], list[Node]]:
        """Return an index map behind the axis of steps, and its integer arrays; the number of the step is an index."""
        arrays: list[Node] = []
        out: list[AxisMap] = []
        for m in spec:
            axes = tuple(a + 1 for a in m.axes)
            if m.index is None:
                out.append(replace(m, axes=axes))
                continue
            varies = indices[m.index] in self._rows
            array = self._rows[indices[m.index]] if varies else self._same[indices[m.index]]
            if varies and isinstance(array, Iota):
                out.append(AxisMap((0,), offset=m.offset))
                continue
            if array not in arrays:
                arrays.append(array)
            out.append(AxisMap((0, *axes) if varies else axes, offset=m.offset, index=arrays.index(array)))
        return tuple(out), arrays
