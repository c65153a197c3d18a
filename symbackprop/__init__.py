"""A symbolic-to-numeric backprop compiler: SymPy in, reverse-mode derivatives, readable numba kernels out."""

from symbackprop.errors import CostError, InputError, ShapeError, SymbackpropError, UnsupportedExpressionError
from symbackprop.frontend.batch import Mean
from symbackprop.frontend.declared import function
from symbackprop.frontend.extrema import MaxOver, MinOver
from symbackprop.frontend.neural_functions import elu, hardtanh, leaky_relu, prelu, relu, selu
from symbackprop.frontend.neural_loss import cross_entropy, one_hot
from symbackprop.frontend.neural_scores import log_softmax, logsumexp, softmax
from symbackprop.frontend.neural_smooth import gelu, gelu_tanh, sigmoid, silu, softplus
from symbackprop.frontend.norms import norm
from symbackprop.frontend.recurrences import Recurrence
from symbackprop.pipeline import compile  # noqa: A004 - the verb users expect
from symbackprop.runtime.kernel import Kernel

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
