"""The cotangents of a recurrence's operands: a recurrence that takes the steps in the other order.

Its states are the cotangents of the states. Each step adds what arrives at the path there, and multiplies by the step's
own local gradients: reverse accumulation of one step, in the values that the forward steps left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph, substitute, toposort
from symbackprop.ir.node import Input, Node
from symbackprop.ir.recurrence import Body, Repetition, Scan
from symbackprop.ir.types import AxisMap
from symbackprop.ops.indexing import gather
from symbackprop.ops.layout import fill
from symbackprop.ops.recurrence import after, before, fresh_name, is_cheap, is_rearrangement

__all__ = ["scan_adjoint"]

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
            starts[scan.value] = _row(ct, last)
            rows[new] = before(ct, repetition)
            along[scan.value] = new
            continue
        values.append((scan.value, new))
    real = [i for i in body.inputs if i.type.is_real]
    outputs = tuple(v for v, _ in values)
    found = differentiate(Graph((), outputs), real, [u for _, u in values])
    gradients = dict(zip(real, found, strict=True))
    paths = {s: Scan(repetition, "path", s) for s in body.states}
    known: dict[Node, Node] = {}
    for state, following in zip(body.states, body.following, strict=True):
        rows[state] = before(paths[state], repetition)
        if following.args:
            known.setdefault(following, after(paths[state], repetition))
    stand_in: dict[Node, Node] = {}
    for node in _kept(toposort(outputs), list(gradients.values()), known):
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


def _row(path: Node, at: Dim | int) -> Node:
    """Return one row of an array."""
    rest = [AxisMap((k,)) for k in range(path.rank - 1)]
    return gather(path, (), [AxisMap(offset=Dim.of(at)), *rest], path.shape[1:])


def _kept(forward: Sequence[Node], gradients: Iterable[Node], known: Iterable[Node]) -> list[Node]:
    """Return the forward values of a step that its gradients shall read rather than compute again."""
    inside = set(forward)
    gradients = list(gradients)
    needed = {a for n in toposort(gradients) if n not in inside for a in n.args if a in inside}
    needed.update(g for g in gradients if g in inside)
    at_hand = {*known, *(n for n in needed if not is_rearrangement(n))}
    for node in reversed(forward):
        if node in needed and node.args and node not in known and (is_rearrangement(node) or _again(node, at_hand)):
            needed.discard(node)
            needed.update(node.args)
            at_hand.discard(node)
    return [n for n in forward if n in needed and n.args]


def _again(node: Node, at_hand: set[Node]) -> bool:
    """Whether a value is computed again: it is cheap, and what it is computed from is at hand."""
    if not is_cheap(node):
        return False
    operands = []
    for arg in node.args:
        while is_rearrangement(arg):
            arg = arg.args[0]  # noqa: PLW2901
        operands.append(arg)
    return all(not a.args or a in at_hand for a in operands)
