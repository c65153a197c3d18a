"""The smooth activation functions: sigmoid, softplus, silu and gelu."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp
from sympy.codegen.cfunctions import log1p

from symbackprop.errors import InputError, message
from symbackprop.frontend.neural_functions import Activation

__all__ = ["gelu", "gelu_tanh", "sigmoid", "silu", "softplus"]

#: The coefficient of the cube in gelu's tanh approximation.
CUBIC = sp.Rational("0.044715")


class sigmoid(Activation):  # noqa: N801 - named as the function is written
    """1/(1 + exp(-x))."""

    nargs = 1
    head = r"\sigma"

    @staticmethod
    def at_number(x: Any, *_: Any) -> Any:
        """Return 1/2 at 0, and the limits."""
        return {sp.S.Zero: sp.S.Half, sp.oo: sp.S.One, -sp.oo: sp.S.Zero}.get(x)

    def elementary(self) -> Any:
        """Return 1/(1 + exp(-x)), which is right where exp overflows to infinity."""
        return 1 / (1 + sp.exp(-self.args[0]))

    def _slopes(self) -> tuple[Callable[[], Any], ...]:
        x = self.args[0]
        return (lambda: sigmoid(x) * sigmoid(-x),)

    def _eval_rewrite_as_exp(self, x: Any, **_: Any) -> Any:
        return 1 / (1 + sp.exp(-x))

    def _eval_rewrite_as_tanh(self, x: Any, **_: Any) -> Any:
        return (1 + sp.tanh(x / 2)) / 2

    def _eval_is_extended_positive(self) -> Any:
        return True if self.args[0].is_real else None

    def _eval_is_positive(self) -> Any:
        return True if self.args[0].is_real else None


class softplus(Activation):  # noqa: N801 - named as the function is written
    """log(1 + exp(x))."""

    nargs = 1

    @staticmethod
    def at_number(x: Any, *_: Any) -> Any:
        """Return log(2) at 0, and the limits."""
        return {sp.S.Zero: sp.log(2), sp.oo: sp.oo, -sp.oo: sp.S.Zero}.get(x)

    def elementary(self) -> Any:
        """Return the form whose exponential never overflows."""
        x = self.args[0]
        return sp.Max(x, 0) + log1p(sp.exp(-sp.Max(x, -x)))

    def _slopes(self) -> tuple[Callable[[], Any], ...]:
        return (lambda: sigmoid(self.args[0]),)

    def _eval_rewrite_as_exp(self, x: Any, **_: Any) -> Any:
        return sp.log(1 + sp.exp(x))

    _eval_rewrite_as_log = _eval_rewrite_as_exp

    def _eval_is_extended_positive(self) -> Any:
        return True if self.args[0].is_real else None

    def _eval_is_positive(self) -> Any:
        return True if self.args[0].is_real else None


class silu(Activation):  # noqa: N801 - named as the function is written
    """x*sigmoid(x), also called swish."""

    nargs = 1

    @staticmethod
    def at_number(x: Any, *_: Any) -> Any:
        """Return 0 at 0, and the limits."""
        return {sp.S.Zero: sp.S.Zero, sp.oo: sp.oo, -sp.oo: sp.S.Zero}.get(x)

    def elementary(self) -> Any:
        """Return x/(1 + exp(-x))."""
        x = self.args[0]
        return x / (1 + sp.exp(-x))

    def _slopes(self) -> tuple[Callable[[], Any], ...]:
        x = self.args[0]
        return (lambda: sigmoid(x) * (1 + x * sigmoid(-x)),)

    def _eval_rewrite_as_exp(self, x: Any, **_: Any) -> Any:
        return x / (1 + sp.exp(-x))

    def _eval_rewrite_as_tanh(self, x: Any, **_: Any) -> Any:
        return x * (1 + sp.tanh(x / 2)) / 2

    def _eval_rewrite_as_sigmoid(self, x: Any, **_: Any) -> Any:
        return x * sigmoid(x)


class gelu(Activation):  # noqa: N801 - named as the function is written
    """x times the normal distribution function of x; `gelu(x, approximate="tanh")` is the usual approximation."""

    nargs = 1

    def __new__(cls, x: Any, approximate: str = "none", **options: Any) -> Any:
        """Return the exact function, or `gelu_tanh` for `approximate="tanh"`.

        Raises:
            InputError: `approximate` is neither "none" nor "tanh", or as for every activation.
        """
        if approximate not in {"none", "tanh"}:
            raise InputError(
                message("gelu has no such approximation", expected='"none" or "tanh"', found=repr(approximate))
            )
        return gelu_tanh(x, **options) if approximate == "tanh" else super().__new__(cls, x, **options)

    @staticmethod
    def at_number(x: Any, *_: Any) -> Any:
        """Return 0 at 0, and the limits."""
        return silu.at_number(x)

    def elementary(self) -> Any:
        """Return x*erfc(-x/sqrt(2))/2, which keeps the left tail."""
        return self._eval_rewrite_as_erfc(self.args[0])

    def _slopes(self) -> tuple[Callable[[], Any], ...]:
        x = self.args[0]
        return (lambda: _tail(x) / 2 + x * sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi),)

    def _eval_rewrite_as_erf(self, x: Any, **_: Any) -> Any:
        return x * (1 + sp.erf(x / sp.sqrt(2))) / 2

    def _eval_rewrite_as_erfc(self, x: Any, **_: Any) -> Any:
        return x * _tail(x) / 2


class gelu_tanh(Activation):  # noqa: N801 - named as the function is written
    """x*(1 + tanh(u))/2 with u = sqrt(2/pi)*(x + 0.044715*x**3): the approximation of gelu that many models use."""

    nargs = 1

    @staticmethod
    def at_number(x: Any, *_: Any) -> Any:
        """Return 0 at 0, and the limits."""
        return silu.at_number(x)

    def elementary(self) -> Any:
        """Return x/(1 + exp(-2*u)), which keeps the left tail."""
        return self._eval_rewrite_as_exp(self.args[0])

    def _slopes(self) -> tuple[Callable[[], Any], ...]:
        x = self.args[0]
        z = 2 * _inner(x)
        slope = 2 * sp.sqrt(2 / sp.pi) * (1 + 3 * CUBIC * x**2)
        return (lambda: sigmoid(z) * (1 + x * slope * sigmoid(-z)),)

    def _eval_rewrite_as_exp(self, x: Any, **_: Any) -> Any:
        return x / (1 + sp.exp(-2 * _inner(x)))

    def _eval_rewrite_as_tanh(self, x: Any, **_: Any) -> Any:
        return x * (1 + sp.tanh(_inner(x))) / 2

    def _eval_rewrite_as_sigmoid(self, x: Any, **_: Any) -> Any:
        return x * sigmoid(2 * _inner(x))


def _tail(x: Any) -> Any:
    """Return erfc(-x/sqrt(2)), kept from becoming 2 - erfc(x/sqrt(2)), which cancels in the left tail."""
    return sp.erfc(-x / sp.sqrt(2), evaluate=False)


def _inner(x: Any) -> Any:
    """Return what the tanh approximation takes the hyperbolic tangent of."""
    return sp.sqrt(2 / sp.pi) * (x + CUBIC * x**3)
