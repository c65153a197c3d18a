"""SymPy expressions evaluated entry by entry in mpmath arithmetic, and derivatives by differences at many digits.

A second reading of SymPy's meaning, as slow and as literal as possible: every sum is a loop, every matrix product is
three, indices are whole numbers, nothing is rewritten and no symbolic derivative is taken. It shares no code with the
compiler.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import mpmath as mp
import numpy as np
import sympy as sp
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.matexpr import MatrixElement
from sympy.matrices.expressions.special import OneMatrix

__all__ = ["DIGITS", "STEP", "Exact", "NearKink", "flat", "gradient", "lift", "slope"]

DIGITS = 70
#: Truncation of a central difference is about its square, so 1e-44, and rounding about 1e-48.
STEP = "1e-22"
#: Arguments of steps and choices closer to their jump than this are no fair test of rounded arithmetic.
MARGIN = 1e-7


class NearKink(ArithmeticError):
    """A step or a choice whose argument rounding could move across."""


def lift(value: Any) -> Any:
    """Floats and float arrays as mpf; whole numbers stay."""
    array = np.asarray(value)
    if array.dtype.kind == "f":
        return np.frompyfunc(lambda e: mp.mpf(float(e)), 1, 1)(array) if array.shape else mp.mpf(float(value))
    return value


def flat(value: Any) -> list[Any]:
    """The numbers of a value, row-major, containers in their order."""
    if isinstance(value, dict | list | tuple):
        return [e for part in (value.values() if isinstance(value, dict) else value) for e in flat(part)]
    return list(np.ravel(np.asarray(value)))


def _apart(difference: Any) -> Any:
    if not isinstance(difference, int) and abs(difference) < MARGIN:
        raise NearKink(difference)
    return difference


def _floor(a: Any) -> Any:
    _apart(a - mp.nint(a))
    return mp.floor(a)


def _max(*args: Any) -> Any:
    first, *rest = sorted(args, reverse=True)
    if rest:
        _apart(first - rest[0])
    return first


def _sigmoid(a: Any) -> Any:
    return 1 / (1 + mp.exp(-a))


_SELU_SCALE, _SELU_ALPHA = "1.0507009873554804934193349852946", "1.6732632423543772848170429916717"


def _elu(a: Any, alpha: Any = 1) -> Any:
    return a if _apart(a) > 0 else alpha * mp.expm1(a)


#: Functions of real numbers, by the name of the SymPy class.
FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(mp, name) for name in ("exp", "sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan")},
    **{name: getattr(mp, name) for name in ("sinh", "cosh", "tanh", "coth", "sech", "csch", "asinh", "acosh", "atanh")},
    **{name: getattr(mp, name) for name in ("asec", "acsc", "acoth", "asech", "acsch", "atan2", "erf", "erfc")},
    **{name: getattr(mp, name) for name in ("erfinv", "gamma", "loggamma", "beta", "factorial", "binomial", "expm1")},
    **{name: getattr(mp, name) for name in ("besselj", "bessely", "besseli", "besselk", "log1p", "hypot", "cbrt")},
    "log": mp.log,
    "acot": mp.acot,
    "LambertW": mp.lambertw,
    "digamma": mp.digamma,
    "polygamma": mp.polygamma,
    "Abs": lambda a: abs(_apart(a)),
    "sign": lambda a: mp.sign(_apart(a)),
    "Heaviside": lambda a, middle=0.5: middle if _apart(a) == 0 else mp.mpf(a > 0),
    "floor": _floor,
    "ceiling": lambda a: -_floor(-a),
    "frac": lambda a: a - _floor(a),
    "Mod": lambda a, b: a % b if isinstance(a, int) else a - b * _floor(a / b),
    "Max": _max,
    "Min": lambda *args: -_max(*(-a for a in args)),
    "log2": lambda a: mp.log(a, 2),
    "log10": mp.log10,
    "exp2": lambda a: mp.mpf(2) ** a,
    "fma": lambda a, b, c: a * b + c,
    "sinc": lambda a: mp.sin(a) / a,
    "sigmoid": _sigmoid,
    "relu": lambda a: _apart(a) if a > 0 else mp.mpf(0),
    "leaky_relu": lambda a, s=0.01: a if _apart(a) > 0 else s * a,
    "hardtanh": lambda a, low=-1, high=1: -_max(-_max(a, low), -high),
    "softplus": lambda a: mp.log(1 + mp.exp(a)),
    "silu": lambda a: a * _sigmoid(a),
    "gelu": lambda a: a * mp.erfc(-a / mp.sqrt(2)) / 2,
    "gelu_tanh": lambda a: a * (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (a + mp.mpf("0.044715") * a**3))) / 2,
    "prelu": lambda a, s: a if _apart(a) > 0 else s * a,
    "elu": _elu,
    "selu": lambda a: mp.mpf(_SELU_SCALE) * _elu(a, mp.mpf(_SELU_ALPHA)),
}

_RELATIONS: dict[type, Callable[[Any, Any], bool]] = {
    sp.StrictLessThan: lambda a, b: a < b,
    sp.LessThan: lambda a, b: a <= b,
    sp.StrictGreaterThan: lambda a, b: a > b,
    sp.GreaterThan: lambda a, b: a >= b,
    sp.Equality: lambda a, b: a == b,
    sp.Unequality: lambda a, b: a != b,
}


class Exact:
    """Evaluates expressions at one point.

    Args:
        values: argument name -> number or array; real ones are taken as the exact binary fractions they are.
        sizes: size symbol -> whole number.
    """

    def __init__(self, values: Mapping[str, Any], sizes: Mapping[Any, int] | None = None) -> None:
        self.values = {name: lift(value) for name, value in values.items()}
        self.sizes = {str(symbol): size for symbol, size in (sizes or {}).items()}
        self.known: dict[Any, Any] = {}
        self.symbols: dict[Any, frozenset[Any]] = {}

    def __call__(self, expr: Any, env: Mapping[Any, Any] | None = None) -> Any:
        """The value of `expr`, the indices of `env` standing for its numbers."""
        if isinstance(expr, dict):
            return {key: self(e, env) for key, e in expr.items()}
        if isinstance(expr, list | tuple):
            return [self(e, env) for e in expr]
        env = dict(env or {})
        expr = sp.sympify(expr)
        if env:
            mentioned = self._mentioned(expr)
            env = {symbol: number for symbol, number in env.items() if symbol in mentioned}
        key = (expr, tuple(env.items()))
        if key not in self.known:
            self.known[key] = self._value(expr, env)
        return self.known[key]

    def _mentioned(self, expr: Any) -> frozenset[Any]:
        """The symbols and indices in an expression, bound ones among them."""
        if expr not in self.symbols:
            own = {expr} if isinstance(expr, sp.Symbol | sp.Idx) else set()
            self.symbols[expr] = frozenset(own.union(*(self._mentioned(a) for a in expr.args)))
        return self.symbols[expr]

    def over(self, expr: Any, *free: tuple[Any, int]) -> np.ndarray:
        """`expr` at all values 0 ... size - 1 of its free indices, as an array with one axis for each."""
        out = np.empty([size for _, size in free], dtype=object)
        for at in np.ndindex(*out.shape):
            out[at] = self(expr, {symbol: position for (symbol, _), position in zip(free, at, strict=True)})
        return out

    def whole(self, expr: Any, env: Mapping[Any, Any]) -> int:
        """An index or a size."""
        value = self(expr, env)
        assert value == int(value), f"{expr} is {value}"
        return int(value)

    def _value(self, expr: Any, env: Mapping[Any, Any]) -> Any:
        if isinstance(expr, sp.MatrixExpr | sp.MatrixBase):
            return self._matrix(expr, env)
        if isinstance(expr, sp.Symbol | sp.Idx):
            return self._symbol(expr, env)
        if isinstance(expr, sp.Integer):
            return int(expr)
        if isinstance(expr, sp.Rational):
            return mp.mpf(int(expr.p)) / int(expr.q)
        if expr.is_Float:
            return mp.mpf(float(expr)) if expr._prec <= 53 else mp.mpf(str(expr))
        if isinstance(expr, sp.core.numbers.NumberSymbol):
            return {"Exp1": mp.e, "Pi": mp.pi, "EulerGamma": mp.euler, "GoldenRatio": mp.phi, "Catalan": mp.catalan}[
                type(expr).__name__
            ] + mp.mpf(0)
        if isinstance(expr, sp.Sum | sp.Product):
            return self._series(expr, env)
        if isinstance(expr, sp.Piecewise):
            return next(self(value, env) for value, test in expr.args if self(test, env))
        if isinstance(expr, sp.logic.boolalg.Boolean):
            return self._truth(expr, env)
        if isinstance(expr, sp.Indexed):
            at = tuple(self.whole(position, env) for position in expr.indices)
            return self._entry(self.values[str(expr.base.label)], at, expr)
        if isinstance(expr, MatrixElement):
            at = tuple(self.whole(position, env) for position in expr.args[1:])
            return self._entry(self(expr.args[0], env), at, expr)
        if isinstance(expr, sp.Trace):
            return mp.fsum(np.diagonal(self(expr.args[0], env)))
        if isinstance(expr, sp.Determinant):
            return mp.det(mp.matrix(self(expr.args[0], env).tolist()))
        if isinstance(expr, sp.KroneckerDelta):
            return int(self.whole(expr.args[0], env) == self.whole(expr.args[1], env))
        return self._operation(expr, [self(a, env) for a in expr.args])

    @staticmethod
    def _entry(array: Any, at: tuple[int, ...], expr: Any) -> Any:
        array = np.asarray(array)
        assert all(0 <= p < size for p, size in zip(at, array.shape, strict=True)), f"{expr} at {at} of {array.shape}"
        value = array[at]
        return int(value) if array.dtype.kind in "iu" else value

    def _symbol(self, expr: Any, env: Mapping[Any, Any]) -> Any:
        name = str(expr)
        for known, key in ((env, expr), (self.sizes, name), (self.values, name)):
            if key in known:
                value = known[key]
                return int(value) if isinstance(value, int | np.integer) else value
        raise KeyError(name)

    def _truth(self, expr: Any, env: Mapping[Any, Any]) -> bool:
        if type(expr) in _RELATIONS:
            left, right = (self(a, env) for a in expr.args)
            _apart(left - right)
            return _RELATIONS[type(expr)](left, right)
        if expr in (sp.true, sp.false):
            return bool(expr)
        parts = (self(a, env) for a in expr.args)  # what is not needed need not have a value
        match type(expr).__name__:
            case "And":
                return all(parts)
            case "Or":
                return any(parts)
            case "Not":
                return not next(parts)
            case "Xor":
                return sum(parts) % 2 == 1
            case "ITE":
                return self(expr.args[1 if next(parts) else 2], env)
        raise NotImplementedError(type(expr).__name__)

    def _series(self, expr: Any, env: Mapping[Any, Any]) -> Any:
        """The sum or product, the last limit outermost as SymPy has it."""
        *inner, (symbol, low, high) = expr.limits
        body = type(expr)(expr.function, *inner) if inner else expr.function
        terms = [self(body, {**env, symbol: at}) for at in range(self.whole(low, env), self.whole(high, env) + 1)]
        return mp.fsum(terms) if isinstance(expr, sp.Sum) else mp.fprod(terms)

    @staticmethod
    def _operation(expr: Any, args: list[Any]) -> Any:
        if isinstance(expr, sp.Add):
            return sum(args)
        if isinstance(expr, sp.Mul):
            total = 1
            for a in args:
                total = total * a
            return total
        if isinstance(expr, sp.Pow):
            base, exponent = args
            if isinstance(base, int) and isinstance(exponent, int) and exponent >= 0:
                return base**exponent
            value = mp.power(base, exponent)
            assert mp.im(value) == 0, f"{base}**{exponent} is complex"
            return mp.re(value)
        value = FUNCTIONS[type(expr).__name__](*args)
        if isinstance(value, int):
            return value
        assert mp.im(value) == 0, f"{type(expr).__name__} of {args} is complex"
        return mp.re(value)

    # -- matrices: object arrays of two axes ---------------------------------------------------------------------------

    def shape(self, expr: Any, env: Mapping[Any, Any]) -> tuple[int, int]:
        rows, cols = expr.shape
        return self.whole(rows, env), self.whole(cols, env)

    def _matrix(self, expr: Any, env: Mapping[Any, Any]) -> np.ndarray:
        out = self._entries(expr, env)
        assert out.shape == self.shape(expr, env), f"{expr}: {out.shape}"
        return out

    def _entries(self, expr: Any, env: Mapping[Any, Any]) -> np.ndarray:
        rows, cols = self.shape(expr, env)
        match expr:
            case sp.MatrixSymbol():
                return np.asarray(self.values[str(expr.name)], dtype=object).reshape(rows, cols)
            case sp.MatrixBase():
                return np.array([[self(expr[r, c], env) for c in range(cols)] for r in range(rows)], dtype=object)
            case sp.Identity():
                return np.array([[mp.mpf(r == c) for c in range(cols)] for r in range(rows)], dtype=object)
            case sp.ZeroMatrix() | OneMatrix():
                return np.full((rows, cols), mp.mpf(isinstance(expr, OneMatrix)), dtype=object)
            case sp.Transpose() | sp.Adjoint():
                return self(expr.args[0], env).T
            case sp.Inverse():
                return _inverse(self(expr.args[0], env))
            case sp.MatPow():
                return self._power(self(expr.base, env), self.whole(expr.exp, env))
            case sp.HadamardPower():
                base, exponent = self(expr.base, env), self(expr.exp, env)
                return np.frompyfunc(mp.power, 2, 1)(base, exponent)
            case ElementwiseApplyFunction():
                variable, body = expr.function.variables[0], expr.function.expr
                return np.frompyfunc(lambda e: self(body, {**env, variable: e}), 1, 1)(self(expr.expr, env))
            case sp.BlockMatrix():
                grid = [[self(b, env) for b in expr.blocks.row(r)] for r in range(expr.blocks.rows)]
                return np.block(grid)
            case sp.matrices.expressions.slice.MatrixSlice():
                ends = [[self.whole(part, env) for part in side] for side in (expr.rowslice, expr.colslice)]
                return self(expr.parent, env)[slice(*ends[0]), slice(*ends[1])]
            case sp.DiagMatrix() | sp.matrices.expressions.diagonal.DiagonalMatrix():
                return self._diagonal(expr, env)
            case sp.DiagonalOf():
                return np.diagonal(self(expr.arg, env)).reshape(-1, 1)
        return self._combined(expr, env)

    def _combined(self, expr: Any, env: Mapping[Any, Any]) -> np.ndarray:
        args = [self(a, env) for a in expr.args]
        match expr:
            case sp.MatAdd():
                return sum(args[1:], start=args[0])
            case sp.HadamardProduct():
                out = args[0]
                for a in args[1:]:
                    out = out * a
                return out
            case sp.KroneckerProduct():
                out = args[0]
                for a in args[1:]:
                    out = np.kron(out, a)
                return out
            case sp.MatMul():
                scalars = [a for a in args if not isinstance(a, np.ndarray)]
                matrices = [a for a in args if isinstance(a, np.ndarray)]
                out = matrices[0]
                for a in matrices[1:]:
                    out = out.dot(a)
                for s in scalars:
                    out = out * s
                return out
        raise NotImplementedError(type(expr).__name__)

    def _power(self, base: np.ndarray, exponent: int) -> np.ndarray:
        if exponent < 0:
            base = _inverse(base)
        out = np.array([[mp.mpf(r == c) for c in range(len(base))] for r in range(len(base))], dtype=object)
        for _ in range(abs(exponent)):
            out = out.dot(base)
        return out

    def _diagonal(self, expr: Any, env: Mapping[Any, Any]) -> np.ndarray:
        given = self(expr.args[0], env)
        rows, cols = self.shape(expr, env)
        out = np.full((rows, cols), mp.mpf(0), dtype=object)
        for p in range(min(rows, cols)):
            out[p, p] = given.ravel()[p] if isinstance(expr, sp.DiagMatrix) else given[p, p]
        return out


def _inverse(matrix: np.ndarray) -> np.ndarray:
    inverse = mp.inverse(mp.matrix(matrix.tolist()))
    return np.array(inverse.tolist(), dtype=object)


def slope(function: Callable[[Mapping[str, Any]], Any], values: Mapping[str, Any], tangent: Mapping[str, Any]) -> list:
    """The derivative of the numbers of `function(values)` along `tangent`; call it under `mp.workdps(DIGITS)`."""
    step = mp.mpf(STEP)
    sides = []
    for sign in (1, -1):
        moved = {name: lift(value) for name, value in values.items()}
        for name, t in tangent.items():
            moved[name] = moved[name] + sign * step * lift(t)
        sides.append(flat(function(moved)))
    return [(a - b) / (2 * step) for a, b in zip(*sides, strict=True)]


def gradient(
    function: Callable[[Mapping[str, Any]], Any],
    values: Mapping[str, Any],
    wrt: Sequence[str],
    upstream: Sequence[float],
) -> dict[str, np.ndarray]:
    """The gradient of sum(upstream * function(values)), rounded to floats; call it under `mp.workdps(DIGITS)`."""
    out = {}
    for name in wrt:
        base = np.asarray(values[name], dtype=float)
        found = np.empty(base.shape)
        for at in itertools.product(*map(range, base.shape)):
            unit = np.zeros(base.shape)
            unit[at] = 1.0
            derivative = slope(function, values, {name: unit if base.shape else 1.0})
            found[at] = float(mp.fsum(mp.mpf(float(u)) * d for u, d in zip(upstream, derivative, strict=True)))
        out[name] = found
    return out
