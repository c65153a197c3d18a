"""Every rule against its warrant: EXACT bit for bit, FINITE where everything is finite, REAL at 50 digits."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import sympy as sp

from symbackprop.interpret import interpret
from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import toposort
from symbackprop.ir.node import Broadcast, Const, Elementwise, Input, Node, Size
from symbackprop.ir.registry import ELEMENTWISE
from symbackprop.ir.types import AxisMap, TensorType
from symbackprop.ops.arithmetic import abs_, integer_power, sign, sqrt
from symbackprop.ops.contraction import einsum
from symbackprop.ops.indexing import element, gather, scatter
from symbackprop.ops.linear_algebra import det, inverse, logabsdet, logdet, solve
from symbackprop.ops.logic import lt, select
from symbackprop.ops.reduction import prod_over
from symbackprop.ops.transcendental import exp, log, power, sigmoid, tanh
from symbackprop.options import Warrant
from symbackprop.rewrite.pattern import Scope
from symbackprop.rewrite.rules import RULES

M, N = Dim.of("m"), Dim.of("n")
SIZES = {"m": 3, "n": 4}
VECTOR = TensorType((N,), "float64")

PATTERNS = [rule for rule in RULES if isinstance(rule.lhs, Node)]
STRUCTURAL = [rule for rule in RULES if not isinstance(rule.lhs, Node)]

SPECIAL = [0.0, -0.0, 1.0, -1.0, 2.0, -3.5, 0.5, 0.1, 5e-324, -1e-308, 1e-160, 1e160, -1e308, 1.7e308]
SPECIAL += [np.inf, -np.inf, np.nan]
CONSTANTS = [0.5, 3.0, -2.0, -0.25, 1e-300, 1e300]


def by_name(rule):
    return rule.name


def alone(_node):
    return 1


def conditions(pattern):
    """Names of the metavariables that stand for booleans."""
    found = set()
    for node in toposort([pattern]):
        if isinstance(node, Elementwise):
            flags = {"select": 1, "not": 1, "and": 2, "or": 2}.get(node.op.name, 0)
            found |= {arg.name for arg in node.args[:flags] if isinstance(arg, Input)}
    return found


X, Y, Z = (Input(name, VECTOR) for name in "xyz")
#: Programs for rules that accept only some of what their pattern matches.
ACCEPTED = {
    "log-exponentials": [
        log(exp(X) + exp(Y)),
        log(2.0 * exp(X) + exp(Y) / exp(Z) + 3.0),
        log(1.0 + exp(X) + exp(Y)),
        log(exp(X) * sigmoid(Y)),
        log(integer_power(exp(X), attr=(3,))),
        log(sqrt(exp(X))),
        log(3.0 + exp(X)),
    ],
    "log-product": [
        log(prod_over(Broadcast(X, (N, Dim.of(2)), (0,)), (1,))),
        log(Y * prod_over(Broadcast(exp(X) / Z, (N, Dim.of(2)), (0,)), (1,)) / X),
        log(prod_over(Broadcast(X, (N, Dim.of(2)), (0,)), (1,)) / 3.0),
        log(abs_(Y * prod_over(Broadcast(X, (N, Dim.of(2)), (0,)), (1,)))),
    ],
    "softmax": [
        exp(X) / (exp(X) + exp(Y)),
        1.0 / (exp(X) + exp(Y) + exp(Z)),
        2.0 / (1.0 + exp(X)),
        (Y * exp(X)) / (exp(X) + exp(Z)),
        exp(X) / (1.0 + exp(Y)),
    ],
    "norm": [
        sqrt(integer_power(X, attr=(2,))),
        sqrt(X * X),
        sqrt(integer_power(X, attr=(2,)) + Y * Y + integer_power(Z, attr=(4,))),
        sqrt(abs_(X)),
    ],
    "power-of-square": [
        power(integer_power(X, attr=(2,)), Const(0.25, VECTOR)),
        power(integer_power(X, attr=(4,)), Const(1.5, VECTOR)),
    ],
}


def instances(rule):
    """Yield programs that the pattern of a rule matches: its metavariables as inputs, or as several constants."""
    yield from ACCEPTED.get(rule.name, [])
    flags = conditions(rule.lhs)
    names = [n.name for n in toposort([rule.lhs]) if isinstance(n, Input)]
    for k in range(len(CONSTANTS)):
        built = {}
        for part in toposort([rule.lhs]):
            dtype = "bool" if isinstance(part, Input) and part.name in flags else "float64"
            if isinstance(part, Const):
                built[part] = Const(part.value, TensorType((N,), part.dtype))
            elif isinstance(part, Input) and part.name.startswith("?#"):
                number = CONSTANTS[(k + 2 * names.index(part.name)) % len(CONSTANTS)]
                built[part] = Const(bool(k % 2) if dtype == "bool" else number, TensorType((N,), dtype))
            elif isinstance(part, Input):
                built[part] = Input(part.name, TensorType((N,), dtype))
            else:
                built[part] = part.with_args([built[a] for a in part.args])
        yield built[rule.lhs]
        if not any(name.startswith("?#") for name in names):
            return


def pairs(rule):
    """Return (before, after) for the programs on which the rule does not decline."""
    out = [(node, rule.apply(rule.lhs, node, Scope(alone))) for node in instances(rule)]
    return [(before, after) for before, after in out if after is not None]


def columns(nodes, values, count=4000):
    rng = np.random.default_rng(1)
    inputs = [n for n in toposort(nodes) if isinstance(n, Input)]
    drawn = {n.name: rng.choice(values, count) for n in inputs}
    return {n.name: drawn[n.name] > 0 if n.dtype == "bool" else drawn[n.name] for n in inputs}


def assert_same_bits(got, want):
    got, want = np.broadcast_arrays(got, want)
    number = ~(np.isnan(got) & np.isnan(want)) if got.dtype.kind == "f" else np.ones(got.shape, bool)
    assert got[number].tobytes() == want[number].tobytes()


@pytest.mark.parametrize("rule", PATTERNS, ids=by_name)
def test_both_sides_agree_where_the_warrant_says(rule):
    found = pairs(rule)
    assert len(found) >= max(1, len(ACCEPTED.get(rule.name, [])))
    for before, after in found:
        assert before.type == after.type
        inputs = columns([before, after], SPECIAL)
        nodes = toposort([before])
        *values, want, got = interpret([*nodes, before, after], inputs, {"n": 4000})
        if rule.warrant is Warrant.EXACT:
            assert_same_bits(got, want)
        elif rule.warrant is Warrant.FINITE:
            finite = np.logical_and.reduce([np.isfinite(v) for v in values])
            assert finite.any()
            np.testing.assert_array_equal(got[finite], want[finite])
        else:
            assert_equal_reals(before, after, 1e-40 if isinstance(rule.rhs, Node) else 1e-14)


def assert_equal_reals(before, after, tolerance):
    """Compare at 50 digits by way of the SymPy facets, or in floats where a mask or a reduction has none.

    A computed rule may have combined or transformed constants, which rounds them.
    """
    inputs = columns([before, after], [0.3, 0.9, 1.7, 2.5, -0.4, -1.1], 40)
    computed = [n for n in toposort([before, after]) if n.args]
    if any(not isinstance(n, Elementwise) or n.op.sympy is None for n in computed):
        want, got = interpret([before, after], inputs, {"n": 40})
        np.testing.assert_allclose(got, want, rtol=1e-14)
        return
    compared = 0
    with mpmath.workdps(50):
        for k in range(40):
            point = {name: column[k] for name, column in inputs.items()}
            want, got = at_50_digits(before, point), at_50_digits(after, point)
            if mpmath.im(want) == 0 and mpmath.isfinite(want):
                assert mpmath.almosteq(want, got, tolerance)
                compared += 1
    assert compared >= 5


def at_50_digits(root, point):
    value = {}
    for node in toposort([root]):
        if isinstance(node, Const):
            value[node] = mpmath.mpf(node.value)
        elif isinstance(node, Input):
            value[node] = mpmath.mpf(float(point[node.name]))
        else:
            symbols = sp.symbols(f"x:{len(node.args)}", real=True)
            f = sp.lambdify(symbols, node.op.sympy(*symbols, *node.attr), "mpmath")
            value[node] = f(*(value[a] for a in node.args))
    return value[root]


# --- rules about structure: one or more examples each ----------------------------------------------------------------


def arr(name, *dims):
    return Input(name, TensorType(tuple(map(Dim.of, dims)), "float64"))


S, V, W, A, B = arr("s"), arr("v", "n"), arr("w", "m"), arr("A", "m", "n"), arr("B", "m", "n")
WHICH = Input("i", TensorType((), "int64"))
BOX = (N, M, N)
ROWS = Broadcast(W, A.shape, (0,))
COLS = Broadcast(V, A.shape, (1,))
Q = arr("Q", "n", "n")
FILL = Broadcast(S, A.shape, ())
TWO = Const(2.0, A.type)


def transpose(x):
    return einsum("ij->ji", x)


def diagonal(x, rank=2):
    return scatter([(x, (), [AxisMap((0,))] * rank)], [x.shape[0]] * rank)


CHOICE = select(lt(V, exp(V) - 1.5), V, Const(0.0, V.type))
OTHER = select(lt(V, exp(V) - 1.5), Const(0.0, V.type), V)

EXAMPLES = {
    "times-select-repeated": [
        Broadcast(CHOICE, A.shape, (1,)) * A,
        A * Broadcast(OTHER, A.shape, (1,)),
        Broadcast(CHOICE, A.shape, (1,)) / A,
    ],
    "diagonal-entrywise": [
        diagonal(V) * Q,
        -diagonal(V),
        diagonal(V) / Broadcast(S, Q.shape, ()),
        diagonal(V) + diagonal(exp(V)),
        Const(2.0, Q.type) * diagonal(V, 2),
    ],
    "diagonal-einsum": [
        einsum("ij,jk->ik", A, diagonal(V)),
        einsum("ij,jk->ik", diagonal(V), diagonal(exp(V))),
        einsum("ij->ji", diagonal(V)),
        einsum("ij,ij->", diagonal(V), Q),
        einsum("ijk,ij->k", diagonal(V, 3), Q),
        einsum("ij,jk,i->k", diagonal(V), Q, V),
        einsum("ii->", diagonal(V)),
    ],
    "diagonal-library": [
        inverse(diagonal(V)),
        solve(diagonal(V), Q),
        solve(diagonal(V), V),
        logdet(diagonal(V)),
        logabsdet(diagonal(V)),
    ],
    "library-transposed": [det(transpose(Q)), logdet(transpose(Q)), logabsdet(transpose(Q))],
    "library-inverse": [
        inverse(inverse(Q)),
        det(inverse(Q)),
        logdet(inverse(Q)),
        logabsdet(inverse(Q)),
        solve(inverse(Q), V),
        solve(inverse(Q), transpose(A)),
    ],
    "einsum-inverse": [
        einsum("ij,j->i", inverse(Q), V),
        einsum("ij,i->j", inverse(Q), V),
        einsum("ij,jk->ik", A, inverse(Q)),
        einsum("ij,jk,kl,l->i", A, inverse(Q), Q, V),
        einsum("i,ij,j->", V, inverse(Q), V),
        einsum("ij,jk,lk->il", A, inverse(Q), A),
    ],
    "log-det": [
        log(det(Q)),
        log(ELEMENTWISE["abs"](det(Q))),
        log(sqrt(2.0 * det(Q))),
        log(integer_power(det(Q), attr=(2,))),
        log(exp(S) / det(Q)),
        log(det(Q) / 3.0),
    ],
    "log-power": [log(power(Const(2.5, S.type), S))],
    "fold-constants": [TWO * Const(3.5, A.type), tanh(TWO)],
    "parity": [tanh(-V), integer_power(-V, attr=(3,)), integer_power(-V, attr=(2,)), ELEMENTWISE["abs"](-V)],
    "power-of-sign": [integer_power(sign(V), attr=(3,)), integer_power(sign(V), attr=(4,))],
    "negative-power": [integer_power(V, attr=(-2,)), integer_power(V, attr=(-1,))],
    "known-size": [Size(Dim.of(7), "float64")],
    "broadcast": [
        Broadcast(Const(2.0, V.type), A.shape, (1,)),
        Broadcast(Broadcast(S, V.shape, ()), A.shape, (1,)),
        Broadcast(A, A.shape, (0, 1)),
        Broadcast(A, (N, M), (1, 0)),
        Broadcast(A, (N, Dim.of(2), M), (2, 0)),
    ],
    "shared-axes": [ROWS * FILL, tanh(COLS), FILL + TWO],
    "common-transpose": [
        transpose(A) * transpose(B),
        exp(transpose(A)),
        transpose(A) * Const(2.0, TensorType((N, M), "float64")),
        transpose(A) * Broadcast(V, (N, M), (0,)),
    ],
    "transpose-of-broadcast": [transpose(ROWS)],
    "gather": [
        gather(COLS, [WHICH], [AxisMap((), index=0), AxisMap((0,))], (N,)),
        gather(FILL, [WHICH], [AxisMap((), index=0), AxisMap((0,))], (N,)),
        element(TWO, (0, 1)),
        gather(A, [], [AxisMap((0,)), AxisMap((1,))], A.shape),
    ],
    "scatter-of-zeros": [
        scatter([(V, (), [AxisMap((0,))]), (Const(0.0, S.type), (), [AxisMap(offset=Dim.of(1))])], V.shape),
        scatter([(Const(0.0, S.type), (), [AxisMap(offset=Dim.of(1))])], V.shape),
    ],
    "einsum-identity": [einsum("ij->ij", A)],
    "einsum-zero": [einsum("ij,ij->i", A, Const(0.0, A.type))],
    "einsum-repeats": [
        einsum("ij,ij->i", A, COLS),
        einsum("ij,ij->", A, FILL),
        einsum("ij->i", ROWS),
        einsum("ij->", FILL),
        einsum("ij->", TWO),
        einsum("ij,i->j", ROWS, W),
        einsum("ij,ij->ij", ROWS, COLS),
        einsum("i,j,->ij", W, V, S),
        einsum("ij,j->i", TWO, V),
        einsum("ij,ij->j", TWO, A),
        einsum(",->", S, S),
        einsum("i->", Const(1.0, TensorType((Dim.of(6),), "float64"))),
    ],
    "einsum-order": [einsum("ij,ki->kj", transpose(A), B), einsum("i,ji->j", V, A)],
    "einsum-sign": [einsum("ij,j->i", -A, V)],
    "einsum-divisor": [einsum("ij,j->i", A / FILL, V), einsum("ij->", A / TWO)],
    "einsum-product": [
        einsum("ij->", A * B),
        einsum("ij->i", A * COLS),
        einsum("ij,j->i", A * FILL, V),
        einsum("ij,j->i", TWO * A, V),
        einsum("ij,jk->ik", ROWS * COLS, transpose(A)),
        einsum("ij,j->", A * ROWS, V),
        einsum("i->", integer_power(V, attr=(2,))),
    ],
    "einsum-einsum": [
        einsum("ij,jk->ik", A, transpose(B)),
        einsum("ij->ji", einsum("ij,kj->ik", A, B)),
        einsum("ij,j->i", einsum("i,j->ij", W, V), V),
        einsum("i->", einsum("ij->i", A)),
        einsum("ii->", einsum("ij,kj->ik", A, B)),
        einsum("i,i->", einsum("ii->i", einsum("ij,kj->ik", A, B)), W),
    ],
    "einsum-select": [
        einsum("ij->i", select(Broadcast(lt(W, 0.5), A.shape, (0,)), ROWS * COLS, 0.0)),
        einsum("ij->i", select(Broadcast(lt(W, 0.5), A.shape, (0,)), einsum("i,j->ij", W, V), 0.0)),
        einsum(
            "ijk->",
            select(Broadcast(lt(W, 0.5), BOX, (1,)), Broadcast(A, BOX, (1, 2)) * Broadcast(B, BOX, (1, 0)), 0.0),
        ),
    ],
}
CASES = [(rule, node) for rule in STRUCTURAL for node in EXAMPLES.get(rule.name, [])]


def test_every_structural_rule_has_an_example():
    assert {rule.name for rule in STRUCTURAL} == set(EXAMPLES)


@pytest.mark.parametrize(("rule", "node"), CASES, ids=lambda x: getattr(x, "name", None))
def test_structural_rule_keeps_type_and_value(rule, node):
    after = rule.apply(None, node, Scope(alone))
    assert after is not None
    assert after is not node
    assert after.type == node.type
    rng = np.random.default_rng(2)
    inputs = {x.name: rng.normal(size=[d.evaluate(SIZES) for d in x.shape]) for x in (S, V, W, A, B, Q)}
    want, got = interpret([node, after], {**inputs, "i": 1}, SIZES)
    if rule.warrant is Warrant.EXACT:
        assert_same_bits(got, want)
    else:
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-14)


def test_rule_names_are_unique_and_weak_warrants_say_why():
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.why for rule in RULES if rule.warrant is not Warrant.EXACT)


def test_shared_work_is_not_duplicated():
    inner = einsum("ij,kj->ik", A, B)
    flatten = next(rule for rule in RULES if rule.name == "einsum-einsum")
    node = einsum("ij->ji", inner)
    assert flatten.apply(None, node, Scope(lambda _n: 2)) is None


def test_a_number_is_not_an_exponential():
    rule = next(rule for rule in RULES if rule.name == "log-exponentials")
    node = log(V * V + 2.0)
    assert rule.apply(rule.lhs, node, Scope(alone)) is None
