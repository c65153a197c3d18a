"""The cost certificate: exact polynomials, a bound that holds at all sizes, refusal of a larger big-O."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import sympy as sp

import symbackprop as sbp
from symbackprop.cost import dominating, ratio_bound
from symbackprop.ir.dims import Dim
from symbackprop.ir.node import Node
from symbackprop.ir.registry import ELEMENTWISE
from symbackprop.ops.contraction import einsum
from symbackprop.ops.layout import spread

m, n = sp.symbols("m n", integer=True, positive=True)
W, x, u = sp.MatrixSymbol("W", m, n), sp.MatrixSymbol("x", n, 1), sp.MatrixSymbol("u", m, 1)
M, N, K = map(Dim.of, ("M", "N", "K"))


def test_matrix_vector_product() -> None:
    """u'Wx: two operations per entry of W, two per entry of u; backward an outer product and W'u."""
    cost = sbp.compile(u.T * W * x).cost()
    assert sp.expand(cost.fprop - (2 * m * n + 2 * m)) == 0 or sp.expand(cost.fprop - (2 * m * n + 2 * n)) == 0
    assert cost.ratio_bound <= 2


def test_window_scorer_in_the_users_own_symbols() -> None:
    b = sp.MatrixSymbol("b", m, 1)
    cost = sbp.compile(u.T * (W * x + b).applyfunc(sp.tanh)).cost()
    assert cost.fprop == 2 * m * n + 4 * m
    assert cost.bprop == 3 * m * n + 6 * m
    assert cost.fprop_calls == m
    assert cost.bprop_calls == 0
    assert cost.fprop.subs({m: 10, n: 100}) == 2040
    assert cost.ratio_bound == pytest.approx(1.5)


def test_only_what_wrt_asks_for_is_paid() -> None:
    b = sp.MatrixSymbol("b", m, 1)
    scorer = u.T * (W * x + b).applyfunc(sp.tanh)
    assert sbp.compile(scorer, wrt=b).cost().bprop == 5 * m
    assert sbp.compile(scorer, wrt=u).cost().bprop == m


def test_the_bound_holds_at_random_sizes() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        monomials = [M * N * K, M * N, N * K, M, N, Dim.of(1)]
        forward = sum((int(c) * q for c, q in zip(rng.integers(1, 6, 6), monomials, strict=True)), Dim.of(0))
        backward = sum((int(c) * q for c, q in zip(rng.integers(0, 9, 6), monomials, strict=True)), Dim.of(0))
        bound = ratio_bound(backward, forward)
        assert bound is not None
        for sizes in rng.integers(1, 40, (40, 3)):
            at = dict(zip("MNK", map(int, sizes), strict=True))
            assert backward.evaluate(at) <= bound * forward.evaluate(at) * (1 + 1e-12)


def test_a_larger_big_o_has_no_bound() -> None:
    assert ratio_bound(M * N, M + N) is None
    assert ratio_bound(M, M * N) == 1.0
    assert dominating(((("M", 1)),), M * N + K) == [(("M", 1), ("N", 1))]


@pytest.fixture
def wasteful_exp() -> Iterator[None]:
    """Exchange the derivative of exp for one that fills a table for every vector."""

    def rule(out: Node, arg: Node) -> tuple[Node]:
        table = ELEMENTWISE["tanh"](einsum("i,j->ij", out, arg))
        return (out + spread(einsum("ij->", table), out.shape, ()),)

    exp = ELEMENTWISE["exp"]
    honest = exp.rule
    object.__setattr__(exp, "rule", rule)
    yield
    object.__setattr__(exp, "rule", honest)


@pytest.mark.usefixtures("wasteful_exp")
def test_compile_refuses_a_larger_big_o() -> None:
    with pytest.raises(sbp.CostError) as caught:
        sbp.compile(sp.Trace(x.T * x.applyfunc(sp.exp)))
    assert str(caught.value) == (
        "the backward pass has a larger big-O than the forward pass\n"
        "  expected: at most a constant times 3*n\n"
        "  found: n**2"
    )


def test_results_that_are_inputs_or_given_twice_are_copied() -> None:
    """The backward pass adds up what arrives at both: the forward pass pays for the copy it makes."""
    cost = sbp.compile([W, W, W[0, 0]]).cost()
    assert cost.fprop == 2 * m * n + 1
    assert cost.ratio_bound <= 2
    assert sbp.compile([sp.Trace(x * x.T), x]).cost().ratio_bound <= 2
