"""The forms of elementary functions that stand in loops over arrays, by primitive and dtype.

A form lists every function that its expression calls, directly or not, callees first; only these go into a module.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from symbackprop.ir.registry import Form
from symbackprop.ops import neural_vector as neural
from symbackprop.ops import vector_erf as erf
from symbackprop.ops import vector_log as log
from symbackprop.ops import vector_math as exp
from symbackprop.ops import vector_power as power
from symbackprop.ops import vector_single as one
from symbackprop.ops import vector_single_trig as turn
from symbackprop.ops import vector_trig as trig

__all__ = ["ACTIVATIONS", "VECTOR", "forms"]

Functions = Sequence[Callable[..., Any]]

REDUCED = (exp.vexp_reduced, exp.vexp_tail)
EXPM1_PARTS = (*REDUCED, exp.vexpm1_parts)
EXP = (*EXPM1_PARTS, exp.vexp)
LOG = (log.vlog_split, log.vlog_series, log.vlog_edge)
ERFC = (*REDUCED, exp.vhead, erf.verfc_tail, erf.verfc)
LOG1P = (*LOG, log.vlog1p)
SOFT = (*EXP, log.vlog_series, log.vlog1p_unit)

HEAD32 = (one.vfloat32, one.vhead32)
REDUCED32 = (one.vexp32_reduced, one.vexp32_tail)
EXPM1_PARTS32 = (*REDUCED32, one.vfloat32, one.vexpm1_32_parts)
EXP32 = (*EXPM1_PARTS32, one.vexp32)
SPLIT32 = (one.vfloat32, one.vlog32_split)
LOG32 = (*SPLIT32, one.vlog32_series, one.vlog32_edge)
ERFC32 = (*REDUCED32, *HEAD32, turn.verfc32_tail, turn.verfc32)
LOG1P32 = (*LOG32, one.vlog1p32)
SOFT32 = (*EXP32, one.vlog32_series, one.vlog1p32_unit)

TURN = (trig.vturn, trig.vsin_tail, trig.vcos_parts)
BOTH = (*TURN, trig.vsin_series, trig.vcos_series)
TURN32 = (turn.vturn32, turn.vsin32_tail, turn.vcos32_parts)
BOTH32 = (*TURN32, turn.vsin32_series, turn.vcos32_series)


def forms(double: Functions, single: Functions) -> dict[str, Form]:
    """Return the form for each dtype: a call of the last function given; the others are what it calls."""
    out = {}
    for dtype, functions in (("float64", double), ("float32", single)):
        operands = ", ".join("xy"[: functions[-1].__code__.co_argcount])
        out[dtype] = Form(f"{functions[-1].__name__}({operands})", tuple(dict.fromkeys(functions)))
    return out


#: Elementary functions.
VECTOR = {
    "acos": forms((trig.vasin_series, trig.vacos), (turn.vasin32_series, turn.vacos32)),
    "asin": forms(
        (exp.vhead, trig.vasin_series, trig.vasin), (one.vfloat32, one.vhead32, turn.vasin32_series, turn.vasin32)
    ),
    "atan": forms((trig.vatan_series, trig.vatan), (turn.vatan32_series, turn.vatan32)),
    "atan2": forms((trig.vatan_series, trig.vatan2), (turn.vatan32_series, turn.vatan2_32)),
    "cbrt": forms((log.vlog_split, exp.vhead, power.vcbrt), (*SPLIT32, one.vhead32, one.vcbrt32)),
    "cos": forms((*BOTH, trig.far_cos, trig.vcos), (*BOTH32, turn.far_cos32, turn.vcos32)),
    "cosh": forms(
        (exp.vexp_reduced, exp.vhyperbolic_parts, exp.vcosh),
        (one.vexp32_reduced, one.vfloat32, one.vhyperbolic32_parts, one.vcosh32),
    ),
    "erf": forms((*EXPM1_PARTS, erf.verf), (*EXPM1_PARTS32, turn.verf32)),
    "erfc": forms(ERFC, ERFC32),
    "exp": forms(EXP, EXP32),
    "expm1": forms((*REDUCED, exp.vexpm1), (*REDUCED32, one.vfloat32, one.vexpm1_32)),
    "log": forms((*LOG, log.vlog), (*LOG32, one.vlog32)),
    "log10": forms((*LOG, exp.vhead, log.vlog10), (*LOG32, one.vhead32, one.vlog10_32)),
    "log1p": forms(LOG1P, LOG1P32),
    "log2": forms((*LOG, exp.vhead, log.vlog2), (*LOG32, one.vhead32, one.vlog2_32)),
    "logaddexp": forms((*SOFT, log.vlogaddexp), (*SOFT32, one.vlogaddexp32)),
    "power": forms(
        (*REDUCED, log.vlog_split, exp.vhead, power.vlog_pair, power.vpower),
        (*REDUCED32, *HEAD32, one.vlog32_split, one.vlog32_pair, one.vpower32),
    ),
    "sigmoid": forms((*EXP, exp.vsigmoid), (*EXP32, one.vsigmoid32)),
    "sin": forms((*BOTH, trig.far_sin, trig.vsin), (*BOTH32, turn.far_sin32, turn.vsin32)),
    "sinh": forms(
        (exp.vexp_reduced, exp.vhyperbolic_parts, exp.vsinh),
        (one.vexp32_reduced, one.vfloat32, one.vhyperbolic32_parts, one.vsinh32),
    ),
    "softplus": forms((*SOFT, log.vsoftplus), (*SOFT32, one.vsoftplus32)),
    "tan": forms((*TURN, trig.far_tan, trig.vtan), (*TURN32, turn.far_tan32, turn.vtan32)),
    "tanh": forms((*REDUCED, exp.vtanh), (*REDUCED32, one.vfloat32, one.vtanh32)),
}

#: Activation functions and their slopes, and the weights of a log-sum-exp.
ACTIVATIONS = {
    "weight": forms((*EXPM1_PARTS, exp.vweight), (*EXPM1_PARTS32, one.vweight32)),
    "elu_slope": forms((*EXP, neural.velu_slope), (*EXP32, neural.velu_slope32)),
    "gelu_tanh": forms((*EXP, neural.vgelu_tanh), (*EXP32, neural.vgelu_tanh32)),
    "gelu_tanh_slope": forms((*EXP, neural.vgelu_tanh_slope), (*EXP32, neural.vgelu_tanh_slope32)),
    "silu": forms((*EXP, neural.vsilu), (*EXP32, neural.vsilu32)),
    "silu_slope": forms((*EXP, neural.vsilu_slope), (*EXP32, neural.vsilu_slope32)),
    "elu": forms((*REDUCED, exp.vexpm1, neural.velu), (*REDUCED32, one.vfloat32, one.vexpm1_32, neural.velu32)),
    "gelu": forms((*ERFC, neural.vgelu), (*ERFC32, neural.vgelu32)),
    "gelu_slope": forms((*ERFC, *EXP, neural.vgelu_slope), (*ERFC32, *EXP32, neural.vgelu_slope32)),
}
