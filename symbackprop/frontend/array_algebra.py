"""Array algebra: ArraySymbols, and products, contractions, diagonals, permutations, sums, maps and reshapes of arrays.

A matrix is an operand like any other: its rows and columns are the slots 0 and 1, also where their size is 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp
from sympy.tensor.array.array_derivatives import ArrayDerivative
from sympy.tensor.array.expressions import (
    ArrayAdd,
    ArrayContraction,
    ArrayDiagonal,
    ArrayElement,
    ArrayElementwiseApplyFunc,
    ArraySymbol,
    ArrayTensorProduct,
    OneArray,
    PermuteDims,
    Reshape,
    ZeroArray,
)

from symbackprop.errors import ShapeError, UnsupportedExpressionError, message
from symbackprop.frontend.algebra import add
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.dispatch import Parts, Scope, Scoped, Steps, binds, operands
from symbackprop.frontend.indexed import address
from symbackprop.frontend.leaves import leaf_of
from symbackprop.frontend.refusals import hint_for
from symbackprop.frontend.value import COL, ROW, Axis, Index, Slot, Value, align, relabel
from symbackprop.ir.dims import ONE, ZERO, Dim, product
from symbackprop.ir.node import Node
from symbackprop.ir.types import AxisMap
from symbackprop.ops.contraction import contract
from symbackprop.ops.indexing import gather, scatter
from symbackprop.ops.layout import fill, spread

__all__ = ["array_value"]

#: A group of axes that become another group of axes: (source axes, result axes).
Group = tuple[list[int], list[int]]


def array_value(ctx: Context, value: Value, expr: Any) -> tuple[Value, list[Dim]]:
    """Return the translation of `expr` as an array of real numbers, axes in slots, and its shape."""
    value = ctx.real(value)
    if isinstance(expr, (sp.MatrixExpr, sp.MatrixBase)):
        value = relabel(value, {ROW: Slot(0), COL: Slot(1)})
        for slot in (Slot(0), Slot(1)):
            if slot not in value.axes:
                node = spread(value.node, (*value.node.shape, ONE), range(value.node.rank))
                value = Value(node, (*value.axes, slot))
    slots = sorted((a for a in value.axes if isinstance(a, Slot)), key=lambda slot: slot.position)
    return value, [value.extent(slot) for slot in slots]


def _carried(value: Value) -> list[Axis]:
    return [a for a in value.axes if not isinstance(a, Slot)]


def _in_order(value: Value, rank: int) -> Value:
    """Return the value with its slots last, in order."""
    axes = (*_carried(value), *(Slot(k) for k in range(rank)))
    return value if value.axes == axes else Value(contract([value.node], [value.axes], axes), axes)


def _parts_of_symbol(expr: Any) -> Parts:
    return Parts(leaf=leaf_of(expr), sizes=tuple(expr.shape))


@binds(ArraySymbol, parts=_parts_of_symbol)
def array_symbol(ctx: Context, expr: Any, scope: Scope) -> Value:
    """Return an argument, or a named intermediate."""
    return ctx.leaf(leaf_of(expr), scope)


def _parts_of_element(expr: Any) -> Parts:
    """Return an entry of an argument as an indexed array, so that its indices have the ranges that it gives them."""
    array, positions = expr.args[0], tuple(expr.args[1])
    if isinstance(array, (ArraySymbol, sp.Symbol)):
        base = sp.IndexedBase(array) if isinstance(array, sp.Symbol) else leaf_of(array)
        return Parts(children=(sp.Indexed(base, *positions),))
    return Parts(children=(array,), positions=positions)


@binds(ArrayElement, parts=_parts_of_element)
def array_element(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return one entry, or the entries at running indices or integer data."""
    child = ctx.scan.parts(expr).children[0]
    value = yield child
    if isinstance(child, sp.Indexed):
        return value
    array, shape = array_value(ctx, value, child)
    positions = tuple(expr.args[1])
    if len(positions) != len(shape):
        raise ShapeError(
            message(
                "an array entry with the wrong number of indices",
                where=describe(expr),
                expected=f"{len(shape)} indices",
                found=f"{len(positions)} indices",
            )
        )
    at: dict[Axis, Any] = {Slot(k): position for k, position in enumerate(positions)}
    return (yield from address(ctx, array, at, scope, expr))


def _parts_of_constant(expr: Any) -> Parts:
    return Parts(sizes=tuple(expr.shape))


