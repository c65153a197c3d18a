"""Floor 2: the primitives, one declaration each with all facets together. Importing this package fills the registry."""

from __future__ import annotations

from symbackprop.ops import (
    arithmetic,
    bessel,
    contraction,
    hyperbolic,
    indexing,
    integers,
    layout,
    linear_algebra,
    logic,
    neural,
    neural_math,
    powers,
    reduction,
    rounding,
    scalar_math,
    special,
    transcendental,
    trigonometry,
)

__all__ = [
    "arithmetic",
    "bessel",
    "contraction",
    "hyperbolic",
    "indexing",
    "integers",
    "layout",
    "linear_algebra",
    "logic",
    "neural",
    "neural_math",
    "powers",
    "reduction",
    "rounding",
    "scalar_math",
    "special",
    "transcendental",
    "trigonometry",
]
