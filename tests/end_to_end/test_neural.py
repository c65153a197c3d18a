"""Neural functions as kernels: against 50 digits, against closed forms, at kinks and at the ends of the float range."""

from __future__ import annotations

import functools
import math

import mpmath
import numpy as np
import pytest
import sympy as sp

import symbackprop as sbp
from tests.plain import compile_plain

INF, NAN = math.inf, math.nan
m, n, p = sp.symbols("m n p", integer=True, positive=True)
i, j, c = sp.symbols("i j c", integer=True)
X = sp.MatrixSymbol("X", m, n)
z = sp.MatrixSymbol("z", n, 1)
RNG = np.random.default_rng(0)

# --- activations ---------------------------------------------------------------------------------------------------

ALPHA, SCALE = mpmath.mpf("1.6732632423543772848170429916717"), mpmath.mpf("1.0507009873554804934193349852946")


def sig(x):
    return 1 / (1 + mpmath.exp(-x))


def tanh_argument(x):
    return 2 * mpmath.sqrt(2 / mpmath.pi) * (x + mpmath.mpf("0.044715") * x**3)


def tanh_slope(x):
    v, dv = tanh_argument(x), 2 * mpmath.sqrt(2 / mpmath.pi) * (1 + 3 * mpmath.mpf("0.044715") * x**2)
    return sig(v) + x * dv * sig(v) * sig(-v)


def left(x):
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


#: Name -> (function, value at mpmath numbers, slope, largest relative error, (limits of value and slope at -inf, inf)).
ACTIVATIONS = {
    "relu": (sbp.relu, lambda x: max(x, 0), lambda x: int(x > 0), 0, (0, 0, INF, 1)),
    "leaky_relu": (
        lambda x: sbp.leaky_relu(x, 0.25),
        lambda x: x if x > 0 else x / 4,
        lambda x: 1 if x > 0 else 0.25,
        0,
        (-INF, 0.25, INF, 1),
    ),
    "hardtanh": (sbp.hardtanh, lambda x: min(max(x, -1), 1), lambda x: int(-1 < x < 1), 0, (-1, 0, 1, 0)),
    "sigmoid": (sbp.sigmoid, sig, lambda x: sig(x) * sig(-x), 2e-15, (0, 0, 1, 0)),
    "softplus": (sbp.softplus, lambda x: mpmath.log1p(mpmath.exp(x)), sig, 2e-15, (0, 0, INF, 1)),
    "silu": (sbp.silu, lambda x: x * sig(x), lambda x: sig(x) * (1 + x * sig(-x)), 1e-14, (0, 0, INF, 1)),
    "gelu": (
        sbp.gelu,
        lambda x: x * left(x),
        lambda x: left(x) + x * mpmath.exp(-(x**2) / 2) / mpmath.sqrt(2 * mpmath.pi),
        1e-12,
        (0, 0, INF, 1),
    ),
    "gelu_tanh": (
        lambda x: sbp.gelu(x, approximate="tanh"),
        lambda x: x * sig(tanh_argument(x)),
        tanh_slope,
        2e-12,
        (0, 0, INF, 1),
    ),
    "elu": (
        lambda x: sbp.elu(x, 0.5),
        lambda x: x if x > 0 else mpmath.expm1(x) / 2,
        lambda x: 1 if x > 0 else mpmath.exp(x) / 2,
        2e-15,
        (-0.5, 0, INF, 1),
    ),
    "selu": (
        sbp.selu,
        lambda x: SCALE * (x if x > 0 else ALPHA * mpmath.expm1(x)),
        lambda x: SCALE * (1 if x > 0 else ALPHA * mpmath.exp(x)),
        2e-15,
        (-float(SCALE * ALPHA), 0, INF, float(SCALE)),
    ),
}
POINTS = np.array([1e-300, 1e-16, 1e-9, 0.1, 0.5, 0.7, 1.3, 2.0, 5.0, 9.5, 20.0, 36.0, 100.0, 600.0, 1e5, 1e100, 1e308])
POINTS = np.concatenate([POINTS, -POINTS])


