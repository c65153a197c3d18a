"""Dense linear algebra: inverse, linear systems, determinants and their logarithms, the cofactor matrix.

A matrix that LAPACK finds exactly singular, and one that holds nan or inf, give nan where there is no answer: inverse
and solution are all nan, as 0/0 is in every kernel, so that an untaken branch or one bad matrix of a batch harms
nothing else. No routine raises. Determinants of singular matrices are 0 and their logarithms -inf.

Derivatives after M. Giles, "An extended collection of matrix derivative results for forward and reverse mode
algorithmic differentiation" (2008). Operation counts take an elimination for n**3 (exactly 2/3 n**3).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from symbackprop.errors import ShapeError, message
from symbackprop.ir.dims import Dim, product
from symbackprop.ir.node import Node
from symbackprop.ir.registry import LIBRARY, LibraryPrimitive
from symbackprop.ops.contraction import contract, permute
from symbackprop.ops.external import dgetrf, dgetri, dgetrs, sgetrf, sgetri, sgetrs
from symbackprop.ops.layout import spread
from symbackprop.ops.linear_algebra_math import (
    cofactor_of,
    cofactor_slope_of,
    det_of,
    diagonalized,
    factored,
    inverse_of,
    invert,
    logabsdet_of,
    logdet_of,
    product_of_diagonal,
    products_without,
    scaled,
    solution_of,
)

__all__ = ["cofactor", "cofactor_slope", "det", "inverse", "logabsdet", "logdet", "solve", "transposed"]

Core = tuple[Dim, ...]
Cotangents = tuple[Node | None, ...]


def transposed(x: Node) -> Node:
    """Return a matrix, or a batch of them, with its last two axes exchanged."""
    return permute(x, (*range(x.rank - 2), x.rank - 1, x.rank - 2))


def _square(a: Core) -> Core:
    """Return the shape of a square matrix.

    Raises:
        ShapeError: it is not square.
    """
    if len(a) != 2 or a[0] != a[1]:
        raise ShapeError(message("a matrix is not square", found=" x ".join(map(str, a))))
    return a


def _no_axes(a: Core) -> Core:
    _square(a)
    return ()


def _right_side(a: Core, b: Core) -> Core:
    """Return the shape of the solution.

    Raises:
        ShapeError: the right side has another number of rows than the matrix.
    """
    if b[0] != _square(a)[0]:
        raise ShapeError(message("a right side does not fit its matrix", expected=f"{a[0]} rows", found=b[0]))
    return b


def _scaled(ct: Node, matrix: Node) -> Node:
    """Return each matrix of a batch times its number."""
    return spread(ct, matrix.shape, range(ct.rank)) * matrix


# --- the oracles ----------------------------------------------------------------------------------------------------


def _batched(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of matrices as one of batches of matrices."""

    def over_batch(a: Any, *rest: Any) -> Any:
        lead = a.shape[:-2]
        entries = [function(a[at], *(r[at] for r in rest)) for at in np.ndindex(*lead)]
        core = np.shape(entries[0]) if entries else (rest or (a,))[0].shape[len(lead) :]
        return np.reshape(np.array(entries), (*lead, *core)) if lead else entries[0]

    return over_batch


def _or_nan(function: Callable[..., Any], a: Any, *rest: Any, like: Any) -> Any:
    """Return a routine's result, nan in the shape of `like` where it has none."""
    if np.isfinite(a).all():
        with contextlib.suppress(np.linalg.LinAlgError):
            return function(a, *rest)
    return np.full_like(like, math.nan)


def _inverse(a: Any) -> Any:
    return _or_nan(np.linalg.inv, a, like=a)


def _solve(a: Any, b: Any) -> Any:
    right = np.reshape(b, (len(b), -1 if b.size else 0))
    finite = np.isfinite(right).all(axis=0)
    solution = _or_nan(np.linalg.solve, a, np.where(finite, right, 0.0), like=right)
    return np.reshape(np.where(finite, solution, np.asarray(math.nan, b.dtype)), b.shape)


