"""Floor 5: graph and plan to text. Nothing here imports numba."""
