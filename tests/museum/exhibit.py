"""What the exhibits share: compile an expression as reported, and hold it to numbers that came from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mpmath as mp
import numpy as np

import symbackprop as sbp
from tests.plain import compile_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["assert_close", "check", "kernel", "slopes"]

DIGITS, STEP = 110, "1e-30"


def kernel(expr: Any, *, plain: bool = False, **options: Any) -> Any:
    """Compile an expression; `plain` runs the kernel as Python, which saves numba's time."""
    return (compile_plain if plain else sbp.compile)(expr, **options)


def assert_close(found: Any, expected: Any, rtol: float = 1e-12) -> None:
    """Assert equal shapes and entries: nan and infinities where expected, the others to `rtol` of the largest."""
    found, expected = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    assert found.shape == expected.shape
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(found[~finite], expected[~finite])
    scale = np.max(np.abs(expected[finite]), initial=0.0)
    np.testing.assert_allclose(found[finite], expected[finite], rtol=0.0, atol=rtol * scale)


def check(
    compiled: Any,
    values: Mapping[str, Any] | tuple[Any, ...],
    value: Any,
    grads: Mapping[str, Any],
    *,
    upstream: Any = None,
    rtol: float = 1e-12,
) -> None:
    """Assert a kernel's value and all its gradients at one point.

    Args:
        compiled: the kernel.
        values: its arguments by name, or in order.
        value: the value expected.
        grads: the gradients expected, by the names of the arguments that have one.
        upstream: the gradient of the output; ones by default.
        rtol: tolerance relative to the largest entry of each array.
    """
    args, kwargs = (values, {}) if isinstance(values, tuple) else ((), values)
    with np.errstate(all="ignore"):
        if upstream is None:
            found, slope = compiled.value_and_grad(*args, **kwargs)
        else:
            found, residuals = compiled.fprop(*args, **kwargs)
            slope = compiled.bprop(residuals, upstream)
    assert_close(found, value, rtol)
    assert set(slope) == set(grads)
    for name, expected in grads.items():
        assert_close(slope[name], expected, rtol)


def slopes(by_hand: Callable[..., Any], values: Mapping[str, Any]) -> tuple[float, dict[str, np.ndarray]]:
    """Return value and gradient of a function of mpmath numbers, by central differences good to 50 digits.

    Args:
        by_hand: takes scalars as mpf and arrays as object arrays of mpf, integers as they are; returns a number.
        values: its arguments, in the function's order.
    """
    with mp.workdps(DIGITS):
        exact = np.frompyfunc(lambda number: mp.mpf(float(number)), 1, 1)
        point = {
            name: value if np.asarray(value).dtype.kind in "iu" else exact(np.asarray(value, dtype=np.float64))
            for name, value in values.items()
        }
        step, grads = mp.mpf(STEP), {}
        for name, value in point.items():
            if np.asarray(value).dtype.kind in "iu":
                continue
            base = np.asarray(value, dtype=object)
            grads[name] = np.empty(base.shape)
            for at in np.ndindex(*base.shape):
                ends = []
                for sign in (1, -1):
                    moved = base.copy()
                    moved[at] += sign * step
                    ends.append(by_hand(*{**point, name: moved if moved.shape else moved[()]}.values()))
                grads[name][at] = float((ends[0] - ends[1]) / (2 * step))
        return float(by_hand(*point.values())), grads
