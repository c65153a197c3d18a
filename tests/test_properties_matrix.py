"""Random matrix programs of symbolic shapes: algebra, elementwise functions, blocks, slices, entries, inverses.

Every value carries a bound on its entries; what grows is passed through a sine. Inverses, determinants and solutions
are of M'M + I, so that they are well conditioned.
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

m, n, k = sp.symbols("m n k", integer=True, positive=True)
s, t = sp.symbols("s t", real=True)
e = sp.Symbol("e", real=True)
ALL_SIZES = ({"m": 2, "n": 3, "k": 4}, {"m": 3, "n": 2, "k": 2}, {"m": 4, "n": 4, "k": 3}, {"m": 2, "n": 2, "k": 2})


@dataclass(frozen=True)
class Bounded:
    """A matrix or scalar, and what its entries do not exceed."""

    expr: Any
    bound: float

    @property
    def shape(self) -> tuple[Any, Any]:
        return self.expr.shape


LEAVES = (
    *(Bounded(sp.MatrixSymbol(name, *shape), 1.0) for name, shape in {"A": (m, n), "B": (n, k), "C": (m, m)}.items()),
    *(Bounded(sp.MatrixSymbol(name, *shape), 1.0) for name, shape in {"D": (n, n), "F": (m, n), "x": (n, 1)}.items()),
    *(Bounded(sp.MatrixSymbol(name, *shape), 1.0) for name, shape in {"y": (m, 1), "G": (2, m)}.items()),
)
SCALARS = (Bounded(s, 1.0), Bounded(t, 1.0))
MATRICES = {str(leaf.expr.name): leaf.expr for leaf in LEAVES}
#: Largest value of a size, for the bounds.
LARGEST = 8


def tamed(a: Bounded, limit: float = 3.0) -> Bounded:
    """The value itself, or the sine of its entries if they may be large."""
    if a.bound <= limit:
        return a
    return Bounded(
        sp.sin(a.expr) if isinstance(a.expr, sp.Expr) and not a.expr.is_Matrix else a.expr.applyfunc(sp.sin), 1.0
    )


def definite(a: Bounded) -> sp.MatrixExpr:
    """M'M + I."""
    M = tamed(a, 1.0).expr
    return M.T * M + sp.Identity(M.shape[1])


FUNCTIONS = (
    sp.tanh,
    sp.sin,
    sp.Lambda(e, e**2 + 1),
    sp.Lambda(e, 1 / (1 + sp.exp(-e))),
    sp.Lambda(e, sp.Max(e, s)),
    sp.Lambda(e, sp.Piecewise((e**3, e > 0), (t * e, True))),
)


