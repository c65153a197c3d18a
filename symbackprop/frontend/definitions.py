"""Programs: named intermediates in order, as a scope that the outputs are translated in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy.tensor.array.expressions import ArraySymbol

from symbackprop.errors import ShapeError, SymbackpropError, UnsupportedExpressionError, message
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.dispatch import Parts, Scope, binds, run
from symbackprop.frontend.request import Definition
from symbackprop.frontend.scan import Scan
from symbackprop.frontend.steps import Steps, carry_out, grouped
from symbackprop.frontend.value import COL, ROW, Axis, Batch, Index, Slot, Value, place
from symbackprop.ir.dims import ZERO, Dim

__all__ = ["Block", "define", "results_of"]


@dataclass(frozen=True, eq=False)
class Block:
    """A whole program as one expression, in which the defined names are bound.

    Attributes:
        definitions: in order.
        others: outputs and labelled expressions.
    """

    definitions: tuple[Definition, ...]
    others: tuple[Any, ...]


def _parts_of_block(expr: Any) -> Parts:
    children: list[Any] = []
    sizes: list[Any] = []
    for definition in expr.definitions:
        children.append(definition.rhs)
        if definition.indices or definition.is_start:
            children.append(definition.lhs)
        elif isinstance(definition.lhs, (sp.MatrixSymbol, ArraySymbol)):
            sizes += definition.lhs.shape
    bound = {definition.leaf: None for definition in expr.definitions}
    return Parts(children=(*children, *expr.others), bound=tuple(bound.items()), sizes=tuple(sizes))


@binds(Block, parts=_parts_of_block)
def block(_ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Refuse a program as an operand; `define` translates its items."""
    raise UnsupportedExpressionError(message("a program inside an expression is not supported", where=describe(expr)))


def results_of(definitions: Sequence[Definition], scan: Scan) -> list[Definition]:
    """Return the last definition of every name that is not read after it, in order."""
    last = {definition.leaf: k for k, definition in enumerate(definitions)}
    read = {
        leaf
        for k, definition in enumerate(definitions)
        for leaf in scan.free(definition.rhs)
        if leaf in last and last[leaf] < k
    }
    return [d for k, d in enumerate(definitions) if last[d.leaf] == k and d.leaf not in read]


def define(ctx: Context, definitions: Sequence[Definition]) -> tuple[Scope, list[tuple[str, Value]]]:
    """Return what the names stand for after the last definition, and (name, value) of every definition.

    A name that is defined again stands for the new value from then on.

    Raises:
        UnsupportedExpressionError: a name is read before it is defined.
        ShapeError: the sides of a definition have different shapes.
    """
    scope: dict[Any, Value] = {}
    first = {definition.leaf: k for k, definition in reversed(list(enumerate(definitions)))}
    named: list[tuple[str, Value]] = []
    for item in grouped(definitions, ctx.scan):
        members = item.members if isinstance(item, Steps) else [item]
        own = {d.leaf for d in members} if isinstance(item, Steps) else set()
        for definition in members:
            for leaf in ctx.scan.free(definition.rhs):
                if leaf in first and leaf not in scope and leaf not in own:
                    missing = definitions[first[leaf]]
                    raise _too_early(definition, missing, missing is definition)
        if isinstance(item, Steps):
            made = carry_out(ctx, item, scope)
            scope |= made
            named += [(d.name, made[d.leaf]) for d in (*item.starts.values(), *members)]
            continue
        try:
            value = _checked(ctx, item, run(ctx, item.rhs, scope))
        except SymbackpropError as error:
            error.trail = (item.rhs, *error.trail[1:])
            raise
        scope[item.leaf] = value
        named.append((item.name, value))
    return scope, named


def _too_early(user: Definition, missing: Definition, same: bool) -> UnsupportedExpressionError:
    name = missing.name
    hint = (
        f"give the old value a name of its own, as in {name}_0"
        if same
        else f"define {name} first; cycles have no value"
    )
    return UnsupportedExpressionError(
        message(
            f"{name} is used before it is defined",
            where=describe(user.rhs),
            found=f"the definition of {user.name}",
            hint=hint,
        )
    )


def _checked(ctx: Context, definition: Definition, value: Value) -> Value:
    """Return the value as its name is read later.

    Raises:
        ShapeError: it has another shape than its name.
        UnsupportedExpressionError: it has free indices that its name has not.
    """
    free = [a for a in value.axes if isinstance(a, Index)]
    wanted = [ctx.indices.get(i) for i in definition.indices]
    unnamed = [a for a in free if a not in wanted]
    if unnamed:
        names = ", ".join(str(a.symbol) for a in unnamed)
        raise UnsupportedExpressionError(
            message(
                f"the definition of {definition.name} has the free index {names} on its right-hand side only",
                where=describe(definition.rhs),
                hint=f"write {definition.name}[{names}] on the left",
            )
        )
    if definition.loose:
        return value
    if definition.indices:
        return _array(ctx, definition, value)
    if isinstance(definition.lhs, sp.MatrixSymbol):
        expected = [ctx.sizes.dim(size) for size in definition.lhs.shape]
        found = [value.extent(ROW), value.extent(COL)]
        fits = found == expected and not any(isinstance(a, Slot) for a in value.axes)
    elif isinstance(definition.lhs, ArraySymbol):
        expected = [ctx.sizes.dim(size) for size in definition.lhs.shape]
        slots: Mapping[Axis, Dim] = {a: value.extent(a) for a in value.axes if isinstance(a, Slot)}
        found = [slots[a] for a in sorted(slots, key=lambda a: a.position if isinstance(a, Slot) else 0)]
        fits = found == expected and not value.is_matrix
    else:
        expected, found = [], []
        fits = not value.is_matrix and not any(isinstance(a, Slot) for a in value.axes)
    if not fits:
        sizes = ctx.sizes
        raise ShapeError(
            message(
                f"the sides of the definition of {definition.name} have different shapes",
                where=describe(definition.rhs),
                expected=sizes.shape_text(expected) or "a scalar",
                found=ctx.shape_text(value) or f"a scalar {kind_name(definition.rhs)}",
                hint=None if expected else "make the left-hand side a MatrixSymbol of that shape",
            )
        )
    return value


def _array(ctx: Context, definition: Definition, value: Value) -> Value:
    """Return the array that `y[i, j] = value` defines: what varies over i and j, and is repeated where it does not."""
    value = ctx.scalar(value, definition.rhs)
    running: list[Index] = []
    for position in definition.indices:
        index = ctx.indices.get(position)
        if index is None or index.low != ZERO:
            raise UnsupportedExpressionError(
                message(
                    f"the definition of {definition.name} does not cover it",
                    where=describe(definition.lhs),
                    expected=f"{position} to run from 0 over the whole axis",
                    found="a number" if index is None else f"{position} from {ctx.sizes.text(index.low)}",
                )
            )
        running.append(index)
    declared = definition.leaf.shape
    if declared is not None and [ctx.sizes.dim(size) for size in declared] != [index.count for index in running]:
        raise ShapeError(
            message(
                f"the definition of {definition.name} does not cover it",
                where=describe(definition.lhs),
                expected=ctx.sizes.shape_text([ctx.sizes.dim(size) for size in declared]),
                found=ctx.sizes.shape_text([index.count for index in running]),
            )
        )
    carried = [a for a in value.axes if isinstance(a, Batch)]
    sizes = [value.extent(a) for a in carried] + [index.count for index in running]
    node = place(value, [*carried, *running], sizes)
    return Value(node, (*carried, *(Slot(k) for k in range(len(running)))))