@binds(ZeroArray, OneArray, parts=_parts_of_constant)
def constant_array(ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Return zeros or ones."""
    shape = [ctx.sizes.dim(size) for size in expr.shape]
    entry = 0.0 if isinstance(expr, ZeroArray) else 1.0
    return Value(fill(entry, shape, ctx.dtype), tuple(Slot(k) for k in range(len(shape))))


def _layers(expr: Any) -> tuple[list[Any], tuple[Any, ...]]:
    """Return the diagonals and permutations between `expr` and the product it is made of, innermost first; its factors.

    An inner contraction is a factor: its value may be needed elsewhere, and a product of sums is cheaper than a sum of
    products.
    """
    layers = [expr]
    inner = expr.expr
    while isinstance(inner, (PermuteDims, ArrayDiagonal)):
        layers.append(inner)
        inner = inner.expr
    return layers[::-1], tuple(inner.args) if isinstance(inner, ArrayTensorProduct) else (inner,)


def _parts_of_product(expr: Any) -> Parts:
    return Parts(children=expr.args if isinstance(expr, ArrayTensorProduct) else _layers(expr)[1])


@binds(ArrayTensorProduct, ArrayContraction, ArrayDiagonal, PermuteDims, parts=_parts_of_product)
def array_product(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return a tensor product with the axes that it contracts, takes the diagonal of and permutes, as one einsum.

    Axes of a diagonal come last, in the order of the diagonals.
    """
    layers, factors = ([], expr.args) if isinstance(expr, ArrayTensorProduct) else _layers(expr)
    values = yield from operands(factors)
    product_ = _Product(ctx, expr)
    for value, factor in zip(values, factors, strict=True):
        product_.factor(*array_value(ctx, value, factor))
    for layer in layers:
        if isinstance(layer, PermuteDims):
            product_.out = [product_.out[layer.permutation(k)] for k in range(len(product_.out))]
        elif isinstance(layer, ArrayContraction):
            product_.join(layer.contraction_indices, keep=False)
        else:
            product_.join(layer.diagonal_indices, keep=True)
    return product_.value()


class _Product:
    """An einsum in the making: a union of labels, and the labels of the result."""

    def __init__(self, ctx: Context, expr: Any) -> None:
        self.ctx, self.expr = ctx, expr
        self.factors: list[tuple[Value, int]] = []
        self.out: list[int] = []
        self.size: dict[int, Dim] = {}
        self.merged: dict[int, int] = {}

    def factor(self, value: Value, shape: Sequence[Dim]) -> None:
        """Multiply by `value`, whose slots become further axes."""
        start = len(self.size)
        self.factors.append((value, start))
        labels = range(start, start + len(shape))
        self.size.update(zip(labels, shape, strict=True))
        self.out += labels

    def join(self, groups: Sequence[Sequence[Any]], *, keep: bool) -> None:
        """Let axes of one group run together; groups are summed over, or come last if `keep`.

        Raises:
            ShapeError: their sizes differ.
        """
        kept: list[int] = []
        gone: set[int] = set()
        for group in groups:
            first, *rest = [self.out[int(k)] for k in group]
            for label in rest:
                if self.size[label] != self.size[first]:
                    raise ShapeError(
                        message(
                            f"{kind_name(self.expr)} over axes of different sizes",
                            where=describe(self.expr),
                            expected=self.ctx.sizes.text(self.size[first]),
                            found=self.ctx.sizes.text(self.size[label]),
                        )
                    )
                self.merged[label] = first
            gone.update((first, *rest))
            kept.append(first)
        self.out = [label for label in self.out if label not in gone] + (kept if keep else [])

    def _label(self, label: int) -> int:
        while label in self.merged:
            label = self.merged[label]
        return label

    def value(self) -> Value:
        """Return the finished einsum."""
        labels = [
            [self._label(start + a.position) if isinstance(a, Slot) else a for a in value.axes]
            for value, start in self.factors
        ]
        carried = list(dict.fromkeys(a for value, _ in self.factors for a in _carried(value)))
        out = [*carried, *map(self._label, self.out)]
        axes = (*carried, *(Slot(k) for k in range(len(self.out))))
        nodes = [value.node for value, _ in self.factors]
        return Value(nodes[0] if len(nodes) == 1 and labels[0] == out else contract(nodes, labels, out), axes)


@binds(ArrayAdd)
def array_sum(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the sum of arrays entry by entry."""
    values = yield from operands(expr.args)
    arrays = [array_value(ctx, value, arg) for value, arg in zip(values, expr.args, strict=True)]
    for _, shape in arrays[1:]:
        if shape != arrays[0][1]:
            raise ShapeError(
                message(
                    "ArrayAdd of different shapes",
                    where=describe(expr),
                    expected=ctx.sizes.shape_text(arrays[0][1]),
                    found=ctx.sizes.shape_text(shape),
                )
            )
    return add([value for value, _ in arrays], ctx.keep)


def _parts_of_applied(expr: Any) -> Parts:
    return Parts(children=(expr.function, expr.expr))


@binds(ArrayElementwiseApplyFunc, parts=_parts_of_applied)
def applied_to_array(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return a function of one argument applied to every entry.

    Inside the function the slots are running indices, so that its body is translated as scalars are.
    """
    value, shape = array_value(ctx, (yield expr.expr), expr.expr)
    inside: dict[Axis, Axis] = {}
    for k, size in enumerate(shape):
        running = Index(Slot(k), ZERO, size)
        inside[Slot(k)] = Index(Slot(k), ZERO, size, ctx.level(expr, scope, running))
    argument = relabel(value, inside)
    result = ctx.scalar((yield Scoped(expr.function.expr, {**scope, expr.function.variables[0]: argument})), expr)
    nodes, axes = align([result, argument])
    outside = {running: slot for slot, running in inside.items()}
    return _in_order(relabel(Value(nodes[0], axes), outside), len(shape))


def _parts_of_reshape(expr: Any) -> Parts:
    return Parts(children=(expr.expr,), sizes=tuple(expr.shape))


@binds(Reshape, parts=_parts_of_reshape)
def reshape(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the entries in row-major order in another shape.

    Raises:
        ShapeError: the shapes have different numbers of entries.
    """
    value, shape = array_value(ctx, (yield expr.expr), expr.expr)
    target = [ctx.sizes.dim(size) for size in expr.shape]
    if product(shape) != product(target):
        raise ShapeError(
            message(
                "Reshape to another number of entries",
                where=describe(expr),
                expected=ctx.sizes.text(product(shape)),
                found=f"{ctx.sizes.shape_text(target)} entries",
            )
        )
    value = _in_order(value, len(shape))
    carried = _carried(value)
    node = _reshaped(value.node, len(carried), shape, target)
    return Value(node, (*carried, *(Slot(k) for k in range(len(target)))))


def _groups(source: Sequence[Dim], target: Sequence[Dim]) -> list[Group]:
    """Return the smallest runs of source axes that hold the same entries as a run of target axes."""
    groups: list[Group] = []
    start, at = [0, 0], [0, 0]
    shapes = (source, target)
    while at[0] < len(source) and at[1] < len(target):
        # Sizes have no order when they are symbols: the next cut is the first pair of equal products.
        cuts = {product(source[start[0] : k]): k for k in range(len(source), start[0], -1)}
        ends = ((cuts.get(product(target[start[1] : k])), k) for k in range(start[1] + 1, len(target) + 1))
        at = next([i, j] for i, j in ends if i is not None)
        groups.append((list(range(start[0], at[0])), list(range(start[1], at[1]))))
        start = list(at)
    rest = [list(range(at[k], len(shapes[k]))) for k in (0, 1)]
    if rest[0] or rest[1]:
        last = groups.pop() if groups else ([], [])
        groups.append((last[0] + rest[0], last[1] + rest[1]))
    return groups


def _row_major(axes: Sequence[int], sizes: Sequence[Dim], lead: int) -> AxisMap:
    """Return where the entries of some axes lie when these are laid out in a row."""
    strides = [product(sizes[a] for a in axes[k + 1 :]) for k in range(len(axes))]
    return AxisMap(tuple(lead + a for a in axes), tuple(strides))


def _reshaped(node: Node, lead: int, source: Sequence[Dim], target: Sequence[Dim]) -> Node:
    """Return the node with its axes from `lead` on merged by one scatter and split by one gather, where needed."""
    groups = _groups(source, target)
    before, after = node.shape[:lead], [AxisMap((k,)) for k in range(lead)]
    merged = [product(source[a] for a in old) for old, _ in groups]
    if any(len(old) != 1 for old, _ in groups):
        spec = [*after, *(_row_major(old, source, lead) for old, _ in groups)]
        node = scatter([(node, (), spec)], (*before, *merged), disjoint=True)
    if any(len(new) != 1 for _, new in groups):
        spec = [*after, *(_row_major(new, target, lead) for _, new in groups)]
        node = gather(node, (), spec, (*before, *target))
    return node


def _no_parts(_expr: Any) -> Parts:
    return Parts()


@binds(ArrayDerivative, parts=_no_parts)
def array_derivative(_ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Refuse a derivative that SymPy left as an array."""
    raise UnsupportedExpressionError(
        message("ArrayDerivative is not supported", where=describe(expr), hint=hint_for(type(expr)))
    )
