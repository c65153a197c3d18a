"""Error functions, the gamma function and its relatives, exponential and trigonometric integrals, Lambert's W.

Values are NaN where the function is not real. Orders (of polygamma, incomplete gamma, expint) and the branch of W are
first operands and constants.
"""

# ruff: noqa: ARG001 - a rule names every operand, used or not

from __future__ import annotations

import math
from typing import Any

import numpy as np
import sympy as sp

from symbackprop.deferred import Deferred
from symbackprop.ir.node import Node
from symbackprop.ir.registry import Domain, Trait, elementwise
from symbackprop.ops import external, special_math
from symbackprop.ops.arithmetic import integer_power
from symbackprop.ops.bessel import order_of
from symbackprop.ops.transcendental import cos, exp, log, sin
from symbackprop.ops.trigonometry import sinc
from symbackprop.ops.vector_forms import VECTOR

sc = Deferred("scipy.special")

__all__ = [
    "beta",
    "binomial",
    "cosine_integral",
    "digamma",
    "erf2",
    "erfc",
    "erfcinv",
    "erfi",
    "erfinv",
    "expint",
    "exponential_integral",
    "fresnel_c",
    "fresnel_s",
    "gamma",
    "lambert_w",
    "log_gamma",
    "lower_gamma",
    "poch",
    "polygamma",
    "sine_integral",
    "upper_gamma",
]

Partials = tuple[Node | None, ...]

SLOW = Trait.TRANSCENDENTAL
ANY, POSITIVE = Domain(), Domain(0.0)
SLOPE = 2.0 / math.sqrt(math.pi)


def _bell(x: Node) -> Node:
    """Return the slope of erf."""
    return SLOPE * exp(-integer_power(x, attr=(2,)))


@elementwise(numpy=sc.erfc, emit="math.erfc(x)", sympy=sp.erfc, vector=VECTOR["erfc"], traits=SLOW)
def erfc(out: Node, x: Node) -> Partials:
    """1 - erf(x), accurate in its tail: partial -2/sqrt(pi)*exp(-x**2)."""
    return (-_bell(x),)


def _erf2(x: Any, y: Any) -> Any:
    x, y = np.asarray(x), np.asarray(y)
    left = np.where((x < -0.5) & (y < -0.5), sc.erfc(-y) - sc.erfc(-x), sc.erf(y) - sc.erf(x))
    return np.where((x > 0.5) & (y > 0.5), sc.erfc(x) - sc.erfc(y), left)


@elementwise(numpy=_erf2, emit="erf2(x, y)", sympy=sp.erf2, helpers=(special_math.erf2,), traits=SLOW, flops=3)
def erf2(out: Node, x: Node, y: Node) -> Partials:
    """erf(y) - erf(x): partials the two slopes of erf."""
    return (-_bell(x), _bell(y))


@elementwise(numpy=sc.erfi, emit="scipy_erfi(x)", sympy=sp.erfi, helpers=(external.scipy_erfi,), traits=SLOW)
def erfi(out: Node, x: Node) -> Partials:
    """erf(i*x)/i: partial 2/sqrt(pi)*exp(x**2)."""
    return (SLOPE * exp(integer_power(x, attr=(2,))),)


@elementwise(
    numpy=sc.erfinv,
    emit="scipy_erfinv(x)",
    sympy=sp.erfinv,
    helpers=(external.scipy_erfinv,),
    domain=(Domain(-1.0, 1.0),),
    traits=SLOW,
)
def erfinv(out: Node, x: Node) -> Partials:
    """The inverse of erf: partial sqrt(pi)/2*exp(out**2)."""
    return ((1.0 / SLOPE) * exp(integer_power(out, attr=(2,))),)


@elementwise(
    numpy=sc.erfcinv,
    emit="scipy_erfcinv(x)",
    sympy=sp.erfcinv,
    helpers=(external.scipy_erfcinv,),
    domain=(Domain(0.0, 2.0),),
    traits=SLOW,
)
def erfcinv(out: Node, x: Node) -> Partials:
    """The inverse of erfc: partial -sqrt(pi)/2*exp(out**2)."""
    return ((-1.0 / SLOPE) * exp(integer_power(out, attr=(2,))),)


@elementwise(
    numpy=sc.gamma,
    emit="real_gamma(x)",
    sympy=sp.gamma,
    helpers=(special_math.real_gamma,),
    domain=(POSITIVE,),
    traits=SLOW,
    flops=2,
)
def gamma(out: Node, x: Node) -> Partials:
    """The gamma function: partial out*digamma(x)."""
    return (out * digamma(x),)


