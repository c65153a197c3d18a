"""Loops kept triangular: a choice between a term and nothing, made by positions alone, becomes a bound of the loop.

`Sum(L[i, j]*x[j], (j, 0, i))` reaches the planner as a sum over all j of `L[i, j]*x[j] if j <= i else 0`. Where every
sum of a loop nest is over such choices with a condition in common, an inner loop runs over the entries that satisfy it
only: `for j in range(i + 1)`. What the other entries would have added is never computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from symbackprop.ir.dims import ONE, ZERO
from symbackprop.ir.node import Const, Elementwise, Node, Reduction
from symbackprop.ops.positional import Form, conditions
from symbackprop.plan.access import domain_of, result_positions
from symbackprop.plan.fusion import is_accumulated
from symbackprop.plan.steps import Loop

__all__ = ["Bound", "Triangle", "find_triangle"]


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
    forms = conditions(node, where)
    if forms is None or not isinstance(node, Elementwise) or not isinstance(node.args[2], Const):
        return None
    return _Choice(node, where, forms)
