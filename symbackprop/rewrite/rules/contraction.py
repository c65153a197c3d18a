"""Contractions: transposes absorbed, repeats dropped, constants pulled out, products and nests taken apart.

The aim is one flat einsum over the arrays that really vary, for the planner to order. Work is never duplicated: an
inner contraction is taken apart only if it sums nothing, or if nothing else uses it and the outer one only sums,
reorders or takes a trace.
"""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.ir.dims import product
from symbackprop.ir.node import Broadcast, Const, Contraction, Elementwise, Node, Size
from symbackprop.ops.arithmetic import div, integer_power, mul, neg
from symbackprop.ops.contraction import contract
from symbackprop.ops.layout import fill, spread
from symbackprop.ops.logic import select
from symbackprop.options import Warrant
from symbackprop.rewrite.pattern import Match
from symbackprop.rewrite.rule import Rule

__all__ = ["FLATTENING", "LOCAL", "RULES"]

EXACT, FINITE, REAL = Warrant.EXACT, Warrant.FINITE, Warrant.REAL

Labels = tuple[int, ...]


def scaled(factor: Node, array: Node) -> Node:
    """Return a scalar times an array."""
    return spread(factor, array.shape, ()) * array


def takes_scalars(node: Contraction) -> bool:
    """Return whether scalar factors are better applied to the result: it has no more axes than the largest operand.

    Not of a transpose, which moves outward instead (`common-transpose`).
    """
    return not node.spec.is_permutation and node.rank <= max(a.rank for a in node.args)


def identity(m: Match) -> Node | None:
    """Return the operand of a contraction that changes nothing."""
    node = m.node
    assert isinstance(node, Contraction)
    return node.args[0] if node.spec.is_permutation and node.spec.out == node.spec.ins[0] else None


def zero(m: Match) -> Node | None:
    """Return zeros for a contraction with zeros."""
    node = m.node
    if any(isinstance(a, Const) and a.value == 0 for a in node.args):
        return fill(0, node.shape, node.dtype)
    return None


def drop_repeats(m: Match) -> Node | None:
    """Return the contraction without constants, scalars, and axes along which an operand only repeats.

    A label that no operand carries any more counts its extent if it was summed, and repeats the result if it was kept.
    Scalars multiply the result, or the smallest operand of an outer product.
    """
    node = m.node
    assert isinstance(node, Contraction)
    if not any(isinstance(a, Const | Broadcast) or a.rank == 0 for a in node.args):
        return None
    number: float = 1
    scalars: list[Node] = []
    operands: list[Node] = []
    labels: list[Labels] = []
    for arg, part in zip(node.args, node.spec.ins, strict=True):
        if isinstance(arg, Const):
            number = number * arg.value
            continue
        base, kept = arg, part
        if isinstance(arg, Broadcast):
            base, kept = arg.args[0], tuple(part[axis] for axis in arg.axes)
        if base.rank == 0:
            scalars.append(base)
        else:
            operands.append(base)
            labels.append(kept)
    present = {label for part in labels for label in part}
    lost = product(node.extents[label] for label in node.spec.summed if label not in present)
    if lost.is_const:
        number = number * lost.value
    else:
        scalars.append(Size(lost, node.dtype))
    return _spread_product(node, number, scalars, operands, labels)


def _spread_product(
    node: Contraction, number: float, scalars: list[Node], operands: list[Node], labels: list[Labels]
) -> Node:
    """Return number * scalars * einsum(operands), repeated along the labels of `node` that `operands` lack."""
    present = {label for part in labels for label in part}
    out = [label for label in node.spec.out if label in present]
    factor: Node | None = None
    for scalar in scalars:
        factor = scalar if factor is None else factor * scalar
    if factor is None:
        factor = Const(number, fill(0, (), node.dtype).type) if number != 1 or not operands else None
    elif number != 1:
        factor = number * factor
    if not operands:
        assert factor is not None
        result = factor
    elif factor is None or len(out) <= max(a.rank for a in operands):
        result = contract(operands, labels, out)
        if factor is not None:
            result = scaled(factor, result)
    else:
        k = min(range(len(operands)), key=lambda k: operands[k].rank)
        smaller = [scaled(factor, a) if j == k else a for j, a in enumerate(operands)]
        result = contract(smaller, labels, out)
    return spread(result, node.shape, [node.spec.out.index(label) for label in out])


