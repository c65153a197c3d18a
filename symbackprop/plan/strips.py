"""Strips: loops that share an outer loop, so that what they hand to each other need not be kept for all of it.

A mixture's log-density has loops over points, components and coordinates that hand each other arrays of all of these.
Where the loops run point by point together, these arrays hold one point's entries: `x[a, j] - mu[k, j]` is a row.

Two forms. In *rows* one iteration is one entry of the shared axis, and the inner loops run along memory as before. In
*blocks* an iteration takes some entries at once, and they are the innermost loop of every part: that is where the inner
loops are short sums (over the coordinates of a point), which would leave vectors empty and end in horizontal additions.
Arrays that blocks read across are copied for the block.

One greedy pass per candidate extent, of which there are a few; within a strip the same again for the next axis. A part
joins the first strip behind everything it reads, or beside it where it is read at the point that made it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from symbackprop.ir.dims import Dim, product
from symbackprop.ir.node import Elementwise, Input, Node
from symbackprop.ir.registry import Trait
from symbackprop.ir.types import TensorType
from symbackprop.plan.access import Positions, is_leaf, reads, result_positions
from symbackprop.plan.fusion import is_accumulated
from symbackprop.plan.memory import made_by, read_by
from symbackprop.plan.steps import Local, Loop, Packed, Step, Strip, loops_of

__all__ = ["BLOCK", "Strips", "make_strips"]

#: Entries of the shared axis that one iteration of a strip of blocks takes.
BLOCK = 64

#: Most extents that are tried as the shared one.
_TRIED = 6

#: Size of every symbol where arrays are compared.
_NOMINAL = 64


@dataclass
class Strips:
    """The steps with strips in them.

    Attributes:
        steps: what is computed, in order.
        local: the place of each value that lives within one iteration of a strip.
        copies: how many arrays the blocks of strips read copies of.
    """

    steps: list[Step]
    local: dict[Node, Local] = field(default_factory=dict)
    copies: int = 0


@dataclass
class _Unit:
    """Parts that share a loop over one extent, and which of its axes that is in each; a single step has no axes."""

    parts: list[Step]
    axes: list[int] | None


@dataclass
class _Grouping:
    """How parts would run over one extent: the units in order, and which values stay within one iteration."""

    units: list[_Unit]
    inner: dict[Node, int]
    gain: int


def make_strips(steps: Sequence[Step], stored: set[Node], results: Iterable[Node]) -> Strips:
    """Return the steps with loops that hand each other arrays put into strips.

    Args:
        steps: the steps, in an order in which they can run.
        stored: values in memory.
        results: values that must be in memory as a whole.

    Cost: n log n in the nodes of the steps.
    """
    out = Strips(list(steps))
    keep = set(results)
    best = _best(out.steps, stored, keep, top=True)
    if best is None:
        return out
    out.steps = []
    for unit in best.units:
        if unit.axes is None:
            out.steps += unit.parts
            continue
        loops = [part for part in unit.parts if isinstance(part, Loop)]
        block = BLOCK if _is_deep(loops, unit.axes) else 1
        inside = {node: best.inner[node] for loop in loops for node in loop.members if node in best.inner}
        for loop, axis in zip(loops, unit.axes, strict=True):
            loop.along, loop.block = (axis,), block
        for node, axis in inside.items():
            kept = tuple(a for a in range(node.rank) if a != axis)
            out.local[node] = Local(kept, axis, block) if block > 1 else Local(kept)
        strip = Strip(loops[0].domain[unit.axes[0]], _nested(loops, stored, out.local), block)
        if block > 1:
            _pack(strip, stored, out)
        out.steps.append(strip)
    return out


def _best(steps: Sequence[Step], stored: set[Node], keep: set[Node], *, top: bool) -> _Grouping | None:
    """Return the grouping that keeps the most within iterations, None where none keeps anything."""
    weights: dict[Dim, int] = {}
    for step in steps:
        if isinstance(step, Loop):
            free = [step.domain[axis] for axis in range(len(step.domain)) if axis not in step.along]
            size = _nominal(free)
            for extent in dict.fromkeys(free):
                if not extent.is_const:
                    weights[extent] = weights.get(extent, 0) + size
    tried = sorted(weights, key=lambda extent: -weights[extent])[:_TRIED]
    found = [_grouped(steps, extent, stored, keep, top=top) for extent in tried]
    best = max(found, key=lambda grouping: grouping.gain, default=None)
    return best if best is not None and best.gain > 0 else None


def _grouped(steps: Sequence[Step], extent: Dim, stored: set[Node], keep: set[Node], *, top: bool) -> _Grouping:
    """Return the steps in units that share a loop over `extent`."""
    units: list[_Unit] = []
    shared: list[int] = []
    place: dict[Node, tuple[int, int | None]] = {}
    light = {} if top else _light(steps, stored, keep)
    before: list[_Unit] = []
    for number, step in enumerate(steps):
        if number in light:
            continue
        sources = list(_sources(step, stored))
        at, axis = -1, None
        for candidate in _candidates(step, extent, top=top):
            earliest = 0
            for source, where in sources:
                if source in place:
                    unit, lane = place[source]
                    earliest = max(earliest, unit + (lane is None or where[lane] != candidate))
            fitting = next((unit for unit in shared if unit >= earliest), len(units))
            if at < 0 or fitting < at:
                at, axis = fitting, candidate
        if axis is None and top and not any(source in place for source, _ in sources):
            # What waits for nothing comes first, so that it does not keep others out of a strip.
            before.append(_Unit([step], None))
            continue
        if axis is None:
            at = len(units)
            units.append(_Unit([step], None))
        elif at == len(units):
            shared.append(at)
            units.append(_Unit([step], [axis]))
        else:
            axes = units[at].axes
            assert axes is not None
            units[at].parts.append(step)
            axes.append(axis)
        for node in made_by(step):
            position = result_positions(node) if isinstance(step, Loop) and axis is not None else ()
            place[node] = (at, position.index(axis) if axis in position else None)
    inner = _inner(units, place, stored, keep)
    homes = {place[node][0] for node in inner}
    for loop in light.values():
        axis, users = _users(loop, extent, units, stored)
        if axis is None:
            before.append(_Unit([loop], None))
            continue
        inner.update((node, axis) for node in loop.members if node in stored)
        homes.update(users)
        for home in users:
            user = units[home]
            assert user.axes is not None
            user.parts.insert(0, replace(loop))
            user.axes.insert(0, axis)
    settled = [unit if unit.axes is None or at in homes else _Unit(unit.parts, None) for at, unit in enumerate(units)]
    return _Grouping([*before, *settled], inner, sum(_nominal(node.shape) for node in inner))


def _light(steps: Sequence[Step], stored: set[Node], keep: set[Node]) -> dict[int, Loop]:
    """Return the loops to be run again wherever their values are read: an operation or two on what is at hand."""
    made = {node for step in steps for node in made_by(step)}
    out = {}
    for number, step in enumerate(steps):
        if isinstance(step, Loop) and all(_is_light(node) and node not in keep for node in step.members):
            here = tuple(range(len(step.domain)))
            whole = all(result_positions(node) == here for node in step.members)
            if whole and len(step.members) <= 2 and all(source not in made for source, _ in _sources(step, stored)):
                out[number] = step
    return out


def _is_light(node: Node) -> bool:
    return isinstance(node, Elementwise) and node.op.flops <= 2 and Trait.TRANSCENDENTAL not in node.op.traits


def _users(loop: Loop, extent: Dim, units: Sequence[_Unit], stored: set[Node]) -> tuple[int | None, list[int]]:
    """Return the axis of a light loop along which every unit that reads its values can run it again, and these units.

    No axis if there is none.
    """
    made = set(loop.members)
    for axis in _candidates(loop, extent, top=False):
        found: dict[int, None] = {}
        fits = True
        for at, unit in enumerate(units):
            for k, part in enumerate(unit.parts):
                for source, where in _sources(part, stored):
                    if source in made:
                        found[at] = None
                        fits = fits and unit.axes is not None and where[axis] == unit.axes[k]
        if fits and found:
            return axis, list(found)
    return None, []


def _candidates(step: Step, extent: Dim, *, top: bool) -> list[int]:
    """Return the axes of a loop over `extent` that a strip may run over."""
    if not isinstance(step, Loop) or (top and len(step.domain) < 2):
        return []
    return [axis for axis, size in enumerate(step.domain) if size == extent and axis not in step.along]


def _inner(
    units: Sequence[_Unit], place: dict[Node, tuple[int, int | None]], stored: set[Node], keep: set[Node]
) -> dict[Node, int]:
    """Return value -> shared axis, for those that only the unit reads that makes them."""
    inner = {
        node: lane
        for node, (at, lane) in place.items()
        if lane is not None and units[at].axes is not None and node in stored and node not in keep
    }
    for at, unit in enumerate(units):
        for part in unit.parts:
            for source, _ in _sources(part, stored):
                if source in inner and place[source][0] != at:
                    del inner[source]
    return inner


def _nested(
    loops: Sequence[Loop], stored: set[Node], local: dict[Node, Local], elsewhere: frozenset[Node] = frozenset()
) -> list[Loop | Strip]:
    """Return the loops of one strip with strips among them, as long as that keeps more within one iteration.

    Recursive: every level takes an axis away. Values that are made `elsewhere` too have one place for all of that.
    """
    made = {node for loop in loops for node in loop.members if node in stored}
    keep = {node for node in made if node not in local or node in elsewhere}
    best = _best(loops, stored, keep, top=False)
    if best is None:
        return list(loops)
    makers = Counter(
        node for unit in best.units for node in {n for p in unit.parts if isinstance(p, Loop) for n in p.members}
    )
    again = elsewhere | {node for node, count in makers.items() if count > 1}
    out: list[Loop | Strip] = []
    for unit in best.units:
        parts = [part for part in unit.parts if isinstance(part, Loop)]
        if unit.axes is None:
            out += parts
            continue
        for loop, axis in zip(parts, unit.axes, strict=True):
            loop.along = (*loop.along, axis)
        members = {node for loop in parts for node in loop.members}
        for node, axis in best.inner.items():
            if node in members:
                local[node] = replace(local[node], kept=tuple(a for a in local[node].kept if a != axis))
        inside = {node: place for node, place in local.items() if node in best.inner and node in members}
        out.append(Strip(parts[0].domain[unit.axes[0]], _nested(parts, stored, inside, again)))
        local.update(inside)
    return out


def _is_deep(loops: Sequence[Loop], axes: Sequence[int]) -> bool:
    """Whether blocks pay: some sum runs over an inner axis at each of several entries per entry of the shared axis."""
    for loop, axis in zip(loops, axes, strict=True):
        for node in loop.members:
            if len(loop.domain) > 2 and is_accumulated(node) and axis in result_positions(node):
                return True
    return False


def _pack(strip: Strip, stored: set[Node], out: Strips) -> None:
    """Let blocks read copies of the arrays whose entries of one block are not adjacent."""
    found: dict[Node, int] = {}
    for loop in loops_of(strip):
        lane = loop.along[0]
        for source, where in _sources(loop, stored):
            if source in out.local or source.rank < 2 or (is_leaf(source) and not isinstance(source, Input)):
                continue
            if lane in where[:-1]:
                found.setdefault(source, where.index(lane))
    made = {node for loop in loops_of(strip) for node in loop.members}
    for source, axis in found.items():
        order = (*(a for a in range(source.rank) if a != axis), axis)
        if source in made:
            continue
        # No node of the program: where that reads its own transpose, it reads another array.
        shape = tuple(source.shape[a] for a in order)
        copy = Input(f"block {out.copies}", TensorType(shape, source.dtype))
        out.copies += 1
        strip.packed.append(Packed(source, copy, axis))
        out.local[copy] = Local(tuple(range(source.rank - 1)), source.rank - 1, strip.block)


def _sources(step: Step, stored: set[Node]) -> Iterator[tuple[Node, Positions]]:
    """Yield (value in memory, positions) for all that a step reads; other steps than loops read at no position."""
    if isinstance(step, Loop):
        own = set(step.members)
        for node in step.members:
            for source, where in reads(node, stored):
                if source not in own or source in stored:
                    yield source, where
    else:
        for source in read_by(step, stored):
            yield source, (None,) * source.rank


def _nominal(dims: Sequence[Dim]) -> int:
    total = product(dims)
    return total.evaluate(dict.fromkeys(total.symbols, _NOMINAL))
