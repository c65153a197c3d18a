"""A serial arm of seven joints: 28 scalar inputs, a tree of thousands of operations, a graph of few."""

from __future__ import annotations

import json
import subprocess
import sys

import mpmath as mp
import numpy as np
import sympy as sp

import symbackprop as sbp

JOINTS = 7
NAMES = ("theta", "alpha", "a", "d")


def arm(n_joints: int) -> tuple[list[sp.Expr], dict[str, list[sp.Symbol]]]:
    """Return the coordinates of the arm's tip, and its Denavit-Hartenberg parameters."""
    parameters = {name: list(sp.symbols(f"{name}0:{n_joints}", real=True)) for name in NAMES}
    pose = sp.eye(4)
    for theta, alpha, a, d in zip(*parameters.values(), strict=True):
        ct, st, ca, sa = sp.cos(theta), sp.sin(theta), sp.cos(alpha), sp.sin(alpha)
        pose = pose * sp.Matrix(
            [[ct, -st * ca, st * sa, a * ct], [st, ct * ca, -ct * sa, a * st], [0, sa, ca, d], [0, 0, 0, 1]]
        )
    return [pose[row, 3] for row in range(3)], parameters


def point(n_joints: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(28)
    return {name: rng.uniform(-1.5, 1.5, n_joints) for name in NAMES}


def by_hand(values: dict[str, list[mp.mpf]]) -> mp.mpf:
    """Return the squared distance of the tip from (1, 1, 1), the tip moved backwards through the joints."""
    tip = [mp.mpf(0)] * 3
    for theta, alpha, a, d in reversed(list(zip(*(values[name] for name in NAMES), strict=True))):
        u, v, w = tip
        u += a
        v, w = v * mp.cos(alpha) - w * mp.sin(alpha), v * mp.sin(alpha) + w * mp.cos(alpha)
        tip = [u * mp.cos(theta) - v * mp.sin(theta), u * mp.sin(theta) + v * mp.cos(theta), w + d]
    return mp.fsum((coordinate - 1) ** 2 for coordinate in tip)


def reference(values: dict[str, np.ndarray]) -> tuple[float, dict[str, np.ndarray]]:
    """Return value and gradient by central differences at 60 digits."""
    with mp.workdps(60):
        exact = {name: [mp.mpf(float(e)) for e in value] for name, value in values.items()}
        step, grads = mp.mpf("1e-20"), {}
        for name in NAMES:
            slopes = []
            for at in range(len(exact[name])):
                moved = []
                for sign in (1, -1):
                    row = list(exact[name])
                    row[at] += sign * step
                    moved.append(by_hand({**exact, name: row}))
                slopes.append(float((moved[0] - moved[1]) / (2 * step)))
            grads[name] = np.array(slopes)
        return float(by_hand(exact)), grads


def test_value_and_gradient() -> None:
    tip, parameters = arm(JOINTS)
    kernel = sbp.compile(sum((coordinate - 1) ** 2 for coordinate in tip), inputs=parameters)
    values = point(JOINTS)
    value, grads = kernel.value_and_grad(**values)
    expected, slopes = reference(values)
    assert abs(value - expected) <= 1e-12 * abs(expected)
    assert tuple(grads) == NAMES
    for name in NAMES:
        assert grads[name].shape == (JOINTS,)
        assert np.max(np.abs(grads[name] - slopes[name])) <= 1e-12 * np.max(np.abs(slopes[name]))
    value, residuals = kernel.fprop(**values)
    for name, grad in kernel.bprop(residuals).items():
        assert np.max(np.abs(grad - slopes[name])) <= 1e-12 * np.max(np.abs(slopes[name]))


def test_operations_grow_with_the_graph_not_with_the_tree() -> None:
    """Each joint adds the same few operations, forward and backward, while SymPy's tree grows many times over."""
    costs = {}
    for n_joints in (5, 6, 7):
        tip, parameters = arm(n_joints)
        cost = sbp.compile(tip[0], inputs=parameters).cost()
        costs[n_joints] = int(cost.fprop), int(cost.bprop)
    assert tip[0].count_ops() > 4000
    assert costs[7][0] < 250
    assert costs[7][1] < 500
    for forward_or_backward in (0, 1):
        first, second, third = (costs[n_joints][forward_or_backward] for n_joints in (5, 6, 7))
        assert third - second == second - first


def test_compiles_within_three_seconds() -> None:
    """Compilation and first call, numba included, in a fresh process that has compiled something else before.

    Processor time is counted, so that other tests running beside this one do not matter.
    """
    out = subprocess.run([sys.executable, __file__], check=True, capture_output=True, text=True)
    measured = json.loads(out.stdout)
    assert measured["seconds"] < 3.0
    assert measured["gradients"] == 4 * JOINTS


if __name__ == "__main__":
    import time

    warm_symbol = sp.Symbol("x")
    sbp.compile(sp.sin(warm_symbol) * warm_symbol, inputs={"v": [warm_symbol]}).value_and_grad(np.ones(1))
    coordinates, nested = arm(JOINTS)
    start = time.process_time()
    _, all_grads = sbp.compile(coordinates[0], inputs=nested).value_and_grad(**point(JOINTS))
    seconds = time.process_time() - start
    print(json.dumps({"seconds": seconds, "gradients": sum(grad.size for grad in all_grads.values())}))
