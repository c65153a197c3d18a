"""Forward and backward pass grow alike: by the certificate exactly, by the clock about."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import sympy as sp

from tests.benchmarks.rows.window import kernel

ROOT = Path(__file__).parents[2]


def test_certificate_of_the_window_classifier() -> None:
    """At most three times the forward cost at every size, and the same degree in each dimension."""
    for batched in (False, True):
        cost = kernel(batched=batched).cost()
        assert cost.ratio_bound <= 3
        symbols = sorted(cost.fprop.free_symbols | cost.bprop.free_symbols, key=str)
        forward, backward = sp.Poly(cost.fprop, *symbols), sp.Poly(cost.bprop, *symbols)
        assert [forward.degree(symbol) for symbol in symbols] == [backward.degree(symbol) for symbol in symbols]
        for size in (1, 7, 1000):
            at = dict.fromkeys(symbols, size)
            assert cost.bprop.subs(at) <= cost.ratio_bound * cost.fprop.subs(at)


def test_measured_growth() -> None:
    """Exponents over the sizes of a window differ by less than 0.1; in a process of its own, which may use one thread.

    The best of up to four runs counts: other programs on the machine disturb the clock.
    """
    command = [sys.executable, "-m", "tests.benchmarks", "growth", "--rows", "window", "--arguments", "d"]
    found = []
    for _ in range(4):
        done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        exponents = re.search(r"^window +d +[\d ]+ +(\d\.\d+) +(\d\.\d+) ", done.stdout, re.MULTILINE)
        assert exponents is not None
        found.append(abs(float(exponents[1]) - float(exponents[2])))
        if found[-1] < 0.1:
            return
    assert min(found) < 0.1
