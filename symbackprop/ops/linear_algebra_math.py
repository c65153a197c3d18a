"""What generated modules call for dense linear algebra: plain Python that numba compiles quickly.

Every routine but the determinants fills its last argument. Entries are copied one by one: an assignment of array to
array would make numba compile the text of its error message, which takes longer than all of this module. Likewise
`np.linalg.solve` is slow to compile, and so LAPACK is called by address. Matrices are stored row by row, which LAPACK
reads as their transposes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from symbackprop.ops.external import dgetrf, dgetri, dgetrs, sgetrf, sgetri, sgetrs

__all__ = [
    "cofactor_of",
    "cofactor_slope_of",
    "det_of",
    "diagonalized",
    "factored",
    "inverse_of",
    "invert",
    "logabsdet_of",
    "logdet_of",
    "product_of_diagonal",
    "products_without",
    "scaled",
    "solution_of",
]


def factored(a: Any, lu: Any, rows: Any) -> Any:
    """Fill `lu` with the triangular factors of a.T, column by column, and `rows` with LAPACK's exchanges of rows.

    Returns the sign of the permutation; 0 if a pivot is 0, nan if there is nan or inf in a.
    """
    n = a.shape[0]
    for i in range(n):
        for j in range(n):
            lu[i, j] = a[i, j]
            if not math.isfinite(a[i, j]):
                return math.nan
    if n == 0:
        return 1.0
    size = np.full(1, n, np.int32)
    info = np.zeros(1, np.int32)
    if lu.itemsize == 8:
        dgetrf(size.ctypes, size.ctypes, lu.ctypes, size.ctypes, rows.ctypes, info.ctypes)
    else:
        sgetrf(size.ctypes, size.ctypes, lu.ctypes, size.ctypes, rows.ctypes, info.ctypes)
    sign = 1.0 if info[0] == 0 else 0.0
    for i in range(n):
        if rows[i] != i + 1:
            sign = -sign
    return sign


def invert(lu: Any, rows: Any) -> None:
    """Overwrite what `factored` made of a regular matrix with the inverse of that matrix."""
    n = lu.shape[0]
    size = np.full(1, n, np.int32)
    info = np.zeros(1, np.int32)
    work = np.empty(64 * n, lu.dtype)
    room = np.full(1, 64 * n, np.int32)
    if lu.itemsize == 8:
        dgetri(size.ctypes, lu.ctypes, size.ctypes, rows.ctypes, work.ctypes, room.ctypes, info.ctypes)
    else:
        sgetri(size.ctypes, lu.ctypes, size.ctypes, rows.ctypes, work.ctypes, room.ctypes, info.ctypes)


def inverse_of(a: Any, out: Any) -> None:
    """Fill `out` with the inverse of a square matrix; with nan if it is singular or holds nan or inf."""
    rows = np.empty(a.shape[0], np.int32)
    sign = factored(a, out, rows)
    if sign == 0.0 or math.isnan(sign):
        out[...] = math.nan
    elif out.size > 0:
        invert(out, rows)


def solution_of(a: Any, b: Any, out: Any) -> None:
    """Fill `out` with the x of a @ x = b: with nan if a is singular or holds nan or inf; columns of b with them too."""
    n = a.shape[0]
    lu = np.empty((n, n), out.dtype)
    rows = np.empty(n, np.int32)
    sign = factored(a, lu, rows)
    if sign == 0.0 or math.isnan(sign):
        out[...] = math.nan
        return
    columns = b.size // max(n, 1)
    right = np.ascontiguousarray(b).reshape((n, columns))
    result = out.reshape((n, columns))
    x = np.empty((columns, n), out.dtype)
    for j in range(columns):
        finite = True
        for i in range(n):
            finite = finite and math.isfinite(right[i, j])
        for i in range(n):
            x[j, i] = right[i, j] if finite else math.nan
    if x.size == 0:
        return
    size = np.full(1, n, np.int32)
    count = np.full(1, columns, np.int32)
    info = np.zeros(1, np.int32)
    letter_t = np.full(1, 84, np.int8)
    flag = letter_t.ctypes
    order = size.ctypes
    if lu.itemsize == 8:
        dgetrs(flag, order, count.ctypes, lu.ctypes, order, rows.ctypes, x.ctypes, order, info.ctypes)
    else:
        sgetrs(flag, order, count.ctypes, lu.ctypes, order, rows.ctypes, x.ctypes, order, info.ctypes)
    for i in range(n):
        for j in range(columns):
            result[i, j] = x[j, i]


def scaled(x: Any, exponent: Any) -> Any:
    """Return x * 2**exponent, in steps that over- and underflow only where the result does."""
    exponent = min(max(exponent, -2400), 2400)
    third = exponent // 3
    step = math.ldexp(1.0, third)
    return x * step * step * math.ldexp(1.0, exponent - 2 * third)


def product_of_diagonal(matrix: Any, start: Any) -> Any:
    """Return `start` times the product of the diagonal as (size, exponent): size * 2**exponent."""
    size = float(start)
    exponent = 0
    for i in range(matrix.shape[0]):
        size, shift = math.frexp(size * float(matrix[i, i]))
        exponent += shift
    return size, exponent


def det_of(a: Any) -> Any:
    """Return the determinant of a square matrix."""
    n = a.shape[0]
    lu = np.empty((n, n), a.dtype)
    rows = np.empty(n, np.int32)
    size, exponent = product_of_diagonal(lu, factored(a, lu, rows))
    return scaled(size, exponent)


def logabsdet_of(a: Any) -> Any:
    """Return the logarithm of the determinant's magnitude: -inf where it is 0."""
    n = a.shape[0]
    lu = np.empty((n, n), a.dtype)
    rows = np.empty(n, np.int32)
    size, exponent = product_of_diagonal(lu, factored(a, lu, rows))
    if size == 0.0:
        return -math.inf
    if abs(exponent) < 1000:
        return math.log(abs(scaled(size, exponent)))
    return math.log(abs(size)) + exponent * math.log(2.0)