def pull_sign(m: Match) -> Node | None:
    """Return -einsum(a, b) for einsum(-a, b)."""
    node = m.node
    assert isinstance(node, Contraction)
    for k, arg in enumerate(node.args):
        if isinstance(arg, Elementwise) and arg.op is neg and takes_scalars(node) and m.is_private(arg):
            return -_with(node, k, [arg.args[0]])
    return None


def pull_divisor(m: Match) -> Node | None:
    """Return einsum(a, b)/s for einsum(a/s, b) with a scalar s."""
    node = m.node
    assert isinstance(node, Contraction)
    for k, arg in enumerate(node.args):
        if isinstance(arg, Elementwise) and arg.op is div and takes_scalars(node) and m.is_private(arg):
            scalar = _scalar_of(arg.args[1])
            if scalar is not None:
                result = _with(node, k, [arg.args[0]])
                return result / spread(scalar, result.shape, ())
    return None


def split_product(m: Match) -> Node | None:
    """Return the contraction of a*b as one of a and b, where that saves work.

    It does when a or b is a repeated scalar, when both have fewer axes than their product, and when the product is only
    summed: then it is a dot product, or a matrix-vector product after axes along which a factor repeats are dropped.
    """
    node = m.node
    assert isinstance(node, Contraction)
    for k, arg in enumerate(node.args):
        if not isinstance(arg, Elementwise):
            continue
        if arg.op is mul and _worth_splitting(m, node, arg):
            return _with(node, k, arg.args)
        is_square = arg.op is integer_power and arg.attr == (2,)
        if is_square and len(node.args) == 1 and node.spec.summed and m.is_private(arg):
            return _with(node, k, [arg.args[0], arg.args[0]])
    return None


def _worth_splitting(m: Match, node: Contraction, arg: Elementwise) -> bool:
    if any(_scalar_of(a) is not None for a in arg.args):
        return takes_scalars(node) and m.is_private(arg)
    repeats = [_is_smaller(a) for a in arg.args]
    if all(repeats):
        return True
    reduces = node.rank < arg.rank and (len(node.args) == 1 or any(repeats))
    return reduces and m.is_private(arg)


def _scalar_of(arg: Node) -> Node | None:
    """Return the scalar that `arg` repeats, or None."""
    if isinstance(arg, Const):
        return fill(arg.value, (), arg.dtype)
    return arg.args[0] if isinstance(arg, Broadcast) and arg.args[0].rank == 0 else None


def _is_smaller(arg: Node) -> bool:
    """Return whether `arg` is laid out from operands with fewer axes, or reordered."""
    return isinstance(arg, Broadcast) or (isinstance(arg, Contraction) and not arg.spec.summed)


def _with(node: Contraction, k: int, factors: Sequence[Node]) -> Node:
    """Return `node` with operand k replaced by factors that all have its shape."""
    args = [*node.args[:k], *factors, *node.args[k + 1 :]]
    labels = [*node.spec.ins[:k], *[node.spec.ins[k]] * len(factors), *node.spec.ins[k + 1 :]]
    return contract(args, labels, node.spec.out)


def flatten(m: Match) -> Node | None:
    """Return one contraction for a contraction of a contraction, where no sum is computed more often for it."""
    node = m.node
    assert isinstance(node, Contraction)
    for k, arg in enumerate(node.args):
        if isinstance(arg, Contraction) and _may_inline(m, node, arg):
            return _inline(node, k, arg)
    return None


def _may_inline(m: Match, node: Contraction, inner: Contraction) -> bool:
    if not inner.spec.summed:
        return len(inner.args) == 1 or m.is_private(inner)
    if not m.is_private(inner) or len(node.args) > 1:
        return False
    is_trace = len(set(node.spec.ins[0])) < len(node.spec.ins[0])
    return is_trace or not node.spec.summed or len(inner.args) == 1


