"""Symbols of any name: all addressable, whatever they are called, none meeting a name of generated code."""

from __future__ import annotations

import math

import numpy as np
import pytest
import sympy as sp

import symbackprop as sbp
from symbackprop.errors import InputError
from tests.plain import compile_plain

HOSTILE = [
    *("lambda", "class", "None", "True", "θ", "\\theta_{1}", "x^2", "np", "math", "njit", "range", "out", "fprop"),
    *("value", "t0", "t1", "ct_out", "ct_x", "float64", "jit", "I", "E_n", "beta", "gamma", "digamma", "scipy_psi"),
    *("binomial", "residuals", "upstream", "work", "__import__", "self", "scipy_function", "straight_line", "sech"),
    *("ir", "types", "signature", "intrinsic", "add_symbol", "cgutils", "x; import os", "a b", '"', "\n", ""),
]


def test_names_are_harmless() -> None:
    symbols = [sp.Symbol(name) for name in HOSTILE]
    expr = sp.Add(*(sp.sin(s * (k + 1)) for k, s in enumerate(symbols)))
    kernel = compile_plain(expr)
    assert sorted(r.name for r in kernel.inputs) == sorted(HOSTILE)
    at = {name: 0.1 + 0.02 * k for k, name in enumerate(HOSTILE)}
    value, grads = kernel.value_and_grad(*(at[r.name] for r in kernel.inputs))
    assert math.isclose(value, kernel(**at), rel_tol=1e-14)
    assert math.isclose(value, sum(math.sin((k + 1) * v) for k, v in enumerate(at.values())), rel_tol=1e-12)
    for k, (name, v) in enumerate(at.items()):
        assert math.isclose(grads[name], (k + 1) * math.cos((k + 1) * v), rel_tol=1e-12)


def test_names_of_bound_functions_stay_apart() -> None:
    psi, digamma, function = sp.symbols("scipy_psi digamma scipy_function")
    kernel = sbp.compile(sp.digamma(psi) * digamma + function)
    value, grads = kernel.value_and_grad(scipy_psi=1.0, digamma=2.0, scipy_function=3.0)
    assert math.isclose(value, 3.0 - 2 * 0.5772156649015329, rel_tol=1e-14)
    assert math.isclose(grads["scipy_psi"], math.pi**2 / 3, rel_tol=1e-14)


def test_equal_names() -> None:
    """Dummies of one name, and one name with different assumptions: told apart by a number."""
    first, second = sp.Dummy("u"), sp.Dummy("u")
    kernel = compile_plain(first - second)
    assert [r.name for r in kernel.inputs] == ["u", "u_1"]
    assert abs(kernel(u=5.0, u_1=2.0)) == 3.0
    plain, positive, real = sp.Symbol("x"), sp.Symbol("x", positive=True), sp.Symbol("x", real=True)
    named = compile_plain(plain * positive**2 * sp.exp(real), inputs={"a": plain, "b": positive, "c": real})
    assert named(a=1.0, b=2.0, c=0.0) == 4.0
    unnamed = compile_plain(plain + positive + real)
    assert [r.name for r in unnamed.inputs] == ["x", "x_1", "x_2"]
    assert unnamed(x=1.0, x_1=2.0, x_2=4.0) == 7.0


def test_equal_names_in_a_list() -> None:
    """The first bears the name, the others are numbered in order; a symbol that has such a name keeps it."""
    first, second, third = sp.Dummy("u"), sp.Dummy("u"), sp.Symbol("u")
    kernel = compile_plain(first * second**2, inputs=[second, first])
    assert [r.name for r in kernel.inputs] == ["u", "u_1"]
    assert kernel.value_and_grad(3.0, 2.0) == (18.0, {"u": 12.0, "u_1": 9.0})
    numbered = sp.Symbol("u_1")
    kernel = compile_plain(first - second / third + numbered, inputs=[third, numbered, first, second], wrt=[second])
    assert [r.name for r in kernel.inputs] == ["u", "u_1", "u_2", "u_3"]
    assert kernel.value_and_grad(2.0, 5.0, 7.0, 8.0) == (8.0, {"u_3": -0.5})
    assert [r.name for r in compile_plain(third + numbered + first).inputs] == ["u", "u_2", "u_1"]
    with pytest.raises(InputError, match="inputs lists 'u', which 2 different inputs are named"):
        compile_plain(first + third, inputs=["u", first])
    with pytest.raises(InputError, match="two inputs are named 'u'"):
        compile_plain(first + sp.MatrixSymbol("u", 2, 1)[0, 0], inputs=[first, sp.MatrixSymbol("u", 2, 1)])


def test_wild_symbols() -> None:
    w = sp.Wild("w")
    value, grads = compile_plain(w**2 + sp.Symbol("v")).value_and_grad(w=3.0, v=1.0)
    assert (value, grads["w"]) == (10.0, 6.0)


def test_python_numbers() -> None:
    assert compile_plain(3)() == 3.0
    assert np.isnan(compile_plain(sp.nan)())
    assert compile_plain(sp.oo)() == math.inf