def _signed_log(a: Any) -> tuple[float, float]:
    """Return the determinant's sign and the logarithm of its magnitude."""
    if not np.isfinite(a).all():
        return math.nan, math.nan
    sign, size = np.linalg.slogdet(a)
    return float(sign), float(size)


def _det(a: Any) -> Any:
    sign, size = _signed_log(a)
    return a.dtype.type(sign * np.exp(size))


def _logdet(a: Any) -> Any:
    sign, size = _signed_log(a)
    return a.dtype.type(size if sign >= 0.0 else math.nan)


def _logabsdet(a: Any) -> Any:
    return a.dtype.type(_signed_log(a)[1])


def _by_svd(a: Any) -> tuple[Any, Any, Any]:
    """Return (left, values, right) with a = left @ diag(values) @ right and the determinant of left @ right in left."""
    left, values, right = np.linalg.svd(a)
    return np.linalg.det(left) * np.linalg.det(right) * left, values, right


def _cofactors(a: Any) -> Any:
    if not np.isfinite(a).all():
        return np.full_like(a, math.nan)
    left, values, right = _by_svd(a)
    return (left * [np.prod(np.delete(values, i)) for i in range(len(values))]) @ right


def _cofactor_slope(a: Any, e: Any) -> Any:
    if not np.isfinite(a).all():
        return np.full_like(a, math.nan)
    left, values, right = _by_svd(a)
    n = len(values)
    others = np.array([[np.prod(np.delete(values, [i, j])) for j in range(n)] for i in range(n)]).reshape(n, n)
    others -= np.diag(np.diag(others))
    f = np.linalg.svd(a)[0].T @ e @ right.T
    return left @ (np.diag(others @ np.diag(f)) - others * f.T) @ right


FACTORED = (dgetrf, sgetrf, factored)
INVERTED = (*FACTORED, dgetri, sgetri, invert)
DETERMINANT = (*FACTORED, scaled, product_of_diagonal)

# --- the primitives -------------------------------------------------------------------------------------------------


def _declare(name: str, **facets: Any) -> LibraryPrimitive:
    LIBRARY[name] = LibraryPrimitive(name=name, **facets)
    return LIBRARY[name]


def _inverse_vjp(out: Node, ct: Node, _a: Node) -> Cotangents:
    """Cotangent -out.T @ ct @ out.T."""
    batch = [("batch", k) for k in range(out.rank - 2)]
    labels = [[*batch, "k", "i"], [*batch, "k", "l"], [*batch, "j", "l"]]
    return (-contract([out, ct, out], labels, [*batch, "i", "j"]),)


inverse = _declare(
    "inverse",
    ranks=(2,),
    shape=_square,
    vjp=_inverse_vjp,
    numpy=_batched(_inverse),
    emit="inverse_of(x, y)",
    formula="inverse of {x}",
    helpers=(*INVERTED, inverse_of),
    flops=lambda a: 2 * a[0] * a[0] * a[0],
)


def _solve_vjp(out: Node, ct: Node, a: Node, _b: Node) -> Cotangents:
    """Cotangent of b: the solution s of a.T @ s = ct; of a: -s @ out.T."""
    s = solve(transposed(a), ct)
    batch = [("batch", k) for k in range(a.rank - 2)]
    columns = [("column", k) for k in range(out.rank - len(batch) - 1)]
    outer = contract([s, out], [[*batch, "i", *columns], [*batch, "j", *columns]], [*batch, "i", "j"])
    return (-outer, s)


solve: LibraryPrimitive = _declare(
    "solve",
    ranks=(2, None),
    shape=_right_side,
    vjp=_solve_vjp,
    numpy=_batched(_solve),
    emit="solution_of(x, y, z)",
    formula="solution of {x} @ {out} = {y}",
    helpers=(*FACTORED, dgetrs, sgetrs, solution_of),
    flops=lambda a, b: a[0] * a[0] * a[0] + 2 * a[0] * product(b),
)


def _elimination(a: Core) -> Dim:
    return a[0] * a[0] * a[0]


def _det_vjp(_out: Node, ct: Node, a: Node) -> Cotangents:
    """Cotangent ct * cofactors, right at singular matrices too."""
    return (_scaled(ct, cofactor(a)),)