def _inline(node: Contraction, k: int, inner: Contraction) -> Node:
    """Return `node` with the operands of `inner` in place of its operand k."""
    names: dict[int, object] = dict(zip(inner.spec.out, node.spec.ins[k], strict=True))

    def renamed(part: Labels) -> list[object]:
        return [names.get(label, ("inner", label)) for label in part]

    args = [*node.args[:k], *inner.args, *node.args[k + 1 :]]
    labels = [*node.spec.ins[:k], *map(renamed, inner.spec.ins), *node.spec.ins[k + 1 :]]
    return contract(args, labels, node.spec.out)


def choose_late(m: Match) -> Node | None:
    """Return the sum of a choice between a product and 0 as a choice between a smaller product and 0.

    An axis that the condition does not vary with is summed inside the choice, if the factors that vary with it miss
    another axis of the product: `sum over n, l of (a[n, l] * b[l, j] if j < l else 0)` needs the sums of `a` once.
    """
    node = m.node
    assert isinstance(node, Contraction)
    arg = node.args[0]
    if len(node.args) > 1 or not isinstance(arg, Elementwise) or arg.op is not select or not m.is_private(arg):
        return None
    test, chosen, other = arg.args
    if not isinstance(test, Broadcast) or not (isinstance(other, Const) and other.value == 0):
        return None
    factors = _factors(chosen)
    labels = node.spec.ins[0]
    for axis, label in enumerate(labels):
        if axis in test.axes or label in node.spec.out or labels.count(label) > 1:
            continue
        varying = {a for _, axes in factors if axis in axes for a in axes}
        if len(varying) == len(labels) or len(factors) < 2:
            continue
        kept = [a for a in range(arg.rank) if a != axis]
        total = contract([base for base, _ in factors], [axes for _, axes in factors], kept)
        again = spread(test.args[0], total.shape, [kept.index(a) for a in test.axes])
        choice = select(again, total, fill(0, total.shape, total.dtype))
        return contract([choice], [[labels[a] for a in kept]], node.spec.out)
    return None


def _factors(product: Node) -> list[tuple[Node, Labels]]:
    """Return the factors of a product, each with the axes of the product that it varies with."""
    if isinstance(product, Contraction) and not product.spec.summed:
        at = {label: axis for axis, label in enumerate(product.spec.out)}
        return [(a, tuple(at[k] for k in part)) for a, part in zip(product.args, product.spec.ins, strict=True)]
    if not isinstance(product, Elementwise) or product.op is not mul:
        return []
    every = tuple(range(product.rank))
    return [(a.args[0], a.axes) if isinstance(a, Broadcast) else (a, every) for a in product.args]


def order_operands(m: Match) -> Node | None:
    """Return the contraction with its operands in the order of the result's axes, as a matrix product is written."""
    node = m.node
    assert isinstance(node, Contraction)

    def first(k: int) -> int:
        places = [node.spec.out.index(label) for label in node.spec.ins[k] if label in node.spec.out]
        return min(places, default=node.rank)

    order = sorted(range(len(node.args)), key=first)
    return contract([node.args[k] for k in order], [node.spec.ins[k] for k in order], node.spec.out)


ORDER = "factors and terms are rounded in another order"

#: Rules that leave the order of products as it is.
LOCAL = (
    Rule("einsum-identity", Contraction, identity, EXACT),
    Rule("einsum-zero", Contraction, zero, FINITE, why="0 times inf or nan is nan; the sign of zero"),
    Rule("einsum-repeats", Contraction, drop_repeats, REAL, why="n equal terms are one product by n"),
    Rule("einsum-sign", Contraction, pull_sign, FINITE, why="the sign of zero"),
    Rule("einsum-order", Contraction, order_operands, REAL, why=ORDER),
    Rule("einsum-divisor", Contraction, pull_divisor, REAL, why=ORDER),
)

#: Rules that take products and nests apart, for the planner to choose their order.
FLATTENING = (
    Rule("einsum-product", Contraction, split_product, REAL, why=ORDER),
    Rule("einsum-einsum", Contraction, flatten, REAL, why=ORDER),
    Rule("einsum-select", Contraction, choose_late, REAL, why=ORDER),
)

RULES = (*LOCAL, *FLATTENING)
