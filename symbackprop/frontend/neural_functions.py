"""Activation functions as SymPy functions, the base class and those with a kink.

They have values, derivatives, other forms, numbers to any precision, and printing.

Each takes a scalar, or a matrix or array, which it is applied to entry by entry. Every argument is read as real.
Derivatives at kinks are the minimum-norm subgradient: the number nearest to 0 between the slopes on both sides.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import sympy as sp
from sympy.codegen.cfunctions import expm1
from sympy.core.function import ArgumentIndexError
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction

from symbackprop.errors import InputError, message

__all__ = [
    "SELU_ALPHA",
    "SELU_SCALE",
    "Activation",
    "elu",
    "hardtanh",
    "is_matrix",
    "leaky_relu",
    "number_of",
    "prelu",
    "relu",
    "rounded",
    "selu",
]

#: Numbers of at most this many nodes are evaluated where that gives an exact value.
_SMALL = 30
#: Bits beyond those asked for.
_GUARD = 30

#: The published constants of selu (Klambauer and others, "Self-normalizing neural networks", 2017).
SELU_ALPHA = sp.Rational("1.6732632423543772848170429916717")
SELU_SCALE = sp.Rational("1.0507009873554804934193349852946")


def number_of(x: Any) -> Any:
    """Return `x` if it is a real number or infinity of few nodes, else None; looks at no more nodes than that."""
    count, stack = 0, [x]
    while stack:
        node = stack.pop()
        count += 1
        if count > _SMALL or isinstance(node, (sp.Symbol, sp.MatrixExpr)):
            return None
        stack.extend(node.args)
    return x if x.is_number and x.is_extended_real else None


def rounded(form: Any, prec: int) -> Any:
    """Return a number in closed form as a Float of `prec` bits, None if it is none."""
    value = form._evalf(prec + _GUARD)  # noqa: SLF001 - SymPy's protocol
    return sp.Float(value, precision=prec) if isinstance(value, (sp.Float, sp.Rational)) else None


def nearest_to_zero(slope: Any) -> Any:
    """Return what is nearest to 0 between `slope` and 1."""
    return sp.Max(0, sp.Min(slope, 1))


def is_matrix(x: Any) -> bool:
    """Whether `x` is a matrix or an array of any kind."""
    return isinstance(x, (sp.MatrixExpr, sp.MatrixBase, sp.NDimArray))


class Activation(sp.Function):  # type: ignore[misc]  # SymPy is untyped
    """A real function of one argument and parameters, applied entry by entry to matrices and arrays."""

    is_commutative = True
    #: Names of the parameters, and their values where they are left out; None where they may not be.
    names: ClassVar[tuple[str, ...]] = ()
    defaults: ClassVar[tuple[Any, ...]] = ()
    #: The head in LaTeX, if not the name.
    head: ClassVar[str] = ""

    def __new__(cls, x: Any, *parameters: Any, evaluate: bool = True, **named: Any) -> Any:
        """Return the function of a scalar, or a matrix or array of its values.

        Raises:
            InputError: `x` is text or a list, or a parameter is a matrix, missing or unknown.
        """
        if isinstance(x, (str, list, tuple)):
            raise InputError(message(f"{cls.__name__} needs a SymPy expression", found=repr(x)[:100]))
        values = cls._completed(parameters, named)
        x = sp.sympify(x)
        if isinstance(x, (sp.MatrixBase, sp.NDimArray)):
            return x.applyfunc(lambda entry: cls(entry, *values))
        if isinstance(x, sp.MatrixExpr) and x.shape != (1, 1):
            entry = sp.Dummy("t")
            return ElementwiseApplyFunction(sp.Lambda(entry, cls(entry, *values)), x)
        return super().__new__(cls, x, *values, evaluate=evaluate)

    @classmethod
    def _completed(cls, parameters: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
        """Return all parameters in order: those given by position, by name, and left out."""
        rest = cls.names[len(parameters) :]
        unknown = next((name for name in named if name not in rest), None)
        given = [*parameters, *(named.get(n, d) for n, d in zip(rest, cls.defaults[len(parameters) :], strict=True))]
        if unknown is not None or len(given) > len(cls.names) or any(p is None or is_matrix(p) for p in given):
            wanted = ", ".join(("x", *cls.names))
            raise InputError(message(f"{cls.__name__} takes scalar parameters", expected=f"{cls.__name__}({wanted})"))
        return [sp.sympify(p) for p in given]

    @classmethod
    def eval(cls, x: Any, *parameters: Any) -> Any:
        """Return the value at numbers where it is exact or the number is a Float, NaN at NaN, None otherwise."""
        if x is sp.nan:
            return sp.nan
        number = number_of(x)
        if number is None:
            return None
        if isinstance(number, sp.Float) and all(number_of(p) is not None for p in parameters):
            return cls(number, *parameters, evaluate=False)._eval_evalf(number._prec)  # noqa: SLF001
        return cls.at_number(number, *parameters)

    @staticmethod
    def at_number(x: Any, *parameters: Any) -> Any:
        """Return an exact value at the number `x`, None if there is none simpler."""
        raise NotImplementedError

    def elementary(self) -> Any:
        """Return the function in terms of SymPy's own, in the form that loses least in floating point."""
        raise NotImplementedError

    def _eval_evalf(self, prec: int) -> Any:
        if any(number_of(a) is None for a in self.args):
            return None
        exact = (sp.Rational(a) if isinstance(a, sp.Float) else a for a in self.args)
        return rounded(self.func(*exact, evaluate=False).elementary(), prec)

    def _code(self, printer: Any, *_: Any, **__: Any) -> Any:
        return printer._print(self.elementary())  # noqa: SLF001 - SymPy's protocol

    _numpycode = _pythoncode = _mpmathcode = _lambdacode = _ccode = _fcode = _jscode = _code

    def _latex(self, printer: Any, exp: Any = None) -> str:
        name = type(self).__name__.replace("_", r"\_")
        head = self.head or rf"\operatorname{{{name}}}"
        power = "" if exp is None else f"^{{{exp}}}"
        shown = self.args[:1] if self.args[1:] == self.defaults else self.args
        arguments = ", ".join(printer._print(a) for a in shown)  # noqa: SLF001 - SymPy's protocol
        return rf"{head}{power}\left({arguments}\right)"

    def _eval_is_extended_real(self) -> Any:
        return True if all(a.is_extended_real for a in self.args) else None

    def _eval_is_real(self) -> Any:
        return True if all(a.is_real for a in self.args) else None

    def _slopes(self) -> tuple[Callable[[], Any], ...]:
        """Return functions that give the derivative for each argument."""
        raise NotImplementedError

    def fdiff(self, argindex: int = 1) -> Any:
        """Return the derivative for argument number `argindex`, counted from 1.

        Raises:
            ArgumentIndexError: there is no such argument.
        """
        slopes = self._slopes()
        if not 1 <= argindex <= len(slopes):
            raise ArgumentIndexError(self, argindex)
        return slopes[argindex - 1]()

    def _eval_rewrite_as_Piecewise(self, *_args: Any, **_: Any) -> Any:  # noqa: N802 - SymPy's protocol
        form = self.elementary()
        return form if isinstance(form, sp.Piecewise) else form.rewrite(sp.Piecewise)