def _log_vjp(_out: Node, ct: Node, a: Node) -> Cotangents:
    """Cotangent ct * inv(a.T)."""
    return (_scaled(ct, inverse(transposed(a))),)


det: LibraryPrimitive = _declare(
    "det",
    ranks=(2,),
    shape=_no_axes,
    vjp=_det_vjp,
    numpy=_batched(_det),
    emit="det_of(x)",
    formula="determinant of {x}",
    helpers=(*DETERMINANT, det_of),
    flops=_elimination,
)

logdet = _declare(
    "logdet",
    ranks=(2,),
    shape=_no_axes,
    vjp=_log_vjp,
    numpy=_batched(_logdet),
    emit="logdet_of(x)",
    formula="log(determinant of {x})",
    helpers=(*DETERMINANT, logdet_of),
    flops=_elimination,
)

logabsdet = _declare(
    "logabsdet",
    ranks=(2,),
    shape=_no_axes,
    vjp=_log_vjp,
    numpy=_batched(_logabsdet),
    emit="logabsdet_of(x)",
    formula="log(abs(determinant of {x}))",
    helpers=(*DETERMINANT, logabsdet_of),
    flops=_elimination,
)


def _cofactor_vjp(_out: Node, ct: Node, a: Node) -> Cotangents:
    """Cotangent: the derivative of the cofactors along ct, for it is a second derivative, symmetric."""
    return (cofactor_slope(a, ct),)


cofactor: LibraryPrimitive = _declare(
    "cofactor",
    ranks=(2,),
    shape=_square,
    vjp=_cofactor_vjp,
    numpy=_batched(_cofactors),
    emit="cofactor_of(x, y)",
    formula="cofactors of {x}",
    helpers=(*INVERTED, *DETERMINANT[3:], diagonalized, products_without, cofactor_of),
    flops=lambda a: 3 * a[0] * a[0] * a[0],
)


def _two_matrices(a: Core, b: Core) -> Core:
    """Return the shape of a square matrix.

    Raises:
        ShapeError: it is not square, or the other matrix has another shape.
    """
    if b != _square(a):
        raise ShapeError(message("a direction does not fit its matrix", expected=f"{a[0]} x {a[1]}", found=b))
    return a


def _cofactor_slope_vjp(_out: Node, ct: Node, a: Node, e: Node) -> Cotangents:
    """Cotangent of e: the derivative of the cofactors along ct, by symmetry. Of a: from inverses, the closed form.

    With b = inv(a).T, p = b ct.T b and q = b e.T b it is det(a) * (b * (<b, ct> <b, e> - <q, ct>) - <b, e> p
    - <b, ct> q + q ct.T b + p e.T b): third derivatives of a determinant are nan at singular matrices.
    """
    batch = [("batch", k) for k in range(a.rank - 2)]
    b = inverse(transposed(a))

    def chained(*factors: Node) -> Node:
        """Return first @ second.T @ third."""
        labels = [[*batch, "i", "k"], [*batch, "l", "k"], [*batch, "l", "j"]]
        return contract(list(factors), labels, [*batch, "i", "j"])

    def inner(x: Node, y: Node) -> Node:
        return contract([x, y], [[*batch, "i", "j"]] * 2, batch)

    p, q = chained(b, ct, b), chained(b, e, b)
    along_ct, along_e = inner(b, ct), inner(b, e)
    total = _scaled(along_ct * along_e - inner(q, ct), b) - _scaled(along_e, p) - _scaled(along_ct, q)
    return (_scaled(det(a), total + chained(q, ct, b) + chained(p, e, b)), cofactor_slope(a, ct))


cofactor_slope: LibraryPrimitive = _declare(
    "cofactor_slope",
    ranks=(2, 2),
    shape=_two_matrices,
    vjp=_cofactor_slope_vjp,
    numpy=_batched(_cofactor_slope),
    emit="cofactor_slope_of(x, y, z)",
    formula="derivative of the cofactors of {x} along {y}",
    helpers=(scaled, diagonalized, products_without, cofactor_slope_of),
    flops=lambda a, _: 16 * a[0] * a[0] * a[0],
)
