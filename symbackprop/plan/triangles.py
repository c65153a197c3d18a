"""Loops kept triangular: a choice between a term and nothing, made by positions alone, becomes a bound of the loop.

`Sum(L[i, j]*x[j], (j, 0, i))` reaches the planner as a sum over all j of `L[i, j]*x[j] if j <= i else 0`. Where every
sum of a loop nest is over such choices with a condition in common, an inner loop runs over the entries that satisfy it
only: `for j in range(i + 1)`. What the other entries would have added is never computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from symbackprop.ir.dims import ONE, ZERO, Dim
from symbackprop.ir.node import Broadcast, Const, Elementwise, Iota, Node, Reduction, Size
from symbackprop.ops.arithmetic import add, mul, neg, sub
from symbackprop.ops.logic import and_, le, lt, real32, real64, select
from symbackprop.plan.access import domain_of, result_positions
from symbackprop.plan.fusion import is_accumulated
from symbackprop.plan.steps import Loop

__all__ = ["Bound", "Form", "Triangle", "find_triangle"]

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


@dataclass
class Bound:
    """Bounds of a loop in terms of the loops around it: it starts at the largest of `first`, ends before all `stop`."""

    first: list[Form] = field(default_factory=list)
    stop: list[Form] = field(default_factory=list)


@dataclass
class Triangle:
    """What is known to hold inside a bounded nest.

    Attributes:
        bounds: domain axis -> its bounds.
        settled: choices that are made by the bounds: inside the loops their first branch is taken.
        filled: (member, number): what is in memory wherever the bounded loops do not come.
    """

    bounds: dict[int, Bound] = field(default_factory=dict)
    settled: set[Node] = field(default_factory=set)
    filled: list[tuple[Node, float]] = field(default_factory=list)


def find_triangle(loop: Loop, order: Sequence[int], stored: frozenset[Node] | set[Node]) -> Triangle:
    """Return the bounds that the conditions of a loop's members give its loops, none where they have none in common.

    Args:
        loop: the nest.
        order: the axes of its loops that may be bounded, outer to inner; no condition on further loops is used.
        stored: values in memory.

    Linear in the members.
    """
    choices: list[_Choice] = []
    summed = False
    for node in loop.members:
        if is_accumulated(node):
            choice = _choice_of(node)
            summed = True
        elif node in stored:
            choice = _positional(node, tuple(range(node.rank)))
        else:
            continue
        if choice is None:
            return Triangle()
        choices.append(choice)
    if not summed:
        return Triangle()
    common = [form for form in choices[0].forms if all(form in choice.forms for choice in choices[1:])]
    rank = {axis: level for level, axis in enumerate((*loop.along[loop.block > 1 :], *order))}
    out = Triangle()
    used = []
    for form in common:
        if any(axis not in rank for axis, _ in form.strides):
            continue
        inner, stride = max(form.strides, key=lambda term: rank[term[0]])
        if abs(stride) != 1 or inner not in order:
            continue
        used.append(form)
        bound = out.bounds.setdefault(inner, Bound())
        rest = form.without(inner)
        # rest + inner >= 0 bounds the loop from below, rest - inner >= 0 from above.
        if stride > 0:
            bound.first.append(Form(ZERO).plus(rest, -1))
        else:
            bound.stop.append(rest.plus(Form(ONE)))
    here = tuple(range(len(loop.domain)))
    out.settled = {c.node for c in choices if c.where == here and all(form in used for form in c.forms)}
    out.filled = list(_filled(loop, stored, set(out.bounds)))
    return out


@dataclass(frozen=True)
class _Choice:
    """A choice at loop axes `where`: its first branch is taken where all forms are >= 0."""

    node: Elementwise
    where: tuple[int, ...]
    forms: tuple[Form, ...]


def _filled(loop: Loop, stored: frozenset[Node] | set[Node], bounded: set[int]) -> Iterator[tuple[Node, float]]:
    """Yield the members with entries that no bounded loop writes, and what these entries are."""
    for node in loop.members:
        if is_accumulated(node):
            if not bounded.isdisjoint(result_positions(node)):
                yield node, node.op.initial if isinstance(node, Reduction) else 0.0
        elif node in stored:
            other = node.args[2]
            assert isinstance(other, Const)
            yield node, other.value


def _choice_of(node: Node) -> _Choice | None:
    """Return the choice by positions among the factors of an accumulated term, if its other branch adds nothing."""
    nothing = node.op.initial if isinstance(node, Reduction) else 0.0
    for arg, where in zip(node.args, domain_of(node), strict=True):
        found = _positional(arg, where)
        if found is not None:
            other = found.node.args[2]
            if isinstance(other, Const) and other.value == nothing:
                return found
    return None


def _positional(node: Node, where: tuple[int, ...]) -> _Choice | None:
    """Return a choice between a value and a number by conditions on loop axes alone."""
    if not isinstance(node, Elementwise) or node.op is not select or not isinstance(node.args[2], Const):
        return None
    forms: list[Form] = []
    stack: list[tuple[Node, tuple[int, ...]]] = [(node.args[0], where)]
    for _ in range(_MOST):
        if not stack:
            return _Choice(node, where, tuple(forms))
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
