"""Contractions made ready for BLAS: two operands each, summed where they can be, axes grouped as a GEMM needs them.

The order of a product of several factors is chosen here too, before differentiation, so that forward and backward pass
share the intermediates.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from symbackprop.ir.dims import Dim, product
from symbackprop.ir.graph import Graph, rebuild
from symbackprop.ir.node import Const, Contraction, Input, Iota, Library, Node
from symbackprop.ir.recurrence import Scan
from symbackprop.ir.types import AxisMap
from symbackprop.ops.contraction import contract, permute
from symbackprop.ops.indexing import gather
from symbackprop.plan.access import is_leaf

__all__ = ["MatrixProduct", "as_matrix_product", "choose_paths", "fit_layouts"]

#: Size at which symbolic sizes are compared when neither cost polynomial bounds the other.
NOMINAL_SIZE = 64


@dataclass(frozen=True)
class MatrixProduct:
    """A contraction of two operands as matrix algebra, by labels.

    Attributes:
        batch: labels in both operands and the result.
        left, right: kept labels of one operand only.
        summed: labels of both operands that are summed.
    """

    batch: tuple[int, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    summed: tuple[int, ...]

    @property
    def form(self) -> str:
        """Name of the operation: gemm, gemv, dot, or "" when entries are multiplied one by one."""
        if not self.summed:
            return ""
        if self.left and self.right:
            return "gemm"
        if self.batch:
            return ""
        return "gemv" if self.left or self.right else "dot"


def as_matrix_product(node: Node) -> MatrixProduct | None:
    """Return the matrix view of a contraction of two operands, None for every other node.

    A label must not repeat inside an operand, nor be summed in one operand alone.
    """
    if not isinstance(node, Contraction) or len(node.args) != 2:
        return None
    a, b = node.spec.ins
    out = node.spec.out
    if len(set(a)) != len(a) or len(set(b)) != len(b):
        return None
    if any(label not in out and (label in a) != (label in b) for label in {*a, *b}):
        return None
    return MatrixProduct(
        batch=tuple(x for x in a if x in b and x in out),
        left=tuple(x for x in a if x not in b),
        right=tuple(x for x in b if x not in a),
        summed=tuple(x for x in a if x in b and x not in out),
    )


def choose_paths(graph: Graph) -> Graph:
    """Return the graph with every contraction of three or more operands split into steps of two.

    The pair to contract next is the one whose step costs least (greedy, cost polynomials at a nominal size; ties go to
    the first). Labels that only one operand carries and that the result does not are summed inside it first.
    """
    new = rebuild(graph.roots, lambda n: _split(n) if isinstance(n, Contraction) else n)
    return graph.replace(new)


def _split(node: Contraction) -> Node:
    """Return an equal node whose contractions take at most two operands."""
    extents = node.extents
    terms = [(arg, labels) for arg, labels in zip(node.args, node.spec.ins, strict=True)]
    if len(terms) > 1:
        terms = [_presum(terms, k, node.spec.out) for k in range(len(terms))]
    while len(terms) > 2:
        pairs = itertools.combinations(range(len(terms)), 2)
        i, j = min(pairs, key=lambda pair: _step_cost(terms, pair, node.spec.out, extents))
        (a, la), (b, lb) = terms[i], terms[j]
        rest = [t for k, t in enumerate(terms) if k not in {i, j}]
        needed = {*node.spec.out, *(label for _, labels in rest for label in labels)}
        kept = tuple(label for label in dict.fromkeys((*la, *lb)) if label in needed)
        terms = [*rest, (contract([a, b], [la, lb], kept), kept)]
        terms[-1] = _presum(terms, len(terms) - 1, node.spec.out)
    return contract([t for t, _ in terms], [labels for _, labels in terms], node.spec.out)


def _presum(terms: Sequence[tuple[Node, tuple[int, ...]]], k: int, out: Sequence[int]) -> tuple[Node, tuple[int, ...]]:
    """Return term k with the labels that nothing else mentions summed away."""
    arg, labels = terms[k]
    elsewhere = {*out, *(label for j, (_, ls) in enumerate(terms) if j != k for label in ls)}
    kept = tuple(dict.fromkeys(label for label in labels if label in elsewhere))
    if set(kept) == set(labels):
        return arg, labels
    return contract([arg], [labels], kept), kept


def _step_cost(
    terms: Sequence[tuple[Node, tuple[int, ...]]], pair: tuple[int, int], out: Sequence[int], extents: dict[int, Dim]
) -> tuple[int, int, tuple[int, int]]:
    """Return a sortable cost of contracting a pair: multiplications, then size of the result, at nominal sizes."""
    involved = {label for k in pair for label in terms[k][1]}
    needed = {*out, *(label for k, (_, labels) in enumerate(terms) if k not in pair for label in labels)}
    work = product(extents[label] for label in involved)
    result = product(extents[label] for label in involved & needed)
    return _nominal(work), _nominal(result), pair


def _nominal(dim: Dim) -> int:
    return dim.evaluate(dict.fromkeys(dim.symbols, NOMINAL_SIZE))


def fit_layouts(graph: Graph) -> Graph:
    """Return the graph with copies put in where a GEMM's operand or result has interleaved axis groups.

    Afterwards each operand of a gemm or gemv has its axes in two blocks (kept, summed), in either order, behind the
    batch axes, and so has the result; no other operand is ever copied. A linear-algebra routine gets a copy of an
    operand that is no array in memory: a constant, or numbers that an index is.
    """

    def visit(node: Node) -> Node:
        if isinstance(node, Library):
            return node.with_args([_copied(a) if is_leaf(a) and not isinstance(a, Input) else a for a in node.args])
        if isinstance(node, Scan):
            plain = Input | Const | Iota
            return node.with_args([_copied(a) if is_leaf(a) and not isinstance(a, plain) else a for a in node.args])
        view = as_matrix_product(node)
        if view is None or view.form not in {"gemm", "gemv"}:
            return node
        assert isinstance(node, Contraction)
        (a, b), (la, lb) = node.args, node.spec.ins
        a, la = _blocks(a, la, view.batch, view.left, view.summed)
        b, lb = _blocks(b, lb, view.batch, view.right, view.summed)
        made = _fitting_order(node.spec.out, view.batch, view.left, view.right)
        result = contract([a, b], [la, lb], made)
        return result if made == node.spec.out else permute(result, [made.index(label) for label in node.spec.out])

    return graph.replace(rebuild(graph.roots, visit))


def _copied(arg: Node) -> Node:
    """Return a copy of an array."""
    return gather(arg, (), [AxisMap((k,)) for k in range(arg.rank)], arg.shape)


def _blocks(
    arg: Node, labels: tuple[int, ...], batch: tuple[int, ...], first: tuple[int, ...], second: tuple[int, ...]
) -> tuple[Node, tuple[int, ...]]:
    """Return the operand with its axes as batch + first + second or batch + second + first, copied only if needed."""
    fitting = _fitting_order(labels, batch, first, second)
    if fitting == labels:
        return arg, labels
    return permute(arg, [labels.index(label) for label in fitting]), fitting


def _fitting_order(
    labels: tuple[int, ...], batch: tuple[int, ...], first: tuple[int, ...], second: tuple[int, ...]
) -> tuple[int, ...]:
    """Return the block order nearest to `labels`."""
    swapped = (*batch, *second, *first)
    return swapped if labels == swapped else (*batch, *first, *second)