class relu(Activation):  # noqa: N801 - named as the function is written
    """max(x, 0); slope 0 at 0."""

    nargs = 1

    @staticmethod
    def at_number(x: Any, *_: Any) -> Any:
        """Return x or 0."""
        return x if x.is_extended_positive else sp.S.Zero if x.is_extended_nonpositive else None

    def elementary(self) -> Any:
        """Return Max(x, 0)."""
        return sp.Max(self.args[0], 0)

    def _slopes(self) -> tuple[Callable[[], Any], ...]:
        return (lambda: sp.Piecewise((1, self.args[0] > 0), (0, True)),)

    def _eval_rewrite_as_Max(self, x: Any, **_: Any) -> Any:  # noqa: N802 - SymPy's protocol
        return sp.Max(x, 0)

    def _eval_rewrite_as_Heaviside(self, x: Any, **_: Any) -> Any:  # noqa: N802 - SymPy's protocol
        return x * sp.Heaviside(x)

    def _eval_rewrite_as_Abs(self, x: Any, **_: Any) -> Any:  # noqa: N802 - SymPy's protocol
        return (x + sp.Abs(x)) / 2

    def _eval_rewrite_as_Piecewise(self, x: Any, **_: Any) -> Any:  # noqa: N802 - SymPy's protocol
        return sp.Piecewise((x, x > 0), (0, True))

    def _eval_is_extended_nonnegative(self) -> Any:
        return True if self.args[0].is_extended_real else None

    def _eval_is_nonnegative(self) -> Any:
        return True if self.args[0].is_real else None


