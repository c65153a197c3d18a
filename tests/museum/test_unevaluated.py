"""Arrays, derivatives and integrals left unevaluated: what SymPy would have to close before it prints them."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from sympy.tensor.array import expressions as arrays

from symbackprop.errors import UnsupportedExpressionError
from tests.museum.exhibit import assert_close, check, kernel, slopes

x, y, t, a, b = sp.symbols("x y t a b")
rng = np.random.default_rng(7)


# -- arrays ------------------------------------------------------------------------------------------------------------


def test_array_symbol() -> None:
    """SymPy #26807: lambdify of an expression with an ArraySymbol recurses without end."""
    A = arrays.ArraySymbol("A", (2, 2))
    grid, ct = rng.standard_normal((2, 2, 2))
    check(kernel(arrays.ArrayAdd(A, A), plain=True), {"A": grid}, 2 * grid, {"A": 2 * ct}, upstream=ct)


def test_permuted_outer_product() -> None:
    """SymPy #26946: array_derive of PermuteDims by a vector permutes axes that are not there."""
    v = arrays.ArraySymbol("x", (3,))
    outer = arrays.PermuteDims(arrays.ArrayTensorProduct(v, v), (1, 0))
    values, ct = rng.standard_normal(3), rng.standard_normal((3, 3))
    check(kernel(outer, plain=True), {"x": values}, np.outer(values, values), {"x": (ct + ct.T) @ values}, upstream=ct)


def test_diagonals_and_contractions_of_several_axes() -> None:
    """SymPy #22057 and #21293: a diagonal with an identity is turned into a wrong matrix, a contraction into none."""
    A, B, a_, b_ = (sp.MatrixSymbol(name, 3, width) for name, width in (("A", 3), ("B", 3), ("a", 1), ("b", 1)))
    diagonal = arrays.ArrayDiagonal(arrays.ArrayTensorProduct(sp.Identity(3), a_, A, B), (1, 2), (5, 6))
    contraction = arrays.ArrayContraction(arrays.ArrayTensorProduct(A, a_, sp.Identity(3), b_, B), (1, 2, 4, 6, 8))
    first, second = rng.standard_normal((2, 3, 3))
    left, right = rng.standard_normal((2, 3))
    every = np.einsum("ip,p,jk,kl->ijlpk", np.eye(3), left, first, second)[:, None]
    ct = rng.standard_normal(every.shape)
    check(
        kernel(diagonal, plain=True),
        {"A": first, "a": left, "B": second},
        every,
        {
            "A": np.einsum("iujlik,i,kl->jk", ct, left, second),
            "a": np.einsum("iujlik,jk,kl->i", ct, first, second),
            "B": np.einsum("iujlik,i,jk->kl", ct, left, first),
        },
        upstream=ct,
    )
    ct = rng.standard_normal((3, 1, 3, 1, 3))
    check(
        kernel(contraction, plain=True),
        {"A": first, "a": left, "b": right, "B": second},
        np.einsum("ik,k,jk,k,kl->ijl", first, left, np.eye(3), right, second)[:, None, :, None],
        {
            "A": np.einsum("iukvl,k,k,kl->ik", ct, left, right, second),
            "a": np.einsum("iukvl,ik,k,kl->k", ct, first, right, second),
            "b": np.einsum("iukvl,ik,k,kl->k", ct, first, left, second),
            "B": np.einsum("iukvl,ik,k,k->kl", ct, first, left, right),
        },
        upstream=ct,
    )


# -- derivatives inside expressions ------------------------------------------------------------------------------------


def test_unevaluated_derivatives_of_known_functions() -> None:
    """SymPy #9339: lambdify of Derivative(sin(t), t)/sqrt(...) ends in a NameError."""
    first, second = sp.Derivative(sp.sin(t), t), sp.Derivative(sp.cos(t), t)
    point = {"t": 0.1}
    check(
        kernel(first / sp.sqrt(first**2 + second**2) + second),
        point,
        *slopes(lambda t: mp.cos(t) / mp.sqrt(mp.cos(t) ** 2 + mp.sin(t) ** 2) - mp.sin(t), point),
        rtol=1e-11,
    )


def test_derivative_at_a_point() -> None:
    """SymEngine #1209: putting a value into the derivative of a function leaves a Subs behind."""
    check(kernel(sp.Subs(sp.Derivative(x**2 * y, x), x, 3 * y)), {"y": 2.0}, 24.0, {"y": 24.0})


def test_function_of_time_and_its_derivative() -> None:
    """SymPy #10844, #13753, #14648 and #26663: lambdify with arguments f(t) and f(t).diff(t) is a syntax error."""
    f = sp.Function("f")(t)
    compiled = kernel(a * f + b * f.diff(t), inputs=[a, b, f, f.diff(t)])
    value, grads = compiled.value_and_grad(2.0, 3.0, 5.0, 7.0)
    assert value == 31.0
    assert list(grads.values()) == [5.0, 7.0, 2.0, 3.0]


def test_torque_with_derivatives_as_arguments() -> None:
    """SymPy #26404 and #27006: with cse, lambdify no longer knows the derivatives among its arguments."""
    angle, rate = sp.Function("theta")(t), sp.Function("omega")(t)
    force = a * rate**2 * sp.sin(angle) - b * sp.cos(angle) * rate.diff(t)
    f = kernel(force, inputs=[angle, rate, rate.diff(t), a, b], plain=True)
    point = {"q": 0.7, "w": 1.3, "r": -0.4, "a": 2.0, "b": 0.5}
    total, expected = slopes(lambda q, w, r, a, b: a * w**2 * mp.sin(q) - b * mp.cos(q) * r, point)
    value, grads = f.value_and_grad(*point.values())
    assert value == pytest.approx(total, rel=1e-14)
    assert_close(list(grads.values()), list(expected.values()))


def test_integrals_left_as_they_are() -> None:
    """SymPy #5932: lambdify cannot run an Integral. #24855: nor can it that of a ramp by pieces, on an array."""
    root = kernel(sp.Integral(1 / sp.sqrt(x**2 + x), (x, 1, y)), plain=True)
    exact = 2 * (math.asinh(math.sqrt(2)) - math.asinh(1))
    check(root, {"y": 2.0}, exact, {"y": 1 / math.sqrt(6)})
    ramp = sp.Piecewise((t / 5000 * a, t <= 5000), (a, t <= 17500), ((22500 - t) / 5000 * a, t <= 22500), (0, True))
    f = kernel(sp.Integral(ramp, (t, 0, x)), batch={"x": "N"}, plain=True)
    check(
        f,
        {"x": np.array([42.0, 6000.0, 20000.0, 30000.0]), "a": 2.0},
        [0.3528, 7000.0, 33750.0, 35000.0],
        {"x": [0.0168, 2.0, 1.0, 0.0], "a": 0.1764 + 3500.0 + 16875.0 + 17500.0},
    )


def test_derivatives_of_an_order_to_be_summed_are_refused() -> None:
    """SymPy #27852: the sum over k of the k-th derivatives of f(x) is 0 without a word."""
    k = sp.Symbol("k", integer=True)
    with pytest.raises(UnsupportedExpressionError, match="Derivative"):
        kernel(sp.Sum(sp.Derivative(sp.Function("f")(x), (x, k)), (k, 1, 3)))
