"""Long scalar kernels: the same numbers as the interpreter, through LLVM directly, in a module that stands alone."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

import symbackprop as sbp

SYMBOLS = sp.symbols("x0:6")


def long_expression(n: int) -> sp.Expr:
    """A sum of n terms that together use every scalar operation."""
    total = sp.S.Zero
    for k in range(n):
        a, b, c = (SYMBOLS[(k + j) % 6] for j in (0, 1, 3))
        term = sp.sin(a + k) * b + sp.Max(b, a * c) / (2 + sp.cos(a * b)) - sp.sqrt(1 + (c - k) ** 2)
        branch = sp.Piecewise((term, a > b), (sp.tanh(c + b), True))
        total += branch + sp.exp(-((a - k) ** 2)) + sp.Abs(a - c) ** 3
    return total


@pytest.fixture(scope="module")
def kernel() -> sbp.Kernel:
    return sbp.compile(long_expression(12), inputs={"x": SYMBOLS})


def test_a_long_kernel_is_compiled_directly(kernel: sbp.Kernel) -> None:
    assert "@straight_line\ndef _value_and_grad(" in kernel.source
    assert "straight_line" not in sbp.compile(long_expression(1), inputs={"x": SYMBOLS}).source


def test_value_and_gradient(kernel: sbp.Kernel) -> None:
    x = np.random.default_rng(3).normal(size=6)
    value, grads = kernel.value_and_grad(x)
    reference = sp.lambdify([SYMBOLS], long_expression(12), "mpmath")
    assert value == pytest.approx(float(reference(list(map(sp.Float, x)))), rel=1e-12)
    step = 1e-6
    numeric = [(kernel(x + step * e) - kernel(x - step * e)) / (2 * step) for e in np.eye(6)]
    np.testing.assert_allclose(grads["x"], numeric, rtol=1e-6, atol=1e-8)
    _, residuals = kernel.fprop(x)
    np.testing.assert_allclose(kernel.bprop(residuals, 2.0)["x"], 2 * grads["x"], rtol=1e-13)


def test_float32_stays_float32() -> None:
    kernel = sbp.compile(long_expression(12), inputs={"x": SYMBOLS}, dtype="float32")
    x = np.random.default_rng(3).normal(size=6).astype(np.float32)
    value, grads = kernel.value_and_grad(x)
    assert value.dtype == grads["x"].dtype == np.float32
    wide = sbp.compile(long_expression(12), inputs={"x": SYMBOLS})
    assert value == pytest.approx(wide(x.astype(np.float64)), rel=1e-4)
