"""Floor 3: derivatives as graphs in the forward program's own vocabulary."""
