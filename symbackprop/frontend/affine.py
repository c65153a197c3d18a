"""Running indices, affine functions of them, and what can be proven about their ranges."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symbackprop.ir.dims import ONE, ZERO, Dim, never_negative

__all__ = ["GUARDS", "NO_GUARDS", "Affine", "Guards", "Index", "extremes", "limits_of_indices"]

#: Key of a scope under which its guards stand.
GUARDS = "guards"

#: Most forms that a search for a bound looks at.
_BUDGET = 200


@dataclass(frozen=True)
class Index:
    """A running index: `symbol` takes the `count` values `low, low + 1, ...`.

    Attributes:
        symbol: the user's symbol.
        low, count: the box: a range that no other index changes.
        level: tells an index apart from one of the same symbol and range that is already in scope.
        firsts, lasts: further bounds from below and from above, inside the box, which may depend on outer indices.
        depth: how many indices are bound around it; tells nothing apart.
    """

    symbol: Any
    low: Dim
    count: Dim
    level: int = 0
    firsts: tuple[Affine, ...] = ()
    lasts: tuple[Affine, ...] = ()
    depth: int = field(default=0, compare=False)

    @property
    def depends(self) -> bool:
        """Whether there are values in the box that the index does not take."""
        return bool(self.firsts or self.lasts)

    def ends(self) -> tuple[tuple[Affine, ...], tuple[Affine, ...]]:
        """Return the bounds from below, of which the largest counts, and from above, of which the smallest does."""
        return self.firsts or (Affine(self.low),), self.lasts or (Affine(self.low + self.count - 1),)

    def within(self) -> tuple[Affine, ...]:
        """Return forms in this and outer indices that are >= 0 just where the index takes a value of its box."""
        here, end = Affine.of(self), self.low + self.count - 1
        firsts = (first for first in self.firsts if first.terms or not never_negative(self.low - first.offset))
        lasts = (last for last in self.lasts if last.terms or not never_negative(last.offset - end))
        return (*(here - first for first in firsts), *(last - here for last in lasts))

    def lengths(self) -> list[Affine]:
        """Return how many values there are between each bound from below and each from above."""
        return [last - first + 1 for first in self.ends()[0] for last in self.ends()[1]]


@dataclass(frozen=True)
class Affine:
    """`offset + sum(stride * index)`: terms are sorted and no stride is 0."""

    offset: Dim = ZERO
    terms: tuple[tuple[Index, Dim], ...] = ()

    @staticmethod
    def of(value: Index | Affine | Dim | int) -> Affine:
        """Return an index, a size or a number as an affine function."""
        if isinstance(value, Affine):
            return value
        return Affine(ZERO, ((value, ONE),)) if isinstance(value, Index) else Affine(Dim.of(value))

    @staticmethod
    def collect(offset: Dim, strides: Mapping[Index, Dim]) -> Affine:
        """Return the affine function with these strides."""
        terms = [(index, stride) for index, stride in strides.items() if stride.terms]
        terms.sort(key=lambda term: (str(term[0].symbol), term[0].level, str(term[0].low), str(term[0].count)))
        return Affine(offset, tuple(terms))

    def __add__(self, other: Affine | Dim | int) -> Affine:
        other = other if isinstance(other, Affine) else Affine(Dim.of(other))
        strides = dict(self.terms)
        for index, stride in other.terms:
            strides[index] = strides.get(index, ZERO) + stride
        return Affine.collect(self.offset + other.offset, strides)

    def __sub__(self, other: Affine | Dim | int) -> Affine:
        return self + (other if isinstance(other, Affine) else Affine(Dim.of(other))) * -1

    def __mul__(self, factor: Dim | int) -> Affine:
        return Affine.collect(self.offset * factor, {index: stride * factor for index, stride in self.terms})

    @property
    def indices(self) -> tuple[Index, ...]:
        """The indices that occur."""
        return tuple(index for index, _ in self.terms)

    def stride(self, index: Index) -> Dim:
        """Return the factor of an index, 0 if it does not occur."""
        return dict(self.terms).get(index, ZERO)

    def without(self, index: Index) -> Affine:
        """Return the function without the term of an index."""
        return Affine(self.offset, tuple(term for term in self.terms if term[0] != index))


@dataclass(frozen=True)
class Guards:
    """Conditions that hold wherever an expression matters.

    Attributes:
        forms: affine functions that are >= 0 there.
        masks: truth values (`Value`) that hold there, of conditions on indices or integer data.
    """

    forms: tuple[Affine, ...] = ()
    masks: tuple[Any, ...] = ()


NO_GUARDS = Guards()

#: An affine function that is >= 0, and the index it bounds; None for a condition, which may bound any.
Fact = tuple[Index | None, Affine]


def limits_of_indices(indices: Iterable[Index]) -> list[Fact]:
    """Return what bounds each of `indices`, and each index that their bounds depend on."""
    facts: list[Fact] = []
    pending = list(dict.fromkeys(indices))
    seen = set(pending)
    while pending:
        index = pending.pop()
        here = Affine.of(index)
        box = (here - index.low, Affine(index.low + index.count - 1) - here)
        facts += [(index, form) for form in (*index.within(), *box)]
        for bound in (*index.firsts, *index.lasts):
            new = [i for i in bound.indices if i not in seen]
            seen.update(new)
            pending += new
    return facts


def extremes(
    form: Affine, assumed: Sequence[Affine], fits: tuple[Callable[[Dim], bool | None], Callable[[Dim], bool | None]]
) -> tuple[Dim, Dim] | None:
    """Return the smallest and largest value of `form`, as sizes, None where no bound is found.

    Args:
        form: the affine function.
        assumed: further forms that are >= 0, from conditions around it.
        fits: for either end, how a candidate is judged: True wins over None, None over False, the first over the rest.
    """
    facts = limits_of_indices([*form.indices, *(i for condition in assumed for i in condition.indices)])
    facts += [(None, condition) for condition in assumed]
    low = _largest(form * -1, facts, lambda bound: fits[0](-bound))
    high = _largest(form, facts, fits[1])
    return None if low is None or high is None else (-low, high)


def _largest(form: Affine, facts: Sequence[Fact], fits: Callable[[Dim], bool | None]) -> Dim | None:
    """Return a size that `form` nowhere exceeds: one index after the other is replaced by a bound on it.

    The innermost index goes first, whose bounds may depend on outer ones: that is exact for nested ranges. Other orders
    are tried as long as no bound fits, those of fewer steps first.
    """
    found: dict[Dim, bool | None] = {}
    queue = deque([form])
    seen = {form}
    while queue and len(seen) < _BUDGET:
        part = queue.popleft()
        if not part.terms:
            found.setdefault(part.offset, fits(part.offset))
            if found[part.offset]:
                return part.offset
            continue
        for index in _inner_first(part.indices):
            for step in _replaced(part, index, facts):
                if step not in seen:
                    seen.add(step)
                    queue.append(step)
    best = [bound for bound, fit in found.items() if fit is None] or list(found)
    smallest = best[0] if best else None
    for bound in best[1:]:
        if smallest is not None and never_negative(smallest - bound):
            smallest = bound
    return smallest


def _inner_first(indices: tuple[Index, ...]) -> list[Index]:
    """Return the indices so that each stands before those its bounds depend on."""
    rank: dict[Index, int] = {}
    for index in indices:
        around = limits_of_indices([index])
        rank[index] = len({i for _, form in around for i in form.indices})
    return sorted(indices, key=lambda index: -rank[index])


def _replaced(form: Affine, index: Index, facts: Sequence[Fact]) -> list[Affine]:
    """Return forms without `index` that are at least as large wherever the facts hold."""
    stride = form.stride(index)
    rises = bool(never_negative(stride))
    if not rises and not never_negative(-stride):
        return []
    out = []
    for owner, fact in facts:
        if owner is not None and owner != index:
            continue
        weight = fact.stride(index)
        # weight * index + rest >= 0 bounds the index from above where weight < 0, from below where weight > 0.
        if weight == (-ONE if rises else ONE):
            out.append(form.without(index) + fact.without(index) * (stride if rises else -stride))
        elif weight.is_const and stride.is_const and weight.value * stride.value < 0:
            factor, rest = divmod(abs(stride.value), abs(weight.value))
            if not rest:
                out.append(form.without(index) + fact.without(index) * factor)
    return out
