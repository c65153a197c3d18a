"""Dense linear algebra: inverse, linear systems, determinants and their logarithms, the cofactor matrix.

A matrix that LAPACK finds exactly singular, and one that holds nan or inf, give nan where there is no answer: inverse
and solution are all nan, as 0/0 is in every kernel, so that an untaken branch or one bad matrix of a batch harms
nothing else. No routine raises. Determinants of singular matrices are 0 and their logarithms -inf.

Derivatives after M. Giles, "An extended collection of matrix derivative results for forward and reverse mode
algorithmic differentiation" (2008). Operation counts take an elimination for n**3 (exactly 2/3 n**3).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from symbackprop.errors import ShapeError, message
from symbackprop.ir.dims import Dim, product
from symbackprop.ir.node import Node
from symbackprop.ir.registry import LIBRARY, LibraryPrimitive
from symbackprop.ops.contraction import contract, permute
from symbackprop.ops.layout import spread

__all__ = ["cofactor", "det", "inverse", "logabsdet", "logdet", "solve", "transposed"]

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


# --- what generated modules call; plain Python that numba compiles --------------------------------------------------


def inverse_of(a: Any) -> Any:
    """Return the inverse of a square matrix; all nan if it is singular or holds nan or inf."""
    if not np.isfinite(a).all():
        return np.full_like(a, math.nan)
    try:
        return np.linalg.inv(a)
    except Exception:  # noqa: BLE001 - numba knows no other
        return np.full_like(a, math.nan)


def solution_of(a: Any, b: Any) -> Any:
    """Return the x with a @ x = b: all nan if a is singular or holds nan or inf; if b does, those columns of x."""
    result = np.full(b.shape, math.nan, b.dtype)
    if not np.isfinite(a).all():
        return result
    finite = b.copy()
    entries, results = finite.reshape(b.size), result.reshape(b.size)
    for k in range(b.size):
        entries[k] = entries[k] if math.isfinite(entries[k]) else 0.0
    try:
        result[...] = np.linalg.solve(a, finite)
    except Exception:  # noqa: BLE001 - numba knows no other
        return result
    given = b.copy().reshape(b.size)
    for k in range(b.size):
        if not math.isfinite(given[k]):
            columns = b.size // a.shape[0]
            results[k % columns :: columns] = math.nan
    return result


def signed_log_of_det(a: Any) -> Any:
    """Return the determinant's sign and the logarithm of its magnitude; both nan if there is nan or inf in a."""
    if not np.isfinite(a).all():
        return math.nan, math.nan
    sign, size = np.linalg.slogdet(a)
    return float(sign), float(size)


def det_of(a: Any) -> Any:
    """Return the determinant of a square matrix."""
    sign, size = signed_log_of_det(a)
    return sign * np.exp(size)


def logdet_of(a: Any) -> Any:
    """Return the logarithm of the determinant: -inf where that is 0, nan where it is negative."""
    sign, size = signed_log_of_det(a)
    return size if sign >= 0.0 else math.nan


def logabsdet_of(a: Any) -> Any:
    """Return the logarithm of the determinant's magnitude: -inf where it is 0."""
    return signed_log_of_det(a)[1]


def cofactor_of(a: Any) -> Any:
    """Return the cofactor matrix, the derivative of the determinant: det(a) * inv(a).T, by the SVD if a is singular.

    The determinant multiplies as two square roots, so that neither over- nor underflow spoils a product in range.
    """
    sign, size = signed_log_of_det(a)
    root = np.exp(size * 0.5)
    result = np.empty_like(a)
    result[...] = inverse_of(a).T * (sign * root) * root
    if np.isfinite(result).all() or math.isnan(sign):
        return result
    left, values, right = np.linalg.svd(a)
    turn = signed_log_of_det(left)[0] * signed_log_of_det(right)[0]
    others = np.empty_like(values)
    for i in range(values.size):
        others[i] = turn * np.prod(values[:i]) * np.prod(values[i + 1 :])
    result[...] = (left * others) @ right
    return result


# --- the oracles ----------------------------------------------------------------------------------------------------


def _batched(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of matrices as one of batches of matrices."""

    def over_batch(a: Any, *rest: Any) -> Any:
        lead = a.shape[:-2]
        entries = [function(a[at], *(r[at] for r in rest)) for at in np.ndindex(*lead)]
        core = np.shape(entries[0]) if entries else (rest or (a,))[0].shape[len(lead) :]
        return np.reshape(np.array(entries), (*lead, *core)) if lead else entries[0]

    return over_batch


def _solve(a: Any, b: Any) -> Any:
    return np.reshape(solution_of(a, np.reshape(b, (len(b), -1 if b.size else 0))), b.shape)


def _cofactors_by_svd(a: Any) -> Any:
    if not np.isfinite(a).all():
        return np.full_like(a, np.nan)
    left, values, right = np.linalg.svd(a)
    others = [np.prod(np.delete(values, i)) for i in range(len(values))]
    return np.linalg.det(left) * np.linalg.det(right) * (left * others) @ right


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
    numpy=_batched(inverse_of),
    emit="inverse_of(x)",
    formula="inverse of {x}",
    helpers=(inverse_of,),
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
    emit="solution_of(x, y)",
    formula="solution of {x} @ {out} = {y}",
    helpers=(solution_of,),
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
    numpy=_batched(det_of),
    emit="det_of(x)",
    formula="determinant of {x}",
    helpers=(signed_log_of_det, det_of),
    flops=_elimination,
)

logdet = _declare(
    "logdet",
    ranks=(2,),
    shape=_no_axes,
    vjp=_log_vjp,
    numpy=_batched(logdet_of),
    emit="logdet_of(x)",
    formula="log(determinant of {x})",
    helpers=(signed_log_of_det, logdet_of),
    flops=_elimination,
)

logabsdet = _declare(
    "logabsdet",
    ranks=(2,),
    shape=_no_axes,
    vjp=_log_vjp,
    numpy=_batched(logabsdet_of),
    emit="logabsdet_of(x)",
    formula="log(abs(determinant of {x}))",
    helpers=(signed_log_of_det, logabsdet_of),
    flops=_elimination,
)


def _cofactor_vjp(out: Node, ct: Node, a: Node) -> Cotangents:
    """Cotangent (out * <ct, out> - out @ ct.T @ out) / det(a): nan at singular matrices, right everywhere else."""
    batch = [("batch", k) for k in range(out.rank - 2)]
    inner = contract([ct, out], [[*batch, "i", "j"]] * 2, batch)
    labels = [[*batch, "i", "k"], [*batch, "l", "k"], [*batch, "l", "j"]]
    rest = _scaled(inner, out) - contract([out, ct, out], labels, [*batch, "i", "j"])
    return (rest / spread(det(a), rest.shape, range(len(batch))),)


cofactor: LibraryPrimitive = _declare(
    "cofactor",
    ranks=(2,),
    shape=_square,
    vjp=_cofactor_vjp,
    numpy=_batched(_cofactors_by_svd),
    emit="cofactor_of(x)",
    formula="cofactors of {x}",
    helpers=(inverse_of, signed_log_of_det, cofactor_of),
    flops=lambda a: 3 * a[0] * a[0] * a[0],
)