@functools.cache
def activations(vectors):
    """One kernel of every activation, each of its own argument: numbers in a batch, or vectors."""
    outputs, batch = {}, {}
    for name, (function, *_) in ACTIVATIONS.items():
        x = sp.MatrixSymbol(f"x_{name}", n, 1) if vectors else sp.Symbol(f"x_{name}")
        outputs[name] = function(x)
        batch[x.name] = "N"
    return sbp.compile(outputs, batch=None if vectors else batch)


def evaluated(points, *, vectors=False):
    values, grads = activations(vectors).value_and_grad(**{f"x_{name}": points for name in ACTIVATIONS})
    return {name: (np.ravel(values[name]), np.ravel(grads[f"x_{name}"])) for name in ACTIVATIONS}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_against_50_digits(name):
    _, exact, slope, tolerance, _ = ACTIVATIONS[name]
    value, gradient = evaluated(POINTS)[name]
    with mpmath.workdps(50):
        for x, got, d in zip(POINTS, value, gradient, strict=True):
            if abs(x) <= 600 or name in {"relu", "leaky_relu", "hardtanh"}:
                at = mpmath.mpf(float(x))
                assert float(got) == pytest.approx(float(exact(at)), rel=tolerance, abs=1e-307), x
                assert float(d) == pytest.approx(float(slope(at)), rel=tolerance, abs=1e-307), x


@pytest.mark.parametrize("vectors", [False, True])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_at_the_ends_of_the_range(name, vectors):
    low, low_slope, high, high_slope = ACTIVATIONS[name][-1]
    points = np.array([-INF, -1e308, -1e5, 1e5, 1e308, INF, NAN])
    value, slope = evaluated(points, vectors=vectors)[name]
    assert value[0] == low
    assert value[5] == high
    scale = {"leaky_relu": 0.25}.get(name, 0.0)
    np.testing.assert_allclose(value[1:3], points[1:3] * scale if scale else low, rtol=1e-15)
    np.testing.assert_allclose(value[3:5], points[3:5] * high_slope if high == INF else high, rtol=1e-15)
    np.testing.assert_allclose(slope[:3], low_slope)
    np.testing.assert_allclose(slope[3:6], high_slope)
    assert math.isnan(value[6])
    assert math.isnan(slope[6])


def test_gelu_keeps_its_tail():
    value, _ = evaluated(np.array([-10.0, -30.0]))["gelu"]
    with mpmath.workdps(50):
        want = [float(mpmath.mpf(x) * left(mpmath.mpf(x))) for x in (-10, -30)]
    np.testing.assert_allclose(value, want, rtol=3e-13)


def test_kinks_have_the_slope_of_least_norm():
    slopes = {name: float(slope[0]) for name, (_, slope) in evaluated(np.zeros(1)).items()}
    assert slopes["relu"] == 0
    assert slopes["leaky_relu"] == 0.25
    assert slopes["elu"] == 0.5
    assert slopes["selu"] == pytest.approx(float(SCALE))
    for limit in (-1.0, 1.0):
        assert evaluated(np.array([limit]))["hardtanh"][1] == 0
    x, a = sp.symbols("x a")
    kernel = compile_plain(sbp.prelu(x, a))
    for slope, want in ((-2.0, 0.0), (0.3, 0.3), (5.0, 1.0)):
        assert kernel.value_and_grad(a=slope, x=0.0)[1] == {"a": 0.0, "x": want}
    assert kernel.value_and_grad(a=0.3, x=-2.0) == (pytest.approx(-0.6), {"a": -2.0, "x": 0.3})


def test_activations_of_matrices_in_every_spelling():
    values = RNG.normal(size=(3, 4))
    t = sp.Symbol("t")
    for expr in (
        sbp.silu(X),
        X.applyfunc(sbp.silu),
        X.applyfunc(lambda entry: entry * sbp.sigmoid(entry)),
        X.applyfunc(sp.Lambda(t, t * sbp.sigmoid(t))),
    ):
        got, grads = compile_plain(expr).value_and_grad(values)
        s = 1 / (1 + np.exp(-values))
        np.testing.assert_allclose(got, values * s, rtol=1e-14)
        np.testing.assert_allclose(grads["X"], s * (1 + values * (1 - s)), rtol=1e-13)
    explicit = compile_plain(sbp.relu(sp.Matrix([t, -t])))
    np.testing.assert_array_equal(np.ravel(explicit(2.0)), [2.0, 0.0])
    one = compile_plain(sbp.softplus(z.T * z))
    assert one([0.5, 0.5]) == pytest.approx(math.log1p(math.exp(0.5)))


