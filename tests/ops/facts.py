"""What tests of primitives know beside the registry: boolean operands, constant orders, accuracy, mpmath's names."""

from __future__ import annotations

from typing import Any

import mpmath
import sympy as sp

from symbackprop.ir.registry import Primitive

#: How many leading operands are booleans.
BOOLEAN = {"and": 2, "or": 2, "not": 1, "select": 1, "real64": 1, "real32": 1}

#: Constants that stand for the first operand.
ORDERS: dict[str, tuple[float, ...]] = {
    "bessel_j": (0, 1, 2, 0.5, 3.25, -1, -0.75),
    "bessel_y": (0, 1, 2, 0.5, 3.25, -1),
    "bessel_i": (0, 1, 2, 0.5, 3.25, -1),
    "bessel_k": (0, 1, 2, 0.5, 3.25),
    "spherical_j": (0, 1, 2, 5, 9),
    "spherical_y": (0, 1, 2, 5),
    "polygamma": (1, 2, 3, 6),
    "lower_gamma": (1, 0.5, 2, 7.25),
    "upper_gamma": (1, 0.5, 2, 7.25),
    "expint": (0, 1, 2, 5),
    "lambert_w": (0, -1),
}

#: Largest relative error of functions whose implementation, libm's or SciPy's, is not within 2e-15.
ACCURACY = {
    **dict.fromkeys(("bessel_j", "bessel_y", "bessel_i", "bessel_k", "spherical_j", "spherical_y"), 2e-13),
    **dict.fromkeys(("airy_ai", "airy_ai_prime", "airy_bi", "airy_bi_prime"), 1e-13),
    **dict.fromkeys(("polygamma", "digamma", "gamma", "log_gamma", "beta", "binomial", "poch"), 2e-14),
    **dict.fromkeys(("lower_gamma", "upper_gamma", "expint", "exponential_integral", "lambert_w"), 2e-14),
    **dict.fromkeys(("erfinv", "erfcinv", "erfi", "erf2", "cosine_integral", "sine_integral"), 5e-15),
    **dict.fromkeys(("fresnel_s", "fresnel_c"), 1e-14),
}

_MPMATH = {
    "airyaiprime": lambda x: mpmath.airyai(x, derivative=1),
    "airybiprime": lambda x: mpmath.airybi(x, derivative=1),
    "erfcinv": lambda x: mpmath.erfinv(1 - x),
    "erf2": lambda x, y: mpmath.erf(y) - mpmath.erf(x),
    "lowergamma": lambda s, x: mpmath.gammainc(s, 0, x),
    "uppergamma": mpmath.gammainc,
    "polygamma": mpmath.psi,
    "LambertW": lambda x, k=0: mpmath.lambertw(x, int(k)),
}


def orders(op: Primitive) -> tuple[float | None, ...]:
    """The orders to test, None alone for a primitive without one."""
    return ORDERS.get(op.name, (None,))


def exact(op: Primitive, count: int, attr: tuple[int, ...] = (), order: float | None = None) -> Any:
    """The primitive's SymPy facet as a function of mpmath numbers, without the order."""
    symbols = sp.symbols(f"x:{count}", real=True)
    given = [sp.nsimplify(order), *symbols[1:]] if order is not None else symbols
    free = symbols[1:] if order is not None else symbols
    return sp.lambdify(free, op.sympy(*given, *attr), [_MPMATH, "mpmath"])
