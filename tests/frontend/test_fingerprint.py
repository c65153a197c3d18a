"""Fingerprints: equal for what compiles to the same kernel in every process, different for anything else."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest
import sympy as sp
from sympy.codegen.ast import Assignment, CodeBlock
from sympy.core.function import FunctionClass
from sympy.tensor.array.expressions import ArrayContraction, ArraySymbol, ArrayTensorProduct, PermuteDims

import symbackprop as sbp
from symbackprop.frontend.fingerprint import fingerprint

x, y, z = sp.symbols("x y z")
n, m = sp.symbols("n m", integer=True, positive=True)
i, j = sp.symbols("i j", integer=True)
A, W = sp.IndexedBase("A", (n,)), sp.MatrixSymbol("W", n, n)
v = sp.MatrixSymbol("v", n, 1)
Q, R = ArraySymbol("Q", (n, 3)), ArraySymbol("R", (n, 3))
t = sp.Symbol("t")


def different() -> list[Any]:
    """Requests of which no two are the same."""
    return [
        *(x, y, sp.Symbol("x", positive=True), sp.Symbol("x", integer=True), sp.Symbol("x_"), sp.Function("x")(t)),
        *(x + y, x * y, x - y, x**y, y**x, sp.Add(x, x, evaluate=False), 2 * x, sp.Max(x, y), sp.Min(x, y)),
        *(sp.Integer(1), sp.Rational(1, 2), sp.Float(0.5), sp.Float(0.5, 30), sp.Float("0.1", 40), sp.Float(0.1)),
        sp.pi,
        *(0.1, 1, 1.0, True, None, "x", sp.oo, sp.nan, sp.S.true, -0.0, 0.0, sp.E, sp.EulerGamma),
        *(sp.sin(x), sp.sin, sp.tanh, sp.tanh(x), sp.Abs(x), sp.sign(x), sp.Mod(x, y), sp.besselj(0, x)),
        *(sp.Piecewise((x, x > 0), (y, True)), sp.Piecewise((x, x >= 0), (y, True)), sp.Heaviside(x), x > y, x < y),
        *(A[i], A[j], A[i + 1], sp.IndexedBase("A")[i], sp.IndexedBase("A", (m,))[i], sp.IndexedBase("B", (n,))[i]),
        sp.IndexedBase("A", (n,), offset=1)[i],
        sp.IndexedBase("A", (n,), integer=True)[i],
        *(sp.Sum(A[i], (i, 0, n - 1)), sp.Sum(A[i], (i, 0, n)), sp.Sum(A[i], (i, 1, n - 1)), sp.Idx("k", n)),
        *(A[sp.Idx("k", n)], A[sp.Idx("k")], sp.Product(A[i], (i, 0, n - 1)), sp.Integral(x, (x, 0, 1))),
        *(W * v, W.T * v, W.I * v, sp.Trace(W), sp.det(W), W[0, 0], W[0, 1], sp.HadamardProduct(W, W), W + W.T),
        *(sp.MatrixSymbol("W", n, m) * sp.MatrixSymbol("v", m, 1), (W * v).applyfunc(sp.tanh)),
        (W * v).applyfunc(sp.sin),
        (W * v).applyfunc(sp.Lambda(x, sp.tanh(x) + 1)),
        *(sp.Identity(n), sp.ZeroMatrix(n, n), sp.OneMatrix(n, n)),
        *(sp.BlockMatrix([[W, W]]), sp.BlockMatrix([[W], [W]])),
        *(sp.Matrix([x, y]), sp.Matrix([[x, y]]), sp.ImmutableMatrix([[x, y]]), sp.SparseMatrix([[x, y]])),
        *(sp.Array([x, y]), sp.Array([[x, y]]), sp.Array([[x], [y]]), sp.MutableDenseNDimArray([x, y]), [x, y], (x, y)),
        *({"a": x}, {"b": x}, {x: "a"}, [[x], y], [x, [y]], sp.Tuple(x, y), sp.Eq(x, y), Assignment(x, y)),
        *(CodeBlock(Assignment(x, y)), sp.Lambda(x, x**2), sp.Lambda((x, y), x**2), sp.Derivative(sp.sin(x), x)),
        *(sp.Subs(sp.sin(x), x, y), sp.Derivative(sp.Function("q")(t), t), sp.Function("q")(t)),
        *(Q, Q[0, i], ArrayTensorProduct(Q, R), ArrayContraction(ArrayTensorProduct(Q, R), (0, 2))),
        PermuteDims(Q, [1, 0]),
        *(sbp.Mean(x, "N"), sbp.Mean(x, "M"), sbp.softmax(v), sbp.relu(x), sbp.gelu(x), sbp.norm(v), sbp.logsumexp(v)),
        *(sp.Dummy("d"), sp.Dummy("e"), sp.Dummy("d", positive=True)),
    ]


def test_different_requests_have_different_fingerprints() -> None:
    made = different()
    prints = [fingerprint(item) for item in made]
    assert None not in prints, [item for item, p in zip(made, prints, strict=True) if p is None]
    for (one, p), (other, q) in itertools.combinations(zip(made, prints, strict=True), 2):
        assert p != q, (one, other)


PRINT = "from tests.frontend.test_fingerprint import *; print([fingerprint(item) for item in different()])"


def test_equal_in_every_process() -> None:
    """Other hashes of strings, other identities, other Dummies before these."""
    outputs = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        code = f"import sympy; [sympy.Dummy() for _ in range({seed})]; {PRINT}"
        outputs.append(subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True))
    assert outputs[0].stdout == outputs[1].stdout == f"{[fingerprint(item) for item in different()]}\n".encode()


def test_sharing_does_not_matter() -> None:
    shared = sp.sin(x, evaluate=False)
    apart = [sp.Add(sp.Symbol("x"), sp.Integer(1)) for _ in range(2)]
    assert fingerprint([shared, shared]) == fingerprint([sp.sin(x), sp.sin(sp.Symbol("x"))])
    assert fingerprint(apart) == fingerprint([apart[0]] * 2)
    assert fingerprint([x, y]) != fingerprint([x, x])


def test_dummies_count_by_occurrence() -> None:
    a, b, c = sp.Dummy("d"), sp.Dummy("d"), sp.Dummy("d")
    assert fingerprint([a, b, a]) == fingerprint([c, a, c])
    assert fingerprint([a, b, a]) != fingerprint([a, b, b])
    assert fingerprint([a, b]) != fingerprint([a, a])


def test_declared_functions_count_by_their_definitions() -> None:
    def made(factor: int, slope: int | None) -> Any:
        @sbp.function(derivative=None if slope is None else lambda u: slope * sp.cos(u))
        def wave(u: Any) -> Any:
            return factor * sp.sin(u)

        return wave(x) + y

    assert fingerprint(made(2, 3)) == fingerprint(made(2, 3)) is not None
    assert len({fingerprint(made(*args)) for args in ((2, 3), (2, 4), (1, 3), (2, None), (3, None))}) == 5


class Own(sp.Function):
    """A function whose behaviour is in the user's code."""