class Pool:
    """The values made so far, and the steps that make more."""

    def __init__(self, pick: Callable[[int], int]) -> None:
        self.pick = pick
        self.matrices, self.scalars = list(LEAVES), list(SCALARS)

    def matrix(self, *, like: Bounded | None = None, rows: Any = None, square: bool = False) -> Bounded:
        """A matrix, of a shape if one is asked for; fresh ones are likelier."""
        fitting = [
            a
            for a in self.matrices
            if (like is None or a.shape == like.shape)
            and (rows is None or a.shape[0] == rows)
            and (not square or a.shape[0] == a.shape[1])
        ]
        if not fitting:
            return Bounded(sp.OneMatrix(rows, 1), 1.0)
        return tamed(fitting[-1 - self.pick(min(len(fitting), 6))])

    def scalar(self) -> Bounded:
        return tamed(self.scalars[-1 - self.pick(min(len(self.scalars), 4))])

    def grow(self, step: Callable[[Pool], Bounded]) -> None:
        made = step(self)
        (self.scalars if not made.expr.is_Matrix else self.matrices).append(made)

    # -- matrices from matrices ----------------------------------------------------------------------------------------

    def add(self) -> Bounded:
        a = self.matrix()
        b = self.matrix(like=a)
        return Bounded(a.expr + 2 * b.expr, a.bound + 2 * b.bound)

    def subtract_ones(self) -> Bounded:
        a = self.matrix()
        return Bounded(a.expr - sp.OneMatrix(*a.shape), a.bound + 1)

    def multiply(self) -> Bounded:
        a = self.matrix()
        b = self.matrix(rows=a.shape[1])
        return Bounded(a.expr * b.expr, a.bound * b.bound * LARGEST)

    def multiply_transposed(self) -> Bounded:
        a = self.matrix()
        b = self.matrix(rows=a.shape[0])
        return Bounded(a.expr.T * b.expr, a.bound * b.bound * LARGEST)

    def transpose(self) -> Bounded:
        a = self.matrix()
        return Bounded(a.expr.T, a.bound)

    def scale(self) -> Bounded:
        a, b = self.matrix(), self.scalar()
        return Bounded(b.expr * a.expr, a.bound * b.bound)

    def hadamard(self) -> Bounded:
        a = self.matrix()
        b = self.matrix(like=a)
        return Bounded(sp.HadamardProduct(a.expr, b.expr), a.bound * b.bound)

    def hadamard_power(self) -> Bounded:
        a = self.matrix()
        return Bounded(sp.HadamardPower(a.expr, 2 + self.pick(2)), a.bound**3 + a.bound**2)

    def elementwise(self) -> Bounded:
        a = self.matrix()
        return Bounded(a.expr.applyfunc(FUNCTIONS[self.pick(len(FUNCTIONS))]), a.bound**3 + a.bound**2 + 1)

    def power(self) -> Bounded:
        a = self.matrix(square=True)
        return Bounded(a.expr ** (2 + self.pick(2)), a.bound**3 * LARGEST**2)

    def inverse(self) -> Bounded:
        return Bounded(definite(self.matrix()).I, 1.0)

    def solve(self) -> Bounded:
        a = self.matrix()
        b = self.matrix(rows=a.shape[1])
        return Bounded(definite(a).I * b.expr, LARGEST * b.bound)

    def beside(self) -> Bounded:
        a = self.matrix()
        b = self.matrix(rows=a.shape[0])
        return Bounded(sp.BlockMatrix([[a.expr, b.expr]]), max(a.bound, b.bound))

    def square_of_blocks(self) -> Bounded:
        a = self.matrix()
        b = self.matrix(rows=a.shape[0])
        zero = sp.ZeroMatrix(a.shape[1], b.shape[1])
        return Bounded(sp.BlockMatrix([[a.expr, b.expr], [sp.Identity(a.shape[1]), zero]]), max(a.bound, b.bound, 1))

    def rows_from_one(self) -> Bounded:
        a = self.matrix()
        return Bounded(a.expr[1:, :], a.bound) if a.shape[0] not in (1, n + m) else a

    def first_column(self) -> Bounded:
        a = self.matrix()
        return Bounded(a.expr[:, 0:1], a.bound) if a.shape[1] != 1 else a

    def diagonal_matrix(self) -> Bounded:
        a = self.matrix()
        return Bounded(sp.DiagMatrix(a.expr), a.bound) if a.shape[1] == 1 and a.shape[0] != 1 else a

    def diagonal_of(self) -> Bounded:
        a = self.matrix(square=True)
        return Bounded(sp.DiagonalOf(a.expr), a.bound)

    def kronecker(self) -> Bounded:
        a, b = self.matrix(), LEAVES[self.pick(len(LEAVES))]
        return Bounded(sp.KroneckerProduct(a.expr, b.expr), a.bound * b.bound) if len(a.expr.args) < 4 else a

    def explicit(self) -> Bounded:
        a, b = self.scalar(), self.scalar()
        return Bounded(sp.ImmutableMatrix([[a.expr, 1], [b.expr, a.expr * b.expr]]) * MATRICES["G"], 11 * LARGEST)

    # -- scalars from matrices -----------------------------------------------------------------------------------------

    def trace(self) -> Bounded:
        a = self.matrix(square=True)
        return Bounded(sp.Trace(a.expr), a.bound * LARGEST)

    def trace_of_product(self) -> Bounded:
        a = self.matrix()
        b = self.matrix(like=a)
        return Bounded(sp.Trace(a.expr.T * b.expr), a.bound * b.bound * LARGEST**2)

    def norm(self) -> Bounded:
        a = self.matrix()
        return Bounded(sp.sqrt(1 + sp.Trace(a.expr * a.expr.T)), a.bound * LARGEST)

    def log_det(self) -> Bounded:
        return Bounded(sp.log(sp.Determinant(definite(self.matrix()))), 20.0)

    def quadratic_form(self) -> Bounded:
        a = self.matrix()
        x = self.matrix(rows=a.shape[1]).expr[:, 0]
        return Bounded((x.T * (a.expr.T * a.expr) * x)[0, 0], 27 * LARGEST**3)

    def entry(self) -> Bounded:
        a = self.matrix()
        return Bounded(a.expr[0, 0], a.bound)

    def total(self) -> Bounded:
        a = self.matrix()
        rows, cols = a.shape
        return Bounded((sp.OneMatrix(1, rows) * a.expr * sp.OneMatrix(cols, 1))[0, 0], a.bound * LARGEST**2)

    def scalar_product(self) -> Bounded:
        a, b = self.scalar(), self.scalar()
        return Bounded(a.expr * b.expr + sp.cos(a.expr), a.bound * b.bound + 1)


