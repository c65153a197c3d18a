"""Floor 2: the primitives, one declaration each with all facets together. Importing this package fills the registry."""

from __future__ import annotations

from symbackprop.ops import arithmetic, contraction, indexing, layout, logic, reduction, scalar_math, transcendental

__all__ = ["arithmetic", "contraction", "indexing", "layout", "logic", "reduction", "scalar_math", "transcendental"]
