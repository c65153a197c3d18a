"""Whatever is not covered is refused by name, with where it stands and what to write instead."""

from __future__ import annotations

import decimal
import inspect
import itertools
import warnings
from typing import Any

import numpy as np
import pytest
import sympy as sp
import sympy.matrices.expressions as matrix_expressions
import sympy.sets
import sympy.stats as stats
from sympy.combinatorics import Permutation
from sympy.physics import units
from sympy.physics.mechanics import Particle, ReferenceFrame, dynamicsymbols
from sympy.physics.quantum import Commutator, Operator
from sympy.tensor.array.array_derivatives import ArrayDerivative
from sympy.tensor.array.expressions import ArraySymbol, ArrayTensorProduct, Reshape
from sympy.tensor.tensor import TensorIndexType, tensor_heads, tensor_indices
from sympy.vector import CoordSys3D

import symbackprop as sbp
from symbackprop.errors import ShapeError, SymbackpropError, UnsupportedExpressionError
from tests.frontend.helpers import program

x, y, z, t = sp.symbols("x y z t")
n, m = sp.symbols("n m", integer=True, positive=True)
i, j = sp.symbols("i j", integer=True)
f = sp.Function("f")
X, v = sp.MatrixSymbol("X", n, n), sp.MatrixSymbol("v", n, 1)
w = sp.IndexedBase("w")


def refusal(expr: Any, **options: Any) -> str:
    with pytest.raises(UnsupportedExpressionError) as caught:
        program(expr, **options)
    return str(caught.value)


# -- every public class ---------------------------------------------------------------------------------------------


def instances(cls: Any) -> list[Any]:
    """Instances of a class on a few arguments of the usual kinds."""
    made = []
    arguments = [(x, y, z, t), (sp.Integer(2), x, y, z), (n, x, y, z), (x, sp.Rational(1, 3), y, z)]
    matrices = [(X,), (X, X), (n,), (n, m), (X, 2), (v,), (v, v), (2, 3), (X, x)]
    nargs = getattr(cls, "nargs", None)
    counts = [int(k) for k in nargs] if isinstance(nargs, sp.FiniteSet) else [1, 2, 3]
    for args in [*(a[:k] for k in counts for a in arguments), *matrices]:
        try:
            made.append(cls(*args))
        except Exception:  # noqa: BLE001 - SymPy says in many ways that it wants other arguments
            continue
    return made


def classes(module: Any) -> list[Any]:
    names = getattr(module, "__all__", None) or [k for k in dir(module) if not k.startswith("_")]
    found = [getattr(module, name) for name in names]
    return [c for c in found if inspect.isclass(c) and issubclass(c, sp.Basic) and not inspect.isabstract(c)]


MODULES = [sp.functions, matrix_expressions, sp.concrete, sp.series, sympy.sets, sp.logic, sp.core]
#: Classes that SymPy makes without the arguments that they need.
MALFORMED = {"lerchphi", "MatrixSymbol", "WildFunction"}
CLASSES = sorted({c for module in MODULES for c in classes(module)} - {sp.Integral, sp.Wild}, key=lambda c: c.__name__)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_every_class_is_compiled_or_refused(cls: Any) -> None:
    if cls.__name__ in MALFORMED:
        pytest.skip("made without its arguments")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for expr in instances(cls):
            try:
                program(expr)
            except SymbackpropError as error:
                assert len(str(error)) > 20  # noqa: PT017


def test_functions_of_functions_are_no_internal_errors() -> None:
    inner = [sp.Heaviside(x), sp.sign(y), X[i, 0], w[i], sp.Trace(X), f(x), sp.I * x, sp.oo, sp.nan, sp.zoo]
    for g, arg in itertools.product((sp.exp, sp.Abs, sp.floor, sp.gamma, sp.zeta), inner):
        try:
            program(g(arg))
        except SymbackpropError:
            continue


# -- what stands for something else ---------------------------------------------------------------------------------

N = CoordSys3D("N")
frame = ReferenceFrame("F")
lorentz = TensorIndexType("L", dim=4)
a_, b_ = tensor_indices("a b", lorentz)
T = tensor_heads("T", [lorentz])

