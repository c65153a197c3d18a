"""What every compiled program must satisfy, whatever it computes; used by the tests of random programs.

value:      interpreter = interpreter after simplification = kernel = mpmath;
gradient:   the graph of the gradients, interpreted = kernel = central differences at 70 digits;
adjoint:    <upstream, J t> = <J* upstream, t>, with J t from mpmath.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import mpmath as mp
import numpy as np
from hypothesis import HealthCheck, Phase, reject, settings

import symbackprop as sbp
from symbackprop.interpret import interpret
from symbackprop.ir.verify import verify
from symbackprop.rewrite.engine import simplify
from tests.exact import DIGITS, NearKink, flat, gradient, slope
from tests.frontend.helpers import program
from tests.plain import compile_plain
from tests.test_random_graphs import gradient_graph

__all__ = ["check", "deterministic", "fair", "numba"]

#: Above this many entries the gradient is checked along two directions, not entry by entry.
MANY = 24


def deterministic(examples: int) -> Any:
    """Settings: the same examples in every run, no deadline, no data base."""
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


def assert_close(found: Any, expected: Any, what: str, rtol: float) -> None:
    """Agreement relative to the largest entry, or to 1 if that is larger."""
    found, expected = np.array(flat(found), dtype=float), np.array(flat(expected), dtype=float)
    assert found.shape == expected.shape, f"{what}: shape {found.shape}, expected {expected.shape}"
    scale = max(1.0, np.max(np.abs(expected), initial=0.0))
    assert np.max(np.abs(found - expected), initial=0.0) <= rtol * scale, f"{what}: {found}, expected {expected}"


def check(
    expr: Any,
    exact: Callable[[Mapping[str, Any]], Any],
    values: Mapping[str, Any],
    sizes: Mapping[str, int],
    *,
    seed: int = 0,
    inputs: Any = None,
    compiler: Callable[..., Any] | None = compile_plain,
    rtol: float = 1e-9,
) -> None:
    """Assert the properties above for `expr` at `values`.

    Raises:
        NearKink: no fair place to test at.

    Args:
        expr: what is compiled; all its real inputs are differentiated for.
        exact: the same at given values, in mpmath arithmetic.
        values: argument name -> number or array, integers among them.
        sizes: size symbol -> number.
        inputs: as for `sbp.compile`.
        compiler: makes the kernel; None for the interpreter alone.
    """
    rng = np.random.default_rng(seed)
    p = program(expr, inputs=inputs)
    assert set(values) >= {a.name for a in p.arguments}, [a.name for a in p.arguments]
    values = {a.name: values[a.name] for a in p.arguments}
    given = {
        a.identifier: np.asarray(values[a.name]).reshape([d.evaluate(sizes) for d in a.core_shape]) for a in p.arguments
    }
    with mp.workdps(DIGITS):
        expected = flat(exact(values))
        upstream = rng.uniform(0.5, 1.5, len(expected)) * rng.choice([-1.0, 1.0], len(expected))
        tangent = {name: rng.uniform(-1, 1, np.shape(values[name])) for name in p.wrt}
        pushed = slope(exact, values, tangent)
        along = float(mp.fsum(mp.mpf(float(u)) * d for u, d in zip(upstream, pushed, strict=True)))
        entrywise = sum(t.size for t in tangent.values()) <= MANY
        slopes = gradient(exact, values, p.wrt, upstream) if entrywise else None
    verify(p.graph)
    simple = simplify(p.graph)
    with np.errstate(all="ignore"):
        assert_close(interpret(p.graph, given, sizes), expected, "interpreter", rtol)
        assert_close(interpret(simple, given, sizes), expected, "interpreter, simplified", rtol)
    identifiers = {a.name: a.identifier for a in p.arguments}
    gradients, parts = gradient_graph(simple, tuple(identifiers[name] for name in p.wrt))
    cts, at = {}, 0
    for part in parts:
        shape = [d.evaluate(sizes) for d in part.shape]
        cts[part.name] = upstream[at : at + int(np.prod(shape))].reshape(shape)
        at += cts[part.name].size
    for graph in (gradients, simplify(gradients)):
        with np.errstate(all="ignore"):
            found = dict(zip(p.wrt, interpret(graph, {**given, **cts}, sizes), strict=True))
        # Rules, not the derivative, keep apart what is not taken.
        if graph is not gradients or all(np.all(np.isfinite(g)) for g in found.values()):
            _check_gradient(found, slopes, tangent, along, rtol)
    if compiler is None:
        return
    kernel = compiler(expr, inputs=inputs)
    value, residuals = kernel.fprop(**values)
    assert_close(value, expected, "fprop", rtol)
    weights = _like(value, iter(upstream))
    _check_gradient(kernel.bprop(residuals, weights), slopes, tangent, along, rtol)
    if compiler is numba:  # each function costs seconds to compile
        return
    assert_close(kernel(**values), expected, "kernel", rtol)
    both, fused = kernel.value_and_grad(**values, upstream=weights)
    assert_close(both, expected, "value_and_grad", rtol)
    _check_gradient(fused, slopes, tangent, along, rtol)


@contextlib.contextmanager
def fair() -> Iterator[None]:
    """Passes an example over whose values lie where rounding decides."""
    try:
        yield
    except NearKink:
        reject()


def numba(expr: Any, **options: Any) -> Any:
    """The kernel as users have it; `check` compiles its two passes."""
    return sbp.compile(expr, **options)


def _like(value: Any, numbers: Any) -> Any:
    """The numbers in the container and the shapes of a value."""
    if isinstance(value, dict):
        return {key: _like(part, numbers) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_like(part, numbers) for part in value]
    shape = np.shape(value)
    taken = np.array([next(numbers) for _ in range(int(np.prod(shape)))])
    return taken.reshape(shape) if shape else float(taken[0])


def _check_gradient(found: Any, slopes: Any, tangent: Any, along: float, rtol: float) -> None:
    assert list(found) == list(tangent)
    products = [float(np.sum(np.ravel(g) * np.ravel(tangent[name]))) for name, g in found.items()]
    scale = sum(float(np.sum(np.abs(np.ravel(g) * np.ravel(tangent[name])))) for name, g in found.items())
    assert abs(sum(products) - along) <= rtol * max(1.0, scale), f"<J* ct, t> = {sum(products)}, <ct, J t> = {along}"
    for name, expected in (slopes or {}).items():
        assert_close(found[name], expected, f"gradient for {name}", rtol)
