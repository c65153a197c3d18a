"""Products of matrices: one contraction each, powers and inverses inside it, traces without the product."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Sequence
from typing import Any

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement
from sympy.matrices.expressions.special import GenericIdentity

from symbackprop.errors import ShapeError, UnsupportedExpressionError, message
from symbackprop.frontend.algebra import Factors, add
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe
from symbackprop.frontend.dispatch import Parts, Request, Scope, Steps, binds, operands
from symbackprop.frontend.indexed import address
from symbackprop.frontend.linear_algebra import check_square, inverted
from symbackprop.frontend.matrices import is_matrix, matrix_of, shape_of, unit_matrix
from symbackprop.frontend.scalars import power, product_factors
from symbackprop.frontend.value import COL, ROW, Axis, Side, Value, merge_axes, relabel
from symbackprop.ir.dims import ONE, Dim
from symbackprop.ops.contraction import contract

__all__: list[str] = []

#: Up to this exponent a power next to a vector is applied factor by factor.
_UNROLLED = 64

#: A factor as written, and its translation.
Factor = tuple[Any, Value]


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


def _number(ctx: Context, expr: Any, matrices: Sequence[Value]) -> Value:
    """Return a product that is 1x1; one that reads the same from both ends, as the square of half of it."""
    half = len(matrices) // 2
    mirrored = zip(matrices[:half], matrices[::-1], strict=False)
    if half > 1 and 2 * half == len(matrices) and all(a == relabel(b, {ROW: COL, COL: ROW}) for a, b in mirrored):
        right = chain(ctx, expr, matrices[half:])
        return chain(ctx, expr, [relabel(right, {ROW: COL}), right])
    return chain(ctx, expr, matrices)


def _taken_apart(ctx: Context, expr: Any, factors: Sequence[Factor]) -> tuple[Factors, list[Value]]:
    """Return the scalar factors of a matrix product, among them 1x1 matrices and 1x1 runs of factors, and its matrices.

    A run ends where the sizes of neighbours do not meet, as in `v.T*v*A`, which SymPy writes without parentheses.
    """
    numbers = [(e, v) for e, v in factors if not v.is_matrix]
    scalars = product_factors(ctx, [e for e, _ in numbers], [v for _, v in numbers])
    runs: list[list[Value]] = []
    for _, value in factors:
        if not value.is_matrix:
            continue
        if runs and runs[-1][-1].extent(COL) == value.extent(ROW):
            runs[-1].append(value)
        else:
            runs.append([value])
    matrices: list[Value] = []
    for run in runs:
        if run[0].extent(ROW) == run[-1].extent(COL) == ONE:
            scalars.numerators.append(_number(ctx, expr, run))
        else:
            matrices += run
    return scalars, matrices


def _factors(ctx: Context, args: Sequence[Any]) -> Generator[Request, Value, list[Factor]]:
    """Return the factors of a product; a power is taken apart where there is a vector that it can be applied to."""
    args = [a for a in args if not isinstance(a, GenericIdentity)]
    narrow = any(is_matrix(a) and 1 in a.shape for a in args)
    out: list[Factor] = []
    for arg in args:
        n = arg.args[1] if isinstance(arg, sp.MatPow) and not isinstance(arg, sp.Inverse) else None
        if not narrow or not isinstance(n, sp.Integer) or not 1 < abs(n.p) <= _UNROLLED:
            out.append((arg, ctx.real((yield arg))))
            continue
        base = ctx.real((yield arg.args[0]))
        check_square(ctx, arg, base)
        out += [(arg.args[0], base if n.p > 0 else inverted(ctx, arg, base))] * abs(int(n.p))
    return out


@binds(sp.MatMul)
def matrix_product(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the product of matrices and scalars; scalars scale the finished product."""
    scalars, matrices = _taken_apart(ctx, expr, (yield from _factors(ctx, expr.args)))
    if matrices:
        scalars.numerators.append(chain(ctx, expr, matrices))
    return scalars.product()


