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

__all__ = ["Growth", "degrees", "exponent", "main", "sweep"]


class Growth(NamedTuple):
    """One sweep: the values, and for each of them seconds and counted operations of both passes."""

    values: tuple[int, ...]
    seconds: tuple[tuple[float, float], ...]
    operations: tuple[tuple[float, float], ...]


def exponent(values: Sequence[float], times: Sequence[float]) -> float:
    """Return the slope of log time over log value, by least squares."""
    return float(np.polyfit(np.log(values), np.log(times), 1)[0])


def _sizes(row: Row, how: Sweep, value: int) -> tuple[Any, tuple[Any, ...], dict[str, int]]:
    """Return the kernel, its arguments and the values of its size symbols where the argument has a value."""
    assert row.kernel is not None
    at = row.point(**how.fixed, **{how.argument: value})
    kernel = row.kernel(at)
    arguments = tuple(at[record.name] for record in kernel.inputs)
    sizes: dict[str, int] = {}
    for record, argument in zip(kernel.inputs, arguments, strict=True):
        for dim, size in zip(record.shape, np.shape(argument), strict=False):
            if isinstance(dim, sp.Symbol):
                sizes[dim.name] = size
    for record, argument in zip(kernel.inputs, arguments, strict=True):
        for dim, size in zip(record.shape, np.shape(argument), strict=False):
            for unknown in {s.name for s in sp.sympify(dim).free_symbols} - sizes.keys():
                known = {s: sizes[s.name] for s in dim.free_symbols if s.name in sizes}
                sizes[unknown] = int(sp.solve(dim.subs(known) - size)[0])
    return kernel, arguments, sizes


def degrees(row: Row, how: Sweep) -> tuple[int, int]:
    """Return the certificate's degrees, forward and backward, in the sizes that an argument changes."""
    kernel, _, few = _sizes(row, how, 2)
    _, _, more = _sizes(row, how, 3)
    cost = kernel.cost()
    varied = [sp.Symbol(name, integer=True, positive=True) for name in few if few[name] != more[name]]
    known = {s: sp.Symbol(s.name, integer=True, positive=True) for s in (cost.fprop + cost.bprop).free_symbols}
    forward, backward = (sp.Poly(count.subs(known), *varied).total_degree() for count in (cost.fprop, cost.bprop))
    return forward, backward


def sweep(row: Row, how: Sweep, rounds: int = 15, target: float = 0.02) -> Growth:
    """Return times of fprop and bprop for all values of one argument, all measured in turns."""
    calls: dict[str, Any] = {}
    operations = []
    for value in how.values:
        kernel, arguments, sizes = _sizes(row, how, value)
        residuals = kernel.fprop(*arguments)[1]
        calls[f"fprop {value}"] = lambda k=kernel, a=arguments: k.fprop(*a)
        calls[f"bprop {value}"] = lambda k=kernel, r=residuals: k.bprop(r)
        cost = kernel.cost()
        at = {s: sizes[s.name] for s in (cost.fprop + cost.bprop).free_symbols}
        operations.append((float(cost.fprop.subs(at)), float(cost.bprop.subs(at))))
    timings = interleaved(calls, rounds=rounds, target=target, clock=time.process_time)
    seconds = tuple((timings[f"fprop {v}"].best, timings[f"bprop {v}"].best) for v in how.values)
    return Growth(how.values, seconds, tuple(operations))


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
            certified = "/".join(map(str, degrees(ROWS[name], how)))
            print(
                f"{name:<10} {how.argument:<9} {values:<24} {forward:6.3f} {backward:6.3f} "
                f"{abs(forward - backward):10.3f}  {counted:>11}  {certified:>6}",
                flush=True,
            )
    return 0
