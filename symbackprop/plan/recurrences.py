"""The program of one step of a recurrence, made ready for planning."""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.ir.graph import Graph
from symbackprop.ir.node import Gather, Node
from symbackprop.ir.recurrence import Scan
from symbackprop.ir.types import AxisMap
from symbackprop.plan.access import is_leaf
from symbackprop.plan.products import fit_layouts

__all__ = ["own_results", "program_of_step"]


def own_results(graph: Graph) -> Graph:
    """Return the graph with a copy for every array result that is an argument, a constant or another result too."""
    outputs: list[Node] = []
    for node in graph.outputs:
        while node.rank and (is_leaf(node) or node in outputs):
            node = Gather(node, (), [AxisMap((k,)) for k in range(node.rank)], node.shape)  # noqa: PLW2901
        outputs.append(node)
    return Graph(graph.inputs, tuple(outputs), graph.names, graph.hints)


def program_of_step(scans: Sequence[Scan]) -> tuple[list[Scan], Graph]:
    """Return all results of a recurrence, the paths of its states first, and the program that makes them in a step.

    Args:
        scans: the results that are wanted of it.
    """
    repetition = scans[0].repetition
    body = repetition.body
    paths = [Scan(repetition, "path", state) for state in body.states]
    others = [scan for scan in scans if scan.mode != "path"]
    outputs = (*body.following, *(scan.value for scan in others))
    return [*paths, *others], fit_layouts(own_results(Graph(body.inputs, outputs)))
