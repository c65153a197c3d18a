"""Activation functions that no composition of simpler primitives gives right at kinks, at infinity, or in the tails.

`x * sigmoid(x)` is NaN at -inf, and its slope at both ends; x * P(x) likewise. Each such function is one primitive
here, its slope another. At a kink the slope is the minimum-norm subgradient: the number nearest to 0 between the slopes
from the left and from the right. NaN gives NaN.
"""

# ruff: noqa: ARG001 - a rule names every operand, used or not

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy as sp

from symbackprop.ir.node import Const, Node
from symbackprop.ir.registry import Trait, elementwise
from symbackprop.ops import neural_math
from symbackprop.ops.arithmetic import exceeds, gate, integer_power, maximum, minimum
from symbackprop.ops.transcendental import exp, expm1, sigmoid
from symbackprop.ops.vector_forms import ACTIVATIONS

__all__ = [
    "elu",
    "elu_slope",
    "gap",
    "gelu",
    "gelu_slope",
    "gelu_tanh",
    "gelu_tanh_slope",
    "prelu",
    "prelu_slope",
    "silu",
    "silu_slope",
    "weight",
]

Partials = tuple[Node | None, ...]

SLOW = Trait.TRANSCENDENTAL
#: sqrt(8/pi): gelu_tanh(x) is x*sigmoid(STEEP*(x + CUBIC*x**3)).
STEEP, CUBIC = math.sqrt(8.0 / math.pi), 0.044715


def _entrywise(function: Callable[..., float]) -> Callable[..., Any]:
    """Return a helper function for arrays: the oracle's arithmetic is then that of compiled code."""
    vectorised = np.vectorize(function, otypes=[np.float64])

    def evaluate(*arrays: Any) -> Any:
        with np.errstate(all="ignore"):
            return vectorised(*arrays)

    return evaluate


def _limited(x: Node, limit: float) -> Node:
    """Return x moved into -limit ... limit, beyond which what it is multiplied by has underflowed."""
    return minimum(maximum(x, -limit), limit)


@elementwise(
    numpy=lambda x, y: np.where(x == y, 0.0, np.subtract(x, np.where(x == y, 0.0, y))),
    emit="gap(x, y)",
    sympy=lambda x, y: x - y,
    helpers=(neural_math.gap,),
    flops=2,
)
def gap(out: Node, x: Node, y: Node) -> Partials:
    """The difference x - y, and 0 between equal infinities: how far a score lies below another. Partials 1 and -1."""
    return (Const(1, out.type), Const(-1, out.type))


@elementwise(
    numpy=lambda x: np.where(np.less(x, -693.0), 0.0, np.exp(x)),
    emit="weight(x)",
    sympy=sp.exp,
    helpers=(neural_math.weight,),
    vector=ACTIVATIONS["weight"],
    traits=SLOW,
)
def weight(out: Node, x: Node) -> Partials:
    """exp(x) as the weight of a score that lies x <= 0 above the largest: partial itself.

    Weights below 2**-999 (in float32 loops 2**-99) are 0. In a mixture of many dimensions nearly all weights are that
    small, and arithmetic with subnormal numbers would take a hundred times longer. Beside the largest weight, 1, that
    changes no sum of weights; a share of n weights, or a sum of numbers times shares, changes by less than n * 2**-999
    times the largest of the numbers.
    """
    return (out,)


@elementwise(
    numpy=lambda x, y: np.where(x > 0, x, y * np.where(x > 0, 0, x)),
    emit="prelu(x, y)",
    sympy=lambda x, y: sp.Piecewise((x, x > 0), (y * x, True)),
    helpers=(neural_math.prelu,),
    flops=2,
)
def prelu(out: Node, x: Node, y: Node) -> Partials:
    """The number x where it is positive, y*x elsewhere: partials `prelu_slope` and min(x, 0)."""
    return (prelu_slope(x, y), minimum(x, 0.0))


@elementwise(
    numpy=_entrywise(neural_math.prelu_slope),
    emit="prelu_slope(x, y)",
    sympy=lambda x, y: sp.Piecewise((1, x > 0), (y, True)),
    helpers=(neural_math.prelu_slope,),
    flops=2,
)
def prelu_slope(out: Node, x: Node, y: Node) -> Partials:
    """1 where x is positive, y where it is negative, at 0 what is nearest to 0 between both: partials 0 and 1 or 0."""
    return (Const(0, out.type), exceeds(Const(0, x.type), x))


@elementwise(
    numpy=lambda x, y: np.where(x > 0, x, y * np.expm1(np.where(x > 0, 0, x))),
    emit="elu(x, y)",
    sympy=lambda x, y: sp.Piecewise((x, x > 0), (y * (sp.exp(x) - 1), True)),
    helpers=(neural_math.elu,),
    vector=ACTIVATIONS["elu"],
    traits=SLOW,
    flops=3,
)
def elu(out: Node, x: Node, y: Node) -> Partials:
    """The number x where it is positive, y*(exp(x) - 1) elsewhere: partials `elu_slope` and expm1(min(x, 0)).

    The slope is y*exp(x), not out + y, which cancels for x far below 0.
    """
    return (elu_slope(x, y), expm1(minimum(x, 0.0)))


