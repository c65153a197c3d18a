"""Exponentials and logarithms that overflowed, cancelled, or lost a limit; functions with a wrong or missing rule."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
import sympy as sp

from tests.museum.exhibit import check, kernel, slopes

x, y, z, a, b = sp.symbols("x y z a b")
n = sp.symbols("n", integer=True, positive=True)
i, k, c = sp.symbols("i k c", integer=True)

softplus = sp.log(1 + sp.exp(x))
sigmoid = 1 / (1 + sp.exp(-x))


def at_fifty_digits(function: object) -> float:
    with mp.workdps(50):
        return float(function())


def test_softplus_at_zero() -> None:
    """JAX #2107: the gradient of softplus at 0 is 0, because the parts max and abs each choose their own side."""
    check(kernel(softplus), {"x": 0.0}, math.log(2), {"x": 0.5})
    composed = sp.Max(x, 0) + sp.log(1 + sp.exp(-sp.Abs(x)))
    assert kernel(composed)(800.0) == 800.0


def test_softplus_far_out() -> None:
    """burn #5373: log(1 + exp(x)) computes exp first, so in single precision it is inf at 100, its gradient nan."""
    f = kernel(softplus)
    check(f, {"x": 800.0}, 800.0, {"x": 1.0})
    check(f, {"x": -800.0}, 0.0, {"x": 0.0})
    tiny = at_fifty_digits(lambda: mp.exp(-60))
    check(f, {"x": -60.0}, tiny, {"x": tiny})


def test_log_sigmoid() -> None:
    """JAX #2140: the gradient of log_sigmoid at 0 is 0, not 1/2. PyTensor #2264: at 820 it is nan, not 0."""
    f = kernel(sp.log(sigmoid))
    check(f, {"x": 0.0}, -math.log(2), {"x": 0.5})
    check(f, {"x": 820.0}, 0.0, {"x": 0.0})
    tail = at_fifty_digits(lambda: 1 / (1 + mp.exp(40)))
    check(f, {"x": 40.0}, -at_fifty_digits(lambda: mp.log1p(mp.exp(-40))), {"x": tail})
    check(f, {"x": -820.0}, -820.0, {"x": 1.0})


@pytest.mark.parametrize("at", [-200.0, -400.0 / 3, -200.0 / 3, 37.42994775023705, 700.0])
def test_slope_of_the_sigmoid_in_its_tails(at: float) -> None:
    """JAX #777: nan at -200 in single precision. JAX #40385: 0 instead of 5.55e-17 at 37.43."""
    expected = at_fifty_digits(lambda: mp.exp(-abs(mp.mpf(at))) / (1 + mp.exp(-abs(mp.mpf(at)))) ** 2)
    check(kernel(sigmoid), {"x": at}, at_fifty_digits(lambda: 1 / (1 + mp.exp(-mp.mpf(at)))), {"x": expected})


def test_step_made_of_a_steep_sigmoid() -> None:
    """JAX #7205: the gradient of 1 - 1/(1 + exp(-100(x - 1000))) at 0 is nan, its value is 1."""
    f = kernel(1 - 1 / (1 + sp.exp(-100 * (x - 1000))))
    check(f, {"x": 0.0}, 1.0, {"x": 0.0})
    check(f, {"x": 1000.0}, 0.5, {"x": -25.0})


def test_log_of_a_softmax() -> None:
    """PyTorch #1620, Theano #3162: log(softmax) with logits far apart has nan gradients."""
    weights = [sp.exp(e) for e in (x, y, z)]
    f = kernel(sp.log(weights[2] / (weights[0] + weights[1] + weights[2])))
    check(f, {"x": 0.0, "y": 800.0, "z": -800.0}, -1600.0, {"x": 0.0, "y": -1.0, "z": 1.0})
    logits = sp.IndexedBase("z")
    loss = kernel(sp.log(sp.Sum(sp.exp(logits[k]), (k, 0, n - 1))) - logits[c], inputs=[logits, c], plain=True)
    check(loss, {"z": np.array([-1047.0, -981.0, 1891.0]), "c": 0}, 2938.0, {"z": [-1.0, 0.0, 1.0]})


