"""The 35 problems of Moré, Garbow and Hillstrom (ACM TOMS 7, 1981): value and gradient at and near the starting point.

Which reference is which:

* value and gradient, every problem: the residuals written by hand for mpmath, their Jacobian by central differences at
  110 digits with step 1e-30, hence good to more than 50 digits; f = sum r**2, gradient 2 J' r;
* f(x0), published: the norms that MINPACK's test drivers print, to seven digits (28 of the dimensions tested);
* f(x0), exact: the decimal number that the definition gives on paper, where it is a short one.

For problems 9, 11, 18 and 24 the paper's authors published no value at x0 that could be looked up: there f(x0) is
checked against mpmath alone.
"""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest

import symbackprop as sbp
from tests.end_to_end.more_garbow_hillstrom import PROBLEMS, Problem
from tests.end_to_end.more_garbow_hillstrom_data import EXACT_VALUE, PUBLISHED_NORM
from tests.plain import compile_plain

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # plain Python warns in branches not taken
DIGITS, STEP = 110, "1e-30"
COMPILED = (7, 20, 22, 27, 29)

CASES = [(p, size) for p in PROBLEMS for size in p.sizes]
KNOWN = [(p, size) for p, size in CASES if (p.number, size) in PUBLISHED_NORM or (p.number, size) in EXACT_VALUE]


def over(cases: list[tuple[Problem, int]]) -> Any:
    return pytest.mark.parametrize(("problem", "size"), cases, ids=[f"{p.number}-{p.name}-{n}" for p, n in cases])


def compiled(problem: Problem, compiler: Any = compile_plain) -> Any:
    return compiler(problem.expr, wrt=["x"], inputs={"x": problem.x, **{str(base): base for base in problem.data}})


KERNELS: dict[str, Any] = {}


def kernel_of(problem: Problem) -> Any:
    if problem.name not in KERNELS:
        KERNELS[problem.name] = compiled(problem)
    return KERNELS[problem.name]


def arguments(problem: Problem, size: int) -> list[np.ndarray]:
    given = (data(size) if callable(data) else data for data in problem.data.values())
    return [np.array(data, dtype=float) for data in given]


def points(problem: Problem, size: int) -> list[np.ndarray]:
    """The starting point, and one near it."""
    start = np.array(problem.start(size), dtype=float)
    rng = np.random.default_rng(problem.number)
    return [start, start * (1 + 0.05 * rng.uniform(-1, 1, size)) + 0.02 * rng.uniform(-1, 1, size)]


def reference(problem: Problem, point: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The value, the gradient, and for each entry of the gradient the sum of its terms' magnitudes, about."""
    with mp.workdps(DIGITS):
        exact, step = [mp.mpf(float(e)) for e in point], mp.mpf(STEP)
        residuals = problem.residuals(exact)
        slopes, sizes = [], []
        for at in range(len(exact)):
            sides = [problem.residuals([*exact[:at], exact[at] + s, *exact[at + 1 :]]) for s in (step, -step)]
            terms = [r * (b - c) / step for r, b, c in zip(residuals, *sides, strict=True)]
            slopes.append(float(mp.fsum(terms)))
            sizes.append(float(mp.fsum(abs(term) for term in terms)))
        # Where all terms vanish, as halfway in Chebyquad, their factors are still rounded.
        floor = 1e-3 * max(sizes)
        return float(mp.fsum(r**2 for r in residuals)), np.array(slopes), np.maximum(sizes, floor)


def check(problem: Problem, kernel: Any, size: int) -> None:
    given = arguments(problem, size)
    for point in points(problem, size):
        expected, slopes, sizes = reference(problem, point)
        value, grads = kernel.value_and_grad(point, *given)
        assert value == pytest.approx(expected, rel=1e-11)
        assert list(grads) == ["x"]
        assert np.all(np.abs(grads["x"] - slopes) <= 1e-11 * sizes), (grads["x"], slopes)
        value, residuals = kernel.fprop(point, *given)
        assert value == pytest.approx(expected, rel=1e-11)
        assert np.all(np.abs(kernel.bprop(residuals, 3.0)["x"] - 3 * slopes) <= 3e-11 * sizes)


def test_all_35() -> None:
    assert {p.number for p in PROBLEMS} == set(range(1, 36))
    sizes = {(p.number, size) for p, size in CASES}
    assert set(PUBLISHED_NORM) <= sizes
    assert set(EXACT_VALUE) <= sizes


@over(CASES)
def test_against_mpmath(problem: Problem, size: int) -> None:
    check(problem, kernel_of(problem), size)


@over(KNOWN)
def test_value_at_the_start(problem: Problem, size: int) -> None:
    """The published norm of the residuals, and the exact value where it is a short decimal number."""
    key = problem.number, size
    value = kernel_of(problem)(points(problem, size)[0], *arguments(problem, size))
    if key in PUBLISHED_NORM:
        assert np.sqrt(value) == pytest.approx(PUBLISHED_NORM[key], rel=5.1e-7)
    if key in EXACT_VALUE:
        assert value == pytest.approx(float(EXACT_VALUE[key]), rel=1e-12)


@pytest.mark.parametrize("number", COMPILED)
def test_compiled_by_numba(number: int) -> None:
    problem = next(p for p in PROBLEMS if p.number == number)
    given, kernel = arguments(problem, problem.sizes[0]), compiled(problem, sbp.compile)
    point = points(problem, problem.sizes[0])[1]
    expected, slopes, sizes = reference(problem, point)
    value, grads = kernel.value_and_grad(point, *given)
    assert value == pytest.approx(expected, rel=1e-11)
    assert np.all(np.abs(grads["x"] - slopes) <= 1e-11 * sizes)


@pytest.mark.parametrize(
    "name", ["trigonometric", "Brown almost-linear", "Broyden tridiagonal", "variably dimensioned"]
)
def test_cost_is_linear_in_n(name: str) -> None:
    """The gradient of a sum of n terms costs O(n), never O(n**2)."""
    cost = kernel_of(next(p for p in PROBLEMS if p.name == name)).cost()
    (n,) = cost.fprop.free_symbols
    assert cost.fprop.as_poly(n).degree() == cost.bprop.as_poly(n).degree() == 1
