"""Primitives at kinks, at domain edges, and at both ends of the float range: the rules, and what numba compiles."""

from __future__ import annotations

import ast
import inspect
import math

import mpmath
import numpy as np
import pytest

from symbackprop import ops
from symbackprop.interpret import interpret
from symbackprop.ir.dims import Dim
from symbackprop.ir.external import External
from symbackprop.ir.node import Const, Input
from symbackprop.ir.registry import ELEMENTWISE
from symbackprop.ir.types import TensorType
from symbackprop.ops.arithmetic import abs_, exceeds, maximum, minimum, root_of_squares, sqrt, winner
from symbackprop.ops.transcendental import logaddexp, power, sigmoid
from symbackprop.runtime.special import scipy_function
from tests.ops.facts import ACCURACY, BOOLEAN, orders

SHAPE = (Dim.of("n"),)
VECTOR = TensorType(SHAPE, "float64")


def by_name(value):
    return getattr(value, "name", None)


# --- conventions at kinks, see STABILITY: the minimum-norm subgradient ---------------------------------------------


def gradient(make, *point):
    xs = [Input(name, TensorType((), "float64")) for name in "xyzw"[: len(point)]]
    out = make(*xs)
    parts = out.op.partials(out)
    values = interpret([p for p in parts if p is not None], dict(zip("xyzw", point, strict=False)))
    return [float(v) for v in values]


@pytest.mark.parametrize("op", [maximum, minimum], ids=by_name)
@pytest.mark.parametrize("n", [2, 3, 4])
def test_ties_share_evenly_and_sum_to_one(op, n):
    assert gradient(op, *[1.5] * n) == [1.0 / n] * n


def test_the_winner_takes_all():
    assert gradient(maximum, 1.0, 3.0, 2.0) == [0.0, 1.0, 0.0]
    assert gradient(minimum, 1.0, 3.0, 2.0) == [1.0, 0.0, 0.0]
    assert gradient(maximum, 3.0, 3.0, 2.0) == [0.5, 0.5, 0.0]


@pytest.mark.parametrize("op", [maximum, minimum], ids=by_name)
def test_a_constant_wins_ties(op):
    assert gradient(lambda x: op(x, 0.0), 0.0) == [0.0, 0.0]
    assert gradient(lambda x, y: op(x, y, 2.0), 2.0, 2.0) == [0.0, 0.0, 0.0]
    scalar = TensorType((), "float64")
    x = Input("x", VECTOR)
    out = op(x, ops.layout.Broadcast(Const(0.0, scalar), SHAPE, ()))
    assert interpret([out.op.partials(out)[0]], {"x": [0.0]})[0].tolist() == [0.0]


@pytest.mark.parametrize("op", [maximum, minimum], ids=by_name)
def test_nan_gives_nan_not_zero(op):
    for point in ([math.nan, 1.0], [math.nan, 1.0, 2.0], [1.0, 2.0, math.nan]):
        assert all(map(math.isnan, gradient(op, *point)))
    assert math.isnan(gradient(lambda x: op(x, 0.0), math.nan)[0])
    assert math.isnan(gradient(lambda x, y: op(x, y, 0.0), math.nan, 1.0)[0])


def test_edges():
    assert gradient(abs_, 0.0) == [0.0]
    assert gradient(abs_, -3.0) == [-1.0]
    assert gradient(sqrt, 0.0) == [math.inf]
    assert gradient(root_of_squares, 0.0) == [0.0]
    assert gradient(power, 0.0, 2.0) == [0.0, 0.0]
    assert gradient(power, 0.0, 0.0) == [0.0, 0.0]
    assert gradient(power, -3.0, 2.0)[0] == -6.0
    assert math.isnan(gradient(power, -3.0, 2.0)[1])
    assert gradient(lambda x: power(x, 2.0), 0.0)[0] == 0.0
    assert gradient(sigmoid, 40.0)[0] == pytest.approx(math.exp(-40), rel=1e-14)
    assert gradient(logaddexp, -math.inf, 0.0) == [0.0, 1.0]
    assert gradient(logaddexp, 800.0, 801.0) == pytest.approx([1 / (1 + math.e), 1 / (1 + 1 / math.e)])


def test_masks_are_strong():
    x, y, z = (Input(n, TensorType((), "float64")) for n in "xyz")
    gate, share = ELEMENTWISE["gate"], ELEMENTWISE["share"]
    nodes = [gate(x, y, z), share(x, y, z), exceeds(x, y), winner(x, y)]
    lost = interpret(nodes, {"x": 0.0, "y": 1.0, "z": math.inf})
    assert [float(v) for v in lost] == [0.0, 0.0, 0.0, 0.0]
    unknown = interpret(nodes, {"x": math.nan, "y": 1.0, "z": 1.0})
    assert all(np.isnan(unknown))


# --- what numba compiles ------------------------------------------------------------------------------------------


def emitted_text(op, count, attr):
    """Return the emitted expression of an operation on x, y, z, folded for an n-ary one."""
    if op.arity is None:
        text = "x"
        for name in "yzw"[: count - 1]:
            text = substitute(op.emit, {"x": text, "y": name})
        return text
    return substitute(op.emit, {"n": str(attr[0])} if attr else {})


