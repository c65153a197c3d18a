"""The rule sets: data in ten files, one per family.

`RULES_ALGEBRA` keeps derivatives what they are and runs on every graph. `RULES_FORWARD` adds the stability rules, which
choose the primitives that are differentiated, and so run on the forward program before differentiation. `RULES_LATE`
are those that leave contractions in one piece: after their order has been chosen, nothing may merge the steps again.
`RULES_LOWERED` adds those that know reductions once they are written out.
"""

from __future__ import annotations

from symbackprop.rewrite.rules import (
    algebra,
    contraction,
    diagonal,
    layout,
    linear_algebra,
    powers,
    products,
    selection,
    shares,
    stability,
)

__all__ = ["RULES", "RULES_ALGEBRA", "RULES_FORWARD", "RULES_LATE", "RULES_LOWERED"]

MATRICES = (*diagonal.RULES, *linear_algebra.RULES)
RULES_LATE = (*algebra.RULES, *selection.RULES, *layout.RULES, *contraction.LOCAL, *MATRICES)
RULES_LOWERED = (*RULES_LATE, *shares.RULES)
RULES_ALGEBRA = (*RULES_LATE, *contraction.FLATTENING, *linear_algebra.SYSTEMS)
RULES_FORWARD = (*stability.RULES, *powers.RULES, *products.RULES, *linear_algebra.LOGARITHMS, *RULES_ALGEBRA)
RULES = RULES_FORWARD
