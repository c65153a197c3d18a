"""Steps: which nodes share a loop nest, which are matrix products, which are written entry by entry.

One greedy pass in topological order. A node joins the first loop over its own domain in which everything it reads is
either finished before or made at the same point; if there is none, it opens a new step at the end. Nodes that only
re-index (broadcast, transpose, gather) are read through and get no step, unless somebody needs them in memory.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable

from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import toposort
from symbackprop.ir.node import Contraction, Elementwise, Gather, Input, Library, Node, Reduction, Scatter
from symbackprop.ir.recurrence import Scan, scans_of
from symbackprop.plan.access import (
    is_access,
    is_leaf,
    library_operands,
    loop_labels,
    reads,
    reads_at_random,
    recurrence_operands,
)
from symbackprop.plan.memory import read_by
from symbackprop.plan.pieces import inline_pieces
from symbackprop.plan.products import as_matrix_product
from symbackprop.plan.recurrences import program_of_step
from symbackprop.plan.sinking import sink
from symbackprop.plan.steps import Call, Loop, Product, Recur, Step, Write

__all__ = ["find_steps", "is_accumulated", "loop_domain"]


def find_steps(roots: Iterable[Node]) -> tuple[list[Step], set[Node]]:
    """Return the steps that compute `roots`, in order, and the nodes that need memory of their own.

    A root is always in memory (or, as a scalar, in a variable). Each node is looked at once.
    """
    roots = list(roots)
    order = _computed(roots)
    stored = _needed_in_memory(roots, order)
    steps: list[Step] = [Loop(())]
    made_in: dict[Node, int] = {}
    loops: dict[tuple[Dim, ...], list[int]] = {(): [0]}
    together = scans_of(order)
    for node in order:
        if is_leaf(node) or node in made_in or (is_access(node) and node not in stored):
            continue
        if isinstance(node, Scan):
            recur = _recurrence(together[node.repetition])
            made_in.update(dict.fromkeys(recur.scans, len(steps)))
            stored.update(recur.scans)
            steps.append(recur)
            continue
        if isinstance(node, Scatter | Library):
            made_in[node] = len(steps)
            steps.append(Write(node) if isinstance(node, Scatter) else Call(node))
            continue
        if _is_product(node, steps, made_in):
            assert isinstance(node, Contraction)
            stored.update(a for a in node.args if not is_leaf(a))
            made_in[node] = len(steps)
            steps.append(Product(node))
            stored.add(node)
            continue
        domain = loop_domain(node)
        same = loops.setdefault(domain, [])
        first = bisect.bisect_left(same, _earliest(node, made_in, stored))
        if first == len(same):
            same.append(len(steps))
            steps.append(Loop(domain))
        at = made_in[node] = same[first]
        loop = steps[at]
        assert isinstance(loop, Loop)
        loop.members.append(node)
    keep = set(stored)
    _store_across_steps(steps, made_in, stored)
    sink(steps, made_in, stored, keep)
    inline_pieces(steps, stored, roots)
    return [step for step in steps if not isinstance(step, Loop) or step.members], stored


def _recurrence(scans: list[Scan]) -> Recur:
    """Return the step that carries out a recurrence; recursive in the nesting of recurrences."""
    results, graph = program_of_step(scans)
    steps, stored = find_steps(graph.outputs)
    outputs = list(zip(results, graph.outputs, strict=True))
    rows = {output for scan, output in outputs if scan.mode != "sum"}
    added = {output: scan for scan, output in outputs if scan.mode == "sum" and output not in rows}
    added = {output: scan for output, scan in added.items() if _is_local(output, steps, stored)}
    return Recur(results, graph, steps, stored.difference(added), added)


def _is_local(node: Node, steps: list[Step], stored: set[Node]) -> bool:
    """Whether a value is made entry by entry in a loop that alone reads it, each entry at its own point."""
    home = next((s for s in steps if isinstance(s, Loop) and node in s.members), None)
    if home is None or is_accumulated(node):
        return False
    here = tuple(range(node.rank))
    for step in steps:
        if step is not home and any(source is node for source in read_by(step, stored)):
            return False
    return all(where == here for member in home.members for source, where in reads(member, stored) if source is node)


def _computed(roots: Iterable[Node]) -> list[Node]:
    """Return the nodes that some step computes or reads, operands first: nothing below a leaf."""
    order = toposort(roots)
    needed = set(roots)
    for node in reversed(order):
        if node in needed and not is_leaf(node):
            needed.update(node.args)
    return [node for node in order if node in needed]


def loop_domain(node: Node) -> tuple[Dim, ...]:
    """Return the extents of the loop that computes `node`, outer to inner."""
    if isinstance(node, Contraction):
        extents = node.extents
        return tuple(extents[label] for label in loop_labels(node))
    return node.args[0].shape if isinstance(node, Reduction) else node.shape


def is_accumulated(node: Node) -> bool:
    """Whether a loop adds this member up rather than computing one entry per point."""
    return isinstance(node, Reduction) or (isinstance(node, Contraction) and bool(node.spec.summed))


def _needed_in_memory(roots: list[Node], order: list[Node]) -> set[Node]:
    """Return what must be in memory whatever the fusion: roots, and computed values that are read at random."""
    stored = {n for n in roots if not is_leaf(n)}
    for node in order:
        if isinstance(node, Scatter):
            stored.add(node)
            stored.update(a for a in node.args if not is_leaf(a))
        elif isinstance(node, Scan):
            stored.add(node)
            stored.update(a for a in recurrence_operands(node) if not is_leaf(a))
        elif isinstance(node, Library):
            stored.add(node)
            stored.update(a for a, _ in library_operands(node) if not is_leaf(a))
        elif isinstance(node, Gather):
            stored.update(a for a in node.args if not is_leaf(a))
        elif (view := as_matrix_product(node)) is not None and view.form in {"gemm", "gemv"}:
            vectors = view.form == "gemv"
            stored.update(a for a in node.args if is_access(a) and not (vectors and reads_at_random(a)))
    return stored


def _is_product(node: Node, steps: list[Step], made_in: dict[Node, int]) -> bool:
    """Whether a contraction goes to BLAS.

    A matrix-vector product whose matrix is computed entry by entry in a loop over just that matrix is added up there
    instead: the entries are at hand, and memory is walked once less. So is one whose matrix is gathered from an array,
    which need not be laid out, and one with numbers that an index is. Tiny constant sizes are cheaper as loops.
    """
    view = as_matrix_product(node)
    if view is None or view.form not in {"gemm", "gemv"}:
        return False
    assert isinstance(node, Contraction)
    if any(is_leaf(a) and not isinstance(a, Input) for a in node.args):
        return False
    extents = node.extents
    if all(d.is_const for d in extents.values()) and max(d.value for d in extents.values()) <= 8:
        return False
    if view.form == "gemm":
        return True
    matrix = node.args[0] if view.left else node.args[1]
    if is_access(matrix) and reads_at_random(matrix):
        return False
    step = steps[made_in[matrix]] if matrix in made_in else None
    return not (isinstance(step, Loop) and step.domain == matrix.shape and isinstance(matrix, Elementwise))


def _earliest(node: Node, made_in: dict[Node, int], stored: set[Node]) -> int:
    """Return the first step in which `node` can be computed.

    A value read at the loop's own point may be made in that same step, unless it is only complete when the loop ends.
    """
    here = tuple(range(len(loop_domain(node))))
    earliest = 0
    for source, where in reads(node, stored):
        if is_leaf(source):
            continue
        pointwise = where == here and not is_accumulated(source) and source.shape == loop_domain(node)
        earliest = max(earliest, made_in[source] + (not pointwise))
    return earliest


def _store_across_steps(steps: list[Step], made_in: dict[Node, int], stored: set[Node]) -> None:
    """Add to `stored` what one step makes and another reads, and every array that is accumulated."""
    for at, step in enumerate(steps):
        if not isinstance(step, Loop):
            continue
        for node in step.members:
            if is_accumulated(node):
                stored.add(node)
            for source, where in reads(node, stored):
                if is_leaf(source):
                    continue
                if made_in[source] != at or where != tuple(range(len(step.domain))):
                    stored.add(source)
