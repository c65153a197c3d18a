"""Index positions: which nodes only re-index another, and where a loop reads what it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from symbackprop.ir.dims import ONE, ZERO, Dim
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
    Size,
)
from symbackprop.ir.recurrence import Scan
from symbackprop.ir.registry import Trait
from symbackprop.ir.types import AxisMap

__all__ = [
    "Positions",
    "domain_of",
    "is_access",
    "is_copy",
    "is_index_number",
    "is_leaf",
    "library_operands",
    "operand_positions",
    "reads",
    "reads_at_random",
    "recurrence_operands",
    "row_of",
    "start_of",
]

#: For each axis of a value, the loop axis that addresses it, or None for any other index expression.
Positions = tuple[int | None, ...]


#: Most operations of one node of an expression of loop variables that is written out wherever it is needed.
_CHEAP = 2
#: Most nodes of such an expression.
_SMALL = 8


def is_leaf(node: Node) -> bool:
    """Whether the node needs no computation of its own: an argument, a constant, a size, a number that an index is."""
    return isinstance(node, Input | Const | Size | Iota) or is_index_number(node)


def is_index_number(node: Node) -> bool:
    """Whether the node is a small, cheap real or boolean expression of loop variables, such as `i <= j` or `2.0 * i`.

    It is written out where it is needed and is never in memory. Looks at a bounded number of nodes.
    """
    if not isinstance(node, Elementwise) or not node.shape or node.dtype == "int64":
        return False
    indices = visited = 0
    stack: list[Node] = [node]
    while stack:
        part = stack.pop()
        visited += not isinstance(part, Broadcast)
        match part:
            case Iota():
                indices += 1
            case Const() | Size():
                pass
            case Broadcast():
                stack.append(part.args[0])
            case Elementwise() if part.op.flops <= _CHEAP and Trait.TRANSCENDENTAL not in part.op.traits:
                stack.extend(part.args)
            case _:
                return False
        if visited > _SMALL:
            return False
    return indices > 0


def is_access(node: Node) -> bool:
    """Whether the node only re-indexes its operand, so that a loop can read through it without storing it."""
    return isinstance(node, Broadcast | Gather) or (isinstance(node, Contraction) and node.spec.is_permutation)


def reads_at_random(node: Node) -> bool:
    """Whether a matrix or larger array is read, through transposes and broadcasts, by a gather that is no copy."""
    if node.rank < 2:
        return False
    while is_access(node):
        if isinstance(node, Gather):
            return not is_copy(node)
        node = node.args[0]
    return False


def is_copy(node: Gather) -> bool:
    """Whether a gather reads every entry of its source, each in its own place."""
    return node.shape == node.args[0].shape and node.spec == tuple(AxisMap((a,)) for a in range(node.rank))


def library_operands(node: Library) -> list[tuple[Node, bool]]:
    """Return (array, whether its matrices are read transposed) for each operand of a linear-algebra routine."""
    out: list[tuple[Node, bool]] = []
    for arg in node.args:
        lead = tuple(range(arg.rank - 2))
        swapped = (*lead, arg.rank - 1, arg.rank - 2)
        is_matrix = arg.rank - node.op.batch_rank(node.args) == 2
        if is_matrix and isinstance(arg, Contraction) and arg.spec.is_permutation and arg.spec.out == swapped:
            out.append((arg.args[0], True))
        else:
            out.append((arg, False))
    return out


def row_of(arg: Node) -> tuple[Node, Dim, Dim]:
    """Return (array, stride, first): row t of `arg` is row `stride * t + first` of an array, looking through slices."""
    if isinstance(arg, Gather) and len(arg.args) == 1:
        source, first = arg.args[0], arg.spec[0]
        rest = tuple(AxisMap((k,)) for k in range(1, arg.rank))
        whole = arg.spec[1:] == rest and arg.shape[1:] == source.shape[1:]
        if (
            whole
            and first.axes == (0,)
            and first.span is None
            and not (is_leaf(source) and not isinstance(source, Input))
        ):
            return source, first.strides[0], first.offset
    return arg, ONE, ZERO


def start_of(arg: Node) -> tuple[Node, Dim | None]:
    """Return (array, row) where a first state is one row of an array, else the state itself and None."""
    if isinstance(arg, Gather) and arg.rank and len(arg.args) == 1 and arg.rank == arg.args[0].rank - 1:
        source, (first, *rest) = arg.args[0], arg.spec
        whole = arg.shape == source.shape[1:] and rest == [AxisMap((k,)) for k in range(arg.rank)]
        if whole and first == AxisMap(offset=first.offset) and (isinstance(source, Input) or not is_leaf(source)):
            return source, first.offset
    return arg, None


def recurrence_operands(node: Scan) -> list[Node]:
    """Return the arrays that the steps of a recurrence read, looking through rows and slices."""
    repetition = node.repetition
    return [
        *(start_of(a)[0] for a in repetition.starts),
        *(row_of(a)[0] for a in repetition.rows),
        *repetition.shared,
    ]


def domain_of(node: Node) -> tuple[tuple[int, ...], ...]:
    """Return, for each operand, the loop axis of each of its axes; the result's axes come first where they can.

    An elementwise node's loop runs over its own axes. A contraction's and a reduction's loop runs over the axes of its
    widest operand in that operand's order, then the remaining labels, so that memory is walked in order.
    """
    match node:
        case Contraction():
            order = loop_labels(node)
            return tuple(tuple(order.index(label) for label in labels) for labels in node.spec.ins)
        case Reduction():
            return (tuple(range(node.args[0].rank)),)
        case _:
            return tuple(tuple(range(node.rank)) for _ in node.args)


def loop_labels(node: Contraction) -> tuple[int, ...]:
    """Return the labels of a contraction in loop order.

    A contraction that sums nothing is walked in the order of its result. One that sums walks its widest operand.
    """
    labels = tuple(dict.fromkeys(label for part in node.spec.ins for label in part))
    if not node.spec.summed:
        return node.spec.out
    widest = max(node.spec.ins, key=lambda part: len(set(part)))
    return tuple(dict.fromkeys((*widest, *labels)))


def result_positions(node: Node) -> tuple[int, ...]:
    """Return the loop axis of each axis of the node's result."""
    match node:
        case Contraction():
            order = loop_labels(node)
            return tuple(order.index(label) for label in node.spec.out)
        case Reduction():
            return node.kept
        case _:
            return tuple(range(node.rank))