@elementwise(
    numpy=lambda x: np.where(np.less(x, 0), np.nan, np.where(np.less(x, 1e-300), -np.log(x), sc.gammaln(x))),
    emit="log_gamma(x)",
    sympy=sp.loggamma,
    helpers=(special_math.log_gamma,),
    domain=(POSITIVE,),
    traits=SLOW,
    flops=2,
)
def log_gamma(out: Node, x: Node) -> Partials:
    """The logarithm of the gamma function, for x > 0: partial digamma(x)."""
    return (digamma(x),)


@elementwise(
    numpy=sc.psi,
    emit="scipy_psi(x)",
    sympy=sp.digamma,
    helpers=(external.scipy_psi,),
    domain=(POSITIVE,),
    traits=SLOW,
    flops=10,
)
def digamma(out: Node, x: Node) -> Partials:
    """The slope of log(gamma(x)): partial trigamma(x)."""
    return (polygamma(1.0, x),)


def _polygamma(n: Any, x: Any) -> Any:
    n, x = np.asarray(n, np.float64), np.asarray(x)
    odd = n % 2 == 1
    m = np.where(x > 0, 0.0, np.floor(-x) + 1.0)
    rest = 1.0 - (x + m)
    below = np.where(x > 0, 0.0, sc.zeta(n + 1.0, rest) - sc.zeta(n + 1.0, rest + m))
    total = sc.zeta(n + 1.0, x + m) + np.where(odd, below, -below)
    return sc.gamma(n + 1.0) * np.where(odd, total, -total)


@elementwise(
    numpy=_polygamma,
    emit="polygamma(x, y)",
    sympy=sp.polygamma,
    helpers=(special_math.hurwitz_zeta, special_math.polygamma),
    domain=(ANY, POSITIVE),
    traits=SLOW,
    flops=40,
)
def polygamma(out: Node, order: Node, x: Node) -> Partials:
    """Derivative number n of digamma, n >= 1: partial the next one."""
    return (None, polygamma(order_of(order) + 1.0, x))


@elementwise(
    numpy=sc.beta,
    emit="scipy_beta(x, y)",
    sympy=lambda x, y: sp.gamma(x) * sp.gamma(y) / sp.gamma(x + y),
    helpers=(external.scipy_beta,),
    domain=(POSITIVE, POSITIVE),
    traits=SLOW | Trait.COMMUTATIVE,
    flops=20,
)
def beta(out: Node, x: Node, y: Node) -> Partials:
    """gamma(x)*gamma(y)/gamma(x + y): partials out times differences of digamma."""
    both = digamma(x + y)
    return (out * (digamma(x) - both), out * (digamma(y) - both))


def _binomial(x: Any, y: Any) -> Any:
    x, y = np.asarray(x), np.asarray(y)
    whole = (x == np.floor(x)) & (y == np.floor(y))
    value = np.where(whole & (y < 0), 0.0 * x, sc.binom(x, y))
    return np.where(whole & (np.abs(value) < 2.0**52), np.floor(value + 0.5), value)


@elementwise(
    numpy=_binomial,
    emit="binomial(x, y)",
    sympy=lambda x, y: sp.gamma(x + 1) / (sp.gamma(y + 1) * sp.gamma(x - y + 1)),
    helpers=(external.scipy_binom, special_math.binomial),
    domain=(Domain(2.6), POSITIVE),
    traits=SLOW,
    flops=20,
)
def binomial(out: Node, x: Node, y: Node) -> Partials:
    """gamma(x+1)/(gamma(y+1)*gamma(x-y+1)): partials out times differences of digamma."""
    rest = digamma(x - y + 1.0)
    return (out * (digamma(x + 1.0) - rest), out * (rest - digamma(y + 1.0)))


@elementwise(
    numpy=sc.poch,
    emit="scipy_poch(x, y)",
    sympy=lambda x, y: sp.gamma(x + y) / sp.gamma(x),
    helpers=(external.scipy_poch,),
    domain=(POSITIVE, POSITIVE),
    traits=SLOW,
    flops=20,
)
def poch(out: Node, x: Node, y: Node) -> Partials:
    """gamma(x + y)/gamma(x), the rising factorial: partials out times digammas."""
    both = digamma(x + y)
    return (out * (both - digamma(x)), out * both)


def _gamma_density(order: Node, x: Node) -> Node:
    """Return x**(s - 1)*exp(-x)/gamma(s)."""
    s = order_of(order)
    return exp(-x) if s == 1 else exp((s - 1.0) * log(x) - x - math.lgamma(s))


@elementwise(
    numpy=sc.gammainc,
    emit="scipy_gammainc(x, y)",
    sympy=lambda s, x: sp.lowergamma(s, x) / sp.gamma(s),
    helpers=(external.scipy_gammainc,),
    domain=(ANY, POSITIVE),
    traits=SLOW,
    flops=20,
)
def lower_gamma(out: Node, order: Node, x: Node) -> Partials:
    """The lower incomplete gamma function over gamma(s), s > 0: partial x**(s - 1)*exp(-x)/gamma(s)."""
    return (None, _gamma_density(order, x))


