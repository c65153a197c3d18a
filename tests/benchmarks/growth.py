"""How the times of fprop and bprop grow with the dimension: "done correctly, the big-O complexity is the same"."""

from __future__ import annotations

import math
import time

import numpy as np

from tests.benchmarks.timing import interleaved
from tests.benchmarks.window import kernel, point

__all__ = ["exponents", "main"]

DIMENSIONS = (50, 100, 200, 400, 800)
BATCH = 128


def exponents(times: dict[int, tuple[float, float]]) -> tuple[float, float]:
    """Return the slopes of log time over log dimension, of fprop and of bprop, by least squares."""
    logs = np.log(list(times))
    slopes = [np.polyfit(logs, [math.log(pair[k]) for pair in times.values()], 1)[0] for k in (0, 1)]
    return float(slopes[0]), float(slopes[1])


def measure(
    dimensions: tuple[int, ...] = DIMENSIONS, batch: int = BATCH, rounds: int = 15
) -> dict[int, tuple[float, float]]:
    """Return seconds of (fprop, bprop) for each d, with h = d hidden units."""
    compiled = kernel(batched=True)
    times = {}
    for d in dimensions:
        arguments = tuple(point(batch, d, d).values())
        _, residuals = compiled.fprop(*arguments)
        timings = interleaved(
            {
                "fprop": lambda a=arguments: compiled.fprop(*a),
                "bprop": lambda r=residuals: compiled.bprop(r),
            },
            rounds=rounds,
            clock=time.process_time,
        )
        times[d] = timings["fprop"].best, timings["bprop"].best
    return times


def main() -> None:
    """Print times and exponents, and the certificate's bound beside the measured ratios."""
    times = measure()
    print(f"window classifier, batch {BATCH}, h = d, float64, one thread")
    print(f"{'d':>6} {'fprop us':>12} {'bprop us':>12} {'bprop/fprop':>12}")
    for d, (forward, backward) in times.items():
        print(f"{d:>6} {forward * 1e6:12.1f} {backward * 1e6:12.1f} {backward / forward:12.2f}")
    forward, backward = exponents(times)
    print(f"exponents: fprop {forward:.3f}, bprop {backward:.3f}, difference {abs(forward - backward):.3f}")
    print(kernel(batched=True).cost())
