"""Passes carried into the steps of recurrences, all results of one recurrence at a time."""

from __future__ import annotations

from collections.abc import Callable

from symbackprop.ir.graph import Graph, substitute
from symbackprop.ir.node import Const, Gather, Input, Node
from symbackprop.ir.recurrence import Body, Repetition, Scan, scans_of
from symbackprop.ir.types import AxisMap
from symbackprop.ops.recurrence import settled
from symbackprop.ops.stepping import fresh_name, name_of

__all__ = ["rework_scans"]


def rework_scans(graph: Graph, step: Callable[[Graph], Graph], *, settle: bool = False) -> Graph:
    """Return the graph with the program of one step of every recurrence passed through `step`.

    Args:
        graph: the program.
        step: a pass; it sees what one step has to make for all results that the program uses.
        settle: whether to move out of the steps what need not be inside; else slices of arrays are moved inside, which
            is for kernels.

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
        mapping: dict[Node, Node] = {}
        if not settle:
            repetition, mapping = _reading_slices(repetition)
        wanted = [(s.mode, value) for s, value in zip(scans, made[n:], strict=True)]
        if settle:
            results = settled(repetition, wanted)
        else:
            moved = substitute([v for _, v in wanted], mapping)
            results = [Scan(repetition, mode, moved[v]) for mode, v in wanted]
        new.update(zip(scans, results, strict=True))
    return graph.replace(new)


def _reading_slices(repetition: Repetition) -> tuple[Repetition, dict[Node, Node]]:
    """Return the repetition whose steps read slices of shared arrays in place, and old nodes of a step -> new ones.

    Settling moved all that is the same in every step in front of the steps, slices too, so that their gradients are
    added up apart. A kernel needs no copies of them where the entries of a row stay adjacent.
    """
    body = repetition.body
    taken = {i.name for i in body.inputs}
    shared: dict[Node, Input] = {}
    mapping: dict[Node, Node] = {}
    for old, arg in zip(body.shared, repetition.shared, strict=True):
        if isinstance(arg, Gather) and _is_slice(arg):
            source = arg.args[0]
            if source not in shared:
                shared[source] = Input(fresh_name(name_of(source, "shared"), taken), source.type)
            mapping[old] = Gather(shared[source], (), arg.spec, arg.shape)
        elif arg in shared:
            mapping[old] = shared[arg]
        else:
            shared[arg] = old
    if not mapping:
        return repetition, {}
    new = substitute(body.following, mapping)
    moved = Body(body.states, body.reads, tuple(shared.values()), tuple(new[n] for n in body.following))
    args = (*repetition.starts, *repetition.rows, *shared)
    return repetition._replace(body=moved, args=args), mapping


def _is_slice(arg: Gather) -> bool:
    """Whether a gather reads adjacent entries along its last axis, at positions that are no data."""
    if len(arg.args) != 1 or not arg.rank or isinstance(arg.args[0], Const):
        return False
    return arg.spec[-1] == AxisMap((arg.rank - 1,), offset=arg.spec[-1].offset)
