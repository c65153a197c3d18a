"""Arguments over the whole range of the elementary functions, and errors in ulp against 50 digits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np

__all__ = ["EXACT", "Points", "arity", "sample", "worst"]

Points = tuple[Any, ...]
EXACT: dict[str, Callable[..., Any]] = {
    **{
        name: getattr(mpmath, name)
        for name in ("acos", "asin", "atan", "atan2", "cos", "cosh", "erf", "erfc", "exp", "expm1", "sin", "tan")
    },
    **{name: getattr(mpmath, name) for name in ("log", "log10", "log1p", "power", "sinh", "sqrt", "tanh")},
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "log2": lambda x: mpmath.log(x) / mpmath.log(2),
    "logaddexp": lambda x, y: mpmath.log(mpmath.exp(x) + mpmath.exp(y)),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
}


def near_quarter_turns(count: int, rng: np.random.Generator) -> list[Any]:
    """The numbers nearest to multiples of pi/2, small and large, and some around them."""
    points = np.rint(np.exp(rng.uniform(0.0, 13.5, count // 2))) * (math.pi / 2)
    return [points, -points.astype(np.float32).astype(np.float64), points * rng.normal(1.0, 1e-3, points.size)]


def sample(name: str, dtype: str, count: int, rng: np.random.Generator) -> Points:
    """Arguments over the whole range, near the zeros of the function and near its ends."""
    single = dtype == "float32"
    top = 88.0 if single else 709.0
    tiny, huge = (-45.0, 38.4) if single else (-323.0, 308.2)
    sign = rng.choice([-1.0, 1.0], count)
    spread = 10.0 ** rng.uniform(tiny, huge, count)
    small = 10.0 ** rng.uniform(tiny, 0.0, count)
    around_one = 1.0 + sign * 10.0 ** rng.uniform(-16.0, -0.5, count)
    normal = 2.0 * rng.normal(size=count)

    def wide(limit: float) -> list[Any]:
        return [rng.uniform(-limit, limit, count), normal, sign * small]

    one: dict[str, list[Any]] = {
        **{key: [spread, rng.uniform(0.4, 2.0, count), around_one] for key in ("log", "log2", "log10", "sqrt")},
        **{
            key: [sign * np.minimum(around_one, 2 - around_one), sign * small, rng.uniform(-1, 1, count)]
            for key in ("asin", "acos")
        },
        **{key: wide(top) for key in ("sinh", "cosh", "exp", "softplus")},
        "sigmoid": wide(top - 2.0),
        "expm1": [np.maximum(v, -40.0) for v in wide(top)],
        **{
            key: [normal, sign * small, rng.uniform(-7e3, 7e3, count), spread, *near_quarter_turns(count, rng)]
            for key in ("sin", "cos", "tan")
        },
        "tanh": wide(20.0),
        "atan": [sign * spread, normal],
        "cbrt": [sign * spread, normal],
        "erf": wide(6.0),
        "erfc": [*wide(6.0), rng.uniform(0.0, 9.1 if single else 26.5, count)],
        "log1p": [spread, around_one - 1.0, np.maximum(normal, -0.99), 10.0 ** rng.uniform(-16.0, 0.0, count) - 1.0],
    }
    if name in one:
        points = np.concatenate(one[name])
        lowest = -1.0 if name == "log1p" else -math.inf
        points = points.astype(dtype)
        return (points[np.isfinite(points) & (points > lowest) & ((points != 0) | (lowest < -1.0))],)
    if name == "power":
        base = np.concatenate([spread, np.abs(normal), np.abs(around_one)]).astype(dtype).astype(float)
        base = np.where((base > 0) & np.isfinite(base) & (base != 1.0), base, 1.5)
        return base.astype(dtype), (rng.uniform(-1.0, 1.0, base.size) * (top - 2.0) / np.abs(np.log(base))).astype(
            dtype
        )
    if name == "logaddexp":  # of numbers whose result is not near 0, where every formula cancels
        first = np.concatenate([rng.uniform(-top, top, count), 10 * normal, sign * spread])
        other = np.concatenate([first[:count] + 5.0 * normal, rng.permutation(10 * normal), spread])
        pair = first.astype(dtype), other.astype(dtype)
        kept = np.abs(np.logaddexp(*(v.astype(float) for v in pair))) >= 1.0
        return pair[0][kept], pair[1][kept]
    half = huge / 2 - 2.0
    a, b = (sign * 10.0 ** rng.uniform(-half, half, count) for _ in range(2))
    return np.concatenate([a, normal]).astype(dtype), np.concatenate([b, rng.normal(size=count)]).astype(dtype)


def worst(name: str, points: Points, values: Any) -> tuple[Any, ...]:
    """The largest error in ulp, where, and what came out; results that are subnormal or overflow are left out."""
    kind = values.dtype.type
    largest: tuple[Any, ...] = (0.0,)
    with mpmath.workdps(50), np.errstate(all="ignore"):
        for row in zip(*points, values, strict=True):
            *arguments, got = map(float, row)
            exact = EXACT[name](*map(mpmath.mpf, arguments))
            size = abs(kind(float(exact)))
            if not np.finfo(kind).tiny < size < np.inf:
                continue
            error = float(abs(mpmath.mpf(got) - exact) / mpmath.mpf(float(np.spacing(size))))
            largest = max(largest, (error if error == error else math.inf, *arguments, got))
    return largest


def arity(name: str) -> int:
    return 2 if name in {"atan2", "logaddexp", "power"} else 1
