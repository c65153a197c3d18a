"""The cotangents of a recurrence's operands: a recurrence that takes the steps in the other order.

Its states are the cotangents of the states. Each step adds what arrives at the path there, and multiplies by the step's
own local gradients: reverse accumulation of one step, in the values that the forward steps left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from symbackprop.ir.dims import ONE, ZERO, Dim
from symbackprop.ir.graph import Graph, substitute, toposort
from symbackprop.ir.node import Elementwise, Input, Node, Scatter
from symbackprop.ir.recurrence import Body, Repetition, Scan
from symbackprop.ir.registry import Trait
from symbackprop.ir.types import AxisMap
from symbackprop.ops.indexing import Piece, gather, pieces_of, scatter
from symbackprop.ops.layout import fill
from symbackprop.ops.stepping import after, before, fresh_name, is_cheap, is_rearrangement

__all__ = ["scan_adjoint"]

#: Most operations that are carried out again for one value of a step.
_MOST = 4

#: (graph, nodes, upstream) -> the cotangent of every node.
Differentiate = Callable[[Graph, Sequence[Node], Sequence[Node]], list[Node]]


def scan_adjoint(arriving: Sequence[tuple[Scan, Node]], differentiate: Differentiate) -> list[Node | None]:
    """Return the cotangent of every operand of a repetition, None for integers.

    Args:
        arriving: results of one repetition and the cotangents that arrive at them, of their shapes.
        differentiate: reverse accumulation of the program of one step.

    Of a step's values those are kept that its local gradients mention and that cost more than to read them.
    """
    repetition = arriving[0][0].repetition
    body = repetition.body
    taken = {i.name for i in body.inputs}
    rows: dict[Input, Node] = dict(zip(body.reads, repetition.rows, strict=True))
    shared: dict[Input, Node] = dict(zip(body.shared, repetition.shared, strict=True))
    carried = {s: Input(fresh_name(f"ct_{s.name}", taken), s.type) for s in body.states}
    last = 0 if repetition.backwards else repetition.times
    starts: dict[Node, Node] = {s: fill(0.0, s.shape, s.dtype) for s in body.states}
    along: dict[Node, Input] = {}
    values: list[tuple[Node, Node]] = [(n, carried[s]) for s, n in zip(body.states, body.following, strict=True)]
    for scan, ct in arriving:
        name = fresh_name(f"ct_{scan.value.name if isinstance(scan.value, Input) else 'value'}", taken)
        new = Input(name, scan.value.type)
        if scan.mode == "sum":
            shared[new] = ct
        elif scan.mode == "stack":
            rows[new] = ct
        else:
            state = body.states.index(scan.value)
            parts = _parts(ct, repetition)
            starts[scan.value] = parts.final
            for upstream in parts.after:
                values.append((body.following[state], Input(fresh_name(name, taken), scan.value.type)))
                rows[values[-1][1]] = upstream  # type: ignore[index]
            if parts.before is not None:
                rows[new] = parts.before
                along[scan.value] = new
            continue
        values.append((scan.value, new))
    real = [i for i in body.inputs if i.type.is_real]
    outputs = tuple(v for v, _ in values)
    found = differentiate(Graph((), outputs), real, [u for _, u in values])
    gradients = dict(zip(real, found, strict=True))
    paths = {s: Scan(repetition, "path", s) for s in body.states}
    known: dict[Node, Node] = {}
    for held, following in zip(body.states, body.following, strict=True):
        rows[held] = before(paths[held], repetition)
        if following.args:
            known.setdefault(following, after(paths[held], repetition))
    stand_in: dict[Node, Node] = {}
    forward = toposort(outputs)
    forward += _slopes(forward, list(gradients.values()), body)
    for node in _kept(forward, list(gradients.values()), known):
        stand_in[node] = Input(fresh_name(f"kept_{len(stand_in)}", taken), node.type)
        row_values = known[node] if node in known else Scan(repetition, "stack", node)
        rows[stand_in[node]] = row_values  # type: ignore[index]
    new_of = substitute(gradients.values(), stand_in)
    local = {i: new_of[g] for i, g in gradients.items()}
    onward = [local[s] + along[s] if s in along else local[s] for s in body.states]
    used = set(toposort([*onward, *local.values()]))
    rows = {i: v for i, v in rows.items() if i in used}
    shared = {i: v for i, v in shared.items() if i in used}
    backward = Repetition(
        Body(tuple(carried.values()), tuple(rows), tuple(shared), tuple(onward)),
        repetition.times,
        not repetition.backwards,
        (*(starts[s] for s in body.states), *rows.values(), *shared.values()),
    )
    out: list[Node | None] = [_row(Scan(backward, "path", c), repetition.times - last) for c in carried.values()]
    out += [Scan(backward, "stack", local[i]) if i in local else None for i in body.reads]
    out += [Scan(backward, "sum", local[i]) if i in local else None for i in body.shared]
    return out


class _Parts(NamedTuple):
    """What arrives at the path of a state: at the state behind all steps, and, by rows, behind and before each step."""

    final: Node
    after: list[Node]
    before: Node | None


def _parts(ct: Node, repetition: Repetition) -> _Parts:
    """Return the parts of a path's cotangent; what was read at one place only makes no array of zeros."""
    times = repetition.times
    last, behind = (ZERO, ZERO) if repetition.backwards else (times, ONE)
    if not isinstance(ct, Scatter):
        return _Parts(_row(ct, last), [], before(ct, repetition))
    shape = ct.shape[1:]
    final: list[Piece] = []
    after: list[Piece] = []
    others: list[Piece] = []
    for value, indices, (first, *rest) in pieces_of(ct):
        plain = first.index is None and first.span is None
        if plain and not first.axes and first.offset == last:
            final.append((value, indices, rest))
        elif plain and first == AxisMap(first.axes, offset=behind) and value.shape[first.axes[0]] == times:
            after.append((value, indices, [AxisMap(first.axes), *rest]))
        else:
            others.append((value, indices, [first, *rest]))
    at_end = _together(final, shape) if final else None
    along = None
    if others:
        remaining = scatter(others, ct.shape)
        along = before(remaining, repetition)
        end = _row(remaining, last)
        at_end = end if at_end is None else at_end + end
    return _Parts(
        fill(0.0, shape, ct.dtype) if at_end is None else at_end,
        [_together(after, (times, *shape))] if after else [],
        along,
    )


