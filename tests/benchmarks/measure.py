"""Figures of a row at a size: time side by side, results compared first; compile time and memory of fresh processes."""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numba import njit

from symbackprop.errors import SymbackpropError
from tests.benchmarks.peers import library
from tests.benchmarks.row import EXPERT, OURS, Missing, Point, Row, Work, numbers
from tests.benchmarks.timing import interleaved

__all__ = ["Figures", "Ready", "fresh_figures", "measure", "prepare"]

ROOT = Path(__file__).parents[2]

#: Sides that are parts of our own work, not other libraries.
PARTS = frozenset({OURS, EXPERT, "gemms", "numba alone"})


@dataclass
class Figures:
    """What was found of a row at one size.

    Attributes:
        run, compile, memory: side -> seconds a call, seconds up to the first result (libraries imported), bytes at the
            peak of a fresh process.
        growth: side -> bytes that this peak lies above the process as it was with the inputs made.
        objective: our gradient's time over our objective's, None where the row has none.
        absent: side -> why it is left out.
    """

    row: Row
    label: str
    run: dict[str, float] = field(default_factory=dict)
    compile: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    growth: dict[str, float] = field(default_factory=dict)
    objective: float | None = None
    absent: dict[str, str] = field(default_factory=dict)

    def ratio(self, side: str, figure: str = "run") -> float | None:
        """Return our figure over that of a side, None where one of them is missing."""
        found: Mapping[str, float] = getattr(self, figure)
        return found[OURS] / found[side] if OURS in found and side in found else None

    def best_peer(self) -> str | None:
        """Return the fastest of the other libraries that the row's limits name."""
        named = {side for limit in self.row.limits_at(self.label) for side in limit.against} - PARTS
        peers = {side: seconds for side, seconds in self.run.items() if side in named}
        return min(peers, key=peers.__getitem__) if peers else None

    def worst_excess(self) -> float | None:
        """Return by what factor the tightest limit is missed (at most 1: all reached), None if nothing was measured."""
        found = []
        for limit in self.row.limits_at(self.label):
            if limit.figure == "objective":
                ratios = [self.objective]
            elif limit.figure == "beyond":
                ratios = [self.run[OURS] - self.run[s] for s in limit.against if {OURS, s} <= self.run.keys()]
            else:
                ratios = [self.ratio(side, limit.figure) for side in limit.against]
            found += [max(r for r in ratios if r is not None) / limit.ratio] if any(ratios) else []
        return max(found) if found else None


@dataclass
class Ready:
    """The sides of a row at a point that work and agree.

    Attributes:
        works: side -> its work, already done once.
        absent: side -> why it is left out.
    """

    works: dict[str, Work] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


def prepare(row: Row, at: Point) -> Ready:
    """Return the row's sides at a point; those whose results differ from the expert's (or the first's) are left out."""
    ready, found = Ready(), {}
    for side, make in row.sides.items():
        try:
            work = make(at)
            parts = numbers(work, work.run())
        except (Missing, SymbackpropError) as caught:
            ready.absent[side] = f"{type(caught).__name__}: {caught}"
            continue
        ready.works[side] = work
        if parts:
            found[side] = parts
    reference = found.get(EXPERT) or next(iter(found.values()), [])
    for side, parts in found.items():
        differences = [_difference(part, other) for part, other in zip(parts, reference, strict=True)]
        if not max(differences, default=0.0) <= row.tolerance(at):
            ready.absent[side] = f"results differ by {', '.join(f'{d:.1e}' for d in differences)}"
            del ready.works[side]
    return ready


def _difference(part: np.ndarray, other: np.ndarray) -> float:
    """Return the largest difference relative to the largest entry; infinite for other shapes and for NaN."""
    if part.size != other.size:
        return math.inf
    gap = float(np.max(np.abs(part.ravel() - other.ravel()), initial=0.0))
    return gap / max(float(np.max(np.abs(other), initial=0.0)), 1e-300) if math.isfinite(gap) else math.inf


def measure(row: Row, label: str, *, rounds: int = 15, target: float = 0.02, fresh: bool = False) -> Figures:
    """Return the figures of a row at a size.

    Args:
        row, label: which.
        rounds, target: see `interleaved`.
        fresh: whether to start processes for compile time and memory, too.
    """
    figures = Figures(row, label)
    try:
        at = row.point(**row.sizes[label])
    except Missing as caught:
        figures.absent[OURS] = str(caught)
        return figures
    ready = prepare(row, at)
    made, figures.absent = ready.works, ready.absent
    calls = {side: work.run for side, work in made.items()}
    if OURS in made and made[OURS].objective is not None:
        calls["objective"] = made[OURS].objective
    if row.processes:
        timings = interleaved(calls, rounds=2 if rounds > 10 else 1, target=0.0, warm=False, clock=_time_of_processes)
    else:
        timings = interleaved(calls, rounds=rounds, target=target, clock=time.process_time)
    figures.run = {side: timing.best for side, timing in timings.items() if side != "objective"}
    if "objective" in timings:
        figures.objective = timings[OURS].best / timings["objective"].best
    if fresh:
        for side in made:
            if side == "gemms":
                continue
            first = fresh_process(row.name, label, side)
            figures.compile[side] = first["compile"]
            figures.memory[side] = first["peak"]
            figures.growth[side] = first["growth"]
    return figures


def _time_of_processes() -> float:
    """Return the processor seconds of all processes that this one has started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def fresh_process(name: str, label: str, side: str) -> dict[str, float]:
    """Return what a process of its own reports of the first result of a side."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "fresh", name, label, side],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def fresh_figures(row: Row, label: str, side: str) -> dict[str, float]:
    """Return processor seconds to the first result, and bytes at the peak, of this process.

    Importing the library, and what it sets up once for all its work, come before and do not count.
    """
    at = row.point(**row.sizes[label])
    _set_up(side)
    before = _resident()
    start = time.process_time()
    work = row.sides[side](at)
    work.run()
    seconds = time.process_time() - start if work.seconds is None else work.seconds
    work.run()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    return {"compile": seconds, "peak": peak, "growth": peak - before}


def _set_up(side: str) -> None:
    """Import a library and have it compile something trivial."""
    if side in PARTS:
        njit(lambda x: x + 1.0)(1.0)
        return
    module = library(side)
    if side == "jax":
        module.jit(lambda x: x + 1.0)(1.0).block_until_ready()


def _resident() -> float:
    """Return the bytes of memory that this process holds now."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:  # no such file system here: the peak so far
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
    return float(pages * resource.getpagesize())
