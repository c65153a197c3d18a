"""Positions in loops as text: where an axis map points, and numbers that are functions of loop variables."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from symbackprop.codegen import expression as ex
from symbackprop.codegen.scope import Scope
from symbackprop.ir.dims import ONE, Dim, never_negative
from symbackprop.ir.node import Broadcast, Const, Elementwise, Iota, Node, Size
from symbackprop.ir.types import AxisMap
from symbackprop.plan.steps import Packed

__all__ = ["Around", "Index", "Where", "axis_position", "leaf_entry"]


@dataclass(frozen=True)
class Index:
    """An index expression: its text, and the number of enclosing loops it needs."""

    text: str
    level: int


Where = tuple[Index, ...]


@dataclass(frozen=True)
class Around:
    """The loops that a part of a strip stands in.

    Attributes:
        fixed: the variable of each strip around it, outermost first; for a block, the position of its entry.
        first, width: variables of the first entry of a block, and of how many it has.
        part: where the nest's outermost loop starts and ends, if it is to run over a part of its axis.
        packed: arrays that are copied for a block.
    """

    fixed: tuple[str, ...] = ()
    first: str = ""
    width: str = ""
    part: tuple[str, str] | None = None
    packed: Mapping[Node, Packed] = field(default_factory=dict)


def axis_position(
    m: AxisMap,
    size: Dim,
    shape: Sequence[Dim],
    where: Where,
    *,
    entry: Callable[[int, Where], ast.expr],
    scope: Scope,
) -> Index:
    """Return where an axis map points.

    Args:
        m: the map.
        size: the size of the axis it points into.
        shape: the shape of what the map's axes belong to.
        where: the index expression of each of these axes.
        entry: (number of an integer array, where) -> its entry.
        scope: names of sizes.
    """
    at = tuple(where[a] for a in m.axes)
    level = max((i.level for i in at), default=0)
    if m.index is not None:
        return Index(_joined([_operand(ex.text(entry(m.index, at)))], scope.size(m.offset), []), level)
    terms = [(s, _operand(i.text)) for s, i in zip(m.strides, at, strict=True)]
    added = [_term(s, i, scope) for s, i in terms if never_negative(s)]
    subtracted = [_term(-s, i, scope) for s, i in terms if not never_negative(s)]
    text = _joined(added, scope.size(m.offset), subtracted)
    if m.span is not None:
        first, last = m.reach(shape)
        if not never_negative(first, 0):
            text = f"max({text}, 0)"
        if not never_negative(size - 1 - last, 0):
            text = f"min({text}, {scope.size(size - 1)})"
    return Index(text, level)


def _term(stride: Dim, index: str, scope: Scope) -> str:
    return index if stride == ONE else f"{_operand(scope.size(stride))} * {index}"


def _operand(text: str) -> str:
    """Return text that may be multiplied or subtracted as it is."""
    simple = text.isidentifier() or text.isdigit() or isinstance(ex.parse(text), ast.Subscript | ast.Call)
    return text if simple else f"({text})"


def _joined(added: list[str], offset: str, subtracted: list[str]) -> str:
    """Return a sum as one would write it: "i + 1", "n - 1 - i"."""
    text = " + ".join(added)
    if offset != "0":
        negative = offset.startswith("-")
        text = f"{text} {'-' if negative else '+'} {offset[negative:]}" if text else offset
    for term in subtracted:
        text = f"{text} - {term}" if text else f"-{term}"
    if len(added) == 1 and text == added[0] and text.startswith("("):
        return text[1:-1]
    return text or "0"


def leaf_entry(node: Node, where: Where, scope: Scope) -> ast.expr:
    """Return one entry of a leaf that is no argument: a constant, a size, an index or a small expression of indices.

    Recursive: such an expression has a handful of nodes (`is_index_number`).
    """
    match node:
        case Const():
            return ex.literal(node.value, node.dtype)
        case Size():
            return scope.size_value(node)
        case Iota():
            return ex.parse(where[0].text)
        case Broadcast():
            return leaf_entry(node.args[0], tuple(where[a] for a in node.axes), scope)
        case Elementwise():
            operands = [leaf_entry(a, where, scope) for a in node.args]
            return scope.write(node.op, operands, node.attr, node.dtype, in_loop=bool(where))
        case _:
            raise TypeError(f"{node.kind} is no leaf")
