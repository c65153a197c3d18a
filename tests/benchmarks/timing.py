"""Timing of several functions side by side."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

__all__ = ["Timing", "interleaved"]


class Timing(NamedTuple):
    """Seconds per call: the best round and the median round."""

    best: float
    median: float


def _seconds(function: Callable[[], Any], calls: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(calls):
        function()
    return (clock() - start) / calls


def interleaved(
    functions: Mapping[str, Callable[[], Any]],
    *,
    rounds: int = 25,
    target: float = 0.02,
    warm: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Timing]:
    """Return the time of each function, measured in turns so that a busy machine hits all alike.

    Args:
        functions: name -> call without arguments.
        rounds: turns of each function.
        target: seconds that one turn takes, about.
        warm: whether functions are called before; without it a turn is one call.
        clock: what to read; processor time where only one thread works and other programs run beside it.
    """
    calls = {}
    for name, function in functions.items():
        if not warm:
            calls[name] = 1
            continue
        function()
        once = min(_seconds(function, 1, time.perf_counter) for _ in range(3))
        calls[name] = max(1, round(target / max(once, 1e-9)))
    samples: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            samples[name].append(_seconds(function, calls[name], clock))
    return {name: Timing(min(times), statistics.median(times)) for name, times in samples.items()}
