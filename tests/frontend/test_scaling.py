"""Translation is linear in distinct expression objects, and nothing recurses."""

from __future__ import annotations

import random
import sys
import time

import pytest
import sympy as sp

from symbackprop.autodiff.bprop import build_bprop
from symbackprop.ir.graph import Graph
from symbackprop.ops.layout import fill
from symbackprop.rewrite.engine import simplify
from tests.frontend.helpers import program

X = sp.symbols("x0:8")


def dag(n: int) -> sp.Expr:
    """A random expression of about n shared operations, whose tree is astronomically large."""
    rng = random.Random(1)
    pool = list(X)
    for _ in range(n):
        a, b = rng.choice(pool[-40:]), rng.choice(pool[-40:])
        pool.append(
            rng.choice(
                [
                    lambda a=a, b=b: sp.Add(a, b, evaluate=False),
                    lambda a=a, b=b: sp.Mul(a, b, evaluate=False),
                    lambda a=a: sp.sin(a, evaluate=False),
                ]
            )()
        )
    return sp.Add(*pool[-40:], evaluate=False)


def seconds(expr: sp.Expr) -> float:
    best = float("inf")
    for _ in range(2):
        start = time.process_time()
        program(expr)
        best = min(best, time.process_time() - start)
    return best


def test_linear_in_the_dag() -> None:
    small, large = seconds(dag(1_000)), seconds(dag(8_000))
    assert large < 8 * small * 3  # quadratic would be 64 times


def chain(depth: int) -> sp.Expr:
    expr = X[0]
    for k in range(depth):
        expr = sp.sin(expr, evaluate=False) if k % 2 else sp.Add(expr, X[1], evaluate=False)
    return expr


def test_no_recursion() -> None:
    assert sys.getrecursionlimit() <= 3000
    assert len(program(chain(20_000)).graph.nodes()) == 20_002


def test_no_recursion_under_a_sum() -> None:
    n, j = sp.symbols("n j")
    deep = sp.IndexedBase("x")[j]
    for k in range(500):  # SymPy itself recurses while it builds the sum
        deep = sp.sin(deep, evaluate=False) if k % 2 else sp.Add(deep, X[1], evaluate=False)
    assert len(program(sp.Sum(deep, (j, 0, n - 1))).graph.nodes()) > 500


@pytest.mark.parametrize("n", [100, 3_000])
def test_a_long_sum_stays_shallow(n) -> None:
    p = program(sp.Add(*[sp.Mul(X[k % 8], k + 2, evaluate=False) for k in range(n)], evaluate=False))
    depth: dict[object, int] = {}
    for node in p.graph.nodes():
        depth[node] = 1 + max((depth[a] for a in node.args), default=0)
    assert max(depth.values()) < 20


def test_what_does_not_depend_on_an_index_is_shared() -> None:
    n, m, i, j = sp.symbols("n m i j")
    x, y = sp.IndexedBase("x"), sp.IndexedBase("y")
    shared = sp.exp(sp.sin(X[0]) ** 2)
    expr = sp.Sum(x[i] * shared, (i, 0, n - 1)) + sp.Sum(sp.cos(y[j] * shared), (j, 0, m - 1)) + shared
    kinds = [str(node) for node in program(expr).graph.nodes()]
    assert kinds.count("<exp () float64>") == 1


def test_the_same_expression_gives_the_same_graph() -> None:
    one, two = program(dag(300)), program(dag(300))
    assert one.graph.outputs == two.graph.outputs


def test_a_long_piecewise_and_its_gradient_are_linear() -> None:
    sizes = []
    for n in (100, 200):
        cases = [(k * X[k % 8], X[0] < k) for k in range(1, n)]
        graph = program(sp.Piecewise(*cases, (X[1], True), evaluate=False)).graph
        forward = simplify(graph)
        gradients = build_bprop(forward, forward.inputs, [fill(1.0, (), "float64")])
        sizes.append(len(simplify(Graph(forward.inputs, tuple(gradients))).nodes()))
    assert sizes[1] < 2.1 * sizes[0]


def test_a_condition_of_many_parts_stays_shallow() -> None:
    p = program(sp.Piecewise((X[0], sp.And(*(X[k % 8] > k for k in range(500)))), (X[1], True)))
    depth: dict[object, int] = {}
    for node in p.graph.nodes():
        depth[node] = 1 + max((depth[a] for a in node.args), default=0)
    assert max(depth.values()) < 16
