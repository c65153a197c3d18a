"""symbackprop: a symbolic-to-numeric backprop compiler. SymPy in, reverse-mode derivatives, readable numba kernels out."""
