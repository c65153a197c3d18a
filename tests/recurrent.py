"""What tests of recurrences share: values against loops in NumPy, gradients against their central differences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

#: Step and tolerance of central differences.
STEP, CLOSE = 1e-6, 2e-7


def slopes(f: Callable[..., float], args: Mapping[str, Any], name: str) -> np.ndarray:
    """The central differences of a scalar function with respect to one keyword argument."""
    point = np.array(args[name], dtype=float)
    out = np.empty(point.shape)
    for at in np.ndindex(point.shape):
        sides = []
        for h in (STEP, -STEP):
            moved = point.copy()
            moved[at] += h
            sides.append(f(**{**args, name: moved}))
        out[at] = (sides[0] - sides[1]) / (2 * STEP)
    return out


def agrees(kernel: Any, reference: Callable[..., float], args: Mapping[str, Any], *, close: float = CLOSE) -> None:
    """A scalar kernel's value, gradients, split passes and interpretation agree with a loop in NumPy."""
    expected = reference(**args)
    value, gradients = kernel.value_and_grad(**args)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(kernel(**args), expected, rtol=1e-12)
    split, residuals = kernel.fprop(**args)
    np.testing.assert_allclose(split, expected, rtol=1e-12)
    other = kernel.bprop(residuals)
    assert set(gradients) == set(other)
    for name, gradient in gradients.items():
        assert np.shape(gradient) == np.shape(args[name])
        np.testing.assert_allclose(gradient, slopes(reference, args, name), rtol=close, atol=close, err_msg=name)
        np.testing.assert_allclose(other[name], gradient, rtol=1e-12, atol=1e-13, err_msg=name)


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def draw(rng: np.random.Generator, **shapes: tuple[int, ...]) -> dict[str, Any]:
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}
