"""Sums and products of labelled tensors, in the forms that later passes recognise: a - b, a/b, and contractions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from symbackprop.frontend.value import Axis, Index, Value, apply, merge_axes
from symbackprop.ir.dims import ONE
from symbackprop.ir.node import Const, Elementwise, Node, Size
from symbackprop.ir.types import TensorType
from symbackprop.ops.contraction import contract

__all__ = ["Factors", "add", "multiply", "reciprocal", "sum_product"]

#: Up to this many terms are added one after the other; more are added in pairs of pairs.
_CHAIN = 16


@dataclass
class Factors:
    """A product taken apart: numerators, denominators, and a sign.

    `keep` holds nodes the user has named: they are not taken apart, so that they stay in the graph.
    """

    dtype: str
    keep: Collection[Node] = ()
    numerators: list[Value] = field(default_factory=list)
    denominators: list[Value] = field(default_factory=list)
    negative: bool = False

    def rational(self, numerator: int, denominator: int) -> None:
        """Multiply by a fraction: by 1/q and by p exactly, by any other p/q as the nearest float."""
        if abs(numerator) == 1:
            self.negative ^= numerator < 0
            if denominator != 1:
                self.denominators.append(self._const(denominator / 1))
        else:
            self.numerators.append(self._const(numerator / denominator))

    def factor(self, value: Value) -> None:
        """Multiply by `value`; 1/b goes to the denominators, a minus sign to the front."""
        node = value.node
        if isinstance(node, Elementwise) and node.op.name == "neg" and node not in self.keep:
            self.negative ^= True
            node = node.args[0]
            value = Value(node, value.axes)
        if isinstance(node, Elementwise) and node.op.name == "div" and node not in self.keep and _is_one(node.args[0]):
            self.denominators.append(Value(node.args[1], value.axes))
        else:
            self.numerators.append(value)

    def _const(self, value: float) -> Value:
        return Value(Const(value, TensorType((), self.dtype)))

    def product(self) -> Value:
        """Return the whole product as one value, with at most one division."""
        numerator = _fold(self.numerators) if self.numerators else self._const(1.0)
        result = apply("div", numerator, _fold(self.denominators)) if self.denominators else numerator
        return apply("neg", result) if self.negative else result


def reciprocal(value: Value) -> Value:
    """Return 1/value."""
    return apply("div", Value(Const(1.0, TensorType((), value.node.dtype))), value)


def multiply(values: Sequence[Value]) -> Value:
    """Return the elementwise product of one or more values."""
    return _fold(values)


def _is_one(node: Node) -> bool:
    return isinstance(node, Const) and node.value == 1


def _groups(values: Sequence[Value]) -> list[list[Value]]:
    """Return the values grouped by their set of axes, fewest axes first: small things meet before they are repeated."""
    groups: dict[frozenset[Axis], list[Value]] = {}
    for value in values:
        groups.setdefault(frozenset(value.axes), []).append(value)
    return sorted(groups.values(), key=lambda group: len(group[0].axes))


def _fold(values: Sequence[Value]) -> Value:
    """Return the product; constants are applied last and stand first, as in `2*(x*y)`."""
    factors = [v for v in values if not isinstance(v.node, Const)]
    consts = [v for v in values if isinstance(v.node, Const)]
    parts: list[Value] = []
    for group in map(_signs_with_magnitudes, _groups(factors)):
        acc = group[0]
        for value in group[1:]:
            acc = apply("mul", acc, value)
        parts.append(acc)
    if consts:
        acc = consts[0]
        for value in consts[1:]:
            acc = apply("mul", acc, value)
        parts[:1] = [apply("mul", acc, parts[0])] if parts else [acc]
    result = parts[0]
    for part in parts[1:]:
        result = apply("mul", result, part)
    return result


def _signs_with_magnitudes(group: list[Value]) -> list[Value]:
    """Return the factors with sign(x), or a power of it, multiplied onto a factor made of |x|.

    Rules know the two together, as the real root of x or as x itself; apart, their slopes at 0 do not exist.
    """
    signs: dict[Node, int] = {}
    for k, value in enumerate(group):
        inner = _below(value.node, "sign")
        if inner is not None:
            signs[inner] = k
    if not signs:
        return group
    joined = list(group)
    moved = set()
    for k, value in enumerate(group):
        inner = _below(value.node, "abs")
        if inner in signs:
            at = signs.pop(inner)
            joined[k] = apply("mul", value, group[at])
            moved.add(at)
    return [value for k, value in enumerate(joined) if k not in moved]


def _below(node: Node, name: str) -> Node | None:
    """Return the x of `name`(x) or of a power or root of it, else None."""
    if isinstance(node, Elementwise) and node.op.name in {"power", "integer_power", "sqrt"}:
        node = node.args[0]
    return node.args[0] if isinstance(node, Elementwise) and node.op.name == name else None


def _negated(value: Value, keep: Collection[Node]) -> Value | None:
    """Return -value when `value` is visibly negative, else None; exact on every float."""
    node = value.node
    if node in keep:
        return None
    if isinstance(node, Const):
        return Value(Const(-node.value, node.type), value.axes) if node.value < 0 else None
    if not isinstance(node, Elementwise):
        return None
    if node.op.name == "neg":
        return Value(node.args[0], value.axes)
    if node.op.name in {"mul", "div"}:
        head = node.args[0]
        if isinstance(head, Const):
            inner = _negated(Value(head, value.axes), keep)
        elif node.op.name == "div" and isinstance(head, Elementwise) and head.op.name == "mul":
            if not isinstance(head.args[0], Const) or head.args[0].value >= 0:
                return None
            flipped = Const(-head.args[0].value, head.args[0].type)
            inner = Value(head.with_args((flipped, head.args[1])), value.axes)
        else:
            return None
        return None if inner is None else Value(node.with_args((inner.node, node.args[1])), value.axes)
    return None


def add(values: Sequence[Value], keep: Collection[Node] = ()) -> Value:
    """Return the sum of one or more values; visibly negative terms are subtracted."""
    groups = _groups(values)
    result = _add_group(groups[0], keep)
    for group in groups[1:]:
        result = _add_group([_add_group(group, keep), result], keep)
    return result


def _add_group(values: Sequence[Value], keep: Collection[Node]) -> Value:
    if len(values) == 1:
        return values[0]
    signed = [(_negated(v, keep), v) for v in values]
    if len(values) > _CHAIN:
        positive = [v for flipped, v in signed if flipped is None]
        negative = [flipped for flipped, _ in signed if flipped is not None]
        if not positive:
            return apply("neg", _add_pairs(negative))
        total = _add_pairs(positive)
        return apply("sub", total, _add_pairs(negative)) if negative else total
    start = next((k for k, (flipped, _) in enumerate(signed) if flipped is None), 0)
    acc = signed[start][1]
    for flipped, value in signed[:start] + signed[start + 1 :]:
        acc = apply("add", acc, value) if flipped is None else apply("sub", acc, flipped)
    return acc


def _add_pairs(values: list[Value]) -> Value:
    while len(values) > 1:
        paired = [apply("add", values[k], values[k + 1]) for k in range(0, len(values) - 1, 2)]
        values = paired + values[len(values) - len(values) % 2 :]
    return values[0]


def sum_product(factors: Factors, bound: Sequence[Index]) -> Value:
    """Return the sum of a product over the indices `bound`, as one contraction of the factors that depend on them.

    What does not depend on a bound index is multiplied outside; an index nothing depends on gives its count.
    """
    labels = set(bound)
    outside = Factors(factors.dtype, factors.keep, negative=factors.negative)
    groups: dict[frozenset[Axis], tuple[list[Value], list[Value]]] = {}
    for values, target, at in (
        (factors.numerators, outside.numerators, 0),
        (factors.denominators, outside.denominators, 1),
    ):
        for value in values:
            if labels.isdisjoint(value.axes):
                target.append(value)
            else:
                groups.setdefault(frozenset(value.axes), ([], []))[at].append(value)
    met = {axis for axes in groups for axis in axes}
    for index in bound:
        if index not in met and index.count != ONE:
            outside.numerators.append(Value(Size(index.count, factors.dtype)))
    if groups:
        operands: list[Value] = []
        for above, below in groups.values():
            if len(groups) == 1 and len(above) == 2 and not below:
                operands += above
            else:
                operands.append(Factors(factors.dtype, factors.keep, above, below).product())
        out = tuple(a for a in merge_axes(operands) if a not in labels)
        outside.numerators.append(Value(contract([v.node for v in operands], [v.axes for v in operands], out), out))
    return outside.product()
