"""Ratios of our time to JAX's and PyTorch's, value and gradient of the window classifier."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.benchmarks.timing import interleaved
from tests.benchmarks.window import WRT, jax_function, kernel, point, torch_function

__all__ = ["main"]

D, H = 50, 100


def _compare(ours: Any, theirs: Any, name: str) -> None:
    """Assert that both give the same value and gradients."""
    assert np.allclose(float(theirs[0]), float(ours[0]), rtol=1e-11), name
    for key, gradient in zip(WRT, theirs[1], strict=True):
        found, expected = np.asarray(gradient), ours[1][key]
        scale = np.max(np.abs(expected))
        assert np.max(np.abs(found - expected)) <= 1e-11 * scale, f"{name}: {key}"


def main() -> None:
    """Print the table: rows are batch sizes, ratios below 1 mean that we are faster."""
    print(f"window classifier, value and gradient for {', '.join(WRT)}; d = {D}, h = {H}, float64, one thread")
    print(f"{'batch':>6} {'library':>12} {'best us':>10} {'median us':>10} {'ours/theirs':>12}")
    for batch in (None, 1, 128):
        at = point(batch, D, H)
        compiled = kernel(batched=batch is not None)
        arguments = tuple(at.values())
        ours = compiled.value_and_grad(*arguments)
        calls = {"symbackprop": lambda f=compiled, a=arguments: f.value_and_grad(*a)}
        for name, make in (("JAX", jax_function), ("PyTorch", torch_function)):
            call = make(at)
            if call is None:
                print(f"{name} is not installed")
                continue
            _compare(ours, call(), name)
            calls[name] = call
        timings = interleaved(calls)
        for name, timing in timings.items():
            ratio = timings["symbackprop"].median / timing.median
            label = "none" if batch is None else batch
            print(f"{label:>6} {name:>12} {timing.best * 1e6:10.1f} {timing.median * 1e6:10.1f} {ratio:12.2f}")