def test_log_sum_exp_keeps_its_maximum() -> None:
    """CasADi #3208: logsumexp([1, 0]) of symbols is 0.313, the maximum that was subtracted is not added again."""
    f = kernel(sp.log(sp.exp(x) + sp.exp(y)))
    s = at_fifty_digits(lambda: 1 / (1 + mp.exp(-1)))
    check(f, (1.0, 0.0), at_fifty_digits(lambda: mp.log(mp.e + 1)), {"x": s, "y": 1 - s})
    check(f, (1000.0, 1000.0), 1000 + math.log(2), {"x": 0.5, "y": 0.5})


def test_log_sum_exp_of_minus_infinity() -> None:
    """JAX #1624 and #6811, PyTorch #31829 and #49724: with -inf among the terms value or gradient is nan."""
    f = kernel(sp.log(sp.exp(x) + sp.exp(y)))
    check(f, (-math.inf, 1.0), 1.0, {"x": 0.0, "y": 1.0})
    assert f(-math.inf, -math.inf) == -math.inf
    three = kernel(sp.log(sp.exp(x) + sp.exp(y) + sp.exp(z)))
    check(three, (-math.inf, -math.inf, 2.0), 2.0, {"x": 0.0, "y": 0.0, "z": 1.0})


def test_hyperbolic_cosine() -> None:
    """CasADi #2585: for nine years the derivative of cosh was -sinh."""
    f = kernel(sp.cosh(x))
    check(f, {"x": 1.3}, math.cosh(1.3), {"x": math.sinh(1.3)})


@pytest.mark.parametrize(
    ("function", "by_hand"),
    [
        (sp.cot, mp.cot),
        (sp.sec, mp.sec),
        (sp.csc, mp.csc),
        (sp.acot, mp.acot),
        (sp.coth, mp.coth),
        (sp.sech, mp.sech),
    ],
    ids=lambda f: getattr(f, "__name__", ""),
)
def test_functions_numpy_lacks(function: object, by_hand: object) -> None:
    """SymPy #22992: lambdify prints cot, which neither NumPy nor the standard library has."""
    point = {"x": 0.7}
    value, grads = slopes(by_hand, point)
    check(kernel(function(x)), point, value, grads)


def test_incomplete_knowledge_of_special_functions() -> None:
    """SymPy pull requests #15613 and #17394: Bessel functions of half order and beta printed calls that do not fit."""
    point = {"x": 1.7}
    for expr, by_hand in (
        (sp.besselj(sp.Rational(1, 2), x), lambda x: mp.besselj(mp.mpf(1) / 2, x)),
        (sp.bessely(1, x), lambda x: mp.bessely(1, x)),
        (sp.digamma(x), mp.digamma),
    ):
        value, grads = slopes(by_hand, point)
        check(kernel(expr), point, value, grads, rtol=1e-11)
    values = {"a": 1.3, "b": 2.4}
    value, grads = slopes(mp.beta, values)
    check(kernel(sp.beta(a, b)), values, value, grads, rtol=1e-11)


def test_sum_that_skips_a_singularity() -> None:
    """JAX #4915: the gradient of the sum of 1/linspace(0, a, 100)[1:] is nan, the sum itself 42.7.

    By hand it is 99/a times the 99th harmonic number, with slope -1/a times that.
    """
    harmonic = math.fsum(1 / number for number in range(1, 100))
    f = kernel(sp.Sum(99 / (a * i), (i, 1, 99)))
    check(f, {"a": 12.0}, 99 * harmonic / 12, {"a": -99 * harmonic / 144})


def test_numbers_that_are_names() -> None:
    """SymPy pull request #17315: lambdify of a lone E raised a KeyError."""
    f = kernel(sp.E * x + sp.pi + sp.EulerGamma + sp.GoldenRatio)
    golden = (1 + math.sqrt(5)) / 2
    check(f, {"x": 2.0}, 2 * math.e + math.pi + 0.5772156649015329 + golden, {"x": math.e})


def test_sinc_without_pi() -> None:
    """SymPy #13642: lambdify prints NumPy's sinc, which is sin(pi*x)/(pi*x): 3.9e-17 instead of 0.84 at 1."""
    f, slope = kernel(sp.sinc(x), plain=True), kernel(sp.Derivative(sp.sinc(x), x), plain=True)
    for at in (1.0, 1e-3, -2.5):
        exact = [float(mp.diff(mp.sinc, at, order)) for order in (0, 1, 2)]
        check(f, {"x": at}, exact[0], {"x": exact[1]})
        check(slope, {"x": at}, exact[1], {"x": exact[2]})
    check(f, {"x": 0.0}, 1.0, {"x": 0.0})
    check(slope, {"x": 0.0}, 0.0, {"x": -1 / 3})


