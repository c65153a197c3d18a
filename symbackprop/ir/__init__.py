"""Floor 1: what a program is. Nodes, kinds, types, traversal, verification, printing."""
