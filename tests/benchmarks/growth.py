"""How the times of fprop and bprop grow with every size of every row, beside the degrees of the cost certificate.

"Done correctly, the big-O complexity is the same": the two exponents of a sweep agree.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import sympy as sp

from tests.benchmarks.catalogue import ROWS
from tests.benchmarks.row import Row, Sweep
from tests.benchmarks.timing import interleaved

__all__ = ["Growth", "exponent", "main", "sweep"]


class Growth(NamedTuple):
    """One sweep: the values, seconds and counted operations of both passes, and the certificate's degrees."""

    values: tuple[int, ...]
    seconds: tuple[tuple[float, float], ...]
    operations: tuple[tuple[float, float], ...]
    degrees: tuple[int, int]


def exponent(values: Sequence[float], times: Sequence[float]) -> float:
    """Return the slope of log time over log value, by least squares."""
    return float(np.polyfit(np.log(values), np.log(times), 1)[0])


def sweep(row: Row, how: Sweep, rounds: int = 15, target: float = 0.02) -> Growth:
    """Return times of fprop and bprop for all values of one argument, all measured in turns."""
    assert row.kernel is not None
    calls: dict[str, Any] = {}
    sizes: list[dict[str, int]] = []
    for value in how.values:
        at = row.point(**how.fixed, **{how.argument: value})
        kernel = row.kernel(at)
        arguments = tuple(at[record.name] for record in kernel.inputs)
        residuals = kernel.fprop(*arguments)[1]
        calls[f"fprop {value}"] = lambda k=kernel, a=arguments: k.fprop(*a)
        calls[f"bprop {value}"] = lambda k=kernel, r=residuals: k.bprop(r)
        sizes.append(dict(residuals.arguments.sizes))
    timings = interleaved(calls, rounds=rounds, target=target, clock=time.process_time)
    cost = kernel.cost()
    symbols = sorted(cost.fprop.free_symbols | cost.bprop.free_symbols, key=str)
    varied = [s for s in symbols if len({size[str(s)] for size in sizes}) > 1]
    operations = []
    for size in sizes:
        at_size = {s: size[str(s)] for s in symbols}
        operations.append((float(cost.fprop.subs(at_size)), float(cost.bprop.subs(at_size))))
    return Growth(
        how.values,
        tuple((timings[f"fprop {v}"].best, timings[f"bprop {v}"].best) for v in how.values),
        tuple(operations),
        tuple(sp.Poly(count, *varied).total_degree() for count in (cost.fprop, cost.bprop)),
    )


def main(argv: Sequence[str] = ()) -> int:
    """Print the exponents of every sweep of the rows chosen; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks growth", description=__doc__)
    swept = [name for name, row in ROWS.items() if row.sweeps]
    parser.add_argument("--rows", default=",".join(swept), help="names of rows, with commas; default all")
    parser.add_argument("--arguments", default="", help="only sweeps of these arguments, with commas")
    chosen = parser.parse_args(list(argv))
    print("exponents of processor time, and of the certificate's operations at the same sizes; float64, one thread")
    header = ("row", "argument", "values", "fprop", "bprop", "difference", "counted", "degree")
    print("{:<10} {:<9} {:<24} {:>6} {:>6} {:>10}  {:>11}  {:>6}".format(*header))
    for name in chosen.rows.split(","):
        for how in ROWS[name].sweeps:
            if chosen.arguments and how.argument not in chosen.arguments.split(","):
                continue
            found = sweep(ROWS[name], how)
            forward, backward = (exponent(found.values, [s[k] for s in found.seconds]) for k in (0, 1))
            counted = "/".join(f"{exponent(found.values, [o[k] for o in found.operations]):.2f}" for k in (0, 1))
            values = " ".join(map(str, found.values))
            degrees = "/".join(map(str, found.degrees))
            print(
                f"{name:<10} {how.argument:<9} {values:<24} {forward:6.3f} {backward:6.3f} "
                f"{abs(forward - backward):10.3f}  {counted:>11}  {degrees:>6}",
                flush=True,
            )
    return 0
