"""First value and gradients of the window classifier by PyTensor, from a new process: IN.npz OUT.npz."""

import sys

import numpy as np
import pytensor
import pytensor.tensor as pt

W, x = pt.dmatrix("W"), pt.dmatrix("x")
b, u, y = pt.dvectors("b", "u", "y")
loss = pt.softplus(-y * pt.dot(pt.tanh(pt.dot(x, W.T) + b), u)).mean()
function = pytensor.function([W, b, u, x, y], [loss, *pytensor.grad(loss, [W, b, u, x])])
with np.load(sys.argv[1]) as at:
    results = function(*(at[name] for name in ("W", "b", "u", "x", "y")))
np.savez(sys.argv[2], **dict(zip(("value", "W", "b", "u", "x"), results, strict=True)))