def test_parameters_are_differentiated():
    a = sp.Symbol("a")
    x = np.array([-2.0, -0.5, 0.7])
    value, grads = compile_plain(sbp.elu(z, a), wrt=["a"]).value_and_grad(a=0.3, z=x)
    np.testing.assert_allclose(np.ravel(value), np.where(x > 0, x, 0.3 * np.expm1(x)), rtol=1e-15)
    assert grads["a"] == pytest.approx(np.expm1(x[:2]).sum())


# --- softmax and its family ----------------------------------------------------------------------------------------


def softmax_of(x, axis):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


@pytest.mark.parametrize("axis", [0, 1])
def test_softmax_along_an_axis(axis):
    x, up = RNG.normal(size=(3, 4)) * 3, RNG.normal(size=(3, 4))
    s = softmax_of(x, axis)
    kernel = compile_plain(sbp.softmax(X, axis=axis))
    got, grads = kernel.value_and_grad(x, upstream=up)
    np.testing.assert_allclose(got, s, rtol=1e-13)
    np.testing.assert_allclose(grads["X"], s * (up - (up * s).sum(axis=axis, keepdims=True)), rtol=1e-12, atol=1e-15)
    got, grads = compile_plain(sbp.log_softmax(X, axis=axis)).value_and_grad(x, upstream=up)
    np.testing.assert_allclose(got, np.log(s), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(grads["X"], up - s * up.sum(axis=axis, keepdims=True), rtol=1e-12)
    total = compile_plain(sbp.logsumexp(X, axis=axis))
    got, grads = total.value_and_grad(x)
    np.testing.assert_allclose(np.ravel(got), np.log(np.exp(x).sum(axis=axis)), rtol=1e-13)
    np.testing.assert_allclose(grads["X"], s, rtol=1e-13)


@pytest.mark.parametrize(
    ("scores", "shares"),
    [
        ([1e308, -1e308, 0.0], [1, 0, 0]),
        ([1e17, 1e17, -1e17], [0.5, 0.5, 0]),
        ([1e308, 1e308, 1e308], [1 / 3] * 3),
        ([-1e308, -1e308, -INF], [0.5, 0.5, 0]),
        ([INF, 0.0, -INF], [1, 0, 0]),
        ([0.0, -INF, 0.0], [0.5, 0, 0.5]),
    ],
)
def test_softmax_of_extreme_scores(scores, shares):
    with np.errstate(all="ignore"):
        check_extremes(scores, shares)


def check_extremes(scores, shares):
    got = shared_kernel(sbp.softmax(z))(np.array(scores))
    np.testing.assert_allclose(np.ravel(got), shares, rtol=1e-15, atol=1e-300)
    if INF not in scores:
        got = shared_kernel(sbp.softmax(sp.ImmutableMatrix(sp.symbols("a b d"))))(*scores)
        np.testing.assert_allclose(np.ravel(got), shares, rtol=1e-15, atol=1e-300)
    value, grads = shared_kernel(sbp.logsumexp(z)).value_and_grad(np.array(scores))
    assert value == pytest.approx(max(scores) - math.log(max(shares)))
    np.testing.assert_allclose(np.ravel(grads["z"]), shares, rtol=1e-15, atol=1e-300)
    loss, grads = shared_kernel(sbp.cross_entropy(z, c)).value_and_grad(c=0, z=np.array(scores))
    assert loss == pytest.approx(-math.log(shares[0]))
    np.testing.assert_allclose(np.ravel(grads["z"]), np.array(shares) - [1, 0, 0], rtol=1e-15, atol=1e-300)


shared_kernel = functools.cache(compile_plain)


def test_softmax_of_nan_is_nan():
    got = shared_kernel(sbp.softmax(z))(np.array([1.0, NAN, 2.0]))
    assert np.isnan(got).all()


def test_log_softmax_of_widely_spread_scores():
    scores = np.array([700.0, -700.0, 0.0, 699.0])
    with mpmath.workdps(50):
        total = mpmath.log(mpmath.fsum(mpmath.exp(mpmath.mpf(float(s))) for s in scores))
        want = [float(mpmath.mpf(float(s)) - total) for s in scores]
    np.testing.assert_allclose(np.ravel(compile_plain(sbp.log_softmax(z))(scores)), want, rtol=1e-15)


def test_row_vectors_and_vectors_of_one():
    row = sp.MatrixSymbol("r", 1, n)
    x = RNG.normal(size=(1, 4))
    np.testing.assert_allclose(np.ravel(compile_plain(sbp.softmax(row))(x)), softmax_of(x, 1)[0], rtol=1e-14)
    one = sp.MatrixSymbol("o", m, 1)
    got, grads = compile_plain(sbp.softmax(one, axis=1) + one).value_and_grad(np.array([3.0, -2.0]))
    np.testing.assert_array_equal(np.ravel(got), [4, -1])
    np.testing.assert_array_equal(np.ravel(grads["o"]), [1, 1])


def test_logsumexp_of_scalars():
    a, b, d = sp.symbols("a b d")
    value, grads = compile_plain(sbp.logsumexp(a, b, d)).value_and_grad(1000.0, 1001.0, -5.0)
    assert value == pytest.approx(1001 + math.log1p(math.exp(-1)))
    assert [grads[k] for k in "abd"] == pytest.approx([1 / (1 + math.e), math.e / (1 + math.e), 0])
    huge = shared_kernel(sbp.logsumexp(a, b, d)).value_and_grad(1e300, 1e300, 0.0)[1]
    assert [huge[k] for k in "abd"] == [0.5, 0.5, 0.0]


def test_label_given_as_a_number_keeps_small_losses():
    kernel = compile_plain(sbp.cross_entropy(sp.Matrix(sp.symbols("a b d")), 0))
    value, grads = kernel.value_and_grad(50.0, 0.0, 0.0)
    assert value == pytest.approx(2 * math.exp(-50), rel=1e-14)
    assert [grads[k] for k in "abd"] == pytest.approx([-value, value / 2, value / 2], rel=1e-14)


# --- cross entropy -------------------------------------------------------------------------------------------------


def classifier():
    W, b = sp.MatrixSymbol("W", m, n), sp.MatrixSymbol("b", m, 1)
    V, a = sp.MatrixSymbol("V", p, m), sp.MatrixSymbol("a", p, 1)
    scores = V * sbp.relu(W * z + b) + a
    return sbp.compile(
        sbp.Mean(sbp.cross_entropy(scores, c), "N"), wrt=[W, b, V, a], batch={"z": "N", "c": "N"}, name="classifier"
    )


def test_two_layer_classifier_in_batches():
    kernel = classifier()
    shapes = {"W": (5, 4), "b": (5,), "V": (3, 5), "a": (3,), "z": (7, 4)}
    args = {name: RNG.normal(size=shape) for name, shape in shapes.items()}
    labels = RNG.integers(0, 3, 7)
    value, grads = kernel.value_and_grad(c=labels, **args)
    before = args["z"] @ args["W"].T + args["b"]
    hidden = np.maximum(before, 0)
    scores = hidden @ args["V"].T + args["a"]
    s = softmax_of(scores, 1)
    assert value == pytest.approx(-np.log(s[np.arange(7), labels]).mean())
    down = (s - np.eye(3)[labels]) / 7
    back = (down @ args["V"]) * (before > 0)
    want = {"W": back.T @ args["z"], "b": back.sum(0), "V": down.T @ hidden, "a": down.sum(0)}
    for name, gradient in want.items():
        np.testing.assert_allclose(grads[name], gradient, rtol=1e-12, atol=1e-15)


def test_generated_classifier_reads_as_written_by_hand():
    source = classifier().source
    body = source[source.index("def _value_and_grad(") : source.index("def value_and_grad(")]
    assert body.count("np.dot(") == 5  # two layers forward, three products backward
    assert body.count("vweight(") == 1  # the exponentials of the loss serve the gradient too
    assert "gate(" in body


def test_labels_from_arrays_and_soft_labels():
    y = sp.IndexedBase("y", (p,), integer=True)
    E = sp.MatrixSymbol("E", p, n)
    scores, labels = RNG.normal(size=(3, 4)), np.array([3, 0, 2])
    losses = -np.log(softmax_of(scores, 1))[np.arange(3), labels]
    got = compile_plain(sbp.cross_entropy(z, y[1]), inputs=[z, y])(scores[1], labels)
    assert got == pytest.approx(losses[1])
    t = sp.MatrixSymbol("t", n, 1)
    target = np.array([0.1, 0.2, 0.3, 0.4])
    value, grads = compile_plain(sbp.cross_entropy(z, t)).value_and_grad(t=target, z=scores[0])
    assert value == pytest.approx(-(target * np.log(softmax_of(scores[:1], 1)[0])).sum())
    np.testing.assert_allclose(np.ravel(grads["z"]), softmax_of(scores[:1], 1)[0] - target, rtol=1e-12)
    explicit = compile_plain(sbp.cross_entropy(sp.Matrix(sp.symbols("s:4")), c))
    assert explicit(c=0, **{f"s{k}": scores[1, k] for k in range(4)}) == pytest.approx(losses[1])
    row = compile_plain(sbp.cross_entropy(E[1, :], c))
    assert row(c=0, E=scores) == pytest.approx(losses[1])


def test_one_hot():
    kernel = compile_plain(sbp.one_hot(c, n).T * z)
    value, grads = kernel.value_and_grad(c=2, z=np.array([1.0, 2.0, 5.0]))
    assert value == 5
    np.testing.assert_array_equal(np.ravel(grads["z"]), [0, 0, 1])
    soft = compile_plain(sbp.cross_entropy(z, sbp.one_hot(c, n)), batch={"z": "N", "c": "N"})
    scores, labels = RNG.normal(size=(3, 4)), np.array([3, 0, 2])
    want = -np.log(softmax_of(scores, 1))[np.arange(3), labels]
    np.testing.assert_allclose(soft(c=labels, z=scores), want, rtol=1e-13)
    fixed = compile_plain(sbp.one_hot(1, n) + z)
    np.testing.assert_array_equal(np.ravel(fixed(np.zeros(3))), [0, 1, 0])


# --- index notation ------------------------------------------------------------------------------------------------


def test_logsumexp_binds_its_index():
    x, A = sp.IndexedBase("x", (n,)), sp.IndexedBase("A", (m, n))
    value, grads = compile_plain(sbp.logsumexp(2 * x[i], (i, 0, n - 1))).value_and_grad(np.array([400.0, 401.0]))
    assert value == pytest.approx(802 + math.log1p(math.exp(-2)))
    np.testing.assert_allclose(grads["x"], 2 * softmax_of(np.array([800.0, 802.0]), 0), rtol=1e-12)
    rows = RNG.normal(size=(3, 4))
    np.testing.assert_allclose(
        compile_plain(sbp.logsumexp(A[i, j], (j, 0, n - 1)))(rows), np.log(np.exp(rows).sum(1)), rtol=1e-14
    )


def test_softmax_over_a_free_index():
    A = sp.IndexedBase("A", (m, n))
    rows, up = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4))
    s = softmax_of(rows, 1)
    for expr in (sbp.softmax(A[i, j], j), sbp.softmax(A[i, j], (j, 0, n - 1))):
        value, grads = compile_plain(expr).value_and_grad(rows, upstream=up)
        np.testing.assert_allclose(value, s, rtol=1e-13)
        np.testing.assert_allclose(grads["A"], s * (up - (up * s).sum(1, keepdims=True)), rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(
        compile_plain(sbp.log_softmax(A[i, j], i))(rows), np.log(softmax_of(rows, 0)), rtol=1e-13
    )


def test_attention_in_index_notation():
    d = sp.Symbol("d", integer=True, positive=True)
    t, k, e = sp.symbols("t k e", integer=True)
    Q, K, V = sp.IndexedBase("Q", (m, d)), sp.IndexedBase("K", (n, d)), sp.IndexedBase("V", (n, p))
    score = sp.Sum(Q[t, k] * K[j, k], (k, 0, d - 1))
    kernel = compile_plain(sp.Sum(sbp.softmax(score, j) * V[j, e], (j, 0, n - 1)), inputs=[Q, K, V])
    q, key, v = RNG.normal(size=(3, 2)), RNG.normal(size=(5, 2)), RNG.normal(size=(5, 4))
    value, grads = kernel.value_and_grad(q, key, v)
    s = softmax_of(q @ key.T, 1)
    got = value if value.shape == (3, 4) else value.T
    np.testing.assert_allclose(got, s @ v, rtol=1e-12)
    np.testing.assert_allclose(grads["V"], np.repeat(s.sum(0)[:, None], 4, 1), rtol=1e-12)
    down = np.ones((3, 4)) @ v.T
    down = s * (down - (down * s).sum(1, keepdims=True))
    np.testing.assert_allclose(grads["Q"], down @ key, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(grads["K"], down.T @ q, rtol=1e-10, atol=1e-13)


# --- refusals ------------------------------------------------------------------------------------------------------


def test_refusals_say_what_and_where():
    x = sp.Symbol("x")
    with pytest.raises(sbp.ShapeError, match=r"softmax of a matrix that is no vector needs an axis(.|\n)*m x n"):
        sbp.softmax(X)
    with pytest.raises(sbp.ShapeError, match="logsumexp of a matrix"):
        sbp.logsumexp(X)
    with pytest.raises(sbp.InputError, match="softmax of a scalar needs the index"):
        sbp.softmax(x)
    with pytest.raises(sbp.InputError, match="no such axis"):
        sbp.softmax(X, axis=2)
    with pytest.raises(sbp.ShapeError, match=r"cross_entropy of a matrix(.|\n)*batch"):
        sbp.cross_entropy(X, c)
    with pytest.raises(sbp.ShapeError, match="different shapes"):
        sbp.cross_entropy(z, sp.MatrixSymbol("t", m, 1))
    with pytest.raises(sbp.ShapeError, match="lies outside"):
        sbp.cross_entropy(sp.Matrix([x, x, x]), 3)
    with pytest.raises(sbp.InputError, match="not an integer"):
        sbp.cross_entropy(z, sp.Rational(1, 2))
    with pytest.raises(sbp.InputError, match="low < high"):
        sbp.hardtanh(x, 1, -1)
    with pytest.raises(sbp.InputError, match="approximation"):
        sbp.gelu(x, approximate="sigmoid")
    with pytest.raises(sbp.InputError, match=r"prelu\(x, a\)"):
        sbp.prelu(x)
    with pytest.raises(sbp.UnsupportedExpressionError, match="index k has no range"):
        sbp.compile(sbp.softmax(x, sp.Symbol("k", integer=True)))


def test_weights_too_small_to_count_are_zero() -> None:
    """A log-sum-exp and its gradient at 60 digits: what is under 2**-999 of the largest weight is 0, the rest exact."""
    n, i = sp.Symbol("n", integer=True, positive=True), sp.Symbol("i", integer=True)
    x = sp.IndexedBase("x", (n,))
    kernel = compile_plain(sp.log(sp.Sum(sp.exp(x[i]), (i, 0, n - 1))))
    scores = np.array([3.0, 2.5, -600.0, -689.0, -695.0, -745.0, -np.inf])
    value, grads = kernel.value_and_grad(scores)
    with mpmath.workdps(60):
        total = mpmath.fsum(mpmath.exp(s) for s in scores)
        shares = [float(mpmath.exp(s) / total) for s in scores]
        np.testing.assert_allclose(value, float(mpmath.log(total)), rtol=1e-15)
    np.testing.assert_allclose(grads["x"], shares, rtol=1e-14, atol=2.0**-999)
    assert not grads["x"][4:].any()
