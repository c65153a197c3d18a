"""The residuals of the 35 problems of Moré, Garbow and Hillstrom, written by hand for mpmath numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mpmath as mp

from tests.end_to_end.more_garbow_hillstrom_data import (
    BARD,
    GAUSSIAN,
    KOWALIK_OSBORNE,
    KOWALIK_OSBORNE_AT,
    MEYER,
    OSBORNE_1,
    OSBORNE_2,
)


def numbers(entries: Sequence[float]) -> list[Any]:
    return [mp.mpf(float(e)) for e in entries]


def counted(m: int) -> list[Any]:
    return [mp.mpf(i) for i in range(1, m + 1)]


def beale(v: list[Any]) -> list[Any]:
    return [c - v[0] * (1 - v[1] ** p) for p, c in enumerate((mp.mpf("1.5"), mp.mpf("2.25"), mp.mpf("2.625")), 1)]


def helical(v: list[Any]) -> list[Any]:
    turn = mp.atan2(v[1], v[0]) / (2 * mp.pi)  # differs from the paper's theta by a full turn for x1 < 0, x2 < 0
    turn += 1 if v[0] < 0 and v[1] < 0 else 0
    return [10 * (v[2] - 10 * turn), 10 * (mp.hypot(v[0], v[1]) - 1), v[2]]


def bard(v: list[Any]) -> list[Any]:
    return [
        y - v[0] - i / ((16 - i) * v[1] + min(i, 16 - i) * v[2])
        for y, i in zip(numbers(BARD), counted(15), strict=True)
    ]


def gulf(v: list[Any]) -> list[Any]:
    out = []
    for i in counted(99):
        y = 25 + mp.cbrt((50 * mp.log(100 / i)) ** 2)
        out.append(mp.exp(-(abs(y - v[1]) ** v[2]) / v[0]) - i / 100)
    return out


def brown_dennis(v: list[Any]) -> list[Any]:
    return [
        (v[0] + i / 5 * v[1] - mp.exp(i / 5)) ** 2 + (v[2] + v[3] * mp.sin(i / 5) - mp.cos(i / 5)) ** 2
        for i in counted(20)
    ]


def biggs(v: list[Any]) -> list[Any]:
    out = []
    for i in counted(13):
        e = [mp.exp(-i * v[at] / 10) for at in (0, 1, 4)]
        y = mp.exp(-i / 10) - 5 * mp.exp(-i) + 3 * mp.exp(-2 * i / 5)
        out.append(v[2] * e[0] - v[3] * e[1] + v[5] * e[2] - y)
    return out


def osborne_2(v: list[Any]) -> list[Any]:
    out = []
    for y, i in zip(numbers(OSBORNE_2), counted(65), strict=True):
        t = (i - 1) / 10
        out.append(y - v[0] * mp.exp(-t * v[4]))
        for p in range(3):
            out[-1] -= v[1 + p] * mp.exp(-v[5 + p] * (t - v[8 + p]) ** 2)
    return out


def watson(v: list[Any]) -> list[Any]:
    out = []
    for i in counted(29):
        slope, value = mp.mpf(0), mp.mpf(0)
        for c in reversed(v):  # Horner's scheme for the polynomial and its derivative
            slope = slope * i / 29 + value
            value = value * i / 29 + c
        out.append(slope - value**2 - 1)
    return [*out, v[0], v[1] - v[0] ** 2 - 1]


def rosenbrock(v: list[Any]) -> list[Any]:
    return [r for a, b in zip(v[::2], v[1::2], strict=True) for r in (10 * (b - a**2), 1 - a)]


def powell(v: list[Any]) -> list[Any]:
    out = []
    for a, b, c, d in zip(v[::4], v[1::4], v[2::4], v[3::4], strict=True):
        out += [a + 10 * b, mp.sqrt(5) * (c - d), (b - 2 * c) ** 2, mp.sqrt(10) * (a - d) ** 2]
    return out


def penalty_1(v: list[Any]) -> list[Any]:
    return [*(mp.sqrt(mp.mpf("1e-5")) * (e - 1) for e in v), mp.fsum(e**2 for e in v) - mp.mpf("0.25")]


def penalty_2(v: list[Any]) -> list[Any]:
    root, e = mp.sqrt(mp.mpf("1e-5")), [mp.exp(c / 10) for c in v]
    out = [v[0] - mp.mpf("0.2")]
    for p in range(1, len(v)):
        out.append(root * (e[p] + e[p - 1] - mp.exp(mp.mpf(p + 1) / 10) - mp.exp(mp.mpf(p) / 10)))
        out.append(root * (e[p] - mp.exp(-mp.mpf(1) / 10)))
    return [*out, mp.fsum((len(v) - p) * c**2 for p, c in enumerate(v)) - 1]


def variably(v: list[Any]) -> list[Any]:
    s = mp.fsum(p * (c - 1) for p, c in enumerate(v, 1))
    return [*(c - 1 for c in v), s, s**2]


def trigonometric(v: list[Any]) -> list[Any]:
    s = mp.fsum(1 - mp.cos(c) for c in v)
    return [s + p * (1 - mp.cos(c)) - mp.sin(c) for p, c in enumerate(v, 1)]


def almost_linear(v: list[Any]) -> list[Any]:
    return [*(c + mp.fsum(v) - len(v) - 1 for c in v[:-1]), mp.fprod(v) - 1]


def padded(v: list[Any]) -> list[Any]:
    """With zeros before and behind, so that entries count from 1 and neighbours exist."""
    return [mp.mpf(0), *v, mp.mpf(0)]


def boundary_value(v: list[Any]) -> list[Any]:
    w, h = padded(v), mp.mpf(1) / (len(v) + 1)
    return [2 * w[p] - w[p - 1] - w[p + 1] + h**2 * (w[p] + p * h + 1) ** 3 / 2 for p in range(1, len(v) + 1)]


def integral_equation(v: list[Any]) -> list[Any]:
    h = mp.mpf(1) / (len(v) + 1)
    out = []
    for p, c in enumerate(v, 1):
        kernel = [(1 - p * h) * q * h if q <= p else p * h * (1 - q * h) for q in range(1, len(v) + 1)]
        cubes = [(e + q * h + 1) ** 3 for q, e in enumerate(v, 1)]
        out.append(c + h / 2 * mp.fdot(kernel, cubes))
    return out


def tridiagonal(v: list[Any]) -> list[Any]:
    w = padded(v)
    return [(3 - 2 * w[p]) * w[p] - w[p - 1] - 2 * w[p + 1] + 1 for p in range(1, len(v) + 1)]


def banded(v: list[Any]) -> list[Any]:
    out = []
    for p, c in enumerate(v):
        others = [v[q] for q in range(max(0, p - 5), min(len(v), p + 2)) if q != p]
        out.append(c * (2 + 5 * c**2) + 1 - mp.fsum(e * (1 + e) for e in others))
    return out


def full_rank(v: list[Any]) -> list[Any]:
    shared = 2 * mp.fsum(v) / (2 * len(v)) + 1
    return [*(c - shared for c in v), *(-shared for _ in v)]


def rank_1(v: list[Any]) -> list[Any]:
    s = mp.fsum(p * c for p, c in enumerate(v, 1))
    return [p * s - 1 for p in range(1, 2 * len(v) + 1)]


def rank_1_zeros(v: list[Any]) -> list[Any]:
    s = mp.fsum(p * c for p, c in enumerate(v[1:-1], 2))
    return [mp.mpf(-1), *(p * s - 1 for p in range(1, 2 * len(v) - 1)), mp.mpf(-1)]


def chebyquad(v: list[Any]) -> list[Any]:
    before, current = [mp.mpf(1)] * len(v), [2 * c - 1 for c in v]
    out = []
    for p in range(1, len(v) + 1):
        integral = mp.mpf(0) if p % 2 else mp.mpf(-1) / (p * p - 1)
        out.append(mp.fsum(current) / len(v) - integral)
        before, current = current, [2 * (2 * c - 1) * e - b for c, e, b in zip(v, current, before, strict=True)]
    return out


def freudenstein_roth(v: list[Any]) -> list[Any]:
    return [-13 + v[0] + 5 * v[1] ** 2 - v[1] ** 3 - 2 * v[1], -29 + v[0] + v[1] ** 3 + v[1] ** 2 - 14 * v[1]]


def powell_badly_scaled(v: list[Any]) -> list[Any]:
    return [10000 * v[0] * v[1] - 1, mp.exp(-v[0]) + mp.exp(-v[1]) - mp.mpf("1.0001")]


def brown_badly_scaled(v: list[Any]) -> list[Any]:
    return [v[0] - 1000000, v[1] - mp.mpf("2e-6"), v[0] * v[1] - 2]


def jennrich_sampson(v: list[Any]) -> list[Any]:
    return [2 + 2 * i - mp.exp(i * v[0]) - mp.exp(i * v[1]) for i in counted(10)]


def gaussian(v: list[Any]) -> list[Any]:
    shape = [v[0] * mp.exp(-v[1] * (4 - p / 2 - v[2]) ** 2 / 2) for p in counted(15)]
    return [s - y for s, y in zip(shape, numbers(GAUSSIAN), strict=True)]


def meyer(v: list[Any]) -> list[Any]:
    return [v[0] * mp.exp(v[1] / (45 + 5 * p + v[2])) - y for y, p in zip(numbers(MEYER), counted(16), strict=True)]


def box(v: list[Any]) -> list[Any]:
    return [
        mp.exp(-p * v[0] / 10) - mp.exp(-p * v[1] / 10) - v[2] * (mp.exp(-p / 10) - mp.exp(-p)) for p in counted(10)
    ]


def wood(v: list[Any]) -> list[Any]:
    first = [10 * (v[1] - v[0] ** 2), 1 - v[0], mp.sqrt(90) * (v[3] - v[2] ** 2), 1 - v[2]]
    return [*first, mp.sqrt(10) * (v[1] + v[3] - 2), (v[1] - v[3]) / mp.sqrt(10)]


def kowalik_osborne(v: list[Any]) -> list[Any]:
    rows = zip(numbers(KOWALIK_OSBORNE), numbers(KOWALIK_OSBORNE_AT), strict=True)
    return [y - v[0] * (u * u + u * v[1]) / (u * u + u * v[2] + v[3]) for y, u in rows]


def osborne_1(v: list[Any]) -> list[Any]:
    return [
        y - (v[0] + v[1] * mp.exp(-10 * (p - 1) * v[3]) + v[2] * mp.exp(-10 * (p - 1) * v[4]))
        for y, p in zip(numbers(OSBORNE_1), counted(33), strict=True)
    ]
