"""Translation, differentiation and simplification are linear in the nodes of the expression's DAG.

Function calls are counted, which no other program on the machine disturbs, and processor time is measured, which also
sees what happens inside one call. `python -m tests.benchmarks frontend` runs the full sweep, up to 100,000 nodes.
"""

from __future__ import annotations

import cProfile
import pstats
from typing import Any

import pytest

from tests.benchmarks.frontend import arm, exponent, front_end, nodes, pendulum, random_dag, seconds

CASES = {
    "serial arm": (arm, (4, 8, 16)),
    "random DAG": (random_dag, (200, 400, 800)),
    "pendulum": (pendulum, (3, 4, 6)),
}


def calls(exprs: Any) -> int:
    """The function calls of the front end."""
    profile = cProfile.Profile()
    profile.runcall(front_end, exprs)
    return pstats.Stats(profile).total_calls


@pytest.mark.parametrize("family", CASES)
def test_a_further_node_costs_the_same(family: str) -> None:
    """The calls that each further node brings do not grow with the program; quadratic growth would double them."""
    build, sizes = CASES[family]
    small, middle, large = (build(size) for size in sizes)
    front_end(small)  # what is done once per process
    counts = [nodes(program) for program in (small, middle, large)]
    made = [calls(program) for program in (small, middle, large)]
    first, second = ((made[k + 1] - made[k]) / (counts[k + 1] - counts[k]) for k in (0, 1))
    assert second < 1.35 * first, (counts, made)


def test_time_grows_linearly() -> None:
    """The best of up to four measurements: a busy machine makes the larger program look slower."""
    small, large = random_dag(400), random_dag(2_500)
    counts, found = [nodes(small), nodes(large)], []
    for _ in range(4):
        found.append(exponent(counts, [seconds(small, 3), seconds(large)]))
        if found[-1] < 1.15:
            return
    assert min(found) < 1.15, found


def test_no_step_recurses() -> None:
    """An arm of 120 joints is deeper than Python's stack; its nodes keep to a line."""
    assert len(front_end(arm(120)[0]).nodes()) > 5_000
