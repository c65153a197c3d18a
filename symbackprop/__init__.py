"""A symbolic-to-numeric backprop compiler: SymPy in, reverse-mode derivatives, readable numba kernels out."""

from typing import TYPE_CHECKING, Any

from symbackprop.compiler import compile  # noqa: A004 - the verb users expect
from symbackprop.deferred import imported
from symbackprop.errors import CostError, InputError, ShapeError, SymbackpropError, UnsupportedExpressionError
from symbackprop.runtime.kernel import Kernel

if TYPE_CHECKING:
    from symbackprop.frontend.declared import function
    from symbackprop.frontend.extrema import MaxOver, MinOver
    from symbackprop.frontend.mean import Mean
    from symbackprop.frontend.neural_functions import elu, hardtanh, leaky_relu, prelu, relu, selu
    from symbackprop.frontend.neural_loss import cross_entropy, one_hot
    from symbackprop.frontend.neural_scores import log_softmax, logsumexp, softmax
    from symbackprop.frontend.neural_smooth import gelu, gelu_tanh, sigmoid, silu, softplus
    from symbackprop.frontend.norms import norm
    from symbackprop.frontend.recurrences import Recurrence

__all__ = [
    "CostError",
    "InputError",
    "Kernel",
    "MaxOver",
    "Mean",
    "MinOver",
    "Recurrence",
    "ShapeError",
    "SymbackpropError",
    "UnsupportedExpressionError",
    "compile",
    "cross_entropy",
    "elu",
    "function",
    "gelu",
    "gelu_tanh",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "logsumexp",
    "norm",
    "one_hot",
    "prelu",
    "relu",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
]
__version__ = "0.1.0"

#: Functions of expressions -> where they are; what uses none of them need not load the front end.
_HOMES = {
    "MaxOver": "symbackprop.frontend.extrema",
    "Mean": "symbackprop.frontend.mean",
    "MinOver": "symbackprop.frontend.extrema",
    "Recurrence": "symbackprop.frontend.recurrences",
    "cross_entropy": "symbackprop.frontend.neural_loss",
    "elu": "symbackprop.frontend.neural_functions",
    "function": "symbackprop.frontend.families",
    "gelu": "symbackprop.frontend.neural_smooth",
    "gelu_tanh": "symbackprop.frontend.neural_smooth",
    "hardtanh": "symbackprop.frontend.neural_functions",
    "leaky_relu": "symbackprop.frontend.neural_functions",
    "log_softmax": "symbackprop.frontend.neural_scores",
    "logsumexp": "symbackprop.frontend.neural_scores",
    "norm": "symbackprop.frontend.norms",
    "one_hot": "symbackprop.frontend.neural_loss",
    "prelu": "symbackprop.frontend.neural_functions",
    "relu": "symbackprop.frontend.neural_functions",
    "selu": "symbackprop.frontend.neural_functions",
    "sigmoid": "symbackprop.frontend.neural_smooth",
    "silu": "symbackprop.frontend.neural_smooth",
    "softmax": "symbackprop.frontend.neural_scores",
    "softplus": "symbackprop.frontend.neural_smooth",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = imported(_HOMES[name], name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
