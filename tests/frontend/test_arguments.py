from __future__ import annotations

import keyword

import numpy as np
import pytest
import sympy as sp

from symbackprop.errors import InputError, UnsupportedExpressionError
from symbackprop.frontend.naming import Namer, sanitise
from symbackprop.frontend.wrt import resolve_wrt
from tests.frontend.helpers import evaluate, outputs, program, random_values

x, y, z = sp.symbols("x y z")
k = sp.Symbol("k", integer=True)
m, n = sp.symbols("m n")
W, v = sp.MatrixSymbol("W", m, n), sp.MatrixSymbol("v", n, 1)


def names(p) -> list[str]:
    return [a.name for a in p.arguments]


def test_order_is_by_name_or_as_listed() -> None:
    expr = z * x + y
    assert names(program(expr)) == ["x", "y", "z"]
    assert names(program(expr, inputs=[z, "x", y])) == ["z", "x", "y"]
    assert names(program(expr, inputs={"first": z, "x": x, "w": y})) == ["first", "x", "w"]
    assert [node.name for node in program(expr, inputs=[z, x, y]).graph.inputs] == ["z", "x", "y"]


def test_a_listed_argument_may_be_unused() -> None:
    p = program(x**2, inputs=[x, y])
    assert names(p) == ["x", "y"]
    assert p.wrt == ("x",)
    unused = sp.IndexedBase("u", shape=(n, 2))
    p = program(x * m, inputs=[x, W, unused])
    assert [tuple(map(str, a.shape)) for a in p.arguments] == [(), ("m", "n"), ("n", "2")]
    assert p.wrt == ("x",)


def test_nested_arguments() -> None:
    p = program(x * y - z, inputs=[[x, y], z])
    assert [(a.name, a.identifier, tuple(map(str, a.shape))) for a in p.arguments] == [
        ("arg0", "arg0", ("2",)),
        ("z", "z", ()),
    ]
    assert outputs(p, {"arg0": [2.0, 5.0], "z": 1.0}) == [9.0]
    p = program(x * y - z, inputs=[(x,), sp.Matrix([[y, z]])])
    assert [(a.name, tuple(map(str, a.shape)), a.unit_axes) for a in p.arguments] == [
        ("arg0", ("1",), ()),
        ("arg1", ("1", "2"), (0,)),
    ]
    assert outputs(p, {"arg0": [2.0], "arg1": [5.0, 1.0]}) == [9.0]
    p = program(x * y - z, inputs={"q": sp.Matrix([[x, y], [z, sp.Symbol("unused")]])})
    assert outputs(p, {"q": [[2.0, 5.0], [1.0, 0.0]]}) == [9.0]
    assert p.wrt == ("q",)


def test_wrt() -> None:
    expr = (W * v)[0, 0] * x + v[k, 0]
    assert program(expr).wrt == ("W", "v", "x")
    assert program(expr, wrt=x).wrt == ("x",)
    assert program(expr, wrt=["v", W]).wrt == ("W", "v")
    assert program(x * y, inputs={"q": [x, y]}, wrt="q").wrt == ("q",)
    assert program(expr, wrt=[]).wrt == ()
    a = sp.IndexedBase("a")
    assert program(a[0] * x, wrt=a).wrt == ("a",)


def test_containers() -> None:
    assert program(x).container == "single"
    for given, container, out in (
        ([x, x * y], "list", ["out0", "out1"]),
        ((x, x * y), "tuple", ["out0", "out1"]),
        ({"f": x, "g": x * y}, "dict", ["f", "g"]),
    ):
        p = program(given)
        assert p.container == container
        assert [o.name for o in p.outputs] == out
        assert len(p.graph.outputs) == 2


def test_named_intermediates() -> None:
    h = (W * v).applyfunc(sp.tanh)
    p = program(sp.Trace(h * h.T), names={"z": W * v, "h": h, "lambda": W * v})
    assert list(p.graph.names) == ["z", "h", "lambda_"]
    assert p.graph.names["z"].args == tuple(p.graph.inputs)
    s = 1 / (1 + sp.exp(-x))
    p = program(y / (1 + sp.exp(-x)) + x - 2 * y, names={"s": s, "t": -2 * y})
    assert set(p.graph.names) == {"s", "t"}


def test_sizes_and_their_symbols() -> None:
    size = sp.Symbol("\\ell", integer=True, positive=True)
    p = program(sp.MatrixSymbol("a", size, 1).T * sp.MatrixSymbol("b", size, 1), batch={"a": "N"})
    assert p.sizes == {"ell": "\\ell", "N": "N"}
    assert p.symbols == {"ell": size, "N": sp.Symbol("N")}


def test_sizes_are_told_apart_by_name_only() -> None:
    other = sp.Symbol("n", integer=True, positive=True)
    value, at = evaluate(sp.MatrixSymbol("a", other, 1).T * v * n, {"n": 3})
    np.testing.assert_allclose(value, 3 * at["a"] @ at["v"])


