"""Cross entropy and one-hot vectors as SymPy expressions."""

from __future__ import annotations

from typing import Any

import sympy as sp

from symbackprop.errors import InputError, ShapeError, message
from symbackprop.frontend.describe import describe
from symbackprop.frontend.neural_scores import log_softmax, logsumexp

__all__ = ["cross_entropy", "one_hot"]


class cross_entropy(sp.Expr):  # type: ignore[misc]  # noqa: N801 - named as the function is written
    """logsumexp(z) - z[c]: the negative log of the probability that softmax(z) gives to class c.

    With a vector of probabilities in place of the label it is -sum(c*log_softmax(z)).
    """

    is_commutative = True

    def __new__(cls, z: Any, c: Any) -> Any:
        """Return the loss of the scores `z`, a column or row, for the label or the probabilities `c`.

        Args:
            z: MatrixExpr or Matrix of one column or row, or a list of scalars.
            c: integer symbol, entry of an integer IndexedBase, or number; or a vector of the shape of `z`.

        Raises:
            ShapeError: `z` is no vector, `c` has another shape, or a number lies outside the vector.
            InputError: `c` is neither an integer nor a vector.
        """
        z, c = _vector(z), _label(c)
        rows, cols = map(sp.sympify, z.shape)
        if not isinstance(c, (sp.MatrixExpr, sp.MatrixBase)):
            count = rows if cols == 1 else cols
            if c.is_Integer and (c < 0 or (count.is_Integer and c >= count)):
                raise ShapeError(
                    message(
                        "the label of cross_entropy lies outside the scores",
                        where=describe(z),
                        expected=f"0 to {count - 1}",
                        found=str(c),
                    )
                )
            if isinstance(z, sp.MatrixBase) and c.is_Integer:
                return logsumexp(*(score - z[int(c)] for score in z.flat()))
            return sp.Expr.__new__(cls, z, c)
        if z.shape != c.shape:
            raise ShapeError(
                message(
                    "cross_entropy of scores and probabilities of different shapes",
                    where=describe(z),
                    expected=f"{z.shape[0]} x {z.shape[1]}",
                    found=f"{c.shape[0]} x {c.shape[1]}",
                )
            )
        if isinstance(z, sp.MatrixBase) and isinstance(c, sp.MatrixBase):
            return -sp.Add(*(p * q for p, q in zip(c.flat(), log_softmax(z).flat(), strict=True)))
        return sp.Expr.__new__(cls, z, c)

    @property
    def is_soft(self) -> bool:
        """Whether the target is a vector of probabilities."""
        return isinstance(self.args[1], (sp.MatrixExpr, sp.MatrixBase))

    def _eval_derivative(self, s: Any) -> Any:
        return sp.Derivative(self, s, evaluate=False) if s in self.free_symbols else sp.S.Zero

    def _eval_rewrite_as_logsumexp(self, z: Any, c: Any, **_: Any) -> Any:
        if self.is_soft:
            return self
        return logsumexp(z) - (z[c, 0] if z.shape[1] == 1 else z[0, c])

    def _latex(self, printer: Any, exp: Any = None) -> str:
        power = "" if exp is None else f"^{{{exp}}}"
        z, c = map(printer._print, self.args)  # noqa: SLF001 - SymPy's protocol
        return rf"\operatorname{{cross\_entropy}}{power}\left({z}, {c}\right)"

    def _eval_is_extended_real(self) -> Any:
        return None


def _vector(z: Any) -> Any:
    """Return the scores as a matrix of one column or row.

    Raises:
        ShapeError: they are none.
        InputError: they are no matrix at all.
    """
    z = sp.ImmutableMatrix(list(z)) if isinstance(z, (list, tuple, sp.Tuple)) else z
    if not isinstance(z, (sp.MatrixExpr, sp.MatrixBase)):
        raise InputError(message("cross_entropy needs a vector of scores", found=repr(z)[:100]))
    if 1 not in (z.shape[0], z.shape[1]):
        raise ShapeError(
            message(
                "cross_entropy of a matrix that is no vector",
                where=describe(z),
                found=f"shape {z.shape[0]} x {z.shape[1]}",
                hint='write the loss of one example and compile it with batch={...: "N"}',
            )
        )
    return z.as_immutable() if isinstance(z, sp.MatrixBase) else z


def _label(c: Any) -> Any:
    """Return a label or a vector of probabilities.

    Raises:
        InputError: it is neither.
    """
    c = sp.ImmutableMatrix(list(c)) if isinstance(c, (list, tuple, sp.Tuple)) else sp.sympify(c)
    if isinstance(c, sp.MatrixBase):
        return c.as_immutable()
    if not isinstance(c, sp.MatrixExpr) and (c.is_integer is False or not isinstance(c, sp.Expr)):
        raise InputError(message("the label is not an integer", expected="an integer symbol or number", found=str(c)))
    return c


class one_hot(sp.MatrixExpr):  # type: ignore[misc]  # noqa: N801 - named as the function is written
    """The column of n entries that is 1 at the integer c and 0 elsewhere."""

    def __new__(cls, c: Any, n: Any) -> Any:
        """Return the vector for the label `c` among `n`.

        Raises:
            InputError: `c` is no integer.
            ShapeError: `c` and `n` are numbers and `c` lies outside 0 ... n - 1.
        """
        c, n = _label(c), sp.sympify(n)
        if isinstance(c, (sp.MatrixExpr, sp.MatrixBase)):
            raise InputError(message("the label of one_hot is a matrix", expected="an integer symbol or number"))
        if c.is_Integer and (c < 0 or (n.is_Integer and c >= n)):
            raise ShapeError(
                message("the label of one_hot lies outside the vector", expected=f"0 to {n - 1}", found=str(c))
            )
        return sp.MatrixExpr.__new__(cls, c, n)

    @property
    def shape(self) -> Any:
        """(n, 1)."""
        return (self.args[1], sp.S.One)

    def _entry(self, i: Any, _j: Any, **_options: Any) -> Any:
        return sp.KroneckerDelta(self.args[0], i)

    def _latex(self, printer: Any) -> str:
        return rf"\operatorname{{one\_hot}}\left({', '.join(map(printer._print, self.args))}\right)"  # noqa: SLF001