def operand_positions(node: Node, positions: Sequence[int | None]) -> list[tuple[Node, Positions]]:
    """Return (operand, positions) for an access node that is itself read at `positions`."""
    match node:
        case Broadcast():
            return [(node.args[0], tuple(positions[a] for a in node.axes))]
        case Gather():
            source: Positions = tuple(positions[m.along] if m.along is not None else None for m in node.spec)
            out = [(node.args[0], source)]
            used = [(m.index, m.axes) for m in node.spec if m.index is not None]
            return out + [(node.args[1 + k], tuple(positions[a] for a in axes)) for k, axes in used]
        case Contraction():
            where = dict(zip(node.spec.out, positions, strict=True))
            return [(node.args[0], tuple(where[label] for label in node.spec.ins[0]))]
        case _:
            raise TypeError(f"{node.kind} is not an access")


def reads(node: Node, stored: set[Node]) -> Iterator[tuple[Node, Positions]]:
    """Yield (source, positions) for every value the loop of `node` reads, looking through unstored access nodes."""
    if isinstance(node, Elementwise) and not any(map(is_access, node.args)):
        where: Positions = tuple(range(node.rank))
        for arg in node.args:
            yield arg, where
        return
    stack: list[tuple[Node, Positions]] = [
        (arg, tuple(where)) for arg, where in zip(node.args, domain_of(node), strict=True)
    ]
    if is_access(node):
        stack = operand_positions(node, tuple(range(node.rank)))
    while stack:
        source, where = stack.pop()
        if is_access(source) and source not in stored:
            stack.extend(operand_positions(source, where))
        else:
            yield source, where
