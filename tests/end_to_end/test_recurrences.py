"""Recurrences end to end: networks, differential equations, hidden states, sums and powers, against loops in NumPy."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
from sympy import Eq, IndexedBase, MatrixSymbol, Sum, exp, log, tanh

import symbackprop as sbp
from tests.plain import compile_plain
from tests.recurrent import agrees, draw, sigmoid

T, d, k, n, K = sp.symbols("T d k n K", integer=True, positive=True)
t, i, j, q = sp.symbols("t i j q", integer=True)
LENGTHS = (5, 1, 0)


def vector(name: str, size: Any = d) -> Any:
    return MatrixSymbol(name, size, 1)


def elman() -> tuple[Any, Any]:
    """An Elman network as a Recurrence: the recurrence, and its state."""
    h, x = vector("h"), vector("x", k)
    W, U, X = MatrixSymbol("W", d, d), MatrixSymbol("U", d, k), MatrixSymbol("X", T, k)
    after = (W * h + U * x + vector("b")).applyfunc(sp.tanh)
    return sbp.Recurrence({h: after}, start={h: vector("h0")}, over={x: X}), (h, x, U)


def test_elman_network() -> None:
    recurrence, (h, x, U) = elman()
    loss = vector("v").T * recurrence.final(h) + recurrence.total(h.T * h) + recurrence.total(h.T * U * x, before=True)
    kernel = compile_plain(loss)

    def reference(W: Any, U: Any, X: Any, v: Any, h0: Any, b: Any) -> float:
        h, total = h0, 0.0
        for row in X:
            total += h @ U @ row
            h = np.tanh(W @ h + U @ row + b)
            total += h @ h
        return float(total + v @ h)

    for length in LENGTHS:
        rng = np.random.default_rng(length)
        agrees(kernel, reference, draw(rng, W=(3, 3), U=(3, 2), X=(length, 2), v=(3,), h0=(3,), b=(3,)))


def test_path_and_stack_are_matrices() -> None:
    recurrence, (h, x, U) = elman()
    kernel = compile_plain([recurrence.path(h), recurrence.stack(2 * h + U * x)], wrt=[])
    args = draw(np.random.default_rng(0), W=(3, 3), U=(3, 2), X=(4, 2), h0=(3,), b=(3,))
    path, stack = kernel(**args)
    states = [args["h0"]]
    for row in args["X"]:
        states.append(np.tanh(args["W"] @ states[-1] + args["U"] @ row + args["b"]))
    np.testing.assert_allclose(path, states, rtol=1e-13)
    np.testing.assert_allclose(stack, 2 * np.array(states[1:]) + args["X"] @ args["U"].T, rtol=1e-13)


def test_batch_of_sequences() -> None:
    recurrence, (h, *_) = elman()
    kernel = compile_plain(sbp.Mean((vector("v").T * recurrence.final(h))[0, 0], "N"), batch={"X": "N"})

    def reference(W: Any, U: Any, X: Any, v: Any, h0: Any, b: Any) -> float:
        finals = []
        for rows in X:
            h = h0
            for row in rows:
                h = np.tanh(W @ h + U @ row + b)
            finals.append(v @ h)
        return float(np.mean(finals))

    agrees(kernel, reference, draw(np.random.default_rng(0), W=(3, 3), U=(3, 2), X=(4, 5, 2), v=(3,), h0=(3,), b=(3,)))
    assert "np.dot" in kernel.source


def test_network_in_index_notation() -> None:
    h, x, h0, W, U, b, y = (IndexedBase(name) for name in ["h", "x", "h0", "W", "U", "b", "y"])
    before = Sum(W[i, j] * h[t, j], (j, 0, d - 1)) + Sum(U[i, q] * x[t, q], (q, 0, k - 1)) + b[i]
    loss = Sum((h[t + 1, i] - y[t, i]) ** 2, (i, 0, d - 1), (t, 0, T - 1))
    kernel = compile_plain([Eq(h[0, i], h0[i]), Eq(h[t + 1, i], tanh(before)), loss])

    def reference(W: Any, U: Any, b: Any, h0: Any, x: Any, y: Any) -> float:
        h, total = h0, 0.0
        for row, target in zip(x, y, strict=True):
            h = np.tanh(W @ h + U @ row + b)
            total += np.sum((h - target) ** 2)
        return float(total)

    for length in LENGTHS:
        rng = np.random.default_rng(length)
        agrees(kernel, reference, draw(rng, W=(3, 3), U=(3, 2), b=(3,), h0=(3,), x=(length, 2), y=(length, 3)))
    assert kernel.source.count("for t in range(T)") == 3


def test_gru() -> None:
    h, x, z, r = (IndexedBase(name) for name in ["h", "x", "z", "r"])
    W, U = IndexedBase("W", shape=(3, d, d)), IndexedBase("U", shape=(3, d, k))

    def gate(g: int, state: Any) -> Any:
        return Sum(W[g, i, j] * state(j), (j, 0, d - 1)) + Sum(U[g, i, q] * x[t, q], (q, 0, k - 1))

    program = [
        Eq(h[0, i], 0),
        Eq(z[t, i], sbp.sigmoid(gate(0, lambda m: h[t, m]))),
        Eq(r[t, i], sbp.sigmoid(gate(1, lambda m: h[t, m]))),
        Eq(h[t + 1, i], (1 - z[t, i]) * h[t, i] + z[t, i] * tanh(gate(2, lambda m: r[t, m] * h[t, m]))),
        Sum(h[t + 1, i] ** 2, (i, 0, d - 1), (t, 0, T - 1)),
    ]
    kernel = compile_plain(program)

    def reference(W: Any, U: Any, x: Any) -> float:
        h, total = np.zeros(W.shape[1]), 0.0
        for row in x:
            z, r = sigmoid(W[0] @ h + U[0] @ row), sigmoid(W[1] @ h + U[1] @ row)
            h = (1 - z) * h + z * np.tanh(W[2] @ (r * h) + U[2] @ row)
            total += h @ h
        return float(total)

    for length in LENGTHS:
        agrees(kernel, reference, draw(np.random.default_rng(length), W=(3, 3, 3), U=(3, 3, 2), x=(length, 2)))


def test_code_does_not_grow_with_the_number_of_steps() -> None:
    y, start, a = sp.symbols("y start a")

    def source(steps: int) -> str:
        recurrence = sbp.Recurrence({y: sp.sin(a * y)}, start={y: start}, steps=steps)
        return str(compile_plain(recurrence.final(y)).source)

    assert abs(len(source(1_000_000)) - len(source(10))) < 400


def hidden_markov_model() -> list[Any]:
    """The logarithm of the likelihood of what is seen, by the forward recurrence on logarithms."""
    alpha, A, B, p = (IndexedBase(name) for name in ("alpha", "A", "B", "p"))
    seen = IndexedBase("seen", integer=True, shape=(T + 1,))
    forward = log(Sum(exp(alpha[t, i] + A[i, j]), (i, 0, K - 1))) + B[j, seen[t + 1]]
    return [
        Eq(alpha[0, j], p[j] + B[j, seen[0]]),
        Eq(alpha[t + 1, j], forward),
        log(Sum(exp(alpha[T, i]), (i, 0, K - 1))),
    ]


def elman_loss() -> Any:
    recurrence, (h, *_) = elman()
    return recurrence.final(h).T * vector("v") + recurrence.total(h.T * h)


@pytest.mark.parametrize(("program", "most"), [(elman_loss, d**2), (hidden_markov_model, K**2)])
def test_both_passes_are_linear_in_the_number_of_steps(program: Any, most: Any) -> None:
    """The certificate covers steps, and no step allocates."""
    kernel = compile_plain(program())
    for operations in (kernel.cost().fprop, kernel.cost().bprop):
        cost = sp.Poly(operations, T)
        assert cost.degree() == 1
        assert sp.limit(cost.coeff_monomial(T) / most, most.base, sp.oo).is_positive
    for function in kernel.source.split("\n@")[1:]:
        if function.startswith("kernel"):
            assert not re.search(r"np\.(empty|zeros|ascontiguous)|\.copy\(", function)


@pytest.mark.parametrize("method", ["euler", "rk4"])
def test_differential_equation(method: str) -> None:
    y, v, y0, v0, dt, w = sp.symbols("y v y0 v0 dt w")

    def slope(state: Any, sin: Any = sp.sin) -> tuple[Any, Any]:
        return state[1], -w * sin(state[0]) - state[1] / 10

    def stepped(state: Any, f: Any, dt: Any) -> tuple[Any, Any]:
        def moved(k: Any, h: Any) -> tuple[Any, Any]:
            return tuple(s + h * r for s, r in zip(state, k, strict=True))  # type: ignore[return-value]

        k1 = f(state)
        if method == "euler":
            return moved(k1, dt)
        k2 = f(moved(k1, dt / 2))
        k3 = f(moved(k2, dt / 2))
        k4 = f(moved(k3, dt))
        return moved([(a + 2 * b + 2 * c + e) / 6 for a, b, c, e in zip(k1, k2, k3, k4, strict=True)], dt)

    after = stepped((y, v), slope, dt)
    recurrence = sbp.Recurrence({y: after[0], v: after[1]}, start={y: y0, v: v0}, steps=n)
    kernel = compile_plain(recurrence.final(y) ** 2 + recurrence.total(v * y), inputs=["y0", "v0", "dt", "w", "n"])

    def reference(y0: Any, v0: Any, dt: Any, w: Any, n: int) -> float:
        state, total = (y0, v0), 0.0
        for _ in range(n):
            state = stepped(state, lambda s: (s[1], -w * np.sin(s[0]) - s[1] / 10), dt)
            total += state[0] * state[1]
        return float(state[0] ** 2 + total)

    for length in LENGTHS:
        agrees(kernel, reference, {"y0": 0.3, "v0": 0.4, "dt": 0.1, "w": 1.7, "n": length})


def test_hidden_markov_model() -> None:
    kernel = compile_plain(hidden_markov_model())

    def reference(A: Any, B: Any, p: Any, seen: Any) -> float:
        state = p + B[:, seen[0]]
        for symbol in seen[1:]:
            state = np.log(np.sum(np.exp(state[:, None] + A), axis=0)) + B[:, symbol]
        return float(np.log(np.sum(np.exp(state))))

    for length in LENGTHS:
        rng = np.random.default_rng(length)
        args = draw(rng, A=(3, 3), B=(3, 4), p=(3,))
        agrees(kernel, reference, {**args, "seen": rng.integers(0, 4, size=length + 1)})
    with pytest.raises(sbp.InputError, match="outside"):
        kernel(**args, seen=np.array([0, 1, 4]))
    # The gradient of A is added up in place: nothing of the size T x K x K is kept.
    assert "(T, K, K)" not in kernel.source


def test_running_sums_and_products() -> None:
    x, s, p = IndexedBase("x"), IndexedBase("s"), IndexedBase("p")
    program = [
        Eq(s[0], 0),
        Eq(p[0], 1),
        Eq(s[t + 1], s[t] + x[t]),
        Eq(p[t + 1], p[t] * x[t]),
        Sum(s[t + 1] * p[t], (t, 0, T - 1)),
    ]
    kernel = compile_plain(program)

    def reference(x: Any) -> float:
        return float(np.cumsum(x) @ np.concatenate([[1.0], np.cumprod(x)])[: len(x)])

    for length in LENGTHS:
        agrees(kernel, reference, draw(np.random.default_rng(length), x=(length,)))


def test_matrix_power() -> None:
    A, B, P = MatrixSymbol("A", d, d), MatrixSymbol("B", d, d), MatrixSymbol("P", d, d)
    recurrence = sbp.Recurrence({P: A * P}, start={P: sp.Identity(d)}, steps=n)
    kernel = compile_plain(sp.Trace(recurrence.final(P) * B), inputs=[A, B, n])

    def reference(A: Any, B: Any, n: int) -> float:
        return float(np.trace(np.linalg.matrix_power(A, n) @ B))

    for length in LENGTHS:
        agrees(kernel, reference, {**draw(np.random.default_rng(0), A=(3, 3), B=(3, 3)), "n": length})


def test_values_of_a_step_and_the_number_of_the_step() -> None:
    h, c, z, x, w = (IndexedBase(name) for name in ["h", "c", "z", "x", "w"])
    program = [
        Eq(h[0, i], 0),
        Eq(c[0, i], 1),
        Eq(z[t, i], tanh(w[i] * h[t, i] + x[t, i])),
        Eq(c[t + 1, i], c[t, i] * z[t, i] + x[t, i]),
        Eq(h[t + 1, i], sp.sin(c[t + 1, i]) + z[t, i] + t / 10),
        Sum(h[t + 1, i] * z[t, i], (i, 0, d - 1), (t, 0, T - 1)),
    ]
    kernel = compile_plain(program)

    def reference(w: Any, x: Any) -> float:
        h, c, total = np.zeros(len(w)), np.ones(len(w)), 0.0
        for number, row in enumerate(x):
            z = np.tanh(w * h + row)
            c = c * z + row
            h = np.sin(c) + z + number / 10
            total += h @ z
        return float(total)

    for length in LENGTHS:
        agrees(kernel, reference, draw(np.random.default_rng(length), w=(3,), x=(length, 3)))
    assert kernel.source.count("tanh(w * h[t] + x[t])") == 3


def test_heat_equation_on_a_ring() -> None:
    u, g, a = IndexedBase("u", shape=(T + 1, n)), IndexedBase("g", shape=(n,)), sp.Symbol("a")
    around = u[t, sp.Mod(i + 1, n)] - 2 * u[t, i] + u[t, sp.Mod(i - 1, n)]
    program = [
        Eq(u[0, i], g[i]),
        Eq(u[t + 1, i], u[t, i] + a * around + sp.sin(u[t, i])),
        Sum(u[T, i] ** 2, (i, 0, n - 1)),
    ]
    kernel = compile_plain(program, inputs=["g", "a", "T"])

    def reference(g: Any, a: Any, T: int) -> float:
        u = g
        for _ in range(T):
            u = u + a * (np.roll(u, -1) - 2 * u + np.roll(u, 1)) + np.sin(u)
        return float(u @ u)

    for length in LENGTHS:
        agrees(kernel, reference, {"g": np.random.default_rng(0).normal(size=5), "a": 0.1, "T": length})


def test_second_derivative() -> None:
    y, y0, a = sp.symbols("y y0 a")
    recurrence = sbp.Recurrence({y: y + sp.sin(a * y) / 4}, start={y: y0}, steps=n)
    value = recurrence.final(y) ** 2
    kernel = compile_plain(sp.Derivative(value, y0) ** 2 + sp.Derivative(value, a) ** 2, inputs=["y0", "a", "n"])

    def reference(y0: Any, a: Any, n: int) -> float:
        def squared(y: Any, a: Any) -> Any:
            for _ in range(n):
                y = y + np.sin(a * y) / 4
            return y**2

        h = 1e-30j
        return float((squared(y0 + h, a).imag / 1e-30) ** 2 + (squared(y0, a + h).imag / 1e-30) ** 2)

    for length in LENGTHS:
        agrees(kernel, reference, {"y0": 0.4, "a": 1.3, "n": length})


def test_recurrence_within_a_recurrence() -> None:
    y, z, a, y0 = sp.symbols("y z a y0")
    inner = sbp.Recurrence({z: sp.sin(a * z) + y}, start={z: y}, steps=3)
    outer = sbp.Recurrence({y: inner.final(z) / 2 + inner.total(z)}, start={y: y0}, steps=n)
    kernel = compile_plain(outer.final(y), inputs=["y0", "a", "n"])

    def reference(y0: Any, a: Any, n: int) -> float:
        y = y0
        for _ in range(n):
            z, total = y, 0.0
            for _ in range(3):
                z = np.sin(a * z) + y
                total += z
            y = z / 2 + total
        return float(y)

    for length in (3, 1, 0):
        agrees(kernel, reference, {"y0": 0.2, "a": 0.3, "n": length})


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_compiled_and_saved(dtype: str, tmp_path: Path) -> None:
    """Compiled by numba, from the saved module alone, the kernel agrees with its plain run, in either precision."""
    recurrence, (h, *_) = elman()
    loss = vector("v").T * recurrence.final(h) + recurrence.total(h.T * h)
    kernel = sbp.compile(loss, dtype=dtype)
    path = tmp_path / "elman.py"
    kernel.save(str(path))
    spec = importlib.util.spec_from_file_location("elman", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    plain = compile_plain(loss)
    for length in (4, 0):
        args = draw(np.random.default_rng(0), U=(3, 2), W=(3, 3), X=(length, 2), b=(3,), h0=(3,), v=(3,))
        expected, gradients = plain.value_and_grad(**args)
        value, found = module.value_and_grad(*(args[name].astype(dtype) for name in module.INPUTS))
        close = 1e-12 if dtype == "float64" else 2e-5
        np.testing.assert_allclose(value, expected, rtol=close)
        for name, gradient in zip(module.WRT, found, strict=True):
            assert gradient.dtype == dtype
            np.testing.assert_allclose(gradient, gradients[name], rtol=10 * close, atol=close)