class prelu(Activation):  # noqa: N801 - named as the function is written
    """x where it is positive, a*x elsewhere; differentiable for `a` too."""

    nargs = (1, 2)
    names = ("a",)
    defaults = (None,)

    @staticmethod
    def at_number(x: Any, *parameters: Any) -> Any:
        """Return x or a*x."""
        return x if x.is_extended_positive else parameters[0] * x if x.is_extended_nonpositive else None

    def elementary(self) -> Any:
        """Return the choice between x and a*x."""
        x, a = self.args
        return sp.Piecewise((x, x > 0), (a * x, True))

    def _slopes(self) -> tuple[Callable[[], Any], ...]:
        x, a = self.args
        return (lambda: kinked(x, a, a), lambda: sp.Min(x, 0))

    def _eval_rewrite_as_Max(self, x: Any, a: Any, **_: Any) -> Any:  # noqa: N802 - SymPy's protocol
        return sp.Max(x, 0) + a * sp.Min(x, 0)


def kinked(x: Any, below: Any, edge: Any) -> Any:
    """Return 1 for x > 0, `below` for x < 0, and at 0 what is nearest to 0 between 1 and `edge`."""
    middle = nearest_to_zero(edge)
    if middle == edge:
        return sp.Piecewise((1, x > 0), (below, True))
    return sp.Piecewise((1, x > 0), (below, x < 0), (middle, True))


class leaky_relu(prelu):  # noqa: N801 - named as the function is written
    """x where it is positive, slope*x elsewhere; `slope` is 1/100 unless given."""

    nargs = (1, 2)
    names = ("slope",)
    defaults = (sp.Rational(1, 100),)


class hardtanh(Activation):  # noqa: N801 - named as the function is written
    """x limited to low ... high, by default -1 ... 1; slope 0 at both limits."""

    nargs = (1, 2, 3)
    names = ("low", "high")
    defaults = (sp.S.NegativeOne, sp.S.One)

    def __new__(cls, x: Any, *parameters: Any, **options: Any) -> Any:
        """Return the limited value.

        Raises:
            InputError: the limits are numbers in the wrong order, or as for every activation.
        """
        limits = cls._completed(parameters, {k: v for k, v in options.items() if k != "evaluate"})
        if all(number_of(limit) is not None for limit in limits) and not limits[0] < limits[1]:
            raise InputError(message("hardtanh needs low < high", found=f"low = {limits[0]}, high = {limits[1]}"))
        return super().__new__(cls, x, *limits, evaluate=options.get("evaluate", True))

    @staticmethod
    def at_number(x: Any, *parameters: Any) -> Any:
        """Return x or the limit it passes."""
        return (
            None if any(number_of(p) is None for p in parameters) else sp.Min(sp.Max(x, parameters[0]), parameters[1])
        )

    def elementary(self) -> Any:
        """Return Min(Max(x, low), high)."""
        x, low, high = self.args
        return sp.Min(sp.Max(x, low), high)

    def _slopes(self) -> tuple[Callable[[], Any], ...]:
        x, low, high = self.args
        return (
            lambda: sp.Piecewise((1, sp.And(low < x, x < high)), (0, True)),
            lambda: sp.Piecewise((1, x < low), (0, True)),
            lambda: sp.Piecewise((1, x > high), (0, True)),
        )

    def _eval_rewrite_as_Max(self, x: Any, low: Any, high: Any, **_: Any) -> Any:  # noqa: N802 - SymPy's protocol
        return sp.Min(sp.Max(x, low), high)

    def _eval_rewrite_as_Piecewise(self, x: Any, low: Any, high: Any, **_: Any) -> Any:  # noqa: N802
        return sp.Piecewise((low, x < low), (high, x > high), (x, True))


