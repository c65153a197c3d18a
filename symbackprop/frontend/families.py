"""Every family of constructs; importing this module registers their handlers. A new family is a new name here."""

from symbackprop.frontend import arrays, batch, indexed, matrices, scalars

__all__ = ["arrays", "batch", "indexed", "matrices", "scalars"]
