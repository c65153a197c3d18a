"""Nests in blocks, as plain Python: the blocks run in reverse order on memory that is poisoned."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import sympy as sp

import symbackprop as sbp
from symbackprop.codegen import threads
from symbackprop.plan.steps import Shared
from tests.plain import compile_plain, poison_workspace

i, j, k, c = sp.symbols("i j k c", integer=True)
N, K, V, d, m, n = sp.symbols("N K V d m n", integer=True, positive=True)
E, mu, W = sp.IndexedBase("E", (V, d)), sp.IndexedBase("mu", (K, d)), sp.MatrixSymbol("W", m, n)
pts, v, L = sp.IndexedBase("pts", (N, d)), sp.IndexedBase("v", (N,)), sp.IndexedBase("L", (N, N))
b, u, x = sp.MatrixSymbol("b", m, 1), sp.MatrixSymbol("u", m, 1), sp.MatrixSymbol("x", n, 1)
tok = sp.IndexedBase("tok", (2,), integer=True)
a, y = sp.symbols("a y")

DISTANCE = sp.Sum((pts[i, j] - mu[k, j]) ** 2, (j, 0, d - 1))
HIDDEN = (W * x + b).applyfunc(sp.tanh)
TABLE = sp.Sum(sp.tanh(E[tok[i], j] * E[tok[i], j]), (i, 0, 1), (j, 0, d - 1))

#: Expression and options; all have their examples along an axis of size N.
PROGRAMS: dict[str, tuple[Any, dict[str, Any]]] = {
    "a mean": (sbp.Mean(sp.log(1 + sp.exp(-a * y)), "N"), {"batch": {"y": "N"}}),
    "values": (sp.exp(-a * y) + a**2, {"batch": {"y": "N"}}),
    "not the first axis": (sbp.Mean((u.T * HIDDEN)[0, 0], "N") + sp.Trace(W.T * W), {"batch": {"x": "N"}}),
    "a table": (sbp.Mean(TABLE, "N"), {"batch": {"tok": "N"}}),
    "labels": (sbp.Mean(sbp.cross_entropy(W * x, c), "N"), {"batch": {"x": "N", "c": "N"}}),
    "strips of blocks": (sp.Sum(sp.log(sp.Sum(sp.exp(-DISTANCE), (k, 0, K - 1))), (i, 0, N - 1)), {}),
    "neighbours": (sp.Sum((v[i + 1] - v[i] ** 2) ** 2, (i, 0, N - 2)), {}),
    "a triangle": (sp.Sum(sp.Sum(L[i, j] * v[j], (j, 0, i)) ** 2, (i, 0, N - 1)), {}),
    "positions": (sp.Sum(v[i] * i, (i, 0, N - 1)), {}),
    "a maximum": (sbp.MaxOver(v[i] ** 2, (i, 0, N - 1)), {}),
    "pairs": (sp.Sum(sp.exp(-((v[i] - v[j]) ** 2)), (j, 0, N - 1), (i, 0, N - 1)), {}),
}


def arguments(kernel: Any, size: int) -> list[Any]:
    rng = np.random.default_rng(size)
    sizes = {"N": size, "K": 3, "V": 3, "d": 2, "m": 4, "n": 3}

    def one(record: Any) -> Any:
        shape = [int(sp.sympify(s).subs({f: sizes[f.name] for f in sp.sympify(s).free_symbols})) for s in record.shape]
        return rng.integers(0, 3, shape) if record.dtype == "int64" else rng.normal(size=shape)

    return [one(record) for record in kernel.inputs]


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is worth threads."""
    monkeypatch.setattr(threads, "WORTH", 0)