FOREIGN = {
    "vector": (x * N.i + y * N.j, "VectorAdd", "to_matrix"),
    "vector component": (x * N.i, "VectorMul", "to_matrix"),
    "dot product": (sp.vector.Dot(N.i * x, N.j * f(x)), "Dot", "to_matrix"),
    "dyadic": (x * (N.i | N.j), "DyadicMul", "to_matrix"),
    "mechanics vector": (x * frame.x, "Vector", "to_matrix"),
    "particle": (Particle("P"), "Particle", "Lagrangian"),
    "quantity": (3 * units.meter, "Quantity", "convert_to"),
    "dimension": (units.length, "Dimension", "convert_to"),
    "operator": (Operator("A") * x, "Operator", "Matrix"),
    "commutator": (Commutator(Operator("A"), Operator("B")), "Commutator", "Matrix"),
    "random": (stats.Normal("R", 0, 1) + x, "RandomSymbol", "density"),
    "probability": (stats.Probability(stats.Normal("R", 0, 1) > x), "Probability", "density"),
    "tensor": (T(a_), "Tensor", "IndexedBase"),
    "quaternion": (sp.Quaternion(x, y, 0, 1), "Quaternion", "to_Matrix"),
    "order": (x + sp.Order(x**2), "Order", "removeO"),
    "polynomial": (sp.Poly(x**2, x), "Poly", "as_expr"),
    "interval": (sp.Interval(0, x), "Interval", "as_relational"),
    "set": (sp.FiniteSet(x, y), "FiniteSet", "as_relational"),
    "point": (sp.Point(x, y), "Point2D", "coordinate"),
    "permutation": (Permutation([1, 0]), "Permutation", None),
    "sequence": (sp.SeqFormula(n**2, (n, 0, sp.oo)), "SeqFormula", "Sum"),
    "array derivative": (ArrayDerivative(X * v, X), "ArrayDerivative", "wrt="),
    "imaginary unit": (sp.exp(sp.I * x), "ImaginaryUnit", "real"),
    "complex infinity": (x + sp.zoo, "ComplexInfinity", "division"),
    "range of a limit": (sp.AccumBounds(0, 1) + x, "AccumulationBounds", "one value"),
    "undefined function": (f(x), "undefined function f", "symbackprop.function"),
    "matrix function": (f(X), "undefined function f", "symbackprop.function"),
    "mathieu": (sp.mathieus(x, y, z), "mathieus", "symbackprop.function"),
    "bare lambda": (sp.Lambda(x, x**2), "Lambda", None),
    "transform": (sp.LaplaceTransform(f(t), t, x), "LaplaceTransform", "doit"),
}


@pytest.mark.parametrize("case", FOREIGN.values(), ids=FOREIGN)
def test_what_stands_for_something_else(case: Any) -> None:
    expr, name, hint = case
    text = refusal(expr)
    assert name in text.splitlines()[0]
    assert hint is None or hint in text


NOT_SYMPY = {
    "text": ("x + 1", "str", "not text"),
    "bytes": (b"x", "bytes", "not text"),
    "nothing": (None, "NoneType", "returned nothing"),
    "truth": (True, "bool", "comparison"),
    "SymPy's truth": (sp.true, "truth value", "Assignment"),
    "complex": (1 + 2j, "complex", "real"),
    "decimal": (decimal.Decimal(1), "Decimal", "Float"),
    "array": (np.ones(3), "ndarray", "sympy.Matrix"),
    "object array": (np.array([x, y]), "ndarray", "sympy.Matrix"),
    "set": ({x, y}, "set", "order"),
    "frozenset": (frozenset((x, y)), "frozenset", "order"),
    "generator": ((e for e in (x, y)), "generator", "list"),
    "map": (map(sp.sin, (x, y)), "map", "list"),
    "range": (range(3), "range", "list"),
    "iterator": (iter([x, y]), "list_iterator", "list"),
    "function": (lambda u: u, "function", "expression"),
    "function class": (sp.sin, "FunctionClass", "apply it"),
    "undefined": (f, "UndefinedFunction", "apply it"),
    "class": (sp.Symbol, "type", "not its class"),
    "object": (object(), "object", None),
    "inside a list": ([x, None], "NoneType", None),
    "inside a dict": ({"a": x, "b": "y"}, "str", "not text"),
    "condition": (x > y, "condition", "Piecewise"),
}