class elu(Activation):  # noqa: N801 - named as the function is written
    """x where it is positive, alpha*(exp(x) - 1) elsewhere; `alpha` is 1 unless given."""

    nargs = (1, 2)
    names = ("alpha",)
    defaults = (sp.S.One,)

    @staticmethod
    def at_number(x: Any, *parameters: Any) -> Any:
        """Return x, 0 at 0, -alpha at -oo."""
        if x.is_extended_nonnegative:
            return x
        return -parameters[0] if x is sp.S.NegativeInfinity else None

    def elementary(self) -> Any:
        """Return the choice, with expm1 of what cannot overflow."""
        x, a = self.args
        return sp.Piecewise((x, x > 0), (a * expm1(sp.Min(x, 0)), True))

    def _slopes(self) -> tuple[Callable[[], Any], ...]:
        x, a = self.args
        return (lambda: kinked(x, a * sp.exp(x), a), lambda: sp.Piecewise((0, x > 0), (sp.exp(x) - 1, True)))

    def _eval_rewrite_as_exp(self, x: Any, a: Any, **_: Any) -> Any:
        return sp.Piecewise((x, x > 0), (a * (sp.exp(x) - 1), True))

    def _eval_rewrite_as_Piecewise(self, x: Any, a: Any, **_: Any) -> Any:  # noqa: N802 - SymPy's protocol
        return self._eval_rewrite_as_exp(x, a)


class selu(Activation):  # noqa: N801 - named as the function is written
    """SCALE*elu(x, ALPHA) with the published constants; slope SCALE at 0."""

    nargs = 1

    @staticmethod
    def at_number(x: Any, *_: Any) -> Any:
        """Return the value where it needs no exponential."""
        value = elu.at_number(x, SELU_ALPHA)
        return None if value is None else SELU_SCALE * value

    def elementary(self) -> Any:
        """Return the choice, with expm1 of what cannot overflow."""
        x = self.args[0]
        return sp.Piecewise((SELU_SCALE * x, x > 0), (SELU_SCALE * SELU_ALPHA * expm1(sp.Min(x, 0)), True))

    def _slopes(self) -> tuple[Callable[[], Any], ...]:
        x = self.args[0]
        return (lambda: SELU_SCALE * sp.Piecewise((1, x >= 0), (SELU_ALPHA * sp.exp(x), True)),)

    def _eval_rewrite_as_exp(self, x: Any, **_: Any) -> Any:
        return sp.Piecewise((SELU_SCALE * x, x > 0), (SELU_SCALE * SELU_ALPHA * (sp.exp(x) - 1), True))

    def _eval_rewrite_as_Piecewise(self, x: Any, **_: Any) -> Any:  # noqa: N802 - SymPy's protocol
        return self._eval_rewrite_as_exp(x)

    def _eval_rewrite_as_elu(self, x: Any, **_: Any) -> Any:
        return SELU_SCALE * elu(x, SELU_ALPHA)
