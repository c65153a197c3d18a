"""One kernel called from several threads at once: every call gets its own workspace and the right result."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import sympy as sp

import symbackprop as sbp
from symbackprop.runtime.kernel import KEPT_WORKSPACES
from tests.plain import compile_plain

m, n = sp.symbols("m n", integer=True, positive=True)
W, X = sp.MatrixSymbol("W", m, n), sp.MatrixSymbol("x", n, 1)
V, i = sp.IndexedBase("V"), sp.Symbol("i", integer=True)
LOSS = sp.Trace((W * X).applyfunc(sp.tanh) * (W * X).T)


def by_hand(w: np.ndarray, x: np.ndarray) -> tuple[float, np.ndarray]:
    z = w @ x
    return float(np.tanh(z) @ z), np.outer(np.tanh(z) + z * (1 - np.tanh(z) ** 2), x)


def test_four_threads() -> None:
    """The very first calls, which compile, are concurrent too; sizes differ, so that workspaces come and go."""
    kernel = sbp.compile(LOSS)
    assert kernel._plans["value_and_grad"].workspace.slots
    start = threading.Barrier(4)

    def work(seed: int) -> bool:
        rng = np.random.default_rng(seed)
        start.wait()
        for k in range(60):
            rows = 1 + (seed + k) % 13
            w, x = rng.standard_normal((rows, 4)), rng.standard_normal(4)
            value, slope = by_hand(w, x)
            found, grads = kernel.value_and_grad(w, x)
            forward, residuals = kernel.fprop(w, x)
            other = kernel.value_and_grad(w + 1, x)
            back = kernel.bprop(residuals, 2.0)
            assert other[0] != found or rows == 0
            np.testing.assert_allclose([found, forward, kernel(w, x)], value, rtol=1e-12)
            np.testing.assert_allclose(grads["W"], slope, rtol=1e-11, atol=1e-12)
            np.testing.assert_allclose(back["W"], 2 * slope, rtol=1e-11, atol=1e-12)
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))


def test_eight_threads_and_one_result() -> None:
    """One kernel, one argument, eight threads at once: the same bits everywhere, and scratch memory for each."""
    kernel = sbp.compile(LOSS)
    rng = np.random.default_rng(1)
    w, x = rng.standard_normal((40, 30)), rng.standard_normal(30)
    value, grads = kernel.value_and_grad(w, x)
    start = threading.Barrier(8)

    def work(_: int) -> tuple[bool, int]:
        start.wait()
        found = [kernel.value_and_grad(w, x) for _ in range(200)]
        (scratch,) = kernel._ready.value_and_grad.values()
        same = all(v == value and all(np.array_equal(g[k], grads[k]) for k in grads) for v, g in found)
        return same, scratch[0].ctypes.data

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(work, range(8)))
    assert all(same for same, _ in results)
    assert len({address for _, address in results}) == 8


def test_other_threads_run_meanwhile() -> None:
    """Compiled code releases the interpreter: while a long call runs, a Python thread goes on."""
    kernel = sbp.compile(sp.Sum(sp.sin(V[i]) * sp.exp(V[i]), (i, 0, n - 1)), inputs=[V])
    v = np.linspace(0.0, 1.0, 4_000_000)
    kernel(v[:10])
    done = threading.Event()
    ticks: list[float] = []

    def tick() -> None:
        while not done.is_set():
            ticks.append(time.perf_counter())

    thread = threading.Thread(target=tick)
    thread.start()
    begin = time.perf_counter()
    kernel(v)
    end = time.perf_counter()
    done.set()
    thread.join()
    # A thread that waits for the interpreter gets it every 5 ms at most, at the call's ends.
    inside = [t for t in ticks if begin + 0.25 * (end - begin) < t < end - 0.25 * (end - begin)]
    assert len(inside) > 10


def test_workspaces_are_few() -> None:
    kernel = compile_plain(LOSS)
    for rows in range(1, 40):
        kernel(np.ones((rows, 2)), np.ones(2))
    assert len(kernel._ready.value) <= KEPT_WORKSPACES


def test_interleaved_residuals() -> None:
    """Residuals are no workspace: two forward passes, then their backward passes in the other order."""
    kernel = compile_plain(LOSS)
    rng = np.random.default_rng(0)
    points = [(rng.standard_normal((3, 2)), rng.standard_normal(2)) for _ in range(2)]
    kept = [kernel.fprop(w, x)[1] for w, x in points]
    for (w, x), residuals in reversed(list(zip(points, kept, strict=True))):
        np.testing.assert_allclose(kernel.bprop(residuals)["W"], by_hand(w, x)[1], rtol=1e-12)
