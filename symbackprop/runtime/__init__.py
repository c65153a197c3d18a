"""Floor 6: source to running kernel. The only floor that imports numba, by way of the modules it loads."""
