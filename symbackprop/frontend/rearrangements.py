"""Matrices whose entries are those of others, put elsewhere: diagonals, slices, permutations, Kronecker products."""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.matrices.expressions.permutation import MatrixPermute, PermutationMatrix
from sympy.matrices.expressions.slice import MatrixSlice
from sympy.matrices.sparse import SparseRepMatrix

from symbackprop.errors import ShapeError, UnsupportedExpressionError, message
from symbackprop.frontend.algebra import multiply
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.dispatch import Parts, Scope, Scoped, Steps, binds, operands
from symbackprop.frontend.value import COL, ROW, Axis, Index, Side, Value, align, place, relabel
from symbackprop.ir.dims import ONE, ZERO, Dim, product
from symbackprop.ir.types import AxisMap
from symbackprop.ops.contraction import contract
from symbackprop.ops.indexing import Piece, gather, scatter
from symbackprop.ops.layout import fill

__all__: list[str] = []

_SIDES = (ROW, COL)


def _lead(value: Value) -> tuple[Axis, ...]:
    return tuple(a for a in value.axes if not isinstance(a, Side))


def _maps(count: int) -> list[AxisMap]:
    return [AxisMap((k,)) for k in range(count)]


# --- diagonals ------------------------------------------------------------------------------------------------------


def _on_diagonal(vector: Value) -> Value:
    """Return the diagonal matrix of a column."""
    if not vector.is_matrix:
        return vector
    lead = _lead(vector)
    node = place(vector, (*lead, ROW), [vector.extent(a) for a in (*lead, ROW)])
    k = len(lead)
    spec = [*_maps(k), AxisMap((k,)), AxisMap((k,))]
    return Value(scatter([(node, (), spec)], (*node.shape, node.shape[-1])), (*lead, ROW, COL))


def _diagonal(ctx: Context, expr: Any, value: Value) -> Value:
    """Return the diagonal of a matrix as a column.

    Raises:
        UnsupportedExpressionError: neither side is known to be the shorter.
    """
    rows, cols = value.extent(ROW), value.extent(COL)
    if rows == cols:
        axes = tuple(dict.fromkeys(ROW if a is COL else a for a in value.axes))
        return Value(contract([value.node], [[ROW if a is COL else a for a in value.axes]], axes), axes)
    gap = cols - rows
    if not all(c > 0 for _, c in gap.terms) and not all(c < 0 for _, c in gap.terms):
        raise UnsupportedExpressionError(
            message(
                f"{kind_name(expr)} of a matrix with sides that cannot be compared",
                where=describe(expr),
                found=ctx.sizes.shape_text((rows, cols)),
                hint="take a square slice first",
            )
        )
    length = rows if all(c > 0 for _, c in gap.terms) else cols
    lead = _lead(value)
    axes = (*lead, ROW) if length != ONE else lead
    spec = [
        AxisMap((lead.index(a),)) if a in lead else AxisMap((len(lead),) if length != ONE else ()) for a in value.axes
    ]
    return Value(gather(value.node, (), spec, [value.extent(a) if a in lead else length for a in axes]), axes)


