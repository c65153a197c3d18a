"""What tests of index notation share: arrays, sizes, values, and the comparison with exact values and slopes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mpmath
import numpy as np
import sympy as sp

import symbackprop as sbp
from tests import exact
from tests.plain import compile_plain
from tests.properties import check

n, m, p, K = sp.symbols("n m p K", integer=True, positive=True)
i, j, k, q, s = sp.symbols("i j k q s", integer=True)
a, b = sp.symbols("a b", real=True)
c = sp.Symbol("c", integer=True)
#: Free indices: axes of the output.
f, g = sp.Idx("f", n), sp.Idx("g", n)

x, y, v = (sp.IndexedBase(name, (size,)) for name, size in (("x", n), ("y", n), ("v", m)))
A, B, T = (sp.IndexedBase(name, shape) for name, shape in (("A", (n, m)), ("B", (n, n)), ("T", (n, n, n))))
long, twice, flat = (
    sp.IndexedBase(name, (size,)) for name, size in (("long", n + m - 1), ("twice", 2 * n), ("flat", n * m))
)
tok, word, pad = (sp.IndexedBase(name, (size,), integer=True) for name, size in (("tok", p), ("word", n), ("pad", n)))

SIZES = {"n": 5, "m": 3, "p": 4, "K": 4}


def values(sizes: Mapping[str, int] | None = None, seed: int = 0) -> dict[str, Any]:
    """A value for every argument above; `x` is positive."""
    sizes = {**SIZES, **(sizes or {})}
    rng = np.random.default_rng(seed)
    rows, columns = sizes["n"], sizes["m"]
    shapes = {"y": rows, "v": columns, "A": (rows, columns), "B": (rows, rows), "T": (rows, rows, rows)}
    shapes |= {"long": rows + columns - 1, "twice": 2 * rows, "flat": rows * columns}
    return {
        **{name: rng.uniform(-1, 1, shape) for name, shape in shapes.items()},
        **sizes,
        "x": rng.uniform(0.2, 1, rows),
        "a": 0.7,
        "b": -0.4,
        "c": 1,
        "tok": rng.integers(0, rows, sizes["p"]),
        "word": rng.integers(0, columns, rows),
        "pad": rng.integers(-1, rows, rows),
    }


class Exact(exact.Exact):
    """Adds what only this package or index notation has; whole numbers are compared as they are."""

    def _value(self, expr: Any, env: Mapping[Any, Any]) -> Any:
        if isinstance(expr, sbp.MaxOver | sbp.MinOver):
            *inner, (symbol, low, high) = expr.limits
            body = type(expr)(expr.function, *inner) if inner else expr.function
            terms = [self(body, {**env, symbol: at}) for at in range(self.whole(low, env), self.whole(high, env) + 1)]
            if not terms:
                return mpmath.mpf("-inf" if isinstance(expr, sbp.MaxOver) else "inf")
            return (max if isinstance(expr, sbp.MaxOver) else min)(terms)
        if isinstance(expr, sp.LeviCivita):
            return int(sp.LeviCivita(*(self.whole(arg, env) for arg in expr.args)))
        if isinstance(expr, sp.floor | sp.ceiling):
            return int((mpmath.floor if isinstance(expr, sp.floor) else mpmath.ceil)(self(expr.args[0], env)))
        return super()._value(expr, env)

    def _truth(self, expr: Any, env: Mapping[Any, Any]) -> bool:
        relation = exact._RELATIONS.get(type(expr))
        if relation is not None:
            left, right = (self(arg, env) for arg in expr.args)
            if mpmath.isint(left) and mpmath.isint(right):
                return relation(left, right)
        return super()._truth(expr, env)


def agrees(
    expr: Any,
    sizes: Mapping[str, int] | None = None,
    *,
    given: Mapping[str, Any] | None = None,
    inputs: Any = None,
    seed: int = 0,
    free: Sequence[Any] = (f, g),
) -> None:
    """Assert that graph, kernel and gradients of a formula agree with its value and derivative at 50 digits."""
    sizes = {**SIZES, **(sizes or {})}
    axes = [(index, sizes["n"]) for index in free if expr.has(index)]

    def reference(at: Mapping[str, Any]) -> Any:
        read = Exact(at, sizes)
        return read.over(expr, *axes) if axes else read(expr)

    check(expr, reference, {**values(sizes, seed), **(given or {})}, sizes, seed=seed, inputs=inputs)


def slopes_agree(expr: Any, sizes: Mapping[str, int] | None = None) -> None:
    """Assert that a kernel's value is exact and that its gradients are central differences.

    For formulas whose terms outside a range are infinite: the bare gradient graph has them too, the kernel must not.
    """
    sizes = {**SIZES, **(sizes or {})}
    kernel = compile_plain(expr)
    at = {record.name: values(sizes)[record.name] for record in kernel.inputs}
    with np.errstate(all="ignore"):
        value, gradients = kernel.value_and_grad(**at)
        split = kernel.bprop(kernel.fprop(**at)[1])
    assert abs(value - float(Exact(at, sizes)(expr))) < 1e-12 * max(1, abs(value))
    for name, gradient in gradients.items():
        base = np.array(at[name], float)
        for place in np.ndindex(base.shape):
            step = np.zeros(base.shape)
            step[place] = 1e-6
            with np.errstate(all="ignore"):
                rise = kernel(**{**at, name: base + step}) - kernel(**{**at, name: base - step})
            for found in (gradient, split[name]):
                assert abs(np.asarray(found)[place] - rise / 2e-6) < 1e-6 * max(1, abs(rise / 2e-6)), (name, place)


def evaluated(expr: Any, sizes: Mapping[str, int] | None = None, **options: Any) -> Any:
    """The value of a kernel at `values`."""
    kernel = compile_plain(expr, **options)
    at = values(sizes)
    return kernel(**{record.name: at[record.name] for record in kernel.inputs})