def logdet_of(a: Any) -> Any:
    """Return the logarithm of the determinant: -inf where that is 0, nan where it is negative."""
    n = a.shape[0]
    lu = np.empty((n, n), a.dtype)
    rows = np.empty(n, np.int32)
    size, exponent = product_of_diagonal(lu, factored(a, lu, rows))
    if size == 0.0:
        return -math.inf
    if not size > 0.0:
        return math.nan
    if abs(exponent) < 1000:
        return math.log(scaled(size, exponent))
    return math.log(size) + exponent * math.log(2.0)


def diagonalized(a: Any, left: Any, right: Any, middle: Any) -> Any:
    """Fill two matrices and a vector such that left @ a @ right.T is diag(middle), by complete pivoting.

    Returns the determinant of left and right alike, which is 1 or -1. Works for singular matrices too: their zeros come
    last in `middle`.
    """
    n = a.shape[0]
    rest = np.empty((n, n), a.dtype)
    for i in range(n):
        middle[i] = 0.0
        for j in range(n):
            rest[i, j] = a[i, j]
            left[i, j] = right[i, j] = 1.0 if i == j else 0.0
    sign = 1.0
    for k in range(n):
        row = column = k
        for i in range(k, n):
            for j in range(k, n):
                if abs(rest[i, j]) > abs(rest[row, column]):
                    row, column = i, j
        if rest[row, column] == 0.0:
            break
        sign = sign if (row == k) == (column == k) else -sign
        for j in range(n):
            rest[k, j], rest[row, j] = rest[row, j], rest[k, j]
            left[k, j], left[row, j] = left[row, j], left[k, j]
        for j in range(n):
            rest[j, k], rest[j, column] = rest[j, column], rest[j, k]
            right[k, j], right[column, j] = right[column, j], right[k, j]
        middle[k] = rest[k, k]
        for i in range(k + 1, n):
            down = rest[i, k] / rest[k, k]
            across = rest[k, i] / rest[k, k]
            for j in range(k + 1, n):
                rest[i, j] -= down * rest[k, j]
            for j in range(n):
                left[i, j] -= down * left[k, j]
                right[i, j] -= across * right[k, j]
    return sign