@binds(sp.DiagMatrix)
def diag_matrix(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the diagonal matrix of a vector, row or column."""
    return _on_diagonal(relabel(ctx.real((yield expr.args[0])), {COL: ROW}))


@binds(sp.DiagonalMatrix)
def diagonal_matrix(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return a square matrix without its entries off the diagonal."""
    value = ctx.real((yield expr.args[0]))
    if value.extent(ROW) != value.extent(COL):
        found = ctx.sizes.shape_text((value.extent(ROW), value.extent(COL)))
        raise ShapeError(message("DiagonalMatrix of a matrix that is not square", where=describe(expr), found=found))
    return _on_diagonal(_diagonal(ctx, expr, value))


@binds(sp.DiagonalOf)
def diagonal_of(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the diagonal as a column."""
    return _diagonal(ctx, expr, ctx.real((yield expr.args[0])))


# --- slices ---------------------------------------------------------------------------------------------------------


def _parts_of_slice(expr: Any) -> Parts:
    return Parts(children=(expr.parent,), sizes=tuple(x for triple in (expr.rowslice, expr.colslice) for x in triple))


@binds(MatrixSlice, parts=_parts_of_slice)
def matrix_slice(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return a block of rows and columns, every so many of them.

    Raises:
        ShapeError: it leaves the matrix.
        UnsupportedExpressionError: how many there are is no polynomial in the sizes.
    """
    value = yield expr.parent
    spec: dict[Axis, AxisMap] = {}
    kept: dict[Axis, Dim] = {a: value.extent(a) for a in _lead(value)}
    for side, triple in zip(_SIDES, (expr.rowslice, expr.colslice), strict=True):
        start, step, count = _selected(ctx, expr, triple)
        last = start + (count - 1) * step
        room = value.extent(side) - 1 - last
        if (room.is_const and room.value < 0 and count != ZERO) or (start.is_const and start.value < 0):
            raise ShapeError(
                message(
                    "MatrixSlice leaves its matrix",
                    where=describe(expr),
                    expected=f"{side.value}s from 0 to {ctx.sizes.text(value.extent(side) - 1)}",
                    found=f"{ctx.sizes.text(start)} to {ctx.sizes.text(last)}",
                )
            )
        if count != ONE:
            kept[side] = count
        spec[side] = AxisMap((len(kept) - 1,), (step,), start) if count != ONE else AxisMap(offset=start)
    maps = [spec.get(a) or AxisMap((list(kept).index(a),)) for a in value.axes]
    return Value(gather(value.node, (), maps, list(kept.values())), tuple(kept))


def _selected(ctx: Context, expr: Any, triple: Any) -> tuple[Dim, Dim, Dim]:
    """Return the first position, the step, and the number of positions of a slice."""
    low, high = ctx.sizes.dim(triple[0]), ctx.sizes.dim(triple[1])
    step, length = triple[2], high - low
    symbolic = {m: c for m, c in length.terms if m}
    if not isinstance(step, sp.Integer) or step.p < 1 or any(c % step.p for c in symbolic.values()):
        hint = "write the matrix with a number of rows (columns) that is a multiple of the step, as 2*k"
        raise UnsupportedExpressionError(
            message("MatrixSlice with this step is not supported", where=describe(expr), found=triple, hint=hint)
        )
    stride, constant = int(step.p), (length - Dim(symbolic)).value
    # Rounded up: the last step may reach beyond the end.
    return low, Dim.of(stride), Dim({m: c // stride for m, c in symbolic.items()}) - (-constant // stride)


# --- permutations ---------------------------------------------------------------------------------------------------


def _no_parts(_expr: Any) -> Parts:
    return Parts()


@binds(PermutationMatrix, parts=_no_parts)
def permutation_matrix(ctx: Context, expr: Any, _scope: Scope) -> Value:
    """Return the matrix with a one in row i and column p(i)."""
    order = expr.args[0].array_form
    size = Dim.of(len(order))
    if size == ONE:
        return ctx.const(1.0)
    one = ctx.const(1.0).node
    pieces: list[Piece] = [
        (one, (), [AxisMap(offset=Dim.of(i)), AxisMap(offset=Dim.of(int(p)))]) for i, p in enumerate(order)
    ]
    return Value(scatter(pieces, (size, size)), _SIDES)


def _parts_of_permuted(expr: Any) -> Parts:
    return Parts(children=(expr.args[0],))


@binds(MatrixPermute, parts=_parts_of_permuted)
def permuted(_ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return a matrix with its rows (axis 0) or columns (axis 1) in another order: row i is row p(i) of the old one."""
    value = yield expr.args[0]
    order = expr.args[1].array_form
    side = _SIDES[int(expr.args[2])]
    if side not in value.axes:
        return value
    at = value.axes.index(side)
    rest = [d for k, d in enumerate(value.node.shape) if k != at]
    pieces: list[Piece] = []
    for i, p in enumerate(order):
        spec = _maps(len(rest))
        row = gather(value.node, (), [*spec[:at], AxisMap(offset=Dim.of(int(p))), *spec[at:]], rest)
        pieces.append((row, (), [*spec[:at], AxisMap(offset=Dim.of(i)), *spec[at:]]))
    return Value(scatter(pieces, value.node.shape, disjoint=True), value.axes)


# --- Kronecker products ---------------------------------------------------------------------------------------------


@binds(sp.KroneckerProduct)
def kronecker_product(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the Kronecker product: entry (i*p + k, j*q + l) is A[i, j] * B[k, l] for a p x q matrix B."""
    values = [ctx.real(v) for v in (yield from operands(expr.args))]
    result = values[0]
    for value in values[1:]:
        result = _kronecker(result, value)
    return result


def _kronecker(left: Value, right: Value) -> Value:
    if not left.is_matrix or not right.is_matrix:
        return multiply([left, right])
    outer: dict[Axis, Any] = {side: ("left", side) for side in _SIDES}
    inner: dict[Axis, Any] = {side: ("right", side) for side in _SIDES}
    lead = tuple(dict.fromkeys((*_lead(left), *_lead(right))))
    both: list[Any] = list(lead)
    groups: list[list[int]] = []
    sides: list[Side] = []
    for side in _SIDES:
        names = [names[side] for names, v in ((outer, left), (inner, right)) if side in v.axes]
        if names:
            groups.append(list(range(len(both), len(both) + len(names))))
            sides.append(side)
            both += names
    labels = [[names.get(a, a) for a in v.axes] for names, v in ((outer, left), (inner, right))]
    node = contract([left.node, right.node], labels, both)
    spec = _maps(len(lead))
    shape = list(node.shape[: len(lead)])
    for group in groups:
        sizes = [node.shape[k] for k in group]
        spec.append(AxisMap(tuple(group), tuple(product(sizes[k + 1 :]) for k in range(len(group)))))
        shape.append(product(sizes))
    return Value(scatter([(node, (), spec)], shape, disjoint=True), (*lead, *sides))


# --- entries by formula ---------------------------------------------------------------------------------------------


def _parts_of_function(expr: Any) -> Parts:
    rows, cols, function = expr.args
    limits = [(sp.S.Zero, n - 1) for n in (rows, cols)]
    bound = tuple(zip(function.variables, limits, strict=True))
    return Parts(children=(function.expr,), bound=bound, sizes=(rows, cols))


@binds(sp.FunctionMatrix, parts=_parts_of_function)
def function_matrix(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return the matrix whose entry (i, j) is a function of i and j."""
    rows, cols, function = expr.args
    inner = dict(scope)
    names: dict[Axis, Axis] = {}
    size: dict[Axis, Dim] = {}
    for symbol, n, side in zip(function.variables, (rows, cols), _SIDES, strict=True):
        index = Index(symbol, ZERO, ctx.sizes.dim(n))
        index = Index(symbol, ZERO, index.count, ctx.level(expr, scope, index))
        inner[symbol], names[index], size[side] = index, side, index.count
    value = relabel(ctx.scalar((yield Scoped(function.expr, inner)), expr), names)
    unit = [a for a in value.axes if size.get(a) == ONE]
    if unit:
        axes = tuple(a for a in value.axes if a not in unit)
        value = Value(contract([value.node], [value.axes], axes), axes)
    sides = tuple(side for side in _SIDES if size[side] != ONE)
    full = Value(fill(0.0, [size[side] for side in sides], ctx.dtype), sides)
    nodes, axes = align([value, full])
    return Value(nodes[0], axes)


def _parts_of_sparse(expr: Any) -> Parts:
    return Parts(children=tuple(value for _, value in _stored(expr)))


def _stored(expr: Any) -> list[tuple[tuple[int, int], Any]]:
    return sorted(((int(i), int(j)), value) for (i, j), value in expr.todok().items())


@binds(SparseRepMatrix, parts=_parts_of_sparse)
def sparse_matrix(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the matrix of the entries that are not zero."""
    places = [at for at, _ in _stored(expr)]
    values = [ctx.scalar(v, expr) for v in (yield from operands(ctx.scan.parts(expr).children))]
    size = {ROW: Dim.of(int(expr.rows)), COL: Dim.of(int(expr.cols))}
    kept = [k for k, side in enumerate(_SIDES) if size[side] != ONE]
    sides = tuple(_SIDES[k] for k in kept)
    if not values or not kept:
        return values[0] if values else Value(fill(0.0, [size[s] for s in sides], ctx.dtype), sides)
    nodes, lead = align(values)
    pieces: list[Piece] = [
        (node, (), [*_maps(len(lead)), *(AxisMap(offset=Dim.of(at[k])) for k in kept)])
        for node, at in zip(nodes, places, strict=True)
    ]
    shape = [*nodes[0].shape, *(size[s] for s in sides)]
    return Value(scatter(pieces, shape), (*lead, *sides))
