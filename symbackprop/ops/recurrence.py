"""Recurrences brought into order: a scan holds what lies on the way from state to state, and nothing else.

What does not depend on the states is done before, for all steps at once; what no state depends on is done after, for
all steps at once. So a product of a matrix with what each step reads becomes one product of matrices, and the gradient
of a weight, a sum of outer products, becomes one too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symbackprop.ir.dims import ONE, Dim, product
from symbackprop.ir.graph import substitute, toposort
from symbackprop.ir.node import (
    Broadcast,
    Const,
    Contraction,
    Elementwise,
    Gather,
    Input,
    Iota,
    Library,
    Node,
    Reduction,
    Scatter,
    Size,
)
from symbackprop.ir.recurrence import Body, Mode, Repetition, Scan
from symbackprop.ir.registry import Trait
from symbackprop.ir.types import TensorType
from symbackprop.ops.layout import fill, spread
from symbackprop.ops.lifting import Lifting
from symbackprop.ops.stepping import after, before, fresh_name, is_cheap, is_rearrangement, name_of

__all__ = ["repeated", "settled"]

#: Sizes are compared as if every symbol had this value.
_NOMINAL = 64
#: A value of a step is kept for afterwards if it is at most this many times as large as the largest state.
_LARGE = 4
#: Most operations on top of each other that a step carries out again on what it reads.
_DEEP = 6

Wanted = tuple[Mode, Node]


def settled(repetition: Repetition, wanted: Sequence[Wanted]) -> list[Node]:
    """Return the wanted results of a repetition, with only what the states need inside of scans.

    Args:
        repetition: the steps.
        wanted: modes and values of a step.

    Visits each node of the step a bounded number of times for each result.
    """
    return _Settling(repetition).results(list(wanted))


class _Settling:
    """The step of one repetition, its operands by input, and what of it has been moved outside."""

    def __init__(self, repetition: Repetition) -> None:
        body = repetition.body
        self.old = repetition
        self.count = repetition.times
        self.starts = dict(zip(body.states, repetition.starts, strict=True))
        self.rows: dict[Node, Node] = dict(zip(body.reads, repetition.rows, strict=True))
        self.shared: dict[Node, Node] = dict(zip(body.shared, repetition.shared, strict=True))
        self.following = dict(zip(body.states, body.following, strict=True))
        self.taken = {i.name for i in body.inputs}
        self._given: dict[Node, Node] = {}

    def results(self, wanted: list[Wanted]) -> list[Node]:
        """Return the wanted results."""
        wanted = self._replaced(wanted, self._inlined())
        self._drop_states(wanted)
        wanted = self._replaced(wanted, self._hoisted(wanted))
        inside, kept = self._divided(wanted)
        needed = [v for _, v in inside] + kept
        made = self._repetition(needed)
        states = {s: Scan(made, "path", s) for s in made.body.states}
        rows = dict(self.rows)
        for state, path in states.items():
            rows[state] = before(path, self.old)
            if self.following[state].args:
                rows.setdefault(self.following[state], after(path, self.old))
        rows |= {v: Scan(made, "stack", v) for v in kept if v not in rows}
        lifting = Lifting(self.count, rows, self.shared)
        remaining = set(inside)
        out: list[Node] = []
        for mode, value in wanted:
            if mode == "path":
                assert isinstance(value, Input)
                out.append(states[value])
            elif mode == "stack":
                out.append(Scan(made, mode, value) if (mode, value) in remaining else lifting.stacked(value))
            else:
                terms = [Scan(made, mode, v) if (mode, v) in remaining else lifting.total(v) for v in _terms(value)]
                total = terms[0]
                for term in terms[1:]:
                    total = total + term
                out.append(total)
        return out

    # -- inputs --------------------------------------------------------------------------------------------------------

    def _replaced(self, wanted: list[Wanted], mapping: dict[Node, Node]) -> list[Wanted]:
        """Put nodes in the place of others, everywhere in the step."""
        if not mapping:
            return wanted
        new = substitute([*self.following.values(), *(v for _, v in wanted)], mapping)
        self.following = {s: new[n] for s, n in self.following.items()}
        return [(mode, v if mode == "path" else new[v]) for mode, v in wanted]

    def _inlined(self) -> dict[Node, Node]:
        """Return what takes the place of inputs that are constants, the same in all steps, or equal to another."""
        out: dict[Node, Node] = {}
        given, self.rows = self.rows, {}
        self._given = {arg: node for node, arg in reversed(given.items())}
        for node, arg in given.items():
            row = self._row(arg)
            if row is not node:
                out[node] = row
        for node, arg in list(self.shared.items()):
            if isinstance(arg, Const | Size | Iota):
                out[node] = arg
                del self.shared[node]
        first: dict[Node, Node] = {}
        for node, arg in list(self.shared.items()):
            if first.setdefault(arg, node) is not node:
                out[node] = first[arg]
                del self.shared[node]
        # A row operand may have become an expression in inputs that are themselves replaced.
        final = substitute(out.values(), {k: v for k, v in out.items() if v in self.shared or v in self.rows})
        return {node: final[value] for node, value in out.items()}

    def _row(self, value: Node, depth: int = 0) -> Node:
        """Return what one step reads of an operand, whose leading axis is that of steps.

        A cheap function of such operands is computed in the step, a bounded number of operations deep.
        """
        known = next((i for i, v in self.rows.items() if v is value), None)
        if known is not None:
            return known
        shape = value.shape[1:]
        if isinstance(value, Const):
            return fill(value.value, shape, value.dtype)
        if isinstance(value, Broadcast) and 0 not in value.axes:
            return spread(self._share(value.args[0]), shape, [a - 1 for a in value.axes])
        if isinstance(value, Broadcast) and value.axes[0] == 0 and depth < _DEEP:
            return spread(self._row(value.args[0], depth + 1), shape, [a - 1 for a in value.axes[1:]])
        if is_cheap(value) and value.type.is_real and depth < _DEEP:
            return value.with_args([self._row(a, depth + 1) for a in value.args])
        new = self._given.get(value)
        if new is None:
            new = Input(fresh_name(name_of(value, "row"), self.taken), TensorType(shape, value.dtype))
        self.rows[new] = value
        return new

    def _share(self, value: Node) -> Input:
        """Return the input for a value that all steps share."""
        known = next((i for i, v in self.shared.items() if v is value and isinstance(i, Input)), None)
        if known is None:
            known = Input(fresh_name(name_of(value, "shared"), self.taken), value.type)
            self.shared[known] = value
        return known

    def _drop_states(self, wanted: list[Wanted]) -> None:
        """Leave out states that no wanted result depends on."""
        needed: dict[Node, None] = {}
        pending = [v for _, v in wanted]
        while pending:
            found = [n for n in toposort(pending) if n in self.following and n not in needed]
            needed.update(dict.fromkeys(found))
            pending = [self.following[n] for n in found if isinstance(n, Input)]
        self.following = {s: n for s, n in self.following.items() if s in needed}
        self.starts = {s: n for s, n in self.starts.items() if s in needed}

    # -- before the steps ----------------------------------------------------------------------------------------------

    def _hoisted(self, wanted: list[Wanted]) -> dict[Node, Node]:
        """Return what is done before the steps -> the input that stands for it from now on."""
        roots = [*self.following.values(), *(v for _, v in wanted)]
        order = toposort(roots)
        of_states: set[Node] = set(self.following)
        of_rows: set[Node] = set(self.rows)
        of_any: set[Node] = {*self.rows, *self.shared}
        worth: set[Node] = set()
        stuck: set[Node] = set()
        for node in order:
            for group in (of_states, of_rows, of_any, stuck):
                if any(a in group for a in node.args):
                    group.add(node)
            if isinstance(node, Scan):
                stuck.add(node)
            if _is_work(node) or any(a in worth for a in node.args):
                worth.add(node)
        lifting = Lifting(self.count, self.rows, self.shared)
        limit = self._limit(*self.rows)
        out: dict[Node, Node] = {}
        seen: set[Node] = set()
        stack = [n for n in order if n in of_states for n in n.args if n not in of_states]
        stack += [n for n in self.following.values() if n not in of_states]
        while stack:
            node = stack.pop()
            if node in seen or not node.args or node not in of_any:
                continue
            seen.add(node)
            moves = node in worth and node not in stuck and not is_rearrangement(node) and _size(node) <= limit
            if node in of_rows and moves:
                value = lifting.stacked(node)
                new = Input(fresh_name("row", self.taken), node.type)
                self.rows[new] = value
                out[node] = new
            elif node not in of_rows and not is_rearrangement(node):
                out[node] = self._share(lifting.value(node))
            else:
                stack.extend(node.args)
        return out

    # -- after the steps -----------------------------------------------------------------------------------------------

    def _divided(self, wanted: list[Wanted]) -> tuple[list[Wanted], list[Node]]:
        """Return the results that are made inside of the steps, and the values of a step that those outside need."""
        inside: list[Wanted] = []
        kept: dict[Node, None] = {}
        parts = [(mode, v) for mode, value in wanted for v in (_terms(value) if mode == "sum" else [value])]
        for mode, value in parts:
            if mode == "path":
                continue
            limit = self._limit(value) if mode == "stack" else self._limit()
            frontier = self._frontier(value, [*(v for _, v in inside)], kept)
            room = sum(_size(n) for n in frontier or () if n not in kept)
            gains = mode != "stack" or room < _size(value) or _has_work(value, frontier or ())
            if frontier is None or room > limit or not gains:
                inside.append((mode, value))
            else:
                kept.update(dict.fromkeys(frontier))
        return inside, list(kept)

    def _frontier(self, value: Node, inside: Sequence[Node], kept: Iterable[Node]) -> list[Node] | None:
        """Return what must be kept of each step so that `value` can be computed afterwards; None where it cannot be."""
        core = set(toposort([*self.following.values(), *inside]))
        outside: set[Node] = {*self.following, *self.following.values(), *self.rows, *self.shared}
        of_states: set[Node] = set(self.following)
        order = toposort([value])
        for node in order:
            if any(a in of_states for a in node.args):
                of_states.add(node)
        at_hand = outside | set(kept)
        frontier: dict[Node, None] = {}
        seen: set[Node] = set()
        stack = [value]
        while stack:
            node = stack.pop()
            if node in seen or node in outside:
                continue
            seen.add(node)
            if isinstance(node, Scan) and (node in of_states or node not in core):
                if node not in core:
                    return None
                frontier[node] = None
                continue
            if node in core and node.args and (node in of_states or not is_cheap(node)) and not is_rearrangement(node):
                again = is_cheap(node) and all(_through(a) in at_hand or a not in of_states for a in node.args)
                if not again:
                    frontier[node] = None
                    at_hand.add(node)
                    continue
            stack.extend(reversed(node.args))
        return list(frontier)

    def _limit(self, *others: Node) -> int:
        """Return the largest size of a value that is kept for every step, next to states and `others`."""
        return _LARGE * max((_size(n) for n in (*self.following, *others)), default=1)

    def _repetition(self, values: list[Node]) -> Repetition:
        """Return the repetition that makes `values` and all states, without inputs that nothing reads."""
        used = set(toposort([*self.following.values(), *values]))
        rows = {i: v for i, v in self.rows.items() if i in used and isinstance(i, Input)}
        shared = {i: v for i, v in self.shared.items() if i in used and isinstance(i, Input)}
        body = Body(tuple(self.following), tuple(rows), tuple(shared), tuple(self.following.values()))
        args = (*self.starts.values(), *rows.values(), *shared.values())
        return Repetition(body, self.count, self.old.backwards, args)


def _terms(value: Node) -> list[Node]:
    """Return the summands of a value."""
    out: list[Node] = []
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, Elementwise) and node.op.name == "add":
            stack.extend(reversed(node.args))
        else:
            out.append(node)
    return out


def _through(node: Node) -> Node:
    while is_rearrangement(node):
        node = node.args[0]
    return node


def _has_work(value: Node, known: Iterable[Node]) -> bool:
    """Return whether something between known nodes and a value is better done for all steps at once."""
    seen = set(known)
    stack = [value]
    while stack:
        node = stack.pop()
        if node not in seen:
            if _is_work(node):
                return True
            seen.add(node)
            stack.extend(node.args)
    return False


def _is_work(node: Node) -> bool:
    """Return whether a value is worth computing for all steps at once, at the price of memory for all of them.

    So is every integer: what is an index is checked before the steps. Functions of an array's entries are as fast in
    the loop over these entries, functions of scalars are not.
    """
    if isinstance(node, Elementwise):
        return node.dtype == "int64" or (node.rank == 0 and Trait.TRANSCENDENTAL in node.op.traits)
    if isinstance(node, Contraction):
        return bool(node.spec.summed)
    return isinstance(node, Gather | Scatter | Reduction | Library)


def _size(node: Node) -> int:
    dim = product(node.shape) if node.shape else ONE
    return dim.evaluate(dict.fromkeys(dim.symbols, _NOMINAL))


def repeated(
    count: Dim,
    states: Sequence[tuple[Input, Node, Node]],
    reads: Sequence[tuple[Input, Node]],
    others: Sequence[Node] = (),
) -> list[Node]:
    """Return the path of every state: its values before the first step and after each of `count` steps.

    Behind these come the values that `others` have in each step.

    Args:
        count: the number of steps.
        states: (stand-in for the state before a step, first state, state after a step).
        reads: (stand-in for what one step reads, the rows of all steps).
        others: further values of a step.

    The states after a step may mention anything else too: it is the same in all steps.
    """
    inside: set[Node] = {*(s for s, _, _ in states), *(r for r, _ in reads)}
    roots = [*(following for _, _, following in states), *others]
    order = toposort(roots)
    for node in order:
        if any(a in inside for a in node.args):
            inside.add(node)
    shared: dict[Node, Input] = {}
    taken = {i.name for i in inside if isinstance(i, Input)}
    stack = [*reversed(roots), *(a for n in reversed(order) if n in inside for a in reversed(n.args))]
    while stack:
        node = stack.pop()
        if node in inside or node in shared or isinstance(node, Const | Size | Iota):
            continue
        if is_rearrangement(node):
            stack.extend(node.args)
        else:
            shared[node] = Input(fresh_name(f"{name_of(node, 'shared')}@", taken), node.type)
    new = substitute(roots, shared)
    following = tuple(new[n] for n in roots[: len(states)])
    body = Body(tuple(s for s, _, _ in states), tuple(r for r, _ in reads), tuple(shared.values()), following)
    args = (*(start for _, start, _ in states), *(rows for _, rows in reads), *shared)
    repetition = Repetition(body, count, False, args)
    paths: list[Wanted] = [("path", s) for s, _, _ in states]
    return settled(repetition, [*paths, *(("stack", new[n]) for n in others)])
