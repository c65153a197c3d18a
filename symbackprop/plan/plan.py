"""The plan of one kernel: its steps, its memory, and the checks its arguments must pass. Printable."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from symbackprop.ir.dims import ZERO, Dim, never_negative
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import Gather, Node
from symbackprop.ir.recurrence import every_node, scans_of, steps_inside
from symbackprop.ir.sizes import Spans, lowest
from symbackprop.plan.access import is_leaf
from symbackprop.plan.fusion import find_steps
from symbackprop.plan.memory import Workspace, assign_slots
from symbackprop.plan.products import fit_layouts
from symbackprop.plan.recurrences import own_results
from symbackprop.plan.steps import Call, Local, Loop, Product, Recur, Shared, Step, Strip, Write, loops_of
from symbackprop.plan.strips import make_strips
from symbackprop.plan.threads import share_nests

__all__ = ["CountCheck", "IndexCheck", "Plan", "RangeCheck", "index_checks", "make_plan", "range_checks"]


@dataclass(frozen=True)
class IndexCheck:
    """Every entry of the integer value `index`, plus `offset`, must lie in 0 ... size - 1."""

    index: Node
    offset: Dim
    size: Dim


@dataclass(frozen=True)
class RangeCheck:
    """An affine index runs from `first` to `last` (inclusive) on an axis of `size`, if all `counts` are positive.

    A clamped index has two checks: one on the positions that matter, one that there is an entry to clamp to.
    """

    source: Node
    axis: int
    first: Dim
    last: Dim
    size: Dim
    counts: tuple[Dim, ...]


@dataclass(frozen=True)
class CountCheck:
    """An index takes `count` values, a size polynomial that must not be negative."""

    count: Dim


@dataclass(frozen=True)
class Plan:
    """Decisions for one kernel.

    Attributes:
        graph: the program, made ready for BLAS; its hints name variables.
        steps: what is computed, in order.
        stored: values in memory or, as scalars, in variables.
        workspace: scratch arrays.
        local: the place of each value that lives within one iteration of a strip.
    """

    graph: Graph
    steps: tuple[Step, ...]
    stored: frozenset[Node]
    workspace: Workspace
    local: Mapping[Node, Local] = field(default_factory=dict)

    @property
    def uses_threads(self) -> bool:
        """Whether threads share any step."""
        return any(isinstance(step, Shared) for step in self.steps)

    def __str__(self) -> str:
        lines = []
        for k, outer in enumerate(self.steps):
            step = outer.step if isinstance(outer, Shared) else outer
            match step:
                case Loop(domain=domain, members=members):
                    extent = " x ".join(map(str, domain)) or "straight line"
                    lines.append(f"{k}: loop {extent}: {len(members)} values")
                case Product(node=node):
                    lines.append(f"{k}: product {node.spec}")
                case Call(node=node):
                    lines.append(f"{k}: call {node.op.name}")
                case Recur(scans=scans, steps=steps):
                    lines.append(f"{k}: {scans[0].count} times {len(steps)} steps, {len(scans)} results")
                case Strip():
                    loops = " | ".join(" x ".join(map(str, loop.domain)) for loop in loops_of(step))
                    lines.append(f"{k}: strip over {step.extent}, {step.block} at a time: {loops}")
                case Write():
                    lines.append(f"{k}: write {len(step.node.pieces)} pieces into {step.node.type}")
            if isinstance(outer, Shared):
                lines[-1] += f"; on several threads, {len(outer.parts)} sums by blocks"
        lines += [f"slot {s}: {t}" for s, t in enumerate(self.workspace.slots)]
        return "\n".join(lines)


def make_plan(graph: Graph, output_names: Sequence[str], threads_over: Collection[str] | None = None) -> Plan:
    """Return the plan of the kernel that computes the outputs of `graph`, which are to be called `output_names`.

    Threads share nests over the size symbols `threads_over`, over those of the deepest nests if it is empty; None for
    no threads.

    Cost: linear in the nodes of `graph`.
    """
    own = own_results(graph)
    hints = dict(own.hints)
    for node, name in zip(own.outputs, output_names, strict=True):
        if not is_leaf(node):
            hints.setdefault(node, name)
    fitted = fit_layouts(Graph(own.inputs, own.outputs, {}, hints))
    steps, stored = find_steps(fitted.outputs)
    results = [n for n in fitted.outputs if n.rank > 0]
    strips = make_strips(steps, stored, results)
    if threads_over is not None:
        share_nests(strips, stored, threads_over)
    workspace = assign_slots(strips.steps, stored, results, strips.local)
    return Plan(fitted, tuple(strips.steps), frozenset(stored), workspace, strips.local)


def index_checks(graph: Graph) -> list[IndexCheck]:
    """Return one check per distinct (integer value, offset, axis size) that the program indexes with.

    The indices that steps of a recurrence read are checked before the steps, all rows of them.
    """
    found: dict[IndexCheck, None] = {}
    pending: list[tuple[list[Node], dict[Node, Node]]] = [(graph.nodes(), {})]
    while pending:
        nodes, outer = pending.pop()
        for node in nodes:
            if isinstance(node, Gather):
                for size, m in zip(node.args[0].shape, node.spec, strict=True):
                    if m.index is not None:
                        index = node.args[1 + m.index]
                        found[IndexCheck(outer.get(index, index), m.offset, size)] = None
        for repetition, scans in scans_of(nodes).items():
            operands = (outer.get(a, a) for a in repetition.args)
            bound: dict[Node, Node] = dict(zip(repetition.body.inputs, operands, strict=True))
            pending.append((steps_inside(repetition, scans), bound))
    return list(found)


def range_checks(graph: Graph, spans: Spans | None = None) -> list[RangeCheck | CountCheck]:
    """Return one check per affine index or count that the sizes decide; what always holds is left out.

    Args:
        graph: the program.
        spans: bounds on sizes that are checked anyway.
    """
    spans = spans or {}
    found: dict[RangeCheck | CountCheck, None] = {}
    own = {dim for node in graph.inputs for dim in node.shape}
    for node in every_node(graph.roots):
        for dim in node.shape:
            if dim not in own and not never_negative(dim, 0):
                found[CountCheck(dim)] = None
        if not isinstance(node, Gather):
            continue
        for axis, (size, m) in enumerate(zip(node.args[0].shape, node.spec, strict=True)):
            if m.index is not None:
                continue
            counts = tuple(node.shape[a] for a in m.axes if not node.shape[a].is_const)
            ends = [m.reach(node.shape)] if m.span is None else [m.span]
            if m.span is not None and not any(never_negative(size - count, 0) for count in counts):
                ends.append((ZERO, ZERO))
            for first, last in ends:
                if not (never_negative(first, 0) and never_negative(lowest(size - 1 - last, spans), 0)):
                    found[RangeCheck(node.args[0], axis, first, last, size, counts)] = None
    return list(found)
