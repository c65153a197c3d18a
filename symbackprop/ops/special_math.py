"""Scalar helper functions of the special functions, like those of `scalar_math`: text for generated modules.

Orders come as floats, so that everything a helper holds has one type, float32 as well.

Sources of the formulas: the NIST Digital Library of Mathematical Functions, sections 2.10 and 25.11 (Euler-Maclaurin),
4.13 (Lambert W), 5.15 (polygamma), 10.51 and 10.53 (spherical Bessel functions); R. Iacono and J. P. Boyd, "New
approximations to the principal real-valued branch of the Lambert W-function" (2017) for the iteration.
"""

from __future__ import annotations

import math

import numpy as np

from symbackprop.ops.external import scipy_binom

__all__ = [
    "binomial",
    "erf2",
    "hurwitz_zeta",
    "lambert_w",
    "log_gamma",
    "polygamma",
    "real_gamma",
    "spherical_jn",
    "spherical_yn",
]


def erf2(x: float, y: float) -> float:
    """erf(y) - erf(x), by tails where both are on one side, so that it does not cancel."""
    return (
        math.erfc(x) - math.erfc(y)
        if (x > 0.5) & (y > 0.5)
        else (math.erfc(-y) - math.erfc(-x) if (x < -0.5) & (y < -0.5) else math.erf(y) - math.erf(x))
    )


def real_gamma(x: float) -> float:
    """Gamma function; NaN at the negative integers, where the two sides differ in sign."""
    return math.nan if (x < 0.0) & (x == np.floor(x)) else math.gamma(x)


def log_gamma(x: float) -> float:
    """Logarithm of the gamma function for x >= 0; NaN below, where it is not real."""
    return math.nan if x < 0.0 else math.lgamma(x)


def hurwitz_zeta(s: float, x: float) -> float:
    """Sum of (x + k)**-s over k = 0, 1, ... for s > 1 and x >= 0, by Euler and Maclaurin after some terms."""
    total: float = 0.0
    while x < s + 10.0:
        total += x**-s
        x += 1.0
    total += x ** (1.0 - s) / (s - 1.0) + 0.5 * x**-s
    term: float = s * x ** (-s - 1.0)
    total += term / 12.0
    term *= (s + 1.0) * (s + 2.0) / (x * x)
    total -= term / 720.0
    term *= (s + 3.0) * (s + 4.0) / (x * x)
    total += term / 30240.0
    term *= (s + 5.0) * (s + 6.0) / (x * x)
    total -= term / 1209600.0
    term *= (s + 7.0) * (s + 8.0) / (x * x)
    total += term / 47900160.0
    term *= (s + 9.0) * (s + 10.0) / (x * x)
    total -= term * 5.284190138687493e-10
    term *= (s + 11.0) * (s + 12.0) / (x * x)
    return total + term / 74724249600.0


def polygamma(n: float, x: float) -> float:
    """Derivative number n >= 1 of the digamma function; for x <= 0 the sum over the poles is split at 0."""
    s = n + 1.0
    odd = n % 2.0 == 1.0
    if x > 0.0:
        total = hurwitz_zeta(s, x)
    else:
        m = np.floor(-x) + 1.0
        beyond = x + m
        below = hurwitz_zeta(s, 1.0 - beyond) - hurwitz_zeta(s, 1.0 - beyond + m)
        total = hurwitz_zeta(s, beyond) + (below if odd else -below)
    return math.gamma(s) * (total if odd else -total)


def binomial(x: float, y: float) -> float:
    """Binomial coefficient of reals; a whole number for whole numbers, 0 outside Pascal's triangle."""
    whole = (x == np.floor(x)) & (y == np.floor(y))
    value = scipy_binom(x, y) if not (whole & (y < 0.0)) else 0.0 * x
    return np.floor(value + 0.5) if whole & (abs(value) < 4503599627370496.0) else value


def lambert_w(branch: float, x: float) -> float:
    """Solution w of w*exp(w) = x: the one from -1 up for branch 0, the one from -1 down for branch -1; else NaN.

    A series in p = sqrt(2*(e*x + 1)) where p is small, elsewhere w <- w/(1 + w) * (1 + log(x/w)), which converges
    quadratically and cannot overflow. Where x/w underflows, w <- log(-x) - log(-w) converges as fast.
    """
    q = 5.43656365691809 * ((x + 0.36787944117144233) - 1.2428753672788363e-17)
    if not (q > -1e-15) or (branch < 0.0 and x > 0.0):
        return math.nan
    if x == 0.0:
        return x if branch == 0.0 else -math.inf
    if x == math.inf:
        return x
    p = math.sqrt(max(0.0, q))
    p = -p if branch < 0.0 else p
    series = 769.0 / 17280.0 - p * (221.0 / 8505.0)
    series = -1.0 + p * (1.0 - p * (1.0 / 3.0 - p * (11.0 / 72.0 - p * (43.0 / 540.0 - p * series))))
    if abs(p) < 0.005:
        return series
    if branch < 0.0:
        first = math.log(-x)
        second = math.log(-first)
        w = series if x < -0.2 else first - second + second / first
    else:
        first = math.log1p(x)
        w = series if x < -0.25 else first * (1.0 - math.log1p(first) / (2.0 + first))
    k = 0.0
    while k < 6.0:
        w = w / (1.0 + w) * (1.0 + math.log(x / w)) if x / w > 0.0 else first - math.log(-w)
        k += 1.0
    return w


def spherical_jn(n: float, x: float) -> float:
    """Spherical Bessel function j of integer order n >= 0.

    Its power series where that does not cancel, the recurrence upwards for abs(x) > n, downwards between.
    """
    a = abs(x)
    sign = -1.0 if x < 0.0 and n % 2.0 == 1.0 else 1.0
    if a == math.inf:
        return 0.0 * sign
    if a * a < n + 1.5:
        term = sign
        k = 1.0
        while k <= n:
            term *= a / (2.0 * k + 1.0)
            k += 1.0
        total = term
        k = 1.0
        while k < 20.0:
            term *= -0.5 * a * a / (k * (2.0 * n + 2.0 * k + 1.0))
            total += term
            k += 1.0
        return total
    first = math.sin(a) / a
    second = (first - math.cos(a)) / a
    if a > n:
        low, high = first, second
        k = 1.0
        while k <= n:
            low, high = high, (2.0 * k + 1.0) / a * high - low
            k += 1.0
        return sign * low
    high, low, found = 0.0, 1e-30, 0.0
    k = 2.0 * n + 40.0
    while k > 0.0:
        found = low if k == n else found
        high, low = low, (2.0 * k + 1.0) / a * low - high
        if abs(low) > 1e25:
            low *= 1e-25
            high *= 1e-25
            found *= 1e-25
        k -= 1.0
    return sign * found * (first / low if abs(first) > abs(second) else second / high)


def spherical_yn(n: float, x: float) -> float:
    """Spherical Bessel function y of integer order n >= 0, by the recurrence upwards, which is stable."""
    a = abs(x)
    sign = -1.0 if x < 0.0 and n % 2.0 == 0.0 else 1.0
    if a == math.inf:
        return 0.0 * sign
    low = -math.cos(a) / a
    high = (low - math.sin(a)) / a
    k = 1.0
    while k <= n:
        low, high = high, ((2.0 * k + 1.0) / a * high - low if high > -math.inf else high)
        k += 1.0
    return sign * low
