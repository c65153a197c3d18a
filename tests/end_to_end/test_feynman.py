"""The equations of the Feynman symbolic regression data base: value and gradient to nine digits and more.

The data (formula, ranges, points, and value and gradient to 40 digits by dual numbers, no symbolic derivative taking
part) lies beside the repository, not in it; without it the tests are skipped. A second reference, the formula evaluated
by mpmath at 50 digits and differentiated by central differences, is held against the first.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

import symbackprop as sbp
from tests.plain import compile_plain

FILE = Path(os.environ.get("SYMBACKPROP_DATA", Path(__file__).parents[3] / "shared" / "data")) / "feynman/feynman.json"
EQUATIONS: list[dict[str, Any]] = json.loads(FILE.read_text()) if FILE.exists() else []

#: The data base writes two functions as NumPy calls them.
FUNCTIONS = {"arcsin": sp.asin, "arccos": sp.acos}

needs_data = pytest.mark.skipif(not EQUATIONS, reason=f"no {FILE}")
each = pytest.mark.parametrize("equation", EQUATIONS, ids=[e["id"] for e in EQUATIONS])


def parsed(equation: dict[str, Any], **assumptions: bool) -> tuple[sp.Expr, list[sp.Symbol]]:
    """The formula and its variables in order; `I`, `E_n`, `beta`, `gamma`, `lambda` ... are variables like others."""
    symbols = {v["name"]: sp.Symbol(v["name"], **assumptions) for v in equation["vars"]}
    return sp.sympify(equation["formula"], locals={**FUNCTIONS, **symbols}), list(symbols.values())


def assert_close(found: Any, expected: Any, rtol: float = 1e-9) -> None:
    np.testing.assert_allclose(np.asarray(found, float), np.asarray(expected, float), rtol=rtol, atol=0.0)


@needs_data
def test_there_are_120_equations() -> None:
    assert len(EQUATIONS) == 120
    assert len({e["id"] for e in EQUATIONS}) == 120


@needs_data
@each
def test_value_and_gradient(equation: dict[str, Any]) -> None:
    expr, symbols = parsed(equation)
    names = [s.name for s in symbols]
    kernel = sbp.compile(expr, inputs=symbols)
    assert [record.name for record in kernel.inputs] == names
    for point, expected, slopes in zip(equation["points"], equation["value"], equation["grad"], strict=True):
        value, grads = kernel.value_and_grad(*point)
        assert_close(value, float(expected))
        assert list(grads) == names
        assert_close(list(grads.values()), [float(slope) for slope in slopes])


@needs_data
@pytest.mark.parametrize("equation", EQUATIONS[::8], ids=[e["id"] for e in EQUATIONS[::8]])
def test_separate_passes_and_real_symbols(equation: dict[str, Any]) -> None:
    """`fprop` and `bprop` on their own, from symbols declared positive."""
    expr, symbols = parsed(equation, positive=True)
    kernel = compile_plain(expr, inputs=symbols)
    for point, expected, slopes in zip(equation["points"], equation["value"], equation["grad"], strict=True):
        value, residuals = kernel.fprop(*point)
        assert_close(value, float(expected))
        assert_close(list(kernel.bprop(residuals, 2.0).values()), [2 * float(slope) for slope in slopes])


@needs_data
def test_many_equations_in_one_program() -> None:
    """The equations over one set of variables as a dict of outputs: each gradient by itself is the equation's own."""
    chosen = [
        e for e in EQUATIONS if {v["name"] for v in e["vars"]} <= {"q1", "q2", "epsilon", "r", "q", "Ef", "B", "v"}
    ]
    assert len(chosen) >= 3
    outputs = {e["id"]: parsed(e)[0] for e in chosen}
    kernel = compile_plain(outputs)
    rng = np.random.default_rng(0)
    point = {record.name: float(rng.uniform(1, 5)) for record in kernel.inputs}
    together, residuals = kernel.fprop(**point)
    for equation in chosen:
        expr, symbols = parsed(equation)
        value, slopes = compile_plain(expr, inputs=symbols).value_and_grad(*(point[s.name] for s in symbols))
        assert_close(together[equation["id"]], value, 1e-14)
        grads = kernel.bprop(residuals, {key: float(key == equation["id"]) for key in outputs})
        for name, grad in grads.items():
            assert_close(grad, slopes.get(name, 0.0), 1e-13)


@needs_data
def test_the_references_agree() -> None:
    """mpmath's evaluation of the formula, and its central differences, against the file's dual numbers."""
    with mp.workdps(60):
        step = mp.mpf("1e-22")
        for equation in EQUATIONS[::10]:
            expr, symbols = parsed(equation)
            function = sp.lambdify(symbols, expr, "mpmath")
            point = [mp.mpf(float(p)) for p in equation["points"][0]]
            assert abs(function(*point) / mp.mpf(equation["value"][0]) - 1) < mp.mpf("1e-35")
            for at, slope in enumerate(equation["grad"][0]):
                sides = [function(*point[:at], point[at] + s, *point[at + 1 :]) for s in (step, -step)]
                assert abs((sides[0] - sides[1]) / (2 * step) - mp.mpf(slope)) < mp.mpf("1e-30") * (
                    1 + abs(mp.mpf(slope))
                )