def products_without(values: Any, out: Any) -> None:
    """Fill out[i, j] with the product of all values but numbers i and j; no quotient of a zero, no early overflow."""
    n = values.size
    sizes = np.empty(n, np.float64)
    exponents = np.empty(n, np.int64)
    zeros = exponent = 0
    size = 1.0
    for i in range(n):
        zeros += values[i] == 0.0
        sizes[i], exponents[i] = math.frexp(float(values[i]) if values[i] != 0.0 else 1.0)
        size, shift = math.frexp(size * sizes[i])
        exponent += exponents[i] + shift
    for i in range(n):
        for j in range(n):
            left_out = sizes[i]
            power = exponent - exponents[i]
            others = zeros - (values[i] == 0.0)
            if i != j:
                left_out *= sizes[j]
                power -= exponents[j]
                others -= values[j] == 0.0
            out[i, j] = scaled(size / left_out, power) if others == 0 else 0.0


def cofactor_of(a: Any, out: Any) -> None:
    """Fill `out` with the cofactor matrix, the derivative of the determinant: det(a) * inv(a).T.

    Where a is singular, or its inverse overflows, from left @ a @ right.T = diag(d): the cofactors are then
    left.T @ diag(product of the other d) @ right, up to the sign.
    """
    n = a.shape[0]
    held = np.empty((n, n), out.dtype)
    rows = np.empty(n, np.int32)
    sign = factored(a, held, rows)
    if math.isnan(sign):
        out[...] = math.nan
        return
    if sign != 0.0 and n > 0:
        size, exponent = product_of_diagonal(held, sign)
        invert(held, rows)
        finite = True
        for i in range(n):
            for j in range(n):
                out[i, j] = scaled(size * held[j, i], exponent)
                finite = finite and math.isfinite(out[i, j])
        if finite:
            return
    left = np.empty((n, n), out.dtype)
    right = np.empty((n, n), out.dtype)
    middle = np.empty(n, out.dtype)
    sign = diagonalized(a, left, right, middle)
    products_without(middle, held)
    out[...] = 0.0
    for k in range(n):
        for i in range(n):
            factor = sign * held[k, k] * left[k, i]
            for j in range(n):
                out[i, j] += factor * right[k, j]


def cofactor_slope_of(a: Any, e: Any, out: Any) -> None:
    """Fill `out` with the derivative of the cofactor matrix of a along e, at singular matrices too.

    With left @ a @ right.T = diag(d) and f = left @ e @ right.T it is left.T @ m @ right up to the sign, where p[i, j]
    is the product of all d but two, m[i, j] = -p[i, j] * f[j, i], and m[i, i] the sum of the other p[i, k] * f[k, k].
    """
    n = a.shape[0]
    for i in range(n):
        for j in range(n):
            if not math.isfinite(a[i, j]):
                out[...] = math.nan
                return
    left = np.empty((n, n), out.dtype)
    right = np.empty((n, n), out.dtype)
    middle = np.empty(n, out.dtype)
    sign = diagonalized(a, left, right, middle)
    others = np.empty((n, n), out.dtype)
    f = np.empty((n, n), out.dtype)
    m = np.empty((n, n), out.dtype)
    np.dot(left, e, m)
    np.dot(m, right.T, f)
    products_without(middle, others)
    for i in range(n):
        m[i, i] = 0.0
        for j in range(n):
            if i != j:
                m[i, j] = -sign * others[i, j] * f[j, i]
                m[i, i] += sign * others[i, j] * f[j, j]
    np.dot(left.T, m, f)
    np.dot(f, right, out)
