"""Error functions without branches or library calls: see `vector_math`.

erfc(x) = exp(-x**2) P(t)/(1 + 2 x) with t = (x - 3)/(x + 3), the form of M. M. Shepherd and J. G. Laframboise,
"Chebyshev approximation of (1 + 2x) exp(x**2) erfc(x)" (1981), with an own polynomial for x from 0 to 28.
"""

# ruff: noqa: PLR0124 - NaN is the number that differs from itself

from __future__ import annotations

import math

import numpy as np

from symbackprop.ops.vector_math import vexp_reduced, vexp_tail, vexpm1_parts, vhead

__all__ = ["verf", "verfc", "verfc_tail"]


def verfc_tail(x: float) -> float:
    """erfc(x) for x from 0 to 28; the square is split exactly, and the rounding of what is large put back."""
    u = 2.0 * (x / (x + 3.0))
    t = u - 1.0
    p = -4.210104975119195e-09
    p = p * t - 8.500119502115306e-09
    p = p * t + 3.29163439676632e-08
    p = p * t + 9.186243026143847e-08
    p = p * t - 1.311166137536459e-07
    p = p * t - 6.050048623933503e-07
    p = p * t + 3.4899197889744293e-07
    p = p * t + 3.463997532352904e-06
    p = p * t - 7.275875746667183e-07
    p = p * t - 2.009663087595395e-05
    p = p * t + 4.948147875576539e-06
    p = p * t + 0.00012509815174864322
    p = p * t - 0.00010515949033775975
    p = p * t - 0.0007798320379611115
    p = p * t + 0.001888690312003782
    p = p * t + 0.002529391788270445
    p = p * t - 0.02377051491423367
    p = p * t + 0.06830802734580459
    p = p * t - 0.11927366341552853
    p = p * t + 0.12964515870270552
    p = p * t - 0.047562294353446374
    p = p * t - 0.1356211061245807
    tail = p * t
    p = 1.2530080582697296 + tail
    lost = (1.2530080582697296 - p) + (tail + 1.3 * t * t * (u - (t + 1.0)) + 2.976791909202099e-17)
    a = vhead(x)
    far, c, k = vexp_reduced(-a * a)
    c -= (x - a) * (x + a)
    r = far + c
    c = (far - r) + c
    d = 1.0 + 2.0 * x
    v = p / d
    g, h = vhead(v), vhead(d)
    rest = ((p - g * h) - (g * (d - h) + (v - g) * h)) - (v - g) * (d - h)
    lost = 0.89 * v * (rest + (lost - v * ((1.0 - d) + 2.0 * x)))
    rest = vexp_tail(r) + c
    q = r + rest
    lost = lost * (1.0 + q) + v * ((r - q) + rest)
    half = k >> 1
    first = np.int64((half + 1023) << 52).view(np.float64)
    second = np.int64((k - half + 1023) << 52).view(np.float64)
    return (v + (v * q + lost)) * first * second


def verfc(x: float) -> float:
    """erfc(x) = 2 - erfc(-x) for negative x."""
    a = abs(x)
    t = verfc_tail(a if a < 27.3 else (27.3 if x == x else x))
    return 2.0 - t if x < 0.0 else t


def verf(x: float) -> float:
    """erf(x), a polynomial up to 3/4, and 1 - exp(-x**2) P(t) beyond, t = (x - 3)/(x + 3)."""
    a = abs(x)
    b = a if a < 6.0 else (6.0 if x == x else x)
    t = (b - 3.0) / (b + 3.0)
    p = 1.4704458524418979e-07
    p = p * t + 1.4771136739099215e-06
    p = p * t + 2.0470055647805556e-06
    p = p * t - 8.076391870941951e-06
    p = p * t - 1.2871240511122717e-05
    p = p * t + 6.407070980086816e-05
    p = p * t + 4.525875029351045e-05
    p = p * t - 0.0005970628829929787
    p = p * t + 0.0007077461242566231
    p = p * t + 0.004269136361935043
    p = p * t - 0.024392499306054555
    p = p * t + 0.07166583719759204
    p = p * t - 0.15011593650098842
    p = p * t + 0.24560380171233265
    p = p * t - 0.3262335600430362
    p = p * t + 0.17900115118138996
    q, k = vexpm1_parts(-b * b)
    rest = 1.0 - p * ((1.0 + q) * np.int64((k + 1023) << 52).view(np.float64))
    z = a * a if a < 1.0 else 1.0
    p = 1.1472499701094691e-08
    p = p * z - 1.5940066854661717e-07
    p = p * z + 1.643068417974155e-06
    p = p * z - 1.4924196305569617e-05
    p = p * z + 0.00012055289567541706
    p = p * z - 0.0008548326188759752
    p = p * z + 0.005223977615420539
    p = p * z - 0.026866170644428485
    p = p * z + 0.11283791670952596
    p = p * z - 0.37612638903183715
    p = p * z + 0.1283791670955126
    return math.copysign(rest if a > 0.75 else a + a * p, x)