def _together(pieces: list[Piece], shape: tuple[Dim, ...]) -> Node:
    """Return zeros with the pieces added; those that cover it are added as they are."""
    whole = [AxisMap((k,)) for k in range(len(shape))]
    dense = [value for value, _, spec in pieces if list(spec) == whole and value.shape == shape]
    rest = [piece for piece in pieces if list(piece[2]) != whole or piece[0].shape != shape]
    terms = [*dense, *([scatter(rest, shape)] if rest else [])]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def _row(path: Node, at: Dim | int) -> Node:
    """Return one row of an array."""
    rest = [AxisMap((k,)) for k in range(path.rank - 1)]
    return gather(path, (), [AxisMap(offset=Dim.of(at)), *rest], path.shape[1:])


def _slopes(forward: Sequence[Node], gradients: Iterable[Node], body: Body) -> list[Node]:
    """Return the functions in local gradients that a forward step can compute: it has their arguments at hand.

    The slope of a sigmoid takes sigmoid(-x), which is the same exponential as that of sigmoid(x). Only what has the
    shape of a state: more than the path of a state is not kept for it.
    """
    own = {*forward, *body.inputs}
    shapes = {state.shape for state in body.states}
    out: list[Node] = []
    for node in toposort(gradients):
        if node not in own and not isinstance(node, Input) and own.issuperset(node.args):
            own.add(node)
            function = isinstance(node, Elementwise) and Trait.TRANSCENDENTAL in node.op.traits
            if function and node.shape in shapes:
                out.append(node)
    return out


def _kept(forward: Sequence[Node], gradients: Iterable[Node], known: Iterable[Node]) -> list[Node]:
    """Return the forward values of a step that its gradients shall read rather than compute again."""
    inside = set(forward)
    gradients = list(gradients)
    needed = {a for n in toposort(gradients) if n not in inside for a in n.args if a in inside}
    needed.update(g for g in gradients if g in inside)
    at_hand = {*known, *(n for n in needed if not is_rearrangement(n))}
    for node in reversed(forward):
        if node in needed and node.args and node not in known:
            at_hand.discard(node)
            if is_rearrangement(node) or _again(node, at_hand):
                needed.discard(node)
                needed.update(node.args)
            else:
                at_hand.add(node)
    return [n for n in forward if n in needed and n.args]


def _again(node: Node, at_hand: set[Node]) -> bool:
    """Whether a value is computed again: a few cheap operations lead to it from what is at hand."""
    stack = [node]
    for _ in range(_MOST):
        if not stack:
            return True
        part = stack.pop()
        if not is_cheap(part):
            return False
        for arg in part.args:
            while is_rearrangement(arg):
                arg = arg.args[0]  # noqa: PLW2901
            if arg.args and arg not in at_hand:
                stack.append(arg)
    return not stack
