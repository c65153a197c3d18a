"""Passes carried into the steps of recurrences, all results of one recurrence at a time."""

from __future__ import annotations

from collections.abc import Callable

from symbackprop.ir.graph import Graph
from symbackprop.ir.node import Node
from symbackprop.ir.recurrence import Body, Scan, scans_of
from symbackprop.ops.recurrence import settled

__all__ = ["rework_scans"]


def rework_scans(graph: Graph, step: Callable[[Graph], Graph], *, settle: bool = False) -> Graph:
    """Return the graph with the program of one step of every recurrence passed through `step`.

    Args:
        graph: the program.
        step: a pass; it sees what one step has to make for all results that the program uses.
        settle: whether to move out of the steps what need not be inside.

    Each node is visited once.
    """
    order = graph.nodes()
    together = scans_of(order)
    if not together:
        return graph
    new: dict[Node, Node] = {}
    for node in order:
        if node in new:
            continue
        operands = [new[a] for a in node.args]
        if not isinstance(node, Scan):
            new[node] = node.with_args(operands)
            continue
        scans = together[node.repetition]
        body, n = node.body, len(node.body.states)
        made = step(Graph(body.inputs, (*body.following, *(s.value for s in scans)))).outputs
        reworked = Body(body.states, body.reads, body.shared, made[:n])
        repetition = node.repetition._replace(body=reworked, args=tuple(operands))
        wanted = [(s.mode, value) for s, value in zip(scans, made[n:], strict=True)]
        results = settled(repetition, wanted) if settle else [Scan(repetition, mode, v) for mode, v in wanted]
        new.update(zip(scans, results, strict=True))
    return graph.replace(new)
