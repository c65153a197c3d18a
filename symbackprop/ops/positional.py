"""Choices made by positions alone, as affine conditions: what makes a triangle of a square of entries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symbackprop.ir.dims import ONE, ZERO, Dim
from symbackprop.ir.node import Broadcast, Const, Elementwise, Iota, Node, Size
from symbackprop.ops.arithmetic import add, mul, neg, sub
from symbackprop.ops.logic import and_, le, lt, real32, real64, select

__all__ = ["Form", "conditions"]

#: Most nodes of a condition that is looked at.
_MOST = 40


@dataclass(frozen=True)
class Form:
    """An affine function of loop axes: `offset + sum(stride * axis)`; strides are sorted by axis and not 0."""

    offset: Dim
    strides: tuple[tuple[int, int], ...] = ()

    def plus(self, other: Form, factor: int = 1) -> Form:
        """Return the sum with `factor` times another form."""
        strides = dict(self.strides)
        for axis, stride in other.strides:
            strides[axis] = strides.get(axis, 0) + factor * stride
        kept = tuple(sorted((axis, stride) for axis, stride in strides.items() if stride))
        return Form(self.offset + other.offset * factor, kept)

    def without(self, axis: int) -> Form:
        """Return the form without the term of an axis."""
        return Form(self.offset, tuple(term for term in self.strides if term[0] != axis))

    def reach(self, domain: Sequence[Dim]) -> tuple[Dim, Dim]:
        """Return the smallest and the largest value over all points of `domain`."""
        low = high = self.offset
        for axis, stride in self.strides:
            end = (domain[axis] - 1) * stride
            low, high = (low, high + end) if stride > 0 else (low + end, high)
        return low, high


def conditions(node: Node, where: tuple[int, ...]) -> tuple[Form, ...] | None:
    """Return forms that are all >= 0 exactly where a choice takes its first branch.

    Args:
        node: any node.
        where: for each of its axes, the axis that forms are about.

    None if it is no choice, or one that is not made by affine positions alone.
    """
    if not isinstance(node, Elementwise) or node.op is not select:
        return None
    forms: list[Form] = []
    stack: list[tuple[Node, tuple[int, ...]]] = [(node.args[0], where)]
    for _ in range(_MOST):
        if not stack:
            return tuple(forms)
        test, at = stack.pop()
        if isinstance(test, Broadcast):
            stack.append((test.args[0], tuple(at[a] for a in test.axes)))
        elif isinstance(test, Elementwise) and test.op is and_:
            stack += [(arg, at) for arg in test.args]
        elif isinstance(test, Elementwise) and test.op in {lt, le}:
            low, high = (_affine(arg, at) for arg in test.args)
            if low is None or high is None:
                return None
            form = high.plus(low, -1)
            form = form.plus(Form(ONE), -1) if test.op is lt else form
            if not form.strides:
                return None
            forms.append(form)
        else:
            return None
    return None


def _affine(node: Node, where: tuple[int, ...], left: int = _MOST) -> Form | None:
    """Return an integer expression of loop variables as an affine form. Recursive: at most `left` levels."""
    if not left:
        return None
    match node:
        case Iota():
            return Form(ZERO, ((where[0], 1),))
        case Const():
            return Form(Dim.of(int(node.value))) if float(node.value).is_integer() else None
        case Size():
            return Form(node.dim)
        case Broadcast():
            return _affine(node.args[0], tuple(where[a] for a in node.axes), left - 1)
        case Elementwise() if node.op in {real64, real32}:
            return _affine(node.args[0], where, left - 1) if node.args[0].dtype == "int64" else None
        case Elementwise() if node.op in {add, sub, neg, mul}:
            parts = [_affine(arg, where, left - 1) for arg in node.args]
            if any(part is None for part in parts):
                return None
            return _combined(node, [part for part in parts if part is not None])
        case _:
            return None


def _combined(node: Elementwise, parts: list[Form]) -> Form | None:
    if node.op is neg:
        return Form(ZERO).plus(parts[0], -1)
    if node.op is sub:
        return parts[0].plus(parts[1], -1)
    if node.op is add:
        total = parts[0]
        for part in parts[1:]:
            total = total.plus(part)
        return total
    numbers = [part for part in parts if not part.strides and part.offset.is_const]
    others = [part for part in parts if part not in numbers]
    if len(others) > 1:
        return None
    factor = 1
    for number in numbers:
        factor *= number.offset.value
    return Form(ZERO).plus(others[0], factor) if others else Form(Dim.of(factor))
