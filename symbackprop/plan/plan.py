"""The plan of one kernel: its steps, its memory, and the checks its arguments must pass. Printable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symbackprop.ir.dims import ONE, Dim
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import Gather, Node
from symbackprop.ir.types import AxisMap
from symbackprop.plan.access import is_leaf
from symbackprop.plan.fusion import find_steps
from symbackprop.plan.memory import Workspace, assign_slots
from symbackprop.plan.products import fit_layouts
from symbackprop.plan.steps import Loop, Product, Step

__all__ = ["IndexCheck", "Plan", "RangeCheck", "index_checks", "make_plan", "range_checks"]


@dataclass(frozen=True)
class IndexCheck:
    """Every entry of the integer value `index`, plus `offset`, must lie in 0 ... size - 1."""

    index: Node
    offset: Dim
    size: Dim


@dataclass(frozen=True)
class RangeCheck:
    """An affine index runs from `first` to `last` (inclusive, if `count` is positive) on an axis of `size`."""

    source: Node
    axis: int
    first: Dim
    last: Dim
    size: Dim
    count: Dim


@dataclass(frozen=True)
class Plan:
    """Decisions for one kernel.

    Attributes:
        graph: the program, made ready for BLAS; its hints name variables.
        steps: what is computed, in order.
        stored: values in memory or, as scalars, in variables.
        workspace: scratch arrays.
    """

    graph: Graph
    steps: tuple[Step, ...]
    stored: frozenset[Node]
    workspace: Workspace

    def __str__(self) -> str:
        lines = []
        for k, step in enumerate(self.steps):
            match step:
                case Loop(domain=domain, members=members):
                    extent = " x ".join(map(str, domain)) or "straight line"
                    lines.append(f"{k}: loop {extent}: {len(members)} values")
                case Product(node=node):
                    lines.append(f"{k}: product {node.spec}")
                case _:
                    lines.append(f"{k}: write {len(step.node.pieces)} pieces into {step.node.type}")
        lines += [f"slot {s}: {t}" for s, t in enumerate(self.workspace.slots)]
        return "\n".join(lines)


def make_plan(graph: Graph, output_names: Sequence[str]) -> Plan:
    """Return the plan of the kernel that computes the outputs of `graph`, which are to be called `output_names`.

    Cost: linear in the nodes of `graph`.
    """
    own = _own_results(graph)
    hints = dict(own.hints)
    for node, name in zip(own.outputs, output_names, strict=True):
        if not is_leaf(node):
            hints.setdefault(node, name)
    fitted = fit_layouts(Graph(own.inputs, own.outputs, {}, hints))
    steps, stored = find_steps(fitted.outputs)
    results = [n for n in fitted.outputs if n.rank > 0]
    return Plan(fitted, tuple(steps), frozenset(stored), assign_slots(steps, stored, results))


def _own_results(graph: Graph) -> Graph:
    """Return the graph with a copy for every array result that is an argument, a constant or another result too."""
    outputs: list[Node] = []
    for node in graph.outputs:
        while node.rank and (is_leaf(node) or node in outputs):
            node = Gather(node, (), [AxisMap((k,)) for k in range(node.rank)], node.shape)  # noqa: PLW2901
        outputs.append(node)
    return Graph(graph.inputs, tuple(outputs), graph.names, graph.hints)


def index_checks(graph: Graph) -> list[IndexCheck]:
    """Return one check per distinct (integer value, offset, axis size) that the program indexes with."""
    found: dict[IndexCheck, None] = {}
    for node in graph.nodes():
        if isinstance(node, Gather):
            for size, m in zip(node.args[0].shape, node.spec, strict=True):
                if m.index is not None:
                    found[IndexCheck(node.args[1 + m.index], m.offset, size)] = None
    return list(found)


def range_checks(graph: Graph) -> list[RangeCheck]:
    """Return one check per affine index whose bounds the sizes decide; bounds that always hold are left out."""
    found: dict[RangeCheck, None] = {}
    for node in graph.nodes():
        if not isinstance(node, Gather):
            continue
        for axis, (size, m) in enumerate(zip(node.args[0].shape, node.spec, strict=True)):
            if m.index is not None:
                continue
            count = node.shape[m.axes[0]] if m.axes else ONE
            ends = m.offset, m.offset + (count - 1) * m.stride
            first, last = ends if m.stride >= 0 else ends[::-1]
            check = RangeCheck(node.args[0], axis, first, last, size, count)
            if not (_never_negative(first) and _never_negative(size - 1 - last)):
                found[check] = None
    return list(found)


def _never_negative(dim: Dim) -> bool:
    """Whether a size polynomial is provably at least 0 for sizes of 0 and more."""
    return all(c >= 0 for _, c in dim.terms)