def test_survival_of_a_weibull_variable() -> None:
    """aeppl #156: with log(1 - exp(log(1 - exp(-(x/b)**a)))) the slope by a at x = 50 is -inf, not -50*log(50)."""
    f = kernel(sp.log(1 - sp.exp(sp.log(1 - sp.exp(-((x / b) ** a))))), plain=True)
    check(f, {"x": 50.0, "a": 1.0, "b": 1.0}, -50.0, {"x": -1.0, "a": -50 * math.log(50), "b": 50.0})


def test_softplus_of_a_logarithm() -> None:
    """PyTensor #1451: log(1 + exp(log(x))) is not seen to be log1p(x)."""
    f = kernel(sp.log(1 + sp.exp(sp.log(x))), plain=True)
    check(f, {"x": 1e-20}, 1e-20, {"x": 1.0})
    check(f, {"x": 3.0}, math.log(4), {"x": 0.25})


@pytest.mark.parametrize("at", [-16.5, -22.5, -14.5, 0.3])
def test_digamma_of_negative_numbers(at: float) -> None:
    """JAX #37635 and pull request #35307: the slope of digamma at -16.5 is -0.06 instead of 9.81."""
    for order in (0, 1):
        f = kernel(sp.polygamma(order, x), plain=True)
        check(f, {"x": at}, float(mp.psi(order, at)), {"x": float(mp.psi(order + 1, at))}, rtol=1e-12)


def test_digamma_at_its_ends() -> None:
    """JAX #37763: digamma(0) is nan. #38608: so is polygamma(1, inf), where it is 0."""
    assert kernel(sp.digamma(x), plain=True)(0.0) == -math.inf
    check(kernel(sp.polygamma(1, x), plain=True), {"x": math.inf}, 0.0, {"x": 0.0})


def test_area_functions_of_large_numbers() -> None:
    """JAX #40634: the slopes of arcsinh and arccosh square their argument: 0 instead of 1/x from 1e19 on."""
    check(kernel(sp.asinh(sp.exp(x)), plain=True), {"x": 500.0}, 500 + math.log(2), {"x": 1.0})
    check(kernel(sp.acosh(x), plain=True), {"x": 1e200}, math.log(2e200), {"x": 1e-200})


def test_division_by_a_binomial() -> None:
    """SymPy #26771: lambdify prints n/binomial(m, n) without the brackets that keep the denominator together."""
    f = kernel(a / sp.binomial(b, a), plain=True)
    point = {"a": 2.5, "b": 4.2}
    check(f, point, *slopes(lambda a, b: a / mp.binomial(b, a), point), rtol=1e-11)
    assert f(2.0, 4.0) == pytest.approx(1 / 3, rel=1e-14)


def test_density_of_the_uniform_beta() -> None:
    """JAX #15598: the gradient of the log density of Beta(a, b) at a = b = 1 is wrong; logarithms of x must stay."""
    f = kernel((a - 1) * sp.log(x) + (b - 1) * sp.log(1 - x) - sp.log(sp.beta(a, b)), plain=True)
    for values in ({"a": 1.0, "b": 1.0, "x": 0.5}, {"a": 300.0, "b": 400.0, "x": 0.45}):
        value, grads = slopes(
            lambda a, b, x: (a - 1) * mp.log(x) + (b - 1) * mp.log(1 - x) - mp.log(mp.beta(a, b)), values
        )
        check(f, values, value, grads, rtol=1e-10)


def test_root_of_a_lambert_function() -> None:
    """SymPy #18805 and #27691: lambdify of sqrt(2)*sqrt(LambertW(2*y**2)) ends in a NameError."""
    point = {"y": 1.3}
    f = kernel(sp.sqrt(2) * sp.sqrt(sp.LambertW(2 * y**2)), plain=True)
    check(f, point, *slopes(lambda y: mp.sqrt(2) * mp.sqrt(mp.lambertw(2 * y**2).real), point))
