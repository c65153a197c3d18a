"""First value and gradients of the window classifier from a new process: IN.npz OUT.npz [FOLDER for a saved module]."""

import sys

import numpy as np
import sympy as sp

import symbackprop as sbp

h, d = sp.symbols("h d", integer=True, positive=True)
W, x = sp.MatrixSymbol("W", h, 5 * d), sp.MatrixSymbol("x", 5 * d, 1)
b, u, y = sp.MatrixSymbol("b", h, 1), sp.MatrixSymbol("u", h, 1), sp.Symbol("y", real=True)
loss = sp.log(1 + sp.exp(-y * sp.Trace(u.T * (W * x + b).applyfunc(sp.tanh))))
inputs, batch = [W, b, u, x, y], {"x": "N", "y": "N"}
kernel = sbp.compile(sbp.Mean(loss, "N"), wrt=["W", "b", "u", "x"], inputs=inputs, batch=batch, name="window")
if len(sys.argv) > 3:
    kernel.save(f"{sys.argv[3]}/saved_window.py")
with np.load(sys.argv[1]) as at:
    value, grads = kernel.value_and_grad(*(at[name] for name in ("W", "b", "u", "x", "y")))
np.savez(sys.argv[2], value=value, **grads)