ALGEBRA = (
    *(Pool.add, Pool.subtract_ones, Pool.multiply, Pool.multiply, Pool.multiply_transposed, Pool.transpose, Pool.scale),
    *(Pool.hadamard, Pool.hadamard_power, Pool.elementwise, Pool.elementwise, Pool.power),
)
STRUCTURE = (
    *(Pool.beside, Pool.square_of_blocks, Pool.rows_from_one, Pool.first_column, Pool.diagonal_matrix),
    *(Pool.diagonal_of, Pool.kronecker, Pool.explicit),
)
LINEAR = (Pool.inverse, Pool.solve, Pool.log_det)
TO_SCALARS = (
    *(Pool.trace, Pool.trace_of_product, Pool.norm, Pool.quadratic_form, Pool.entry, Pool.total),
    Pool.scalar_product,
)
STEPS = (*ALGEBRA, *STRUCTURE, *LINEAR, *TO_SCALARS)


def values(sizes: dict[str, int], seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    out: dict[str, Any] = {"s": float(rng.uniform(-1, 1)), "t": float(rng.uniform(-1, 1))}
    for name, symbol in MATRICES.items():
        out[name] = rng.uniform(
            -1, 1, [int(sp.sympify(d).subs({m: sizes["m"], n: sizes["n"], k: sizes["k"]})) for d in symbol.shape]
        )
    return out


def checked(outputs: list[Any], seed: int, compiler: Any) -> None:
    sizes = ALL_SIZES[seed % len(ALL_SIZES)]
    check(
        outputs, lambda v: Exact(v, sizes)(outputs), values(sizes, seed), sizes, seed=seed, compiler=compiler, rtol=1e-9
    )


def random_outputs(pick: Callable[[int], int], most: int = 8) -> list[Any]:
    """The outputs of a random program; `pick(size)` chooses a number below `size`."""
    pool = Pool(pick)
    for _ in range(1 + pick(most)):
        pool.grow(STEPS[pick(len(STEPS))])
    outputs = [pool.matrices[-1].expr] if len(pool.matrices) > len(LEAVES) else []
    if len(pool.scalars) > len(SCALARS) or not outputs:
        outputs.append(pool.scalars[-1].expr)
    return outputs


@st.composite
def programs(draw: Any) -> list[Any]:
    return random_outputs(lambda size: draw(st.integers(0, size - 1)))


@pytest.mark.parametrize("step", STEPS, ids=[step.__name__ for step in STEPS])
def test_each_step(step: Callable[[Pool], Bounded]) -> None:
    """Alone, and followed by elementwise functions and sums, on several operands."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        pool = Pool(lambda size, rng=rng: int(rng.integers(size)))
        made = step(pool)
        outputs = [made.expr, s * sp.sin(made.expr) if not made.expr.is_Matrix else made.expr.applyfunc(sp.tanh)]
        checked(outputs, seed, None)


@deterministic(50)
@given(programs(), st.integers(0, 1000))
def test_random_programs(outputs: list[Any], seed: int) -> None:
    with fair():
        checked(outputs, seed, None)


@deterministic(12)
@given(programs(), st.integers(0, 1000))
def test_random_kernels(outputs: list[Any], seed: int) -> None:
    with fair():
        checked(outputs, seed, compile_plain)


@deterministic(2)
@given(programs(), st.integers(0, 1000))
def test_random_kernels_compiled_by_numba(outputs: list[Any], seed: int) -> None:
    with fair():
        checked(outputs, seed, numba)
