from __future__ import annotations

import numpy as np
import pytest
import sympy as sp

from symbackprop.errors import InputError
from symbackprop.frontend.mean import Mean
from tests.frontend.helpers import evaluate, program

m, n, lam = sp.symbols("m n lam")
W = sp.MatrixSymbol("W", m, n)
x, b, u = sp.MatrixSymbol("x", n, 1), sp.MatrixSymbol("b", m, 1), sp.MatrixSymbol("u", m, 1)
SIZES = {"m": 3, "n": 4, "N": 6, "M": 2}
score = u.T * (W * x + b).applyfunc(sp.tanh)


def np_score(v):
    return np.tanh(v["x"] @ v["W"].T + v["b"]) @ v["u"]


def test_the_output_carries_the_batch_axis() -> None:
    value, v = evaluate(score, SIZES, batch={"x": "N"})
    np.testing.assert_allclose(value, np_score(v))
    p = program(W * x, batch={"x": "N"})
    assert [str(d) for d in p.outputs[0].shape] == ["N", "m", "1"]
    assert p.outputs[0].unit_axes == (2,)
    x_record = next(a for a in p.arguments if a.name == "x")
    assert ([str(d) for d in x_record.shape], x_record.unit_axes, x_record.batch) == (["N", "n", "1"], (2,), "N")


def test_mean_inside_a_larger_expression() -> None:
    y = sp.Symbol("y")
    loss = Mean(sp.log(1 + sp.exp(-y * score[0, 0])), "N") + lam * sp.Trace(W.T * W)
    value, v = evaluate(loss, SIZES, batch={"x": "N", y: "N"})
    np.testing.assert_allclose(value, np.log1p(np.exp(-v["y"] * np_score(v))).mean() + v["lam"] * (v["W"] ** 2).sum())


def test_mean_of_a_matrix() -> None:
    value, v = evaluate(W * Mean(x, "N") + b, SIZES, batch={"x": "N"})
    np.testing.assert_allclose(value, v["W"] @ v["x"].mean(0) + v["b"])
    assert Mean(x, "N").shape == (n, 1)


def test_mean_of_what_does_not_vary_is_itself() -> None:
    value, v = evaluate(Mean(lam, "N") * Mean(score[0, 0], "N"), SIZES, batch={"x": "N"})
    np.testing.assert_allclose(value, v["lam"] * np_score(v).mean())


def test_two_batch_axes() -> None:
    value, v = evaluate(x.T * sp.MatrixSymbol("t", n, 1), SIZES, batch={"x": "N", "t": "M"})
    np.testing.assert_allclose(value, v["x"] @ v["t"].T)
    value, v = evaluate(Mean(x.T * sp.MatrixSymbol("t", n, 1), "N"), SIZES, batch={"x": "N", "t": "M"})
    np.testing.assert_allclose(value, (v["x"] @ v["t"].T).mean(0))


def test_matrix_batches() -> None:
    value, v = evaluate(W.T * W + sp.Identity(n), SIZES, batch={W: sp.Symbol("N")})
    np.testing.assert_allclose(value, np.einsum("Nij,Nik->Njk", v["W"], v["W"]) + np.eye(4))


def test_the_batch_size_as_a_number() -> None:
    value, v = evaluate(sp.Symbol("N") * Mean(lam, "N"), SIZES, batch={"lam": "N"})
    np.testing.assert_allclose(value, v["lam"].sum())


def test_batched_nested_and_indexed_arguments() -> None:
    a, c, j = sp.symbols("a c j")
    value, v = evaluate(a * sp.sin(c), SIZES, inputs=[[a, c]], batch={"arg0": "N"})
    np.testing.assert_allclose(value, v["arg0"][:, 0] * np.sin(v["arg0"][:, 1]))
    z = sp.IndexedBase("z")
    value, v = evaluate(sp.Sum(z[j] ** 2, (j, 0, n - 1)), SIZES, batch={"z": "N"})
    np.testing.assert_allclose(value, (v["z"] ** 2).sum(1))
    value, v = evaluate(sp.Matrix([a, c * a]), SIZES, batch={"a": "N"})
    np.testing.assert_allclose(value, np.stack([v["a"], v["c"] * v["a"]], axis=1))


def test_mean_is_an_expression() -> None:
    mean = Mean(lam**2, "N")
    assert str(2 * mean + lam) in {"lam + 2*Mean(lam**2, 'N')", "2*Mean(lam**2, 'N') + lam"}
    assert mean.free_symbols == {lam}
    assert mean.func(*mean.args) == mean
    assert mean.diff(lam) == Mean(2 * lam, "N")
    assert Mean(x, "N").func(*Mean(x, "N").args) == Mean(x, "N")
    assert str(Mean(x, "N")) == "Mean(x, 'N')"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: program(Mean(lam, "N")),
            """Mean over 'N', which is no batch axis
  in: Mean(lam, 'N')
  expected: a batch axis
  hint: declare it: batch={"x": "N"}""",
        ),
        (
            lambda: program(Mean(lam, "M"), batch={"lam": "N"}),
            "Mean over 'M', which is no batch axis\n  in: Mean(lam, 'M')\n  expected: one of 'N'\n",
        ),
        (lambda: Mean("x", "N"), 'Mean needs an expression and the name of a batch axis\n  expected: Mean(loss, "N")'),
        (lambda: Mean(lam, 3), "Mean needs an expression and the name of a batch axis\n"),
        (lambda: program(lam, batch={"q": "N"}), "batch names the input 'q', which does not occur\n  expected: lam"),
        (lambda: program(lam, batch={sp.Symbol("q"): "N"}), "batch names the input q, which does not occur\n"),
        (lambda: program(lam, batch={"lam": 3}), 'the batch axis of lam is not a name\n  expected: "N"\n  found: 3'),
        (lambda: program(lam, batch=["lam"]), "batch is not a dict\n"),
    ],
)
def test_refusals(call, text) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert str(caught.value).startswith(text)
