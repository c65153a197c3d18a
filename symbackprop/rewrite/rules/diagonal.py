"""Diagonal matrices: a product with one scales rows or columns, an inverse or a system divides by its entries.

A diagonal matrix is a scatter of one piece onto the entries whose positions agree, as `DiagMatrix`, `Identity` and the
derivative of a trace make it. It stays a vector for as long as nobody needs its zeros.
"""

from __future__ import annotations

import math

from symbackprop.ir.node import Const, Contraction, Elementwise, Library, Node, Scatter
from symbackprop.ir.types import AxisMap
from symbackprop.ops.arithmetic import abs_, add, div, mul, neg, sub
from symbackprop.ops.contraction import contract, sum_over
from symbackprop.ops.indexing import scatter
from symbackprop.ops.layout import fill, spread
from symbackprop.ops.linear_algebra import det, inverse, logabsdet, logdet, solve
from symbackprop.ops.logic import lt, select, to_real
from symbackprop.ops.reduction import prod_over
from symbackprop.ops.rounding import floor
from symbackprop.ops.transcendental import log
from symbackprop.options import Warrant
from symbackprop.rewrite.pattern import Match, has_axes
from symbackprop.rewrite.rule import Rule

__all__ = ["RULES", "diagonal_of"]

#: Axis of the compact value that each axis of the diagonal array runs along.
Places = tuple[int, ...]


def diagonal_of(node: Node) -> tuple[Node, Places] | None:
    """Return (compact value, places) of an array that is zero where two of its axes differ, None for any other."""
    if not isinstance(node, Scatter) or len(node.pieces) != 1 or node.pieces[0].indices:
        return None
    value, spec = node.args[node.pieces[0].value], node.pieces[0].spec
    places = tuple(m.along for m in spec if m.along is not None)
    if len(places) < len(spec):
        return None
    whole = all(node.shape[k] == value.shape[a] for k, a in enumerate(places))
    return (value, places) if whole and len(places) > value.rank == len(set(places)) else None


def on_diagonal(value: Node, places: Places) -> Node:
    """Return the array that has `value` where axes of the same place agree, and zeros elsewhere."""
    shape = [value.shape[a] for a in places]
    return scatter([(value, (), [AxisMap((a,)) for a in places])], shape)


def read_diagonal(node: Node, places: Places, value: Node) -> Node:
    """Return the entries of `node` at which `on_diagonal(value, places)` is not zero."""
    if isinstance(node, Const):
        return fill(node.value, value.shape, node.dtype)
    return contract([node], [places], range(value.rank))


def in_contraction(m: Match) -> Node | None:
    """Return a contraction with the compact value of a diagonal operand; diagonal itself if both its axes are kept."""
    node = m.node
    assert isinstance(node, Contraction)
    for k, arg in enumerate(node.args):
        found = diagonal_of(arg)
        if found is None:
            continue
        value, places = found
        own = node.spec.ins[k]
        one = {label: label for label in own}
        for label, place in zip(own, places, strict=True):
            old, new = one[label], one[own[places.index(place)]]
            one = {x: new if to == old else to for x, to in one.items()}
        compact = [one[own[places.index(a)]] for a in range(value.rank)]
        labels = [[one.get(label, label) for label in part] for part in node.spec.ins]
        labels[k] = compact
        out = [one.get(label, label) for label in node.spec.out]
        kept = list(dict.fromkeys(out))
        result = contract([value if j == k else a for j, a in enumerate(node.args)], labels, kept)
        return result if len(kept) == len(out) else on_diagonal(result, tuple(kept.index(label) for label in out))
    return None


def in_elementwise(m: Match) -> Node | None:
    """Return a product, quotient, negative, or sum of diagonal arrays as a diagonal array."""
    node = m.node
    assert isinstance(node, Elementwise)
    found = [diagonal_of(a) for a in node.args]
    if node.op in {add, sub}:
        places = {f[1] for f in found if f is not None}
        if None in found or len(places) != 1:
            return None
    elif node.op is div:
        if found[0] is None:
            return None
    elif node.op not in {mul, neg} or not any(found):
        return None
    value, where = next(f for f in found if f is not None)
    parts = [
        f[0] if f and f[1] == where else read_diagonal(a, where, value) for f, a in zip(found, node.args, strict=True)
    ]
    return on_diagonal(node.with_args(parts), where)


def in_library(m: Match) -> Node | None:
    """Return inverse and solution of a diagonal system by division, its determinant as a product, or a sum of logs.

    The logarithm is nan where an odd number of entries is negative.
    """
    node = m.node
    assert isinstance(node, Library)
    found = diagonal_of(node.args[0])
    batch = node.op.batch_rank(node.args)
    if found is None or found[1] != (*range(batch), batch, batch):
        return None
    value, places = found
    if node.op is inverse:
        return on_diagonal(1.0 / value, places)
    if node.op is solve:
        right = node.args[1]
        return right / spread(value, right.shape, range(value.rank))
    if node.op is det:
        return prod_over(value, (batch,))
    if node.op not in {logdet, logabsdet}:
        return None
    total = sum_over(log(abs_(value)), (batch,))
    if node.op is logabsdet:
        return total
    negative = sum_over(to_real(lt(value, 0.0), value.dtype), (batch,))
    odd = lt(2.0 * floor(0.5 * negative), negative)
    return select(odd, fill(math.nan, total.shape, total.dtype), total)


ZEROS = "0 times inf or nan is nan; the sign of zero"

RULES = (
    Rule("diagonal-entrywise", Elementwise, in_elementwise, Warrant.FINITE, why=ZEROS, when=has_axes),
    Rule(
        "diagonal-einsum",
        Contraction,
        in_contraction,
        Warrant.REAL,
        why=ZEROS + "; factors are rounded in another order",
    ),
    Rule("diagonal-library", Library, in_library, Warrant.REAL, why="a division instead of an elimination"),
)
