"""Every family of constructs; importing this module registers their handlers. A new family is a new name here.

`function` is had from here: what it reads of the user's definitions may be of any family.
"""

from symbackprop.frontend import (
    array_algebra,
    arrays,
    batch,
    blocks,
    declared,
    deltas,
    extrema,
    forms,
    functions,
    indexed,
    linear_algebra,
    matrices,
    neural,
    norms,
    products,
    rearrangements,
    recurrences,
    scalars,
    sums,
)
from symbackprop.frontend.declared import function

__all__ = [
    "array_algebra",
    "arrays",
    "batch",
    "blocks",
    "declared",
    "deltas",
    "extrema",
    "forms",
    "function",
    "functions",
    "indexed",
    "linear_algebra",
    "matrices",
    "neural",
    "norms",
    "products",
    "rearrangements",
    "recurrences",
    "scalars",
    "sums",
]
