"""Reverse accumulation: from a graph to the graph of its gradients.

Nodes are visited once in reverse topological order. Each has by then received one contribution from every consumer;
they are added up ("gradients sum at outward branches"), and the sum, the node's cotangent, is passed on: upstream
times local gradient. The local gradients are the primitives' own declarations; this module names none of them. The
result uses the same vocabulary as its source, so it can be differentiated again. Along with each cotangent goes the
condition under which it is more than the zero of branches not taken (`ops.liveness`).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence

from symbackprop.autodiff.recurrences import scan_adjoint
from symbackprop.ir.dims import Dim, product
from symbackprop.ir.graph import Graph, toposort
from symbackprop.ir.node import (
    Broadcast,
    Const,
    Contraction,
    Elementwise,
    Gather,
    Input,
    Iota,
    Library,
    Node,
    Reduction,
    Scatter,
    Size,
)
from symbackprop.ir.recurrence import Scan, scans_of
from symbackprop.ir.types import AxisMap
from symbackprop.ops.contraction import contraction_adjoint
from symbackprop.ops.indexing import Piece, gather_adjoint, pieces_of, scatter, scatter_adjoint
from symbackprop.ops.layout import broadcast_adjoint, fill, spread
from symbackprop.ops.liveness import Alive, Liveness

__all__ = ["build_bprop"]

#: A term of a cotangent, and where it is alive; None for everywhere.
Contribution = tuple[Node, Alive | None]


def build_bprop(graph: Graph, wrt: Sequence[Node], upstream: Sequence[Node]) -> list[Node]:
    """Return the cotangent of every node of `wrt`, each with that node's shape.

    Args:
        graph: the forward program.
        wrt: nodes of the forward program to differentiate for; one that does not influence a real output gets zeros.
        upstream: the cotangent of each output, of that output's shape; an output of another dtype is ignored.

    Visits each node and edge of the forward program once. Only nodes that depend on `wrt` take part.
    """
    order = toposort(graph.outputs)
    active = _depends_on(order, wrt)
    liveness = Liveness(order)
    received: dict[Node, list[Contribution]] = {}
    for out, ct in zip(graph.outputs, upstream, strict=True):
        if out in active:
            received.setdefault(out, []).append((ct, None))
    cotangents: dict[Node, Node] = {}
    # Results of one recurrence do not depend on each other: they are passed on together, at the first in order.
    together = {scans[0]: scans for scans in scans_of(order).values()}
    for node in reversed(order):
        if isinstance(node, Scan):
            if node in received:
                cotangents[node] = _accumulate([c for c, _ in received.pop(node)])
            arriving = [(scan, cotangents[scan]) for scan in together.get(node, ()) if scan in cotangents]
            if arriving:
                for arg, part in zip(node.args, scan_adjoint(arriving, build_bprop), strict=True):
                    if part is not None and arg in active:
                        received.setdefault(arg, []).append((part, None))
            continue
        if node not in received:
            continue
        contributions = received.pop(node)
        ct = cotangents[node] = _accumulate([c for c, _ in contributions])
        alive = liveness.either([a for _, a in contributions])
        for k, contribution in _downstream(node, ct, active, liveness, alive):
            received.setdefault(node.args[k], []).append(contribution)
    return [cotangents[x] if x in cotangents else fill(0.0, x.shape, x.dtype) for x in wrt]


def _depends_on(order: Iterable[Node], wrt: Sequence[Node]) -> set[Node]:
    """Return the real nodes of `order` (operands first) that `wrt` influences."""
    active = set(wrt)
    for node in order:
        if node.type.is_real and any(a in active for a in node.args):
            active.add(node)
    return active


def _downstream(
    node: Node, ct: Node, active: set[Node], liveness: Liveness, alive: Alive | None
) -> list[tuple[int, Contribution]]:
    """Return (operand, contribution) for the active operands of `node`: upstream times local gradient."""
    match node:
        case Elementwise():
            partials = node.op.partials(node)
            pairs = [(k, p) for k, p in enumerate(partials) if p is not None and node.args[k] in active]
            return [(k, _times(ct, p, liveness, liveness.below(node, k, p, alive))) for k, p in pairs]
        case Contraction():
            active_args = [k for k, a in enumerate(node.args) if a in active]
            guarded = [liveness.guarded(node, k, alive) for k in active_args]
            parts = [contraction_adjoint(ct, k, g) for k, g in zip(active_args, guarded, strict=True)]
            return [(k, (p, liveness.contracted(alive, node, k))) for k, p in zip(active_args, parts, strict=True)]
        case Broadcast():
            return [(0, (broadcast_adjoint(ct, node), liveness.summed(alive, node)))]
        case Gather():
            return [(0, (gather_adjoint(ct, node), None))]
        case Scatter():
            return [(k, (piece, None)) for k, piece in scatter_adjoint(ct, node) if node.args[k] in active]
        case Reduction():
            arg = node.args[0]

            def along(small: Node) -> Node:
                return spread(small, arg.shape, node.kept)

            partial = node.op.rule(node, arg, along)
            return [(0, liveness.product(along(ct), partial, liveness.repeated(alive, along)))]
        case Library():
            vjps = node.op.vjp(node, ct, *node.args)
            return [(k, (part, None)) for k, part in enumerate(vjps) if part is not None and node.args[k] in active]
        case Input() | Const() | Size() | Iota():
            return []
        case _:
            raise TypeError(f"unknown kind {node.kind}")


def _times(ct: Node, partial: Node, liveness: Liveness, alive: Alive | None) -> Contribution:
    """Return `ct * partial` and its condition; the two constants that need no multiplication are spared it."""
    if isinstance(partial, Const) and partial.value == 1.0:
        return ct, alive
    if isinstance(partial, Const) and partial.value == -1.0:
        return -ct, alive
    return liveness.product(ct, partial, alive)


def _accumulate(contributions: list[Node]) -> Node:
    """Return the sum of the contributions of all consumers.

    Contributions written into parts of the array (the adjoints of gathers) are merged into one scatter, so that N reads
    of single entries cost O(N) and not N whole arrays.
    """
    dense = [c for c in contributions if not isinstance(c, Scatter)]
    sparse = [c for c in contributions if isinstance(c, Scatter)]
    total: Node | None = _sum(dense) if dense else None
    if not sparse:
        assert total is not None
        return total
    shape = sparse[0].shape
    places: dict[tuple[tuple[Dim, ...], tuple[Node, ...], tuple[AxisMap, ...]], list[Node]] = {}
    if total is not None:
        places[shape, (), tuple(AxisMap((k,)) for k in range(len(shape)))] = [total]
    for node in sparse:
        for value, indices, spec in pieces_of(node):
            places.setdefault((value.shape, tuple(indices), tuple(spec)), []).append(value)
    pieces: list[Piece] = [(_sum(values), indices, spec) for (_, indices, spec), values in places.items()]
    scalars = all(not value_shape for value_shape, _, _ in places)
    empty = _empty_entries([spec for _, _, spec in places], shape) if scalars else None
    if empty is None:
        return scatter(pieces, shape)
    zero = fill(0.0, (), sparse[0].dtype)
    pieces += [(zero, (), spec) for spec in empty]
    pieces.sort(key=lambda piece: [m.offset.value for m in piece[2]])
    return scatter(pieces, shape, disjoint=True)


def _sum(values: list[Node]) -> Node:
    """Return the left-to-right sum of `values`; a value that occurs n times is multiplied by n."""
    terms = [value if n == 1 else value * float(n) for value, n in Counter(values).items()]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _empty_entries(specs: list[tuple[AxisMap, ...]], shape: tuple[Dim, ...]) -> list[tuple[AxisMap, ...]] | None:
    """Return the entries of a constant `shape` that distinct `specs` leave out, None if these are not all entries."""
    single = all(m.index is None and not m.axes and m.offset.is_const for spec in specs for m in spec)
    if not single or not all(d.is_const for d in shape) or product(shape).value > 2 * len(specs):
        return None
    written = set(specs)
    everything = itertools.product(*(range(d.value) for d in shape))
    entries = (tuple(AxisMap(offset=Dim.of(p)) for p in at) for at in everything)
    return [spec for spec in entries if spec not in written]