@pytest.mark.parametrize("case", NOT_SYMPY.values(), ids=NOT_SYMPY)
def test_what_is_no_expression(case: Any) -> None:
    expr, name, hint = case
    text = refusal(expr)
    assert name in text.splitlines()[0]
    assert hint is None or hint in text


def test_containers_without_an_output() -> None:
    for empty in ([], (), {}, [x, []], {"a": {}}, sp.Tuple()):
        with pytest.raises(SymbackpropError, match="no output"):
            program(empty)
    endless: list[Any] = [x]
    endless.append(endless)
    with pytest.raises(SymbackpropError, match="nested deeper"):
        program(endless)


def test_numbers_of_every_kind_are_outputs() -> None:
    for number in (1, 2.5, np.float32(2), np.int64(3), sp.Integer(4), sp.pi):
        assert not program(number).arguments


# -- symbols that are no real numbers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assumption", "kind"),
    [
        ({"commutative": False}, "noncommutative"),
        ({"imaginary": True}, "imaginary"),
        ({"complex": True}, "complex"),
        ({"infinite": True, "extended_real": False}, "complex"),
    ],
    ids=str,
)
def test_symbols_that_are_not_real(assumption: dict[str, bool], kind: str) -> None:
    s = sp.Symbol("s", **assumption)
    text = refusal(s**2 + 1)
    assert kind in text
    assert "real=True" in text


def test_complex_parts_that_stay_real() -> None:
    assert program(sp.I * sp.I * x).arguments
    assert program(sp.Abs(sp.Symbol("p", positive=True)) + sp.expand((x + sp.I * y) * (x - sp.I * y))).arguments
    assert "ImaginaryUnit" in refusal(sp.Abs(x + sp.I * y))


# -- where it stands ------------------------------------------------------------------------------------------------


def test_the_way_to_what_is_refused() -> None:
    text = refusal({"loss": sp.exp(f(x) + 1) * y, "other": y})
    assert "in: f(x)" in text
    assert "at: output 'loss' -> Mul -> exp -> Add -> f(x)" in text
    assert "at: the output -> exp -> f(x)" in refusal(sp.exp(f(x)))
    assert "at:" not in refusal(f(x))
    assert "at: output 'out1' -> Add -> f(x)" in refusal([x, f(x) + 1])
    assert "at: label 'z' -> sin -> f(x)" in refusal(x, names={"z": sp.sin(f(x))})
    assert "at: definition of z -> sin -> f(x)" in refusal([sp.Eq(z, sp.sin(f(x))), z])


def test_the_way_to_a_wrong_shape() -> None:
    A = ArraySymbol("A", (m, n))
    with pytest.raises(ShapeError) as caught:
        program([x, ArrayTensorProduct(A, Reshape(A, (m, m)))])
    assert "expected: m*n" in str(caught.value)
    assert "at: output 'out1' -> ArrayTensorProduct -> Reshape(A, (m, m))" in str(caught.value)


def test_a_long_way_is_abbreviated_and_found_at_once() -> None:
    expr = f(x)
    for k in range(20000):
        expr = sp.sin(expr, evaluate=False) if k % 2 else sp.exp(expr, evaluate=False)
    text = refusal(expr)
    assert "at: the output -> sin -> exp -> sin -> ... -> sin -> exp -> sin -> exp -> f(x)" in text


def test_signals_are_arguments_and_other_functions_are_not() -> None:
    q = dynamicsymbols("q")
    assert [a.name for a in program(q * q.diff()).arguments] == ["dq_dt", "q"]
    assert "undefined function g" in refusal(sp.Function("g")(x, t))


def test_sbp_errors_are_what_python_expects() -> None:
    with pytest.raises(NotImplementedError):
        sbp.compile(f(x))
