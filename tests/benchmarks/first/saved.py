"""The same from a saved module: IN.npz OUT.npz FOLDER."""

import sys

import numpy as np

sys.path.insert(0, sys.argv[3])
import saved_window

with np.load(sys.argv[1]) as at:
    value, grads = saved_window.value_and_grad(*(at[name] for name in saved_window.INPUTS))
np.savez(sys.argv[2], value=value, **dict(zip(saved_window.WRT, grads, strict=False)))
