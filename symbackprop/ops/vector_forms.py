"""The forms of elementary functions that stand in loops over arrays, by primitive and dtype.

A form lists every function that its expression calls, directly or not, callees first; only these go into a module.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symbackprop.ir.registry import Form
from symbackprop.ops import vector_erf as erf
from symbackprop.ops import vector_log as log
from symbackprop.ops import vector_math as exp
from symbackprop.ops import vector_power as power
from symbackprop.ops import vector_trig as trig

__all__ = ["VECTOR", "forms"]

REDUCED = (exp.vexp_reduced, exp.vexp_tail)
EXP = (*REDUCED, exp.vexpm1_parts, exp.vexp)
LOG = (log.vlog_split, log.vlog_series, log.vlog_edge)
SOFT = (*EXP, *LOG, log.vlog1p)
PAIR = (log.vlog_split, power.vhead, power.vproduct)
HYPERBOLIC = (exp.vexp_reduced, exp.vhyperbolic_parts)


def forms(*double: Callable[..., Any], exact: bool = False) -> dict[str, Form]:
    """Return the forms that call the last function given; the others are what it calls.

    With `exact` the functions rely on every product being rounded before it is added.
    """
    entry = double[-1]
    operands = ", ".join("xyz"[: entry.__code__.co_argcount])
    return {"float64": Form(f"{entry.__name__}({operands})", double, exact=exact)}


VECTOR = {
    "acos": forms(trig.vasin_series, trig.vacos),
    "asin": forms(trig.vasin_series, trig.vasin),
    "atan": forms(trig.vatan_series, trig.vatan),
    "atan2": forms(trig.vatan_series, trig.vatan2),
    "cbrt": forms(log.vlog_split, power.vhead, power.vcbrt),
    "cosh": forms(*HYPERBOLIC, exp.vcosh),
    "erf": forms(*REDUCED, exp.vexpm1_parts, erf.verf),
    "erfc": forms(*REDUCED, power.vhead, power.vproduct, erf.verfc_tail, erf.verfc, exact=True),
    "exp": forms(*EXP),
    "expm1": forms(*REDUCED, exp.vexpm1),
    "log": forms(*LOG, log.vlog),
    "log10": forms(*LOG, log.vlog10),
    "log1p": forms(*LOG, log.vlog1p),
    "log2": forms(*LOG, log.vlog2),
    "logaddexp": forms(*SOFT, log.vlogaddexp),
    "power": forms(*REDUCED, *PAIR, power.vlog_pair, power.vpower, exact=True),
    "sigmoid": forms(*EXP, exp.vsigmoid),
    "sinh": forms(*HYPERBOLIC, exp.vsinh),
    "softplus": forms(*SOFT, log.vsoftplus),
    "tanh": forms(*REDUCED, exp.vtanh),
}