class OwnMatrix(sp.Matrix):  # type: ignore[misc]
    """A matrix class of the user's."""


class OwnMeta(FunctionClass):
    """A metaclass of the user's."""


def test_what_is_not_known_has_no_fingerprint() -> None:
    held: list[Any] = [x]
    held.append(held)
    renamed = type("sin", (sp.Function,), {"__module__": "sympy.functions.elementary.trigonometric"})
    unknown = [Own(x), Own, OwnMatrix([x]), held, {x}, object(), np.float64(1.0), np.ones(2), sp.Wild("w"), renamed(x)]
    unknown += [OwnMeta("f", (sp.Function,), {})(x), b"x", (W * v).applyfunc(Own), [x, {"a": Own(x)}], lambda: x]
    for item in unknown:
        assert fingerprint(item) is None, item


def test_linear_in_distinct_nodes() -> None:
    """Every doubling shares its operand: as a tree this has 2**500 leaves."""
    expr: Any = x
    for _ in range(500):
        expr = sp.Mul(sp.Add(expr, y, evaluate=False), expr, evaluate=False)
    start = time.process_time()
    assert fingerprint(expr) is not None
    assert time.process_time() - start < 1.0


def test_mutable_matrices_count_by_their_entries() -> None:
    matrix = sp.Matrix([x, y])
    before = fingerprint(matrix)
    matrix[0, 0] = z
    assert fingerprint(matrix) != before == fingerprint(sp.Matrix([x, y]))


@pytest.mark.parametrize("change", [{"wrt": [x]}, {"names": {"s": x}}, {"batch": {"x": "N"}}, {"dtype": "float32"}])
def test_options_count(change: dict[str, Any]) -> None:
    assert fingerprint({"expr": x, **change}) != fingerprint({"expr": x})