def test_hostile_names() -> None:
    texts = [
        "x; import os",
        "lambda",
        "\\theta_1",
        "λ",
        "Δ",
        "é",
        "np",
        "range",
        "__import__",
        "1a",
        "",
        "'",
        "work",
        "x",
    ]
    p = program(sp.Add(*[sp.Symbol(t) * i for i, t in enumerate(texts, 1)]))
    identifiers = [a.identifier for a in p.arguments]
    assert len(set(identifiers)) == len(texts)
    for identifier in identifiers:
        assert identifier.isidentifier()
        assert identifier.isascii()
        assert not keyword.iskeyword(identifier)
        assert identifier not in {"np", "range", "work"}
    by_text = {a.name: a.identifier for a in p.arguments}
    assert by_text["x; import os"] == "x_import_os"
    assert by_text["\\theta_1"] == "theta_1"
    assert {by_text["λ"], by_text["lambda"]} == {"lambda_", "lambda_1"}
    assert by_text["Δ"] == "Delta"


def test_equal_names_with_different_assumptions() -> None:
    one, two, three = sp.Symbol("x"), sp.Symbol("x", positive=True), sp.Dummy("x")
    for _ in range(2):
        p = program(one + two**2 + three**3)
        assert sorted(names(p)) == ["x", "x_1", "x_2"]
        assert len({a.identifier for a in p.arguments}) == 3
    value = outputs(p, random_values(p, {}))
    assert np.isfinite(value).all()


def test_identifiers() -> None:
    assert [sanitise(t) for t in ("a_b", "a  b", "α₁", "2x", "???")] == ["a_b", "a_b", "alpha1", "v_2x", "v"]
    namer = Namer()
    assert [namer.identifier(t) for t in ("a", "a", "a_1", "a", "if", "if")] == [
        "a",
        "a_1",
        "a_1_1",
        "a_2",
        "if_",
        "if_1",
    ]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: program(x, wrt=y), "wrt y does not occur\n  expected: one of x"),
        (lambda: program(x, wrt="q"), "wrt 'q' does not occur\n  expected: one of x"),
        (lambda: program(x, inputs=[x, y], wrt=y), "wrt y does not occur\n  expected: one of x"),
        (
            lambda: program(v[k, 0], wrt=k),
            "wrt k is an integer argument\n  expected: a real-valued argument\n  found: int64",
        ),
        (
            lambda: program(x * y, inputs=[[x, y]], wrt=x),
            "wrt x is part of the argument arg0\n  hint: differentiate for the whole of it: wrt='arg0'",
        ),
        (lambda: program(x * y, inputs=[[x, y]], wrt="x"), "wrt x is part of the argument arg0\n"),
        (lambda: program(x, wrt=[x, "x"]), "wrt lists x twice"),
        (lambda: program(x, wrt=x + 1), "wrt is neither a symbol nor a name\n  found: x + 1"),
        (lambda: program(x * y, inputs=[x]), "inputs misses y\n  expected: every symbol that occurs\n  found: x"),
        (lambda: program(x, inputs=[x, x]), "inputs lists x twice"),
        (lambda: program(x * y, inputs=[[x, y], x]), "inputs lists x twice"),
        (lambda: program(x, inputs=["x", "q"]), "inputs lists 'q', which does not occur\n  expected: x"),
        (lambda: program(x, inputs=[x + 1]), "an entry of inputs is neither a symbol nor a list of symbols\n"),
        (lambda: program(x, inputs=3), "inputs is neither a sequence nor a dict\n  found: 3"),
        (lambda: program(x, inputs={3: x}), "a name in inputs is not a string\n  found: 3"),
        (
            lambda: program(x, inputs=[x, sp.IndexedBase("a")]),
            "inputs lists the array a, which does not occur\n  hint: leave it out, or give it a shape",
        ),
        (lambda: program(x, inputs=[[]]), "a nested entry of inputs is empty\n"),
        (lambda: program(x * k, inputs=[[x, k]]), "a nested entry of inputs may hold real scalar symbols only\n"),
        (lambda: program(x, inputs=[[x, 1]]), "a nested entry of inputs may hold real scalar symbols only\n"),
        (
            lambda: program(sp.Symbol("arg0") * x, inputs=[[x], sp.Symbol("arg0")]),
            "two inputs are named 'arg0'\n  hint: name them apart",
        ),
        (
            lambda: program(sp.Trace(W * W.T) + sp.Trace(sp.MatrixSymbol("W", n, n))),
            "two different inputs are named 'W'\n  expected: MatrixSymbol of shape (",
        ),
        (lambda: program(W[0, 0] + sp.Symbol("W")), "two different inputs are named 'W'\n"),
        (lambda: program(x, names=[x]), 'names is not a dict\n  expected: {"z": z_expr}'),
        (lambda: program(x, names={1: x}), "a label in names is not a string\n  found: 1"),
        (lambda: program([]), "there is no output\n  expected: at least one expression"),
        (lambda: program({1: x}), "an output's name is not a string\n  expected: a string or a symbol"),
    ],
)
def test_refusals(call, text) -> None:
    with pytest.raises(InputError) as caught:
        call()
    assert str(caught.value).startswith(text)


def test_an_output_that_is_no_expression() -> None:
    for bad in (["x"], [x, object()], sp.Eq(x**2, y), True):
        with pytest.raises(UnsupportedExpressionError):
            program(bad)


def test_the_default_wrt_is_what_occurs() -> None:
    assert resolve_wrt(None, [], [], []) == ()


def test_a_label_that_the_outputs_lack_is_handed_on_with_its_error() -> None:
    """Only simplification can tell whether an equal value occurs after all; the pipeline raises if none does."""
    text = "the named intermediate 't' does not occur\n  in: sin(x)\n  hint: build the outputs from the same"
    (label,) = (unmatched := program(x, names={"t": sp.sin(x)}).unmatched)
    assert label == "t"
    assert unmatched["t"].startswith(text)
