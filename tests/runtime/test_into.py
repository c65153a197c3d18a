"""The function that writes into its caller's arrays: the same numbers, no memory, callable from compiled code."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
from numba import njit
from numba.core.runtime import _nrt_python, rtsys

import symbackprop as sbp
from symbackprop.errors import InputError
from tests.plain import compile_plain
from tests.runtime.test_calls import KERNELS, A, V, sin_of, x, y

SCRATCH = sp.Trace(sin_of(A * V) * (A * V).T)


def arrays_for(kernel: Any, value: Any, grads: dict[str, Any]) -> list[np.ndarray]:
    """Arrays for all results, filled with what must be overwritten."""
    values = value if isinstance(value, tuple) else (value,)
    gradients = grads.values()
    shapes = [*(np.squeeze(v).shape for v in values), *map(np.shape, gradients)]
    made = [np.full(shape, np.nan, v.dtype) for v, shape in zip((*values, *gradients), shapes, strict=True) if shape]
    numbers = [g for g in gradients if not np.ndim(g)]
    return [*made, *([np.full(len(numbers), np.nan, kernel.inputs[0].dtype)] if numbers else [])]


@pytest.mark.parametrize("name", [n for n, (_, options, _) in KERNELS.items() if n not in ("dict", "list", "nested")])
def test_same_numbers(name: str) -> None:
    expr, options, arguments = KERNELS[name]
    kernel = compile_plain(expr, **options)
    if not kernel._wrt:
        with pytest.raises(InputError, match="no gradients"):
            _ = kernel.value_and_grad_into
        return
    value, grads = kernel.value_and_grad(*arguments)
    arrays = arrays_for(kernel, value, grads)
    returned = kernel.value_and_grad_into(*arguments, *arrays)
    written = iter(arrays)
    numbers = iter(np.atleast_1d(np.asarray(returned if returned is not None else [])))
    for v in value if isinstance(value, tuple) else (value,):
        np.testing.assert_array_equal(np.ravel(next(written) if np.ndim(v) else next(numbers)), np.ravel(v))
    gathered = {k: next(written) for k, g in grads.items() if np.ndim(g)}
    together = iter(next(written, ()))
    for k, g in grads.items():
        np.testing.assert_array_equal(gathered[k] if k in gathered else next(together), g, strict=k in gathered)


def test_refusals() -> None:
    into = compile_plain(x * sp.exp(y)).value_and_grad_into
    for wrong in (np.empty(3), np.empty(2, np.float32), np.empty(4)[::2], np.empty((2, 1))):
        with pytest.raises(ValueError, match=r"ct: must be a C-contiguous array of float64, shape \(2,\)"):
            into(1.0, 2.0, wrong)
    kernel = compile_plain(SCRATCH)
    arguments = np.ones((2, 3)), np.ones(3)
    with pytest.raises(ValueError, match="ct_v: must be a C-contiguous array of float64, of v's shape"):
        kernel.value_and_grad_into(*arguments, np.empty((2, 3)), np.empty((3, 1)))
    with pytest.raises(ValueError, match="v: axis 0 must have size n"):
        kernel.value_and_grad_into(np.ones((2, 4)), np.ones(3), np.empty((2, 4)), np.empty(3))
    with pytest.raises(InputError, match="needs no scratch memory"):
        _ = compile_plain(x * y).workspace


def test_compiled(tmp_path: Path) -> None:
    """From Python, from compiled code and from a saved module; columns; no memory is taken."""
    kernel = sbp.compile(SCRATCH, names={"z": A * V})
    rng = np.random.default_rng(0)
    a, v = rng.standard_normal((2, 3)), rng.standard_normal((3, 1))
    value, grads = kernel.value_and_grad(a, v)
    into, workspace = kernel.value_and_grad_into, kernel.workspace
    assert list(inspect.signature(into.py_func).parameters) == ["A", "v", "ct_A", "ct_v", "work"]

    @njit
    def many(times: int, a: Any, v: Any, ct_a: Any, ct_v: Any, work: Any) -> float:
        total = 0.0
        for _ in range(times):
            total += into(a, v, ct_a, ct_v, work)
        return total

    ct_a, ct_v, work = np.zeros_like(a), np.zeros_like(v), workspace(a, v)
    assert many(1, a, v, ct_a, ct_v, work) == value
    np.testing.assert_array_equal(ct_a, grads["A"])
    np.testing.assert_array_equal(ct_v, grads["v"])
    _nrt_python.memsys_enable_stats()

    def allocations(times: int) -> int:
        before = rtsys.get_allocation_stats().alloc
        many(times, a, v, ct_a, ct_v, work)
        return int(rtsys.get_allocation_stats().alloc - before)

    # Numba makes a record for each array that comes from Python; the kernel nothing.
    assert allocations(1) == allocations(1000) < 10
    path = kernel.save(tmp_path / "saved.py")
    spec = importlib.util.spec_from_file_location("saved", path)
    assert spec is not None
    assert spec.loader is not None
    saved = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(saved)
    ct_a[...] = 0.0
    assert saved.value_and_grad_into(a, v, ct_a, ct_v, saved.workspace(a, v)) == value
    np.testing.assert_array_equal(ct_a, grads["A"])
