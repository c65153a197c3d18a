"""Cost of a program as polynomials in the size symbols, and the certificate that backward and forward share a big-O.

Counted is one operation per arithmetic operation or function call and per entry that is read or written through an
index map. The bound: every monomial of the backward cost is charged to monomials of the forward cost that it divides,
and which are therefore at least as large for all sizes of 1 and more. The smallest load that suffices is a linear
program.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from symbackprop.deferred import Deferred
from symbackprop.ir.dims import ZERO, Dim, Monomial, product
from symbackprop.ir.node import Broadcast, Contraction, Elementwise, Gather, Input, Library, Node, Reduction, Scatter
from symbackprop.ir.recurrence import scans_of, steps_inside
from symbackprop.ir.registry import Trait

optimize = Deferred("scipy.optimize")

__all__ = ["Count", "count", "dominating", "ratio_bound"]


@dataclass(frozen=True)
class Count:
    """Operations of a program.

    Attributes:
        flops: arithmetic operations, function calls and indexed reads or writes.
        calls: how many of them are calls of a library function such as exp.
    """

    flops: Dim
    calls: Dim


def count(nodes: Iterable[Node], outputs: Sequence[Node] = ()) -> Count:
    """Return the operations of `nodes`; an output that only re-indexes, or is an input or another output, is a copy."""
    flops, calls = ZERO, ZERO
    results = set(outputs)
    totals: dict[tuple[Dim, ...], int] = {}
    for k, node in enumerate(outputs):
        if isinstance(node, Input) or (node.args and node in outputs[:k]):
            # Zeros cost nothing here, neither written nor copied.
            for shape in _pieces(node) if isinstance(node, Scatter) else [node.shape]:
                totals[shape] = totals.get(shape, 0) + 1
    library: dict[tuple[Dim, ...], int] = {}
    nodes = list(nodes)
    for repetition, scans in scans_of(nodes).items():
        # Recursive in the nesting of recurrences.
        step = count(steps_inside(repetition, scans), repetition.body.following)
        flops, calls = flops + repetition.times * step.flops, calls + repetition.times * step.calls
    for node in nodes:
        match node:
            case Elementwise():
                operands = len(node.args) - 1 if node.op.arity is None else 1
                totals[node.shape] = totals.get(node.shape, 0) + node.op.flops * operands
                if Trait.TRANSCENDENTAL in node.op.traits:
                    library[node.shape] = library.get(node.shape, 0) + 1
            case Contraction() if not node.spec.is_permutation:
                extents = node.extents
                work = len(node.args) - 1 + bool(node.spec.summed)
                flops = flops + product(extents.values()) * max(work, 1)
            case Reduction():
                totals[node.args[0].shape] = totals.get(node.args[0].shape, 0) + 1
            case Library():
                batch = product(node.args[0].shape[: node.op.batch_rank(node.args)])
                flops = flops + batch * node.op.flops(*node.op.core_shapes(node.args))
                calls = calls + batch
            case Gather():
                totals[node.shape] = totals.get(node.shape, 0) + 1
            case Scatter():
                for shape in _pieces(node):
                    totals[shape] = totals.get(shape, 0) + 1
            case Broadcast() | Contraction() if node in results:
                totals[node.shape] = totals.get(node.shape, 0) + 1
            case _:
                pass
    for shape, n in totals.items():
        flops = flops + product(shape) * n
    for shape, n in library.items():
        calls = calls + product(shape) * n
    return Count(flops, calls)


def _pieces(node: Scatter) -> list[tuple[Dim, ...]]:
    """Return the shapes of what a scatter puts in place."""
    return [node.args[piece.value].shape for piece in node.pieces]


def dominating(monomial: Monomial, cost: Dim) -> list[Monomial]:
    """Return the monomials of `cost` that `monomial` divides: each is at least as large for all sizes of 1 and more."""
    powers = dict(monomial)
    return [m for m, c in cost.terms if c > 0 and all(dict(m).get(name, 0) >= e for name, e in powers.items())]


def ratio_bound(backward: Dim, forward: Dim) -> float | None:
    """Return a bound on backward/forward over all sizes of 1 and more, None when there is none.

    The least r such that the coefficients of `backward` can be spread over monomials of `forward` that dominate them
    with no monomial carrying more than r times its own coefficient. Negative coefficients are dropped from `backward`.
    """
    demands = [(m, c) for m, c in backward.terms if c > 0]
    supplies = [(m, c) for m, c in forward.terms if c > 0]
    if not demands:
        return 0.0
    above = [set(dominating(m, forward)) for m, _ in demands]
    pairs = [(i, j) for i in range(len(demands)) for j, (s, _) in enumerate(supplies) if s in above[i]]
    if {i for i, _ in pairs} != set(range(len(demands))):
        return None
    n = len(pairs)
    equal = np.zeros((len(demands), n + 1))
    limit = np.zeros((len(supplies), n + 1))
    for k, (i, j) in enumerate(pairs):
        equal[i, k] = 1.0
        limit[j, k] = 1.0
    limit[:, n] = [-c for _, c in supplies]
    objective = np.zeros(n + 1)
    objective[n] = 1.0
    solution = optimize.linprog(
        objective, limit, np.zeros(len(supplies)), equal, np.array([c for _, c in demands], dtype=float)
    )
    assert solution.fun is not None
    return float(solution.fun)
