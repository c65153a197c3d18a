"""The short way of a call: it takes what needs no conversion, and gives what the general way gives."""

from __future__ import annotations

import inspect
import threading
from typing import Any

import numpy as np
import pytest
import sympy as sp

import symbackprop as sbp
from symbackprop.errors import InputError
from tests.plain import compile_plain

m, n = sp.symbols("m n", integer=True, positive=True)
x, y = sp.symbols("x y")
A, V = sp.MatrixSymbol("A", m, n), sp.MatrixSymbol("v", n, 1)
P = sp.MatrixSymbol("p", 1, 1)
w, k = sp.IndexedBase("w"), sp.Symbol("k", integer=True)


def sin_of(matrix: Any) -> Any:
    return matrix.applyfunc(sp.sin)


KERNELS: dict[str, tuple[Any, dict[str, Any], tuple[Any, ...]]] = {
    "numbers": (x * sp.exp(y), {}, (2.0, 3.0)),
    "numbers of NumPy": (x * sp.exp(y), {}, (np.float64(2.0), np.float64(3.0))),
    "many numbers": (sum(a**2 for a in sp.symbols("a:9")), {}, (1.0, np.float64(2.0), *map(float, range(7)))),
    "one number": (x**2, {}, (2.0,)),
    "no argument": (sp.Integer(3), {}, ()),
    "single precision": (x * sp.exp(y), {"dtype": "float32"}, (np.float32(2.0), 3.0)),
    "arrays": (sin_of(A * V), {}, (np.ones((2, 3)), np.ones(3))),
    "arrays, single": (sin_of(A * V), {"dtype": "float32"}, (np.ones((2, 3), "f4"), np.ones(3, "f4"))),
    "matrix alone": (A * sp.ones(1, 1)[0], {}, (np.ones((2, 3)),)),
    "column of a matrix": (sp.MatrixSymbol("B", 2, 2) * sp.Matrix([1, 2]), {}, (np.eye(2),)),
    "scratch": (sp.Trace(sin_of(A * V) * (A * V).T), {}, (np.ones((2, 3)), np.ones(3))),
    "array and number": (x * V, {}, (np.ones(3), 2.0)),
    "one by one": (P[0, 0] ** 2 * V, {}, (2.0, np.ones(3))),
    "index": (w[k] ** 2, {"inputs": [w, k]}, (np.arange(4.0), 2)),
    "tuple": ((x + y, x * V), {"inputs": [V, x, y]}, (np.ones(3), 1.0, 2.0)),
    "list": ([x + y, x * y], {}, (1.0, 2.0)),
    "dict": ({"a": x + y, "b": x * V}, {"inputs": [V, x, y]}, (np.ones(3), 1.0, 2.0)),
    "nested": ({"a": [x + y, (x, y)], "b": x * y}, {}, (1.0, 2.0)),
    "nothing to differentiate": (x + y, {"wrt": []}, (1.0, 2.0)),
    "argument of that name": (sp.Symbol("upstream") * x, {}, (1.0, 2.0)),
}


def same(a: Any, b: Any) -> None:
    """Assert equal values, types and containers."""
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        same(list(a.values()), list(b.values()))
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            same(one, other)
    else:
        np.testing.assert_array_equal(a, b, strict=isinstance(a, np.ndarray))


@pytest.mark.parametrize("name", KERNELS)
def test_as_the_general_way(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expr, options, arguments = KERNELS[name]
    kernel = compile_plain(expr, **options)
    named = dict(zip((r.name for r in kernel.inputs), arguments, strict=True))
    value = kernel(**named)
    same(kernel(*arguments), value)
    both = kernel._wrt and type(kernel).value_and_grad(kernel, *arguments)
    if both:
        same(kernel.value_and_grad(*arguments), both)
    # Now that the shapes are known the general way is not taken any more.
    monkeypatch.setattr(kernel._signature, "bind", None)
    same(kernel(*arguments), value)
    if both:
        same(kernel.value_and_grad(*arguments), both)


@pytest.mark.parametrize("number", [2, np.int64(2), np.float32(2.0), np.int32(2)])
def test_other_numbers(number: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = compile_plain(x * y)
    monkeypatch.setattr(kernel._signature, "bind", None)
    same(kernel.value_and_grad(number, 3), kernel.value_and_grad(2.0, 3.0))


def test_many_numbers() -> None:
    names = sp.symbols("a:9")
    kernel = compile_plain(sum(a * k for k, a in enumerate(names, 1)))
    value, grads = kernel.value_and_grad(1, np.float32(2.0), *range(7))
    assert value == 1.0 + 2 * 2.0 + sum((k + 3) * k for k in range(7))
    assert list(grads.values()) == list(range(1, 10))
    assert kernel.value_and_grad(*range(9), upstream=2.0)[1]["a3"] == 8.0
    with pytest.raises(InputError, match="wrong dtype"):
        kernel.value_and_grad("1", *range(8))
    with pytest.raises(InputError, match="too many arguments"):
        kernel(*range(10))


def test_numbers_that_are_no_doubles() -> None:
    kernel = compile_plain(x * y)
    assert kernel(2**60, 1.0) == float(2**60)
    for wrong in (10**400, 1j, "2", None):
        with pytest.raises(InputError, match="wrong dtype"):
            kernel.value_and_grad(1.0, wrong)
    with pytest.raises(InputError, match="missing argument: y"):
        kernel.value_and_grad(1.0)
    with pytest.raises(InputError, match="too many arguments"):
        kernel.value_and_grad(1.0, 2.0, 3.0)


def test_shapes_that_change() -> None:
    kernel = compile_plain(sp.Trace(sin_of(A * V) * (A * V).T))
    a, v = np.ones((2, 3)), np.ones(3)
    flat = kernel.value_and_grad(a, v)[1]["v"]
    column = kernel.value_and_grad(a, v[:, None])[1]["v"]
    same(column, flat[:, None])
    same(kernel.value_and_grad(np.asfortranarray(a), np.ones(6)[::2])[1]["v"], flat)
    with pytest.raises(InputError, match="v: wrong shape"):
        kernel.value_and_grad(np.ones((2, 4)), np.ones((3, 1)))


def test_index_outside() -> None:
    kernel = compile_plain(w[k] ** 2, inputs=[w, k])
    kernel.value_and_grad(np.arange(4.0), 3)
    with pytest.raises(InputError, match="k: index out of range"):
        kernel.value_and_grad(np.arange(4.0), 4)


def test_size_given_as_a_number() -> None:
    kernel = compile_plain(sp.Sum(x**k, (k, 0, n - 1)), inputs=[x, n])
    assert kernel.value_and_grad(2.0, 3) == (7.0, {"x": 5.0})
    assert kernel.value_and_grad(2.0, 4) == (15.0, {"x": 17.0})
    with pytest.raises(InputError, match="negative"):
        kernel.value_and_grad(2.0, -1)


def test_another_thread() -> None:
    kernel = compile_plain(sp.Trace(sin_of(A * V) * (A * V).T))
    arguments = np.ones((2, 3)), np.ones(3)
    found: list[Any] = [kernel.value_and_grad(*arguments)]
    thread = threading.Thread(target=lambda: found.append(kernel.value_and_grad(*arguments)))
    thread.start()
    thread.join()
    same(found[0], found[1])


def test_documented() -> None:
    kernel = compile_plain(x * y)
    assert kernel.value_and_grad.__doc__ == sbp.Kernel.value_and_grad.__doc__
    assert list(inspect.signature(kernel.value_and_grad).parameters) == ["args", "upstream", "kwargs"]
