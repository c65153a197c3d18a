"""Functions from SciPy's C library in generated code: in straight-line code, in loops, alone in a saved module."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numba
import numpy as np
import pytest
import scipy.special as sc
import sympy as sp

import symbackprop as sbp
from symbackprop.codegen import kernel as kernel_text
from symbackprop.ir.external import External
from symbackprop.ir.registry import ELEMENTWISE
from symbackprop.runtime.special import scipy_function

x, y = sp.symbols("x y")
#: One function of each make: bound, bound with pointers, a helper with a loop, with branches, one that calls another.
TERMS = [
    sp.digamma(x),
    sp.Si(x) * sp.airyai(y),
    sp.polygamma(2, x) * sp.jn(2, y),
    sp.LambertW(x) ** y,
    sp.binomial(y, x),
    sp.besselj(sp.Rational(1, 3), x),
    sp.Mod(9 * x, y) * x + sp.floor(y) * sp.sinc(x),
    sp.Piecewise((sp.gamma(-x), x < y), (sp.erf2(x, y), True)),
]


def expected(a: float, b: float) -> float:
    value = sc.psi(a) + sc.sici(a)[0] * sc.airy(b)[0] + sc.polygamma(2, a) * sc.spherical_jn(2, b)
    value += sc.lambertw(a).real ** b + sc.binom(b, a) + sc.jv(1 / 3, a)
    return float(value + (9 * a) % b * a + np.floor(b) * np.sin(a) / a + (sc.gamma(-a) if a < b else 0))


def test_every_function_is_bound_to_the_right_symbol() -> None:
    """numba calls each at one point, as SciPy itself does."""
    externals = {h for op in ELEMENTWISE.values() for h in op.helpers if isinstance(h, External)}
    assert len(externals) > 15
    source = ["def call():", "    x, y = 2.0, 0.9", "    return ("]
    bound = {}
    for h in sorted(externals, key=lambda h: h.name):
        bound[h.name] = scipy_function(h.name, h.symbol, h.arity, h.outputs, h.which)
        source.append(f"        {h.name}({', '.join('xy'[2 - h.arity :])}),")
    source.append("    )")
    exec("\n".join(source), bound)
    got = numba.njit(bound["call"])()
    want = [h(*(2.0, 0.9)[2 - h.arity :]) for h in sorted(externals, key=lambda h: h.name)]
    np.testing.assert_allclose(got, want, rtol=1e-15)


@pytest.mark.parametrize(("dtype", "error"), [("float64", 1e-13), ("float32", 1e-4)])
def test_straight_line_and_plain_code_agree(dtype: str, error: float, monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for long in (1, 10**9):
        monkeypatch.setattr(kernel_text, "LONG", long)
        kernel = sbp.compile(sum(TERMS), dtype=dtype)
        assert ("straight_line" in kernel.source) == (long == 1)
        value, grads = kernel.value_and_grad(0.83, 1.71)
        assert np.dtype(type(value)) == dtype
        results.append([value, *grads.values()])
    assert results[0][0] == pytest.approx(expected(0.83, 1.71), rel=error)
    np.testing.assert_allclose(*results, rtol=error)
    if dtype == "float64":
        wide = kernel
        step = 1e-6
        slope = (wide(0.83 + step, 1.71) - wide(0.83 - step, 1.71)) / (2 * step)
        assert results[0][1] == pytest.approx(slope, rel=1e-7)


def test_in_a_loop() -> None:
    X, Y = sp.IndexedBase("X"), sp.IndexedBase("Y")
    i, n = sp.symbols("i n", integer=True)
    kernel = sbp.compile(sp.Sum(sum(TERMS).xreplace({x: X[i], y: Y[i]}), (i, 0, n - 1)))
    a, b = np.array([0.83, 1.3]), np.array([1.71, 1.2])
    value, grads = kernel.value_and_grad(a, b)
    one = sbp.compile(sum(TERMS))
    each = [one.value_and_grad(p, q) for p, q in zip(a, b, strict=True)]
    assert value == pytest.approx(sum(v for v, _ in each), rel=1e-13)
    np.testing.assert_allclose(grads["X"], [g["x"] for _, g in each], rtol=1e-12)
    np.testing.assert_allclose(grads["Y"], [g["y"] for _, g in each], rtol=1e-12)


def test_saved_module_stands_alone(tmp_path: Path) -> None:
    kernel = sbp.compile(sp.digamma(x) * sp.besselk(1, y) + sp.Si(x))
    path = kernel.save(tmp_path / "special_module.py")
    assert 'scipy_psi = scipy_function("scipy_psi", "__pyx_fuse_1psi", 1)' in path.read_text()
    code = """
        import sys
        sys.path.insert(0, ".")
        from numba import njit
        from special_module import value_and_grad

        @njit
        def twice(a, b):
            return value_and_grad(a, b)[0] + value_and_grad(b, a)[0]

        print(twice(0.5, 2.0))
        assert "sympy" not in sys.modules and "symbackprop" not in sys.modules
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    want = sc.psi(0.5) * sc.kv(1, 2.0) + sc.sici(0.5)[0] + sc.psi(2.0) * sc.kv(1, 0.5) + sc.sici(2.0)[0]
    assert float(done.stdout) == pytest.approx(want, rel=1e-13)


def test_modules_without_special_functions_import_nothing_new() -> None:
    source = sbp.compile(sp.sin(x) * sp.erfc(y) + sp.atan2(x, y)).source
    assert "scipy" not in source
    assert "llvmlite" not in source