@elementwise(
    numpy=_entrywise(neural_math.elu_slope),
    emit="elu_slope(x, y)",
    sympy=lambda x, y: sp.Piecewise((1, x > 0), (y * sp.exp(x), True)),
    helpers=(neural_math.elu_slope,),
    vector=ACTIVATIONS["elu_slope"],
    traits=SLOW,
    flops=3,
)
def elu_slope(out: Node, x: Node, y: Node) -> Partials:
    """1 where x is positive, y*exp(x) where it is negative: partials `out` and exp(x) where x is negative, else 0."""
    zero = Const(0, x.type)
    return (gate(zero, x, out), gate(zero, x, exp(minimum(x, 0.0))))


@elementwise(
    numpy=_entrywise(neural_math.silu),
    emit="silu(x)",
    sympy=lambda x: x / (1 + sp.exp(-x)),
    helpers=(neural_math.silu,),
    vector=ACTIVATIONS["silu"],
    traits=SLOW,
    flops=5,
)
def silu(out: Node, x: Node) -> Partials:
    """x*sigmoid(x), 0 at -inf: partial `silu_slope`."""
    return (silu_slope(x),)


@elementwise(
    numpy=_entrywise(neural_math.silu_slope),
    emit="silu_slope(x)",
    sympy=lambda x: (1 + x / (1 + sp.exp(x))) / (1 + sp.exp(-x)),
    helpers=(neural_math.silu_slope,),
    vector=ACTIVATIONS["silu_slope"],
    traits=SLOW,
    flops=8,
)
def silu_slope(out: Node, x: Node) -> Partials:
    """s*(1 + x*(1 - s)) with s = sigmoid(x): partial s*(1 - s)*(2 + x*(1 - 2*s)), where 1 - s is sigmoid(-x)."""
    up, down = sigmoid(x), sigmoid(-x)
    return (up * down * (2.0 + _limited(x, 800.0) * (down - up)),)


@elementwise(
    numpy=_entrywise(neural_math.gelu),
    emit="gelu(x)",
    sympy=lambda x: x * sp.erfc(-x / sp.sqrt(2)) / 2,
    helpers=(neural_math.gelu,),
    vector=ACTIVATIONS["gelu"],
    traits=SLOW,
    flops=5,
)
def gelu(out: Node, x: Node) -> Partials:
    """The product of x and the normal distribution function, by way of erfc so that the left tail is not lost.

    Relative error below 3e-13 as far as -37, where the value underflows: that is the rounding of erfc's argument.
    """
    return (gelu_slope(x),)


@elementwise(
    numpy=_entrywise(neural_math.gelu_slope),
    emit="gelu_slope(x)",
    sympy=lambda x: sp.erfc(-x / sp.sqrt(2)) / 2 + x * sp.exp(-(x**2) / 2) / sp.sqrt(2 * sp.pi),
    helpers=(neural_math.gelu_slope,),
    vector=ACTIVATIONS["gelu_slope"],
    traits=SLOW,
    flops=9,
)
def gelu_slope(out: Node, x: Node) -> Partials:
    """P(x) + x*p(x), normal distribution function and density: partial (2 - x**2)*p(x)."""
    square = integer_power(_limited(x, 40.0), attr=(2,))
    return ((2.0 - square) * (math.sqrt(0.5 / math.pi) * exp(-0.5 * square)),)


def _tanh_form(x: Any) -> Any:
    """Return the tanh approximation of gelu, as its authors write it."""
    inner = sp.sqrt(2 / sp.pi) * (x + sp.Rational("0.044715") * x**3)
    return x * (1 + sp.tanh(inner)) / 2


@elementwise(
    numpy=_entrywise(neural_math.gelu_tanh),
    emit="gelu_tanh(x)",
    sympy=_tanh_form,
    helpers=(neural_math.gelu_tanh,),
    vector=ACTIVATIONS["gelu_tanh"],
    traits=SLOW,
    flops=9,
)
def gelu_tanh(out: Node, x: Node) -> Partials:
    """x*(1 + tanh(u))/2 with u = sqrt(2/pi)*(x + 0.044715*x**3), computed as x*sigmoid(2*u); 0 at -inf."""
    return (gelu_tanh_slope(x),)


@elementwise(
    numpy=_entrywise(neural_math.gelu_tanh_slope),
    emit="gelu_tanh_slope(x)",
    sympy=lambda x: sp.diff(_tanh_form(x), x),
    helpers=(neural_math.gelu_tanh_slope,),
    vector=ACTIVATIONS["gelu_tanh_slope"],
    traits=SLOW,
    flops=14,
)
def gelu_tanh_slope(out: Node, x: Node) -> Partials:
    """The sum s + x*s*(1 - s)*z' with s = sigmoid(z): partial s*(1 - s)*(2*z' + x*(z'' + z'**2*(1 - 2*s)))."""
    near = _limited(x, 40.0)
    square = integer_power(near, attr=(2,))
    z = STEEP * near * (1.0 + CUBIC * square)
    first = STEEP * (1.0 + 3.0 * CUBIC * square)
    second = (6.0 * STEEP * CUBIC) * near
    up, down = sigmoid(z), sigmoid(-z)
    return (up * down * (2.0 * first + near * (second + integer_power(first, attr=(2,)) * (down - up))),)
