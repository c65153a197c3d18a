"""The rule sets: data in five files, one per family.

`RULES_ALGEBRA` keeps derivatives what they are and runs on every graph. `RULES_FORWARD` adds the stability rules, which
choose the primitives that are differentiated, and so run on the forward program before differentiation. `RULES_LATE`
are those that leave contractions in one piece: after their order has been chosen, nothing may merge the steps again.
"""

from __future__ import annotations

from symbackprop.rewrite.rules import algebra, contraction, layout, selection, stability

__all__ = ["RULES", "RULES_ALGEBRA", "RULES_FORWARD", "RULES_LATE"]

RULES_LATE = (*algebra.RULES, *selection.RULES, *layout.RULES, *contraction.LOCAL)
RULES_ALGEBRA = (*RULES_LATE, *contraction.FLATTENING)
RULES_FORWARD = (*stability.RULES, *RULES_ALGEBRA)
RULES = RULES_FORWARD
