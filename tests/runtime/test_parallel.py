"""Kernels on several threads: the same bits on every run and for every number of threads, from anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
import sympy as sp

import symbackprop as sbp
from symbackprop.codegen import threads
from symbackprop.errors import InputError

n, i = sp.Symbol("n", integer=True, positive=True), sp.Symbol("i", integer=True)
b, x = sp.IndexedBase("b", (n,)), sp.IndexedBase("x", (n,))
LOSS = sbp.Mean(sp.Sum(sp.sqrt(1 + (x[i] - b[i]) ** 2), (i, 0, n - 1)), "N")
BATCH = {"x": "N"}


@pytest.fixture(scope="module")
def always() -> Iterator[None]:
    """Everything is worth threads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads, "WORTH", 0)
        yield


@pytest.fixture(scope="module")
def kernel(always: None) -> Any:  # noqa: ARG001 - it must be in place
    return sbp.compile(LOSS, batch=BATCH, parallel=True)


@pytest.fixture(scope="module")
def serial() -> Any:
    return sbp.compile(LOSS, batch=BATCH)


def arguments(size: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(size)
    return rng.normal(size=3), rng.normal(size=(size, 3))


def bits(result: Any) -> bytes:
    value, grads = result
    return np.asarray(value).tobytes() + b"".join(np.asarray(grads[name]).tobytes() for name in sorted(grads))


@pytest.fixture
def all_threads() -> Iterator[int]:
    yield numba.config.NUMBA_NUM_THREADS
    numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)


def test_the_same_bits_for_any_number_of_threads(kernel: Any, serial: Any, all_threads: int) -> None:
    for size in (1, 63, 64, 65, 1000):
        args = arguments(size)
        found = kernel.value_and_grad(*args)
        expected = serial.value_and_grad(*args)
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-13)
        for name, gradient in expected[1].items():
            np.testing.assert_allclose(found[1][name], gradient, rtol=1e-12, atol=1e-14)
        for count in range(1, all_threads + 1):
            numba.set_num_threads(count)
            assert {bits(kernel.value_and_grad(*args)) for _ in range(20)} == {bits(found)}


PROGRAM = """
    import numpy as np, sympy as sp, symbackprop as sbp
    from concurrent.futures import ThreadPoolExecutor
    a, t = sp.symbols("a t")
    kernel = sbp.compile(sbp.Mean(sp.exp(-a * t) * sp.sin(t), "N"), batch={"t": "N"}, parallel=True)
    times = np.linspace(0.0, 3.0, 40_000)
    value, grads = kernel.value_and_grad(0.5, times)
    print(value.hex(), float(grads["a"]).hex(), float(grads["t"].sum()).hex())
"""


def python(code: str, **environment: str) -> str:
    """What a process of its own prints."""
    command = [sys.executable, "-c", "\n".join(map(textwrap.dedent, (PROGRAM, code)))]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_processes_with_other_threads(tmp_path: Path) -> None:
    """The second takes its machine code from the first; the third is of the threading layer that cannot do two calls
    at once, and is asked for eight."""
    shared = {"SYMBACKPROP_CACHE": "1", "SYMBACKPROP_CACHE_DIR": str(tmp_path)}
    first = python("", NUMBA_NUM_THREADS="2", **shared)
    report = "print(sum(kernel._module.value_and_grad.stats.cache_hits.values()))"
    assert python(report, NUMBA_NUM_THREADS="1", **shared) == f"{first}1\n"
    at_once = """
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: kernel.value_and_grad(0.5, times)[0], range(100)))
    print(set(found) == {value})
    """
    assert python(at_once, NUMBA_THREADING_LAYER="workqueue", **shared) == f"{first}True\n"


def test_several_calls_at_once(kernel: Any) -> None:
    args = arguments(500)
    expected = bits(kernel.value_and_grad(*args))
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: bits(kernel.value_and_grad(*args)), range(100))) == {expected}


def test_all_ways_to_call(kernel: Any) -> None:
    """Methods, the entry that writes into the caller's arrays, and a backward pass of its own."""
    args = arguments(300)
    value, grads = kernel.value_and_grad(*args)
    targets = [np.empty_like(grads[name]) for name in ("b", "x")]
    assert kernel.value_and_grad_into(*args, *targets, kernel.workspace(*args)) == value
    for name, target in zip(("b", "x"), targets, strict=True):
        np.testing.assert_array_equal(target, grads[name])
    forward, residuals = kernel.fprop(*args)
    np.testing.assert_allclose([forward, kernel(*args)], value, rtol=1e-13)
    for name, gradient in kernel.bprop(residuals, 2.0).items():
        np.testing.assert_allclose(gradient, 2 * grads[name], rtol=1e-12, atol=1e-14)


def test_saved_module(kernel: Any, tmp_path: Path) -> None:
    """It stands alone, tests itself, and can be called from jitted code."""
    path = kernel.save(tmp_path / "shared.py")
    code = """
        import numpy as np
        from numba import njit
        from shared import self_test, value_and_grad

        @njit
        def twice(b, x):
            return value_and_grad(b, x)[0] + value_and_grad(b, x)[0]

        rng = np.random.default_rng(0)
        arguments = rng.normal(size=3), rng.normal(size=(200, 3))
        assert twice(*arguments) == 2 * value_and_grad(*arguments)[0]
        assert self_test()
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_to_share() -> None:
    """Scalars have no loops: the kernel is the serial one."""
    p, q = sp.symbols("p q")
    kernel = sbp.compile(p * sp.sin(q), parallel=True)
    assert kernel.source == sbp.compile(p * sp.sin(q)).source
    assert kernel.value_and_grad(2.0, 0.0) == (0.0, {"p": 0.0, "q": 2.0})


def test_no_switch() -> None:
    with pytest.raises(InputError, match="parallel is no switch"):
        sbp.compile(sp.Symbol("p"), parallel=2)
