"""Random programs in index notation: sums within sums, shifts, strides, gathers, diagonals, dependent bounds, deltas.

A term is built for a set of running indices. Positions always lie inside their axes: every choice of position below
knows the range of its index and the size of the axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from tests.exact import Exact
from tests.plain import compile_plain
from tests.properties import check, deterministic, fair, numba

#: Kernels run as plain Python warn where a choice leaves out what has no value.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

n, m, p = sp.symbols("n m p", integer=True, positive=True)
i, j, k, q = sp.symbols("i j k q", integer=True)
a = sp.Symbol("a", real=True)
c = sp.Symbol("c", integer=True)
#: The free index of a vector-valued program.
FREE_INDEX = sp.Idx("f", n)
SHAPES = {
    "x": (n,),
    "y": (n,),
    "v": (m,),
    "A": (n, m),
    "B": (n, n),
    "T": (n, m, n),
    "twice": (2 * n,),
    "long": (n + m - 1,),
}
ARRAYS = {name: sp.IndexedBase(name, shape) for name, shape in SHAPES.items()}
tok, word = sp.IndexedBase("tok", (p,), integer=True), sp.IndexedBase("word", (n,), integer=True)
ALL_SIZES = ({"n": 3, "m": 2, "p": 4}, {"n": 4, "m": 3, "p": 1}, {"n": 2, "m": 4, "p": 3}, {"n": 5, "m": 2, "p": 2})


@dataclass(frozen=True)
class Running:
    """An index and its range, counted from 0: all of an axis, or its beginning when `short`.

    Attributes:
        size: the axis that the index runs over.
        short: how many positions at the end are left out.
    """

    symbol: sp.Symbol
    size: Any
    short: int = 0

    @property
    def limits(self) -> tuple[Any, Any, Any]:
        return self.symbol, 0, self.size - 1 - self.short


class Builder:
    """Builds one program; `pick(size)` chooses a number below `size`."""

    def __init__(self, pick: Callable[[int], int]) -> None:
        self.pick = pick
        self.fresh = iter(sp.symbols("i0:40", integer=True))

    def one_of(self, choices: Any) -> Any:
        return choices[self.pick(len(choices))]

    # -- positions -----------------------------------------------------------------------------------------------------

    def position(self, scope: list[Running], size: Any) -> Any:
        """A position inside an axis of `size`; a running index where one fits."""
        fitting = [r for r in scope if r.size == size]
        choices: list[Any] = [r.symbol for r in fitting] * 3
        choices += [r.symbol + shift for r in fitting for shift in range(1, r.short + 1)]
        choices += [size - 1 - r.symbol for r in fitting]
        if size == 2 * n:
            choices += [2 * r.symbol + odd for r in scope if r.size == n for odd in (0, 1)]
        if size == n + m - 1:
            choices += [r.symbol + o.symbol for r in scope if r.size == n for o in scope if o.size == m] * 2
        if size == n:
            choices += [tok[r.symbol] for r in scope if r.size == p] * 3
        if size == m:
            choices += [word[r.symbol] for r in scope if r.size == n]
        return self.one_of(choices or [sp.Integer(0), size - 1, c])

    def entry(self, scope: list[Running]) -> sp.Expr:
        name = self.one_of(list(SHAPES))
        return ARRAYS[name][tuple(self.position(scope, size) for size in SHAPES[name])]

    def diagonal(self, scope: list[Running]) -> sp.Expr:
        r = self.one_of([r for r in scope if r.size == n] or [Running(sp.Integer(0), n)])
        return ARRAYS["B"][r.symbol, r.symbol] + ARRAYS["T"][r.symbol, 0, r.symbol]

    # -- terms ---------------------------------------------------------------------------------------------------------

    def term(self, scope: list[Running], depth: int) -> sp.Expr:
        kinds = [Builder.entry, Builder.entry, Builder.diagonal, Builder.number]
        if depth > 0:
            kinds += [Builder.product, Builder.product, Builder.sum, Builder.function, Builder.nested, Builder.nested]
            kinds += [Builder.dependent, Builder.delta, Builder.running_product, Builder.shifted]
        kind = self.one_of(kinds)
        return kind(self, scope) if kinds.index(kind) < 4 else kind(self, scope, depth - 1)

    def number(self, scope: list[Running]) -> sp.Expr:
        """An index used as a number."""
        if not scope:
            return a
        symbol = self.one_of(scope).symbol
        return self.one_of([symbol, 1 / (symbol + 1), a**symbol, symbol * a, sp.sqrt(symbol + 2)])

    def product(self, scope: list[Running], depth: int) -> sp.Expr:
        return self.term(scope, depth) * self.term(scope, depth)

    def sum(self, scope: list[Running], depth: int) -> sp.Expr:
        return self.term(scope, depth) - 2 * self.term(scope, depth)

    def function(self, scope: list[Running], depth: int) -> sp.Expr:
        inner = self.term(scope, depth)
        return self.one_of([sp.tanh(inner), sp.sin(inner), sp.exp(-(inner**2)), sp.log(1 + inner**2), sp.Max(inner, a)])

    def running(self, short: bool = False) -> Running:
        return Running(next(self.fresh), self.one_of([n, n, m, p] if not short else [n]), int(short))

    def nested(self, scope: list[Running], depth: int) -> sp.Expr:
        """A sum over one or two further indices, in a nonlinear function."""
        new = [self.running() for _ in range(1 + self.pick(2))]
        total = sp.Sum(self.term([*scope, *new], depth), *(r.limits for r in new))
        return self.one_of([total, sp.tanh(total), sp.cos(total) * self.term(scope, 0)])

    def shifted(self, scope: list[Running], depth: int) -> sp.Expr:
        """A chain over neighbours."""
        new = self.running(short=True)
        x, y = ARRAYS["x"], ARRAYS["y"]
        link = x[new.symbol + 1] - y[new.symbol] * self.term([*scope, new], depth)
        return sp.tanh(sp.Sum(link**2, new.limits))

    def dependent(self, scope: list[Running], depth: int) -> sp.Expr:
        """A sum up to, or from, another index."""
        outer = [r for r in scope if r.size == n and not r.short]
        if not outer:
            return self.nested(scope, depth)
        bound = self.one_of(outer).symbol
        new = Running(next(self.fresh), n)
        limits = self.one_of([(new.symbol, 0, bound), (new.symbol, bound, n - 1), (new.symbol, bound + 1, n - 1)])
        return sp.tanh(sp.Sum(self.term([*scope, new], depth), limits))

    def delta(self, scope: list[Running], depth: int) -> sp.Expr:
        alike = [(r, o) for r in scope for o in scope if r is not o and r.size == o.size]
        if not alike:
            return self.product(scope, depth)
        r, o = self.one_of(alike)
        return self.one_of(
            [sp.KroneckerDelta(r.symbol, o.symbol), 1 - sp.KroneckerDelta(r.symbol, o.symbol)]
        ) * self.term(scope, depth)

    def running_product(self, scope: list[Running], depth: int) -> sp.Expr:
        new = self.running()
        return sp.Product(1 + sp.sin(self.term([*scope, new], min(depth, 1))) / 2, new.limits)


def random_outputs(pick: Callable[[int], int], depth: int = 3) -> tuple[sp.Expr, bool]:
    """A random program and whether an index is free in it: then the value is a vector."""
    builder = Builder(pick)
    anchor = ARRAYS["x"][tok[0]] * ARRAYS["v"][0]  # every size can be read off an argument
    if pick(3) == 0:
        return ARRAYS["x"][FREE_INDEX] * builder.term([Running(FREE_INDEX, n)], depth) + anchor, True
    new = [builder.running() for _ in range(1 + pick(2))]
    total = sp.Sum(builder.term(new, depth), *(r.limits for r in new))
    return total * ARRAYS["x"][0] + a * builder.term([], 1) + anchor, False


def values(sizes: dict[str, int], seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    out: dict[str, Any] = {
        name: rng.uniform(-1, 1, [int(sp.sympify(d).subs({n: sizes["n"], m: sizes["m"]})) for d in shape])
        for name, shape in SHAPES.items()
    }
    return {
        **out,
        "a": float(rng.uniform(0.3, 1.3)),
        "c": int(rng.integers(2)),
        "tok": rng.integers(0, sizes["n"], sizes["p"]),
        "word": rng.integers(0, sizes["m"], sizes["n"]),
    }


def checked(program: tuple[sp.Expr, bool], seed: int, compiler: Any) -> None:
    expr, free = program
    sizes = ALL_SIZES[seed % len(ALL_SIZES)]

    def exact(given: Any) -> Any:
        read = Exact(given, sizes)
        return read.over(expr, (FREE_INDEX, sizes["n"])) if free else read(expr)

    arrays = [base for base in (*ARRAYS.values(), tok, word) if expr.has(base)]
    inputs = [*arrays, *(symbol for symbol in (a, c) if symbol in expr.free_symbols)]
    check(expr, exact, values(sizes, seed), sizes, seed=seed, inputs=inputs, compiler=compiler)


x, y, v, A, B, T, twice, long = ARRAYS.values()
total = sp.Sum(x[k], (k, 0, n - 1))
KNOWN = {
    "index as a number": sp.Sum(i * x[i] + x[i] / (i + 1), (i, 0, n - 1)),
    "index in a power": sp.Sum(x[i] * a**i, (i, 0, n - 1)),
    "counted from one": sp.Sum(i * x[i - 1] ** 2, (i, 1, n)),
    "chain": sp.Sum(100 * (x[i + 1] - x[i] ** 2) ** 2 + (1 - x[i]) ** 2, (i, 0, n - 2)),
    "second difference": sp.Sum((x[i - 1] - 2 * x[i] + x[i + 1]) ** 2, (i, 1, n - 2)),
    "stride": sp.Sum(twice[2 * i] * sp.sin(twice[2 * i + 1]), (i, 0, n - 1)),
    "reversed": sp.Sum(x[i] * y[n - 1 - i], (i, 0, n - 1)),
    "diagonal": sp.Sum(B[i, i] * x[i], (i, 0, n - 1)),
    "diagonal of three": sp.Sum(T[i, j, i] ** 2, (i, 0, n - 1), (j, 0, m - 1)),
    "convolution": sp.Sum(x[i] * v[j] * long[i + j], (i, 0, n - 1), (j, 0, m - 1)),
    "convolution, nonlinear": sp.Sum(sp.tanh(sp.Sum(v[j] * long[i + j], (j, 0, m - 1))), (i, 0, n - 1)),
    "gather": sp.Sum(A[tok[q], j] * v[j], (q, 0, p - 1), (j, 0, m - 1)),
    "gather of a gather": sp.Sum(v[word[tok[q]]] ** 2, (q, 0, p - 1)),
    "label": sp.log(sp.Sum(sp.exp(A[c, j]), (j, 0, m - 1))) - A[c, 0],
    "sums within functions": sp.Sum(
        sp.tanh(sp.Sum(A[i, j] * sp.sin(sp.Sum(T[i, j, k], (k, 0, n - 1))), (j, 0, m - 1))), (i, 0, n - 1)
    ),
    "up to another index": sp.Sum((x[i] - sp.Sum(B[i, j] * y[j], (j, 0, i))) ** 2, (i, 0, n - 1)),
    "below another index": sp.Sum(x[i] * x[j] * B[i, j], (j, 0, i - 1), (i, 0, n - 1)),
    "from another index": sp.Sum(sp.exp(-sp.Sum(y[j] ** 2, (j, i, n - 1))), (i, 0, n - 1)),
    "delta": sp.Sum(sp.KroneckerDelta(i, j) * B[i, j] * x[i] * y[j], (i, 0, n - 1), (j, 0, n - 1)),
    "all but the diagonal": sp.Sum(
        (1 - sp.KroneckerDelta(i, j)) * sp.sin(x[i] - x[j]) ** 2, (i, 0, n - 1), (j, 0, n - 1)
    ),
    "delta at a place": sp.Sum(sp.KroneckerDelta(i, 1) * x[i] ** 2, (i, 0, n - 1)),
    "product": sp.Product(1 + x[i] ** 2, (i, 0, n - 1)),
    "product of sums": sp.Product(1 + sp.Sum(A[i, j] ** 2, (j, 0, m - 1)), (i, 0, n - 1)),
    "product within a sum": sp.Sum(y[k] * sp.Product(x[j], (j, 0, k)), (k, 0, n - 1)),
    "choice by index": sp.Sum(sp.Piecewise((x[i], i > 0), (sp.exp(x[i]), True)), (i, 0, n - 1)),
    "choice by data": sp.Sum(sp.Piecewise((x[i] ** 2, x[i] > y[i]), (y[i], True)), (i, 0, n - 1)),
    "choice by two indices": sp.Sum(sp.Piecewise((x[i] * y[j], i < j), (0, True)), (i, 0, n - 1), (j, 0, n - 1)),
    "even entries": sp.Sum(sp.Piecewise((x[i], sp.Eq(sp.Mod(i, 2), 0)), (-x[i], True)), (i, 0, n - 1)),
    "choice that leaves out a shared value": sp.Sum(
        sp.Piecewise((y[i] * sp.sqrt(total - 9), x[i] > 1), (x[i], True)), (i, 0, n - 1)
    ),
    "choice that leaves out a function of a shared value": sp.Sum(
        sp.Piecewise((y[i] * sp.cos(sp.sqrt(total - 9)), x[i] > 1), (x[i], True)), (i, 0, n - 1)
    )
    + sp.Piecewise((sp.log(total - 9), total > 9), (a, True)),
    "choice that leaves out rows": sp.Sum(
        sp.Piecewise((sp.tanh(sp.Sum(sp.sqrt(x[i] + j) * v[j], (j, 0, m - 1))), x[i] > 0), (y[i], True)), (i, 0, n - 1)
    ),
    "choice that leaves out a product": sp.Sum(
        sp.Piecewise((sp.Product(sp.sqrt(x[i] + v[j] ** 2), (j, 0, m - 1)), x[i] > 0), (y[i], True)), (i, 0, n - 1)
    ),
    "choice that leaves out a vector": sp.Sum(
        sp.Piecewise((sp.Sum(A[i, j] * sp.log(v[j] - 1), (j, 0, m - 1)), x[i] > 1), (x[i], True)), (i, 0, n - 1)
    ),
    "alternating": sp.Sum((-1) ** i * x[i], (i, 0, n - 1)),
    "toeplitz": sp.Sum(x[i] * y[j] * long[sp.Abs(i - j)], (i, 0, n - 1), (j, 0, n - 1)),
    "distance from orthogonality": sp.Sum(
        (sp.Sum(A[i, k] * A[j, k], (k, 0, m - 1)) - sp.KroneckerDelta(i, j)) ** 2, (i, 0, n - 1), (j, 0, n - 1)
    ),
    "delta of data": sp.Sum(sp.KroneckerDelta(word[i], word[j]) * x[i] * y[j], (i, 0, n - 1), (j, 0, n - 1)),
    "triangle of three": sp.Sum(x[i] * x[j] * x[k], (i, 0, j - 1), (j, 0, k - 1), (k, 0, n - 1)),
    "window": sp.Sum(sp.exp(-sp.Sum(twice[j] ** 2, (j, i, i + n - 1))), (i, 0, n - 1)),
    "bernstein": sp.Sum(sp.binomial(n - 1, i) * a**i * (1 - a / 2) ** (n - 1 - i) * x[i], (i, 0, n - 1)),
    "half at equality": sp.Sum(x[i] * y[j] * sp.Heaviside(i - j, sp.Rational(1, 2)), (i, 0, n - 1), (j, 0, n - 1)),
    "size as a number": sp.Sum(x[i], (i, 0, n - 1)) / n + sp.log(n) * x[0],
    "sine of an index": sp.Sum(x[i] * sp.cos(2 * sp.pi * i / n), (i, 0, n - 1)),
    "squared distances": sp.Sum(
        sp.exp(-sp.Sum((T[i, j, 0] - A[k, j]) ** 2, (j, 0, m - 1))), (i, 0, n - 1), (k, 0, n - 1)
    ),
}
f = FREE_INDEX
FREE = {
    "row times vector": sp.Sum(A[f, j] * v[j], (j, 0, m - 1)),
    "entrywise": x[f] * sp.sin(y[f]) + B[f, f],
    "reversed": x[f] * y[n - 1 - f],
    "cumulative sum": sp.Sum(x[j], (j, 0, f)) * y[f],
    "index as a number": f * x[f],
    "soft maximum": sp.exp(x[f]) / sp.Sum(sp.exp(x[j]), (j, 0, n - 1)),
    "gathered": A[f, word[f]] * a,
    "stride": twice[2 * f] - twice[2 * f + 1],
}


@pytest.mark.parametrize("name", KNOWN)
def test_known(name: str) -> None:
    for seed in range(4):
        if name in ("second difference", "delta at a place") and ALL_SIZES[seed]["n"] < 3:
            continue
        checked((KNOWN[name], False), seed, compile_plain if seed == 0 else None)


@pytest.mark.parametrize("name", FREE)
def test_known_with_a_free_index(name: str) -> None:
    for seed in range(4):
        checked((FREE[name], True), seed, compile_plain if seed == 0 else None)


@st.composite
def programs(draw: Any) -> tuple[sp.Expr, bool]:
    return random_outputs(lambda size: draw(st.integers(0, size - 1)))


@deterministic(50)
@given(programs(), st.integers(0, 1000))
def test_random_programs(program: tuple[sp.Expr, bool], seed: int) -> None:
    with fair():
        checked(program, seed, None)


@deterministic(15)
@given(programs(), st.integers(0, 1000))
def test_random_kernels(program: tuple[sp.Expr, bool], seed: int) -> None:
    with fair():
        checked(program, seed, compile_plain)


@deterministic(2)
@given(programs(), st.integers(0, 1000))
def test_random_kernels_compiled_by_numba(program: tuple[sp.Expr, bool], seed: int) -> None:
    with fair():
        checked(program, seed, numba)
