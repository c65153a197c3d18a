"""Matrix algebra over MatrixSymbols: sums, products, transposes, traces, entries, entrywise functions."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.matexpr import MatrixElement

from symbackprop.errors import ShapeError, UnsupportedExpressionError, message
from symbackprop.frontend.algebra import Factors, add, multiply
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.dispatch import Parts, Scope, Scoped, Steps, binds, operands
from symbackprop.frontend.indexed import address
from symbackprop.frontend.scalars import power, product_factors
from symbackprop.frontend.value import COL, ROW, Axis, Entry, Side, Value, align, merge_axes, place, relabel
from symbackprop.ir.dims import ONE, Dim
from symbackprop.ir.node import Node
from symbackprop.ir.types import AxisMap
from symbackprop.ops.contraction import contract
from symbackprop.ops.indexing import concatenate, scatter
from symbackprop.ops.layout import fill, spread

__all__ = ["matrix_of", "shape_of"]


def shape_of(value: Value) -> tuple[Dim, Dim]:
    """Return rows and columns."""
    return value.extent(ROW), value.extent(COL)


def _parts_of_symbol(expr: Any) -> Parts:
    return Parts(sizes=tuple(expr.args[1:]))


@binds(sp.MatrixSymbol, parts=_parts_of_symbol)
def matrix_symbol(ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Return an argument."""
    return ctx.arguments[expr]


def matrix_of(ctx: Context, entry: float, rows: Any, cols: Any) -> Value:
    """Return the matrix of the given shape with all entries equal."""
    shape = {ROW: ctx.sizes.dim(rows), COL: ctx.sizes.dim(cols)}
    axes: tuple[Axis, ...] = tuple(side for side, d in shape.items() if d != ONE)
    return Value(fill(entry, [d for d in shape.values() if d != ONE], ctx.dtype), axes)


def _parts_of_special(expr: Any) -> Parts:
    return Parts(sizes=tuple(expr.args))