def same(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-12, atol=1e-13)
    assert found[1].keys() == expected[1].keys()
    for name, gradient in expected[1].items():
        np.testing.assert_allclose(found[1][name], gradient, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.usefixtures("always")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_same_as_serial(name: str) -> None:
    expr, options = PROGRAMS[name]
    serial, parallel = compile_plain(expr, **options), compile_plain(expr, **options, parallel=True)
    assert "@threads" not in serial.source
    assert ("@threads" in parallel.source) == (name != "a maximum" or parallel.source.count("prange") > 1)
    assert all(len(line) <= 130 for line in parallel.source.splitlines() if "_of_" in line)
    for size in (1, 2, 63, 64, 65, 150):
        args = arguments(serial, size)
        expected = serial.value_and_grad(*args)
        same(parallel.value_and_grad(*args), expected)
        poison_workspace(parallel)
        same(parallel.value_and_grad(*args), expected)
        value, residuals = parallel.fprop(*args)
        same((value, parallel.bprop(residuals)), expected)
        np.testing.assert_allclose(parallel(*args), expected[0], rtol=1e-12, atol=1e-13)


@pytest.mark.usefixtures("always")
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_no_examples() -> None:
    for name in ("values", "labels", "a table", "strips of blocks", "pairs"):
        expr, options = PROGRAMS[name]
        serial, parallel = compile_plain(expr, **options), compile_plain(expr, **options, parallel=True)
        args = arguments(serial, 0)
        expected, found = serial.value_and_grad(*args), parallel.value_and_grad(*args)
        np.testing.assert_array_equal(found[0], expected[0])
        for parameter, gradient in expected[1].items():
            np.testing.assert_array_equal(found[1][parameter], gradient)


@pytest.mark.usefixtures("always")
def test_single_precision() -> None:
    expr, options = PROGRAMS["not the first axis"]
    kernels = [compile_plain(expr, **options, dtype="float32", parallel=p) for p in (False, True)]
    args = arguments(kernels[0], 70)
    (value, grads), (other, others) = (kernel.value_and_grad(*args) for kernel in kernels)
    np.testing.assert_allclose(other, value, rtol=1e-5)
    for name, gradient in grads.items():
        assert others[name].dtype == np.float32
        np.testing.assert_allclose(others[name], gradient, rtol=1e-4, atol=1e-5)


def test_little_work_is_one_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without threads the result is bit for bit that of the serial kernel."""
    expr, options = PROGRAMS["not the first axis"]
    serial, parallel = compile_plain(expr, **options), compile_plain(expr, **options, parallel=True)

    def fail(_: int) -> None:
        raise AssertionError("threads")

    monkeypatch.setattr(parallel._module, "prange", fail)
    args = arguments(serial, 50)
    expected, found = serial.value_and_grad(*args), parallel.value_and_grad(*args)
    assert found[0] == expected[0]
    for name, gradient in expected[1].items():
        np.testing.assert_array_equal(found[1][name], gradient)
    with pytest.raises(AssertionError, match="threads"):
        parallel.value_and_grad(*arguments(serial, 20_000))


def shared(kernel: Any) -> list[Shared]:
    return [step for step in kernel._plans["value_and_grad"].steps if isinstance(step, Shared)]


def test_what_is_shared() -> None:
    """Nests over the batch; without one, over what the deepest nests run over. No maximum over it, no fixed sizes."""
    network = compile_plain(*PROGRAMS["not the first axis"][:1], **PROGRAMS["not the first axis"][1], parallel=True)
    assert shared(network)
    assert all(str(step.extent) == "N" for step in shared(network))
    mixture = compile_plain(PROGRAMS["strips of blocks"][0], parallel=True)
    assert {step.unit for step in shared(mixture)} == {1, 64}
    assert "on several threads" in str(mixture._plans["value_and_grad"])
    largest = compile_plain(PROGRAMS["a maximum"][0], wrt=[], parallel=True)
    assert not shared_of_value(largest)
    small = compile_plain(sp.Trace(sp.MatrixSymbol("A", 3, 3) * sp.MatrixSymbol("B", 3, 3)), parallel=True)
    assert "threads" not in small.source


def shared_of_value(kernel: Any) -> list[Shared]:
    return [step for step in kernel._plans["value"].steps if isinstance(step, Shared)]


@pytest.mark.usefixtures("always")
def test_names_of_the_user() -> None:
    """What the text calls its own is not what the user calls something else."""
    names = [
        "threads",
        "prange",
        "entries",
        "stop",
        "block",
        "start",
        "add_up",
        "sum_up",
        "LARGEST",
        "first",
        "x_parts",
    ]
    symbols = sp.symbols(" ".join(names))
    expr = sbp.Mean(sum(sp.exp(s * t) for s, t in itertools.pairwise(symbols)), "size")
    options = {"batch": dict.fromkeys(symbols[:6], "size")}
    serial, parallel = compile_plain(expr, **options), compile_plain(expr, **options, parallel=True)
    rng = np.random.default_rng(0)
    args = {s.name: rng.normal(size=70) if s in symbols[:6] else 0.5 for s in symbols}
    same(parallel.value_and_grad(**args), serial.value_and_grad(**args))
