"""Floor 3: SymPy in, graph out."""
