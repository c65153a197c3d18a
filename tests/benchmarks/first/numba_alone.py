"""A new process that imports numba, and NumPy with it, and does nothing: what every kernel's process pays."""

import numba  # noqa: F401