@elementwise(
    numpy=sc.gammaincc,
    emit="scipy_gammaincc(x, y)",
    sympy=lambda s, x: sp.uppergamma(s, x) / sp.gamma(s),
    helpers=(external.scipy_gammaincc,),
    domain=(ANY, POSITIVE),
    traits=SLOW,
    flops=20,
)
def upper_gamma(out: Node, order: Node, x: Node) -> Partials:
    """The upper incomplete gamma function over gamma(s), s > 0: partial -x**(s - 1)*exp(-x)/gamma(s)."""
    return (None, -_gamma_density(order, x))


@elementwise(
    numpy=sc.expi,
    emit="scipy_expi(x)",
    sympy=sp.Ei,
    helpers=(external.scipy_expi,),
    domain=(POSITIVE,),
    traits=SLOW,
    flops=20,
)
def exponential_integral(out: Node, x: Node) -> Partials:
    """Ei(x), the integral of exp(t)/t: partial exp(x)/x."""
    return (exp(x) / x,)


@elementwise(
    numpy=sc.expn,
    emit="scipy_expn(x, y)",
    sympy=sp.expint,
    helpers=(external.scipy_expn,),
    domain=(ANY, POSITIVE),
    traits=SLOW,
    flops=20,
)
def expint(out: Node, order: Node, x: Node) -> Partials:
    """E of whole order n >= 0, for x > 0: partial -E[n-1]."""
    n = order_of(order)
    return (None, -(out * (1.0 + 1.0 / x)) if n == 0 else -expint(n - 1.0, x))


@elementwise(numpy=lambda x: sc.sici(x)[0], emit="scipy_si(x)", sympy=sp.Si, helpers=(external.scipy_si,), traits=SLOW)
def sine_integral(out: Node, x: Node) -> Partials:
    """Si(x), the integral of sin(t)/t from 0: partial sin(x)/x."""
    return (sinc(x),)


@elementwise(
    numpy=lambda x: np.where(np.less(x, 0), np.nan, sc.sici(x)[1]),
    emit="scipy_ci(x) if x >= 0.0 else math.nan",
    sympy=sp.Ci,
    helpers=(external.scipy_ci,),
    domain=(POSITIVE,),
    traits=SLOW,
)
def cosine_integral(out: Node, x: Node) -> Partials:
    """Ci(x) for x > 0: partial cos(x)/x."""
    return (cos(x) / x,)


@elementwise(
    numpy=lambda x: sc.fresnel(x)[0],
    emit="scipy_fresnel_s(x)",
    sympy=sp.fresnels,
    helpers=(external.scipy_fresnel_s,),
    traits=SLOW,
)
def fresnel_s(out: Node, x: Node) -> Partials:
    """Fresnel's S, the integral of sin(pi*t**2/2) from 0: partial that sine."""
    return (sin((0.5 * math.pi) * integer_power(x, attr=(2,))),)


@elementwise(
    numpy=lambda x: sc.fresnel(x)[1],
    emit="scipy_fresnel_c(x)",
    sympy=sp.fresnelc,
    helpers=(external.scipy_fresnel_c,),
    traits=SLOW,
)
def fresnel_c(out: Node, x: Node) -> Partials:
    """Fresnel's C, the integral of cos(pi*t**2/2) from 0: partial that cosine."""
    return (cos((0.5 * math.pi) * integer_power(x, attr=(2,))),)


def _lambert_w(branch: Any, x: Any) -> Any:
    branch, x = np.asarray(branch), np.asarray(x, np.float64)
    main = sc.lambertw(x, 0)
    other = sc.lambertw(np.where(x > 0, np.nan, x), -1)
    w = np.where(branch < 0, np.where(x == 0, -np.inf, other.real), np.where(np.isinf(x), x, main.real))
    tiny = (branch < 0) & (x < 0) & np.isinf(w)  # SciPy stops short of the smallest numbers
    for _ in range(6):
        w = np.where(tiny, np.log(-x) - np.log(np.where(np.isinf(w), 745.0, -w)), w)
    return np.where(x < -0.36787944117144233, np.nan, w)


@elementwise(
    numpy=_lambert_w,
    emit="lambert_w(x, y)",
    sympy=lambda k, x: sp.LambertW(x, k),
    helpers=(special_math.lambert_w,),
    domain=(ANY, Domain(-0.36, 0.0)),
    traits=SLOW,
    flops=40,
)
def lambert_w(out: Node, branch: Node, x: Node) -> Partials:
    """Lambert's W, branch 0 or -1: partial exp(-out)/(1 + out), which is 1 at 0 for branch 0."""
    return (None, exp(-out) / (1.0 + out))
