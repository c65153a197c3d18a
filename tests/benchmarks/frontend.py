"""Seconds per node of translation, differentiation and simplification together, and how they grow: linearly.

Three families of SymPy expressions, from a hundred to a hundred thousand distinct subexpressions: the tip of a serial
arm (deep), a random DAG (wide and shared), the mass matrix and the forcing of a chain of pendulums on a cart as
`KanesMethod` leaves them, unsimplified. SymPy's own time to build them is not counted, nor is numba's.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp
from sympy.physics.mechanics import dynamicsymbols
from sympy.physics.mechanics.models import n_link_pendulum_on_cart

import symbackprop.ops  # noqa: F401 - fills the registry
from symbackprop.autodiff.bprop import build_bprop
from symbackprop.frontend.translate import translate
from symbackprop.ir.graph import Graph, substitute
from symbackprop.ir.node import Const, Input
from symbackprop.ir.types import TensorType
from symbackprop.options import Options
from symbackprop.plan.products import choose_paths
from symbackprop.rewrite.engine import expand_reductions, simplify
from symbackprop.rewrite.rules import RULES_LATE

__all__ = ["FAMILIES", "arm", "exponent", "front_end", "main", "nodes", "pendulum", "random_dag", "seconds"]


def _sum_of_products(pairs: Sequence[tuple[sp.Expr, sp.Expr]]) -> sp.Expr:
    """A dot product as it is written; SymPy's automatic evaluation recurses on deep operands, in quadratic time."""
    terms = [sp.Mul(a, b, evaluate=False) for a, b in pairs if a is not sp.S.Zero and b is not sp.S.Zero]
    if len(terms) > 1:
        return sp.Add(*terms, evaluate=False)
    return terms[0] if terms else sp.S.Zero


def arm(joints: int) -> list[sp.Expr]:
    """The three coordinates of the tip of an arm of Denavit-Hartenberg joints, from the base outwards."""
    rows = [[sp.Integer(r == c) for c in range(4)] for r in range(3)]
    for k in range(joints):
        theta, alpha, a, d = (sp.Symbol(f"{name}{k}", real=True) for name in ("theta", "alpha", "a", "d"))
        ct, st, ca, sa = sp.cos(theta), sp.sin(theta), sp.cos(alpha), sp.sin(alpha)
        joint = sp.ImmutableMatrix(
            [[ct, -st * ca, st * sa, a * ct], [st, ct * ca, -ct * sa, a * st], [0, sa, ca, d], [0, 0, 0, 1]]
        )
        rows = [[_sum_of_products([(row[p], joint[p, c]) for p in range(4)]) for c in range(4)] for row in rows]
    return [row[3] for row in rows]


def random_dag(size: int) -> sp.Expr:
    """A random expression of about `size` shared operations, whose tree is astronomically large."""
    rng = random.Random(1)
    pool: list[sp.Expr] = list(sp.symbols("x0:8", real=True))
    makers: Sequence[Callable[[Any, Any], sp.Expr]] = (
        lambda a, b: sp.Add(a, b, evaluate=False),
        lambda a, b: sp.Mul(a, b, evaluate=False),
        lambda a, _: sp.sin(a, evaluate=False),
        lambda a, b: sp.Add(a, sp.Mul(-1, b, evaluate=False), evaluate=False),
        lambda a, _: sp.tanh(a, evaluate=False),
    )
    for _ in range(size):
        recent = pool[-40:]
        pool.append(rng.choice(makers)(rng.choice(recent), rng.choice(recent)))
    return sp.Add(*pool[-40:], evaluate=False)


def pendulum(links: int) -> list[sp.Expr]:
    """The entries of the mass matrix and of the forcing of `links` pendulums on a cart, coordinates as symbols."""
    method = n_link_pendulum_on_cart(links, cart_force=True, joint_torques=False)
    entries = [*method.mass_matrix, *method.forcing]
    time_ = dynamicsymbols._t
    names: dict[Any, sp.Symbol] = {}
    for coordinate in (*method.q, *method.u, *dynamicsymbols(["F"])):
        names[coordinate.diff(time_)] = sp.Symbol(f"{coordinate.func.__name__}_dot", real=True)
        names[coordinate] = sp.Symbol(coordinate.func.__name__, real=True)
    return [entry.xreplace(names) for entry in entries]


def distinct(exprs: Any) -> Iterator[Any]:
    """Every distinct subexpression once."""
    stack = list(exprs) if isinstance(exprs, list) else [exprs]
    seen = set(stack)
    while stack:
        node = stack.pop()
        yield node
        for a in node.args:
            if a not in seen:
                seen.add(a)
                stack.append(a)


def nodes(exprs: Any) -> int:
    """The number of distinct subexpressions."""
    return sum(1 for _ in distinct(exprs))


def front_end(exprs: Any) -> Graph:
    """What `sbp.compile` does before it plans: the value and all gradients, simplified, ready for code."""
    options = Options(dtype="float64")
    forward = choose_paths(simplify(translate(exprs, options=options).graph))
    upstream = [Input(f"ct_{k}", TensorType(out.shape, "float64")) for k, out in enumerate(forward.outputs)]
    cotangents = build_bprop(forward, forward.inputs, upstream)
    joint = choose_paths(simplify(Graph((*forward.inputs, *upstream), (*forward.outputs, *cotangents))))
    ones = substitute(joint.roots, {u: Const(1.0, u.type) for u in upstream})
    fused = choose_paths(simplify(replace(joint, inputs=forward.inputs).replace(ones)))
    return simplify(expand_reductions(fused), RULES_LATE)


def seconds(exprs: Any, repeats: int = 1) -> float:
    """Processor seconds of the front end, the best of some repeats; garbage collection before, not during."""
    best = float("inf")
    for _ in range(repeats):
        gc.collect()
        gc.disable()
        start = time.process_time()
        front_end(exprs)
        best = min(best, time.process_time() - start)
        gc.enable()
    return best


def exponent(counts: Sequence[float], times: Sequence[float]) -> float:
    """The slope of log time over log count, by least squares."""
    return float(np.polyfit(np.log(counts), np.log(times), 1)[0])


#: family -> how to build it, and the arguments of the sweep. The chain of 24 pendulums has 11,000 nodes; SymPy needs
#: half a minute to derive it, and far longer for one of 100,000.
FAMILIES: dict[str, tuple[Callable[[int], Any], tuple[int, ...]]] = {
    "serial arm": (arm, (2, 5, 16, 50, 160, 500, 1600)),
    "random DAG": (random_dag, (130, 400, 1300, 4000, 13_000, 40_000, 133_000)),
    "pendulum": (pendulum, (3, 4, 6, 8, 12, 16, 24)),
}


def main(_: Sequence[str] = ()) -> int:
    """Print seconds per node for every size of every family, and the growth exponents."""
    for name, (build, sizes) in FAMILIES.items():
        print(f"{name}\n{'size':>8} {'nodes':>8} {'seconds':>9} {'us/node':>8}")
        counts, times = [], []
        for size in sizes:
            exprs = build(size)
            counts.append(nodes(exprs))
            times.append(seconds(exprs, 3 if counts[-1] < 5_000 else 1))
            print(f"{size:>8} {counts[-1]:>8} {times[-1]:9.3f} {times[-1] / counts[-1] * 1e6:8.1f}", flush=True)
        print(f"growth exponent {exponent(counts, times):.3f}\n")
    return 0
