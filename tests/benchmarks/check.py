"""`python -m tests.benchmarks check [--rows a,b] [--sides a,b] [--plain]`: whether all sides of every row agree.

At tiny sizes: the values and gradients of all sides; the expert's gradients against central differences; the degrees
of the cost certificate in every swept size. With --plain and NUMBA_DISABLE_JIT=1 nothing is compiled, and it is quick.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

import numpy as np

from tests.benchmarks.catalogue import ROWS
from tests.benchmarks.growth import degrees
from tests.benchmarks.measure import prepare
from tests.benchmarks.row import EXPERT, Row, numbers
from tests.plain import running_plain

__all__ = ["main"]

#: Gradients of the expert that are compared with differences: row -> name of the argument, place among the results.
DIFFERENCES = {"lstm": ("main", 1), "gmm": ("l", 4), "digits": ("W", 1), "mlp": ("V", 1), "window": ("W", 1)}


def slope_error(row: Row) -> float:
    """Return the largest relative error of the expert's gradient for one argument, by central differences."""
    name, part = DIFFERENCES[row.name]
    at = row.point(**row.tiny)
    work = row.sides[EXPERT](at)
    gradient = numbers(work, work.run())[part]
    found = np.zeros_like(gradient)
    for place in zip(*np.nonzero(gradient), strict=True):
        values = []
        for step in (1e-6, -1e-6):
            moved = at[name].copy()
            moved[place] += step
            work = row.sides[EXPERT]({**at, name: moved})
            values.append(float(work.read(work.run())[0]))
        found[place] = (values[0] - values[1]) / 2e-6
    return float(np.max(np.abs(found - gradient)) / np.max(np.abs(gradient)))


def disagreements(row: Row, chosen: Sequence[str]) -> int:
    """Print what agrees in a row and what does not; return how much does not. `chosen` may be [""]: all sides."""
    sides = {side: make for side, make in row.sides.items() if side in chosen or chosen == [""]}
    ready = prepare(replace(row, sides=sides), row.point(**row.tiny))
    print(f"{row.name}: {', '.join(ready.works)} agree")
    wrong = 0
    for side, reason in ready.absent.items():
        print(f"{row.name}: {side} left out: {reason}")
        wrong += not reason.startswith("Missing: ")
    if row.name in DIFFERENCES:
        error = slope_error(row)
        print(f"{row.name}: gradients differ from differences by {error:.0e}")
        wrong += not error <= 1e-6
    for how in row.sweeps:
        forward, backward = degrees(row, how)
        print(f"{row.name}: degree in {how.argument} {forward} forward, {backward} backward", flush=True)
        wrong += forward != backward
    return wrong


def main(argv: Sequence[str] = ()) -> int:
    """Print what agrees and what does not; return 0 if everything that is there agrees."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks check", description=__doc__)
    quick = [name for name, row in ROWS.items() if not row.processes]
    parser.add_argument("--rows", default=",".join(quick), help="names of rows, with commas")
    parser.add_argument("--sides", default="", help="only these sides, with commas")
    parser.add_argument("--plain", action="store_true", help="run generated kernels as plain Python")
    chosen = parser.parse_args(list(argv))
    with running_plain() if chosen.plain else nullcontext():
        wrong = sum(disagreements(ROWS[name], chosen.sides.split(",")) for name in chosen.rows.split(","))
    return int(wrong > 0)