@binds(sp.ZeroMatrix, sp.matrices.expressions.special.OneMatrix, parts=_parts_of_special)
def constant_matrix(ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Return zeros or ones."""
    return matrix_of(ctx, 0.0 if isinstance(expr, sp.ZeroMatrix) else 1.0, *expr.args)


@binds(sp.Identity, parts=_parts_of_special)
def identity(ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Return ones on the diagonal."""
    n = ctx.sizes.dim(expr.args[0])
    if n == ONE:
        return ctx.const(1.0)
    diagonal = (AxisMap((0,)), AxisMap((0,)))
    return Value(scatter([(fill(1.0, (n,), ctx.dtype), (), diagonal)], (n, n)), (ROW, COL))


def _check_same_shape(ctx: Context, expr: Any, values: Sequence[Value]) -> None:
    first = shape_of(values[0])
    for value in values[1:]:
        if shape_of(value) != first:
            raise ShapeError(
                message(
                    f"{kind_name(expr)} of different shapes",
                    where=describe(expr),
                    expected=ctx.sizes.shape_text(first),
                    found=ctx.sizes.shape_text(shape_of(value)),
                )
            )


@binds(sp.MatAdd, sp.HadamardProduct)
def entrywise(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the sum or the product of matrices entry by entry."""
    values = [ctx.real(v) for v in (yield from operands(expr.args))]
    if isinstance(expr, sp.MatAdd):
        _check_same_shape(ctx, expr, values)
        return add(values, ctx.keep)
    _check_same_shape(ctx, expr, [v for v, a in zip(values, expr.args, strict=True) if _is_matrix(a)])
    return multiply(values)


def _is_matrix(expr: Any) -> bool:
    return isinstance(expr, (sp.MatrixExpr, sp.MatrixBase))


@binds(sp.Transpose, sp.Adjoint)
def transpose(_ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the transpose: the same node, its axes renamed. Every entry is real, so the adjoint is the transpose."""
    return relabel((yield expr.args[0]), {ROW: COL, COL: ROW})


def chain(ctx: Context, expr: Any, matrices: Sequence[Value], *, closed: bool = False) -> Value:
    """Return the matrix product as one contraction; its trace when `closed`.

    Raises:
        ShapeError: the columns of a factor differ from the rows of the next.
    """
    ends = list(itertools.pairwise(matrices))
    if closed:
        ends.append((matrices[-1], matrices[0]))
    for left, right in ends:
        if left.extent(COL) != right.extent(ROW):
            sizes = ctx.sizes
            pair = f"{sizes.shape_text(shape_of(left))} and {sizes.shape_text(shape_of(right))}"
            raise ShapeError(
                message(
                    "Trace of a matrix that is not square" if closed and right is matrices[0] else f"MatMul of {pair}",
                    where=describe(expr),
                    expected=f"{sizes.text(left.extent(COL))} rows",
                    found=f"{sizes.text(right.extent(ROW))} rows",
                )
            )
    if len(matrices) == 1 and not closed:
        return matrices[0]
    labels: list[list[Any]] = []
    count = len(matrices)
    for k, value in enumerate(matrices):
        ends_at = 0 if closed and k == count - 1 else k + 1
        labels.append([("link", k) if a is ROW else ("link", ends_at) if a is COL else a for a in value.axes])
    free = [a for a in merge_axes(matrices) if not isinstance(a, Side)]
    axes: list[Axis] = list(free)
    out: list[Any] = list(free)
    if not closed:
        for side, value, link in ((ROW, matrices[0], 0), (COL, matrices[-1], count)):
            if side in value.axes:
                axes.append(side)
                out.append(("link", link))
    return Value(contract([v.node for v in matrices], labels, out), tuple(axes))


def _split(ctx: Context, args: Sequence[Any], values: Sequence[Value]) -> tuple[Factors, list[Value]]:
    """Return the scalar factors of a matrix product, among them 1x1 matrices, and its matrices."""
    scalars = [(a, v) for a, v in zip(args, values, strict=True) if not v.is_matrix]
    factors = product_factors(ctx, [a for a, _ in scalars], [v for _, v in scalars])
    return factors, [v for v in values if v.is_matrix]


@binds(sp.MatMul)
def matrix_product(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the product of matrices and scalars; scalars scale the finished product."""
    values = [ctx.real(v) for v in (yield from operands(expr.args))]
    factors, matrices = _split(ctx, expr.args, values)
    if matrices:
        factors.numerators.append(chain(ctx, expr, matrices))
    return factors.product()


@binds(sp.Trace)
def trace(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the sum of the diagonal; of a product, without forming the product."""
    args = expr.args[0].args if isinstance(expr.args[0], sp.MatMul) else expr.args
    values = [ctx.real(v) for v in (yield from operands(args))]
    factors, matrices = _split(ctx, args, values)
    if matrices:
        factors.numerators.append(chain(ctx, expr, matrices, closed=True))
    return factors.product()


@binds(sp.MatPow)
def matrix_power(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return a power of a 1x1 matrix, or a positive integer power of a square one by repeated squaring."""
    base = ctx.real((yield expr.args[0]))
    if not base.is_matrix:
        return power(ctx, expr.args[0], expr.args[1], base, ctx.scalar((yield expr.args[1]), expr))
    n = expr.args[1]
    if isinstance(expr, sp.Inverse):
        raise UnsupportedExpressionError(message("Inverse is not supported", where=describe(expr)))
    if not (isinstance(n, sp.Integer) and n.p >= 1):
        raise UnsupportedExpressionError(
            message(
                "MatPow is supported for positive integer exponents only", where=describe(expr), found=f"exponent {n}"
            )
        )
    result: Value | None = None
    exponent = int(n.p)
    while exponent:
        if exponent & 1:
            result = base if result is None else chain(ctx, expr, [result, base])
        exponent >>= 1
        if exponent:
            base = chain(ctx, expr, [base, base])
    assert result is not None
    return result


@binds(sp.HadamardPower)
def entrywise_power(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return every entry raised to a power."""
    base = ctx.real((yield expr.args[0]))
    exponent = ctx.real((yield expr.args[1]))
    return power(ctx, expr.args[0], expr.args[1], base, exponent)


def _parts_of_element(expr: Any) -> Parts:
    return Parts(children=(expr.args[0],), positions=tuple(expr.args[1:]), matrix=True)


@binds(MatrixElement, parts=_parts_of_element)
def matrix_element(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return one entry, or the entries at running indices or integer data."""
    value = yield expr.args[0]
    return (yield from address(ctx, value, {ROW: expr.args[1], COL: expr.args[2]}, scope, expr))


def _parts_of_applied(expr: Any) -> Parts:
    return Parts(children=(expr.function, expr.expr))


def _parts_of_lambda(expr: Any) -> Parts:
    return Parts(children=(expr.expr,), bound=tuple((v, None) for v in expr.variables))


@binds(sp.Lambda, parts=_parts_of_lambda)
def bare_lambda(_ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Refuse a function that is not applied."""
    raise UnsupportedExpressionError(message("Lambda that is not applied is not supported", where=describe(expr)))


@binds(ElementwiseApplyFunction, parts=_parts_of_applied)
def applied(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return a function of one argument applied to every entry.

    Inside the function the matrix axes are ordinary labels, so that its body is translated as scalars are.
    """
    value = ctx.real((yield expr.expr))
    level = max(ctx.level(expr, scope, Entry(side)) for side in Side)
    inside: dict[Axis, Axis] = {side: Entry(side, level) for side in Side}
    outside = {entry: side for side, entry in inside.items()}
    argument = relabel(value, inside)
    body = expr.function.expr
    result = ctx.scalar((yield Scoped(body, {**scope, expr.function.variables[0]: argument})), expr)
    missing = [a for a in argument.axes if isinstance(a, Entry) and a not in result.axes]
    if missing:
        nodes, axes = align([result, argument])
        result = Value(nodes[0], axes)
    return relabel(result, outside)


def _parts_of_blocks(expr: Any) -> Parts:
    return Parts(children=tuple(expr.blocks.flat()))


@binds(sp.BlockMatrix, parts=_parts_of_blocks)
def block_matrix(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return blocks laid side by side and one above the other."""
    rows, cols = expr.blocks.shape
    values = [ctx.real(v) for v in (yield from operands(ctx.scan.parts(expr).children))]
    bands = [_join(ctx, expr, values[r * cols : (r + 1) * cols], COL) for r in range(rows)]
    return _join(ctx, expr, bands, ROW)


def _join(ctx: Context, expr: Any, values: Sequence[Value], side: Side) -> Value:
    """Return blocks joined along `side`.

    Raises:
        ShapeError: their sizes along the other side differ.
    """
    if len(values) == 1:
        return values[0]
    other = COL if side is ROW else ROW
    for value in values[1:]:
        if value.extent(other) != values[0].extent(other):
            raise ShapeError(
                message(
                    "BlockMatrix of blocks that do not fit",
                    where=describe(expr),
                    expected=f"{ctx.sizes.text(values[0].extent(other))} {other.value}s",
                    found=f"{ctx.sizes.text(value.extent(other))} {other.value}s",
                )
            )
    axes = tuple(a for a in merge_axes(values) if a is not side)
    at = len(axes)
    size = {a: d for v in values for a, d in zip(v.axes, v.node.shape, strict=True)}
    nodes: list[Node] = []
    for value in values:
        full = (*axes, side) if side in value.axes else axes
        node = place(value, full, [value.extent(side) if a is side else size[a] for a in full])
        nodes.append(node if side in value.axes else spread(node, (*node.shape, ONE), range(at)))
    return Value(concatenate(nodes, at), (*axes, side))