def substitute(emit, names):
    class Put(ast.NodeTransformer):
        def visit_Name(self, node):
            return ast.parse(names[node.id], mode="eval").body if node.id in names else node

    return ast.unparse(Put().visit(ast.parse(emit, mode="eval")))


#: (primitive, number of operands, parameters, order); a rule removes negative powers before anything is emitted.
CASES = [
    (op, count, attr, order)
    for op in ELEMENTWISE.values()
    for count in ([op.arity] if op.arity is not None else [2, 3])
    for attr in ([(2,), (3,), (7,)] if op.params else [()])
    for order in orders(op)
]


@pytest.fixture(scope="module")
def emitted():
    """Compile every emitted expression into one kernel; return a function (x, y, z) -> row per case."""
    helpers = dict.fromkeys(h for op in ELEMENTWISE.values() for h in op.helpers)
    lines = ["import math", "import numpy as np", "import numba"]
    own = [h for h in helpers if not isinstance(h, External)]
    lines += ["@numba.njit(error_model='numpy')\n" + inspect.getsource(h) for h in own]
    lines += ["@numba.njit(error_model='numpy')", "def kernel(xs, ys, zs, out):", "    for i in range(xs.size):"]
    lines += ["        x, y, z = xs[i], ys[i], zs[i]"]
    for row, (op, count, attr, order) in enumerate(CASES):
        text = emitted_text(op, count, attr)
        text = text if order is None else substitute(text, {"x": repr(float(order))})
        flags = {name: f"({name} > 0.0)" for name in "xyz"[: BOOLEAN.get(op.name, 0)]}
        lines.append(f"        out[{row}, i] = {substitute(text, flags)}")
    foreign = [h for h in helpers if isinstance(h, External)]
    space = {h.name: scipy_function(h.name, h.symbol, h.arity, h.outputs, h.which) for h in foreign}
    exec(compile("\n".join(lines), "<emitted>", "exec"), space)

    def run(*columns):
        out = np.full((len(CASES), columns[0].size), np.pi)
        space["kernel"](*columns, out)
        return out

    return run


SMALL = [0.0, 5e-324, 1e-308, 2.3e-308, 1e-200, 1e-16, 0.3, 0.5, 1.0, 1.7, 2.0]
LARGE = [36.9, 37.1, 700.0, 709.7, 710.0, 745.0, 746.0, 1e5, 1e154, 1e200, 1e308, 1.7e308, math.inf]
SPECIAL = np.array([*SMALL, *LARGE, *(-v for v in SMALL), *(-v for v in LARGE), math.nan])


def test_emitted_code_agrees_with_numpy_at_the_ends_of_the_range(emitted):
    x, y = (a.ravel() for a in np.meshgrid(SPECIAL, SPECIAL))
    z = np.roll(x, 7)
    got = emitted(x, y, z)
    for row, (op, count, attr, order) in enumerate(CASES):
        flags = BOOLEAN.get(op.name, 0)
        first = x if order is None else np.full_like(x, order)
        args = [a > 0 if k < flags else a for k, a in enumerate((first, y, z)[:count])]
        with np.errstate(all="ignore"):
            want = np.asarray(op.numpy(*args, *attr), np.float64)
        if op.name == "integer_power":  # repeated multiplication and pow differ where the last product underflows
            normal = (np.abs(want) > 1e-290) | (want == 0)
            want = np.where(normal, want, got[row])
        label = f"{op.name} {attr} {order}"
        finite = np.isfinite(want)
        np.testing.assert_allclose(
            got[row][finite], want[finite], rtol=ACCURACY.get(op.name, 2e-15), atol=1e-323, err_msg=label
        )
        np.testing.assert_array_equal(got[row][~finite], want[~finite], err_msg=label)


def test_helpers_are_accurate_over_the_whole_range(emitted):
    x = SPECIAL[np.isfinite(SPECIAL)]
    y = np.roll(x, 5)
    got = emitted(x, y, x)
    for name in ("sigmoid", "softplus", "logaddexp"):
        row = next(k for k, (op, *_) in enumerate(CASES) if op.name == name)
        for k in range(x.size):
            with mpmath.workdps(400):
                a, b = mpmath.mpf(x[k]), mpmath.mpf(y[k])
                if name == "logaddexp":
                    top, low = max(a, b), min(a, b)
                    want = top + mpmath.log1p(mpmath.exp(low - top)) if low - top > -1e6 else top
                elif abs(a) > 1e6:
                    want = max(a, 0) if name == "softplus" else mpmath.mpf(a > 0)
                else:
                    want = 1 / (1 + mpmath.exp(-a)) if name == "sigmoid" else mpmath.log1p(mpmath.exp(a))
            assert got[row, k] == pytest.approx(float(want), rel=2e-15, abs=2e-323), (name, x[k], y[k])


def test_helpers_have_a_docstring_and_no_outside_names():
    for op in ELEMENTWISE.values():
        for helper in op.helpers:
            assert helper.__doc__
            if isinstance(helper, External):
                continue
            tree = ast.parse(inspect.getsource(helper))
            local = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
            local |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
            beside = {h.__name__ for h in op.helpers}
            names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
            assert names <= {"math", "np", "abs", "max", "float", *local, *beside}
