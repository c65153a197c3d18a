"""Every primitive, facet against facet: a new declaration is tested here without a new test."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

import symbackprop.ops  # noqa: F401 - fills the registry
from symbackprop.interpret import interpret
from symbackprop.ir.dims import Dim
from symbackprop.ir.node import Const, Input
from symbackprop.ir.registry import ELEMENTWISE, Trait
from symbackprop.ir.types import TensorType
from symbackprop.ops.logic import real32
from tests.ops.facts import ACCURACY, BOOLEAN, exact, orders

SHAPE = (Dim.of("n"),)
POWERS = (2, 3, -1, -2, 7)

REAL_OPS = [op for op in ELEMENTWISE.values() if op.sympy and op.dtype is None and op.name not in BOOLEAN]
SMOOTH = [op for op in REAL_OPS if Trait.FLAT not in op.traits]


def by_name(value):
    return getattr(value, "name", None)


def arities(op):
    return [op.arity] if op.arity is not None else [2, 3, 4]


def attributes(op):
    return [(n,) for n in POWERS] if op.params else [()]


def samples(op, k, count=9):
    """Points inside the domain of operand k, no two operands alike."""
    domain = op.domain[k] if op.domain else None
    low = max(domain.low, -2.5) if domain else -2.5
    high = min(domain.high, 2.5) if domain else 2.5
    return np.linspace(low + 0.07, high - 0.11, count)[(np.arange(count) * (2 * k + 1) + k) % count] + 0.013 * k


def operands(op, count, dtype="float64", order=None):
    n_bool = BOOLEAN.get(op.name, 0)
    kinds = ["bool"] * n_bool + [dtype] * (count - n_bool)
    made = [Input(name, TensorType(SHAPE, kind)) for name, kind in zip("xyzw", kinds, strict=False)]
    return made if order is None else [Const(order, made[0].type), *made[1:]]


def test_registry_is_complete():
    required = """add sub mul div neg integer_power power sqrt abs sign maximum minimum exp expm1 log log1p sin cos
        tan tanh sigmoid softplus asin acos acot asec acsc atan2 asinh acosh atanh acoth asech acsch
        sech csch coth sinc hypot floor ceil mod cbrt log2 log10 erfc erfinv gamma log_gamma digamma
        polygamma beta binomial sinh cosh atan erf logaddexp lt le eq ne and or not select real64
        real32 magnitude_power odd_power"""
    assert set(required.split()) <= set(ELEMENTWISE)
    assert all(op.name == name for name, op in ELEMENTWISE.items())


CASES = [
    (op, count, attr, order)
    for op in REAL_OPS
    for count in arities(op)
    for attr in attributes(op)
    for order in orders(op)
]


def label(case):
    op, count, attr, order = case
    return "-".join(map(str, [op.name, count, *attr, *([] if order is None else [order])]))


@pytest.mark.parametrize("case", [c for c in CASES if c[0] in SMOOTH], ids=label)
def test_partials_agree_with_50_digits(case):
    op, count, attr, order = case
    xs = operands(op, count, order=order)
    columns = [samples(op, k) for k in range(count)]
    partials = op.partials(op(*xs, attr=attr))
    first = int(order is not None)
    assert partials[:first] == (None,) * first
    got = interpret(partials[first:], dict(zip("xyzw", columns, strict=False)), {"n": 9})
    with mpmath.workdps(50):
        f = exact(op, count, attr, order)
        for k, column in enumerate(got):
            at = tuple(int(j == k) for j in range(count - first))
            points = zip(*columns[first:], strict=True)
            want = [float(mpmath.diff(f, tuple(map(mpmath.mpf, p)), at)) for p in points]
            error = max(2e-14, 10 * ACCURACY.get(op.name, 0))
            np.testing.assert_allclose(column, want, rtol=error, atol=1e-15, err_msg=f"{op.name} {k}")


@pytest.mark.parametrize("case", CASES, ids=label)
def test_numpy_facet_is_the_sympy_function(case):
    op, count, attr, order = case
    columns = [samples(op, k) for k in range(count)]
    got = op.numpy(*([np.full(9, order), *columns[1:]] if order is not None else columns), *attr)
    with mpmath.workdps(50):
        f = exact(op, count, attr, order)
        points = zip(*columns[int(order is not None) :], strict=True)
        want = [float(mpmath.re(f(*map(mpmath.mpf, p)))) for p in points]
    np.testing.assert_allclose(got, want, rtol=ACCURACY.get(op.name, 2e-15), atol=2e-16)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("op", list(ELEMENTWISE.values()), ids=by_name)
def test_partials_have_the_type_of_the_result(op, dtype):
    for count in arities(op):
        xs = operands(op, count, dtype, orders(op)[0])
        out = op(*xs, attr=attributes(op)[0])
        partials = op.partials(out)
        assert len(partials) == count
        if Trait.FLAT in op.traits:
            assert partials == (None,) * count
        assert all(p is None or p.type == out.type for p in partials)


def test_integers_add_and_multiply():
    i = Input("i", TensorType((), "int64"))
    nodes = [i + 2, i - 1, i * 3, -i]
    assert all(n.dtype == "int64" for n in nodes)
    assert [int(v) for v in interpret(nodes, {"i": 5})] == [7, 4, 15, -5]


def test_casts():
    flag = Input("flag", TensorType(SHAPE, "bool"))
    node = real32(flag)
    assert node.dtype == "float32"
    assert interpret([node], {"flag": [True, False]})[0].tolist() == [1.0, 0.0]