@binds(sp.DotProduct)
def dot_product(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the sum of products of two vectors, rows or columns.

    Raises:
        ShapeError: their lengths differ.
    """
    columns = [relabel(ctx.real(v), {COL: ROW}) for v in (yield from operands(expr.args))]
    return chain(ctx, expr, [relabel(columns[0], {ROW: COL}), columns[1]])


@binds(sp.Trace)
def trace(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return the sum of the diagonal; of a sum, term by term, and of a product, without forming the product.

    Raises:
        ShapeError: a term is not square, or not of the size of the first.
    """
    terms: list[Value] = []
    sizes: list[Dim] = []
    stack = [expr.args[0]]
    while stack:
        term = stack.pop()
        if isinstance(term, sp.MatAdd):
            stack.extend(reversed(term.args))
            continue
        if isinstance(term, sp.Transpose):
            stack.append(term.args[0])
            continue
        if isinstance(term, sp.MatMul):
            scalars, matrices = _taken_apart(ctx, expr, (yield from _factors(ctx, term.args)))
        elif isinstance(term, sp.MatPow) and isinstance(term.args[1], sp.Integer) and term.args[1].p > 1:
            base = ctx.real((yield term.args[0]))
            check_square(ctx, term, base)
            n = int(term.args[1].p)
            halves = [(term, _raised(ctx, term, base, k)) for k in (n - n // 2, n // 2)]
            scalars, matrices = _taken_apart(ctx, expr, halves)
        else:
            scalars, matrices = _taken_apart(ctx, expr, [(term, ctx.real((yield term)))])
        sizes.append(matrices[0].extent(ROW) if matrices else ONE)
        if matrices:
            scalars.numerators.append(chain(ctx, expr, matrices, closed=True))
        terms.append(scalars.product())
        if sizes[-1] != sizes[0]:
            first, here = (ctx.sizes.shape_text((s, s)) for s in (sizes[0], sizes[-1]))
            raise ShapeError(
                message("MatAdd of different shapes", where=describe(expr.args[0]), expected=first, found=here)
            )
    return add(terms, ctx.keep)


@binds(sp.MatPow)
def matrix_power(ctx: Context, expr: Any, _scope: Scope) -> Steps:
    """Return a power of a 1x1 matrix, or an integer power of a square one by repeated squaring.

    Raises:
        UnsupportedExpressionError: the exponent is no integer.
        ShapeError: the matrix is not square.
    """
    base = ctx.real((yield expr.args[0]))
    if not base.is_matrix:
        return power(ctx, expr.args[0], expr.args[1], base, ctx.scalar((yield expr.args[1]), expr))
    check_square(ctx, expr, base)
    n = expr.args[1]
    if not isinstance(n, sp.Integer):
        raise UnsupportedExpressionError(
            message("MatPow is supported for integer exponents only", where=describe(expr), found=f"exponent {n}")
        )
    if n.p == 0:
        return unit_matrix(ctx, base.extent(ROW))
    return _raised(ctx, expr, base if n.p > 0 else inverted(ctx, expr, base), abs(int(n.p)))


def _raised(ctx: Context, expr: Any, base: Value, exponent: int) -> Value:
    """Return a positive power of a square matrix by repeated squaring."""
    result: Value | None = None
    while exponent:
        if exponent & 1:
            result = base if result is None else chain(ctx, expr, [result, base])
        exponent >>= 1
        if exponent:
            base = chain(ctx, expr, [base, base])
    assert result is not None
    return result


def _parts_of_element(expr: Any) -> Parts:
    return Parts(children=(expr.args[0],), positions=tuple(expr.args[1:]), matrix=True)


@binds(MatrixElement, parts=_parts_of_element)
def matrix_element(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return one entry, or the entries at running indices or integer data; of a product, without forming it."""
    whole, row, col = expr.args
    if not isinstance(whole, sp.MatMul):
        return (yield from address(ctx, (yield whole), {ROW: row, COL: col}, scope, expr))
    scalars, matrices = _taken_apart(ctx, whole, (yield from _factors(ctx, whole.args)))
    if len(matrices) > 1:
        chain(ctx, whole, matrices)
        first = yield from address(ctx, matrices[0], {ROW: row}, scope, expr)
        last = yield from address(ctx, matrices[-1], {COL: col}, scope, expr)
        product = chain(ctx, whole, [first, *matrices[1:-1], last])
    else:
        value = matrices[0] if matrices else matrix_of(ctx, 1.0, 1, 1)
        product = yield from address(ctx, value, {ROW: row, COL: col}, scope, expr)
    scalars.numerators.append(product)
    return scalars.product()
