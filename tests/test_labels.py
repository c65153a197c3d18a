"""Labels of intermediates: kept through the passes, in the generated code, refused when nothing bears them."""

from __future__ import annotations

import pytest
import sympy as sp

import symbackprop as sbp

m, n = sp.symbols("m n", integer=True, positive=True)
W, b = sp.MatrixSymbol("W", m, n), sp.MatrixSymbol("b", m, 1)
u, x = sp.MatrixSymbol("u", m, 1), sp.MatrixSymbol("x", n, 1)
z = W * x + b
h = z.applyfunc(sp.tanh)


@pytest.mark.parametrize("score", [u.T * h, (u.T * h)[0, 0]], ids=["matrix", "entry"])
def test_labels_name_values_and_their_cotangents(score: sp.Expr) -> None:
    """`(u.T*h)[0, 0]` is a sum over entries to SymPy; the labels still find their values."""
    source = sbp.compile(score, names={"z": z, "h": h, "s": score}).source
    assert "# h = tanh(z)" in source
    assert "h_i = vtanh(z_i)" in source
    assert "s = accumulate(s, u[i] * h_i)" in source
    assert "# ct_z = ct_h * ((1 - h) * (1 + h))" in source


def test_a_label_nothing_bears_is_refused() -> None:
    t = sp.Symbol("t")
    with pytest.raises(sbp.InputError) as caught:
        sbp.compile(t**2, names={"s": sp.sin(t)})
    assert str(caught.value) == (
        "the named intermediate 's' does not occur\n"
        "  in: sin(t)\n"
        "  hint: build the outputs from the same sub-expression"
    )


def test_a_label_that_simplification_removes_is_dropped() -> None:
    """log(softmax) becomes its stable form, in which the probability itself is not computed."""
    t, v = sp.symbols("t v")
    p = sp.exp(t) / (sp.exp(t) + sp.exp(v))
    kernel = sbp.compile(-sp.log(p), names={"p": p})
    value, grads = kernel.value_and_grad(0.0, 1000.0)
    assert value == 1000.0
    assert grads == {"t": -1.0, "v": 1.0}
