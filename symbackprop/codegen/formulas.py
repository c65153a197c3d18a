"""The mathematics of a step as a comment: entry by entry where loop variables are part of it, else as whole arrays."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from symbackprop.codegen import expression as ex
from symbackprop.codegen.positions import Index, axis_position
from symbackprop.codegen.scope import FORMULA, Scope, letters_of
from symbackprop.ir.node import (
    Broadcast,
    Const,
    Contraction,
    Elementwise,
    Gather,
    Iota,
    Node,
    Reduction,
    Scatter,
    Size,
)
from symbackprop.ir.types import AxisMap
from symbackprop.plan.access import is_access

__all__ = ["formula"]

#: An entry: the value, and its position as text.
Entry = tuple[Node, tuple[str, ...]]

#: Most values that a formula is written out over.
_MOST = 40


def formula(node: Node, scope: Scope) -> str:
    """Return "name = mathematics" for a stored node, down to the names of other stored values."""
    kinds = Elementwise | Contraction | Reduction | Scatter
    if not isinstance(node, kinds) or not _mentions_index(node, scope):
        return scope.formula(node)
    if isinstance(node, Scatter):
        return _scattered(node, scope)
    match node:
        case Contraction():
            names = letters_of(node)
            at = tuple(names[label] for label in node.spec.out)
            entries = [(a, tuple(names[k] for k in part)) for a, part in zip(node.args, node.spec.ins, strict=True)]
            summed = [names[label] for label in node.spec.summed]
            head = f"sum over {', '.join(summed)} of " if summed else ""
            text = head + " * ".join(_factor(_text(entry, scope)) for entry in entries)
        case Reduction():
            arg = node.args[0]
            letters = _letters(arg.rank)
            at = tuple(letters[k] for k in node.kept)
            text = f"{node.op.name} over {', '.join(letters[k] for k in node.axes)} of {_text((arg, letters), scope)}"
        case _:
            at = _letters(node.rank)
            text = _text((node, at), scope, top=True)
    return f"{scope.variable(node)}{_index(at)} = {text}"


def _is_intricate(m: AxisMap) -> bool:
    return m.index is None and (len(m.axes) > 1 or m.span is not None)


def _scattered(node: Scatter, scope: Scope) -> str:
    """Return what is added where: "ct_x[i + j] += ct_y[i] * v[j]"."""
    sign = "=" if node.disjoint else "+="
    lines = []
    for piece in node.pieces:
        value = node.args[piece.value]
        if value in scope.plan.workspace.within:
            continue
        letters = _letters(value.rank)
        at = _positions(piece.spec, node, value, letters, indices=[node.args[k] for k in piece.indices], scope=scope)
        lines.append(f"{scope.variable(node)}{_index(at)} {sign} {_text((value, letters), scope)}")
    return "; ".join(lines[:4]) + (" ..." if len(lines) > 4 else "")


def _letters(rank: int) -> tuple[str, ...]:
    return tuple("ijklpqrstuvw"[k % 12] for k in range(rank))


def _index(at: tuple[str, ...]) -> str:
    return f"[{', '.join(at)}]" if at else ""


def _factor(text: str) -> str:
    """Return a factor of a product, in parentheses if it is a sum or a choice."""
    try:
        tree = ex.parse(text)
    except SyntaxError:
        return f"({text})"
    return f"({text})" if isinstance(tree, ast.IfExp | ast.BoolOp | ast.Compare | ast.BinOp) else text


def _is_named(node: Node, scope: Scope) -> bool:
    return not node.args or node in scope.plan.stored or node in scope.plan.graph.hints


def _mentions_index(node: Node, scope: Scope) -> bool:
    """Whether an index is a number in the formula of `node`."""
    if isinstance(node, Scatter) and any(map(_is_intricate, (m for p in node.pieces for m in p.spec))):
        return True
    stack = list(node.args)
    for _ in range(_MOST):
        if not stack:
            return False
        part = stack.pop()
        if isinstance(part, Iota):
            return True
        if isinstance(part, Gather) and not _is_named(part, scope) and any(map(_is_intricate, part.spec)):
            return True
        if not _is_named(part, scope):
            stack.extend(part.args)
    return False


def _text(entry: Entry, scope: Scope, *, top: bool = False) -> str:
    """Return an entry's mathematics; iterative, "..." where it gets long."""
    done: dict[Entry, str] = {}
    entry = entry if top else _looked_through(*entry, scope)
    stack = [entry]
    while stack:
        current = stack[-1]
        node, at = current
        if current in done:
            stack.pop()
            continue
        if _is_named(node, scope) and not (top and current == entry):
            done[current] = _simple(node, at, scope)
            continue
        operands = [_looked_through(arg, inside, scope) for arg, inside in _operands(node, at)]
        if not operands:
            done[current] = _simple(node, at, scope)
            continue
        waiting = [operand for operand in operands if operand not in done]
        if waiting:
            stack += waiting
            continue
        if not isinstance(node, Elementwise):
            text = " * ".join(_factor(done[operand]) for operand in operands)
        elif node.op.name in {"real64", "real32"}:
            text = done[operands[0]]
        else:
            trees = [_tree(done[operand]) for operand in operands]
            filled = ex.fill_template(node.op.emit, node.op.arity, trees, node.attr, "float64")
            text = ex.text(filled).replace("math.", "").replace("**", "^").replace("np.", "")
        done[current] = text if len(text) <= FORMULA else "..."
    return done[entry]


def _operands(node: Node, at: tuple[str, ...]) -> list[Entry]:
    """Return the entries that an operation or a product of arrays is computed from, none for anything else."""
    if isinstance(node, Elementwise):
        return [(arg, at) for arg in node.args]
    if isinstance(node, Contraction) and not node.spec.summed:
        where = dict(zip(node.spec.out, at, strict=True))
        return [(a, tuple(where[k] for k in part)) for a, part in zip(node.args, node.spec.ins, strict=True)]
    return []


def _tree(text: str) -> ast.expr:
    return ex.parse(text.replace("^", "**")) if text != "..." else ex.name("...")


def _simple(node: Node, at: tuple[str, ...], scope: Scope) -> str:
    match node:
        case Const():
            return f"{node.value:g}" if node.type.is_real else str(node.value)
        case Size():
            return scope.size(node.dim)
        case Iota():
            return at[0]
        case _:
            return f"{scope.variable(node)}{_index(at)}"


def _looked_through(node: Node, at: tuple[str, ...], scope: Scope) -> Entry:
    """Return the entry that a chain of unstored re-indexing nodes reads."""
    while is_access(node) and node not in scope.plan.stored:
        match node:
            case Broadcast():
                at = tuple(at[a] for a in node.axes)
            case Gather():
                at = _positions(node.spec, node.args[0], node, at, indices=node.args[1:], scope=scope)
            case Contraction():
                where = dict(zip(node.spec.out, at, strict=True))
                at = tuple(where[label] for label in node.spec.ins[0])
        node = node.args[0]
    return node, at


def _positions(
    spec: Sequence[AxisMap], into: Node, along: Node, at: tuple[str, ...], *, indices: Sequence[Node], scope: Scope
) -> tuple[str, ...]:
    """Return where in `into` a map points, at position `at` of `along`."""
    where = tuple(Index(text, 0) for text in at)

    def entry(k: int, position: tuple[Index, ...]) -> ast.expr:
        array, inside = _looked_through(indices[k], tuple(i.text for i in position), scope)
        return ex.parse(_simple(array, inside, scope))

    maps = zip(spec, into.shape, strict=True)
    return tuple(axis_position(m, size, along.shape, where, entry=entry, scope=scope).text for m, size in maps)
