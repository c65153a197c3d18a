"""Powers of magnitudes, |x|**y and sign(x)*|x|**y, with the derivatives that the whole has at 0.

Their parts have none there: the slope of |x| is taken as 0, that of a power below 1 is infinite, and the product would
be NaN. The odd one is real_root: monotone, its slope at 0 is the limit. The even one has a cusp there, of slope 0 as
`Abs` has.
"""

from __future__ import annotations

import numpy as np
import sympy as sp

from symbackprop.ir.node import Const, Node
from symbackprop.ir.registry import Domain, Trait, elementwise
from symbackprop.ops.arithmetic import abs_
from symbackprop.ops.logic import and_, eq, le, or_, select
from symbackprop.ops.transcendental import log

__all__ = ["magnitude_power", "odd_power"]

Partials = tuple[Node | None, ...]

SLOW = Trait.TRANSCENDENTAL
#: Not defined at 0 for every exponent, so that 0 is a place to guard.
DOMAIN = (Domain(0.0), Domain())


@elementwise(
    numpy=lambda x, y: np.abs(x) ** y, emit="abs(x)**y", sympy=lambda x, y: sp.Abs(x) ** y, domain=DOMAIN, traits=SLOW
)
def magnitude_power(out: Node, x: Node, y: Node) -> Partials:
    """|x|**y: partials y*sign(x)*|x|**(y - 1), 0 at x = 0 <= y and at y = 0, and out*log|x|, 0 at x = 0 <= y."""
    flat = _is_edge(x, y)
    if not isinstance(y, Const):
        flat = or_(flat, eq(y, 0.0))
    return (select(flat, Const(0, out.type), y * odd_power(x, y - 1.0)), _by_exponent(out, x, y))


@elementwise(
    numpy=lambda x, y: np.copysign(np.abs(x) ** y, x),
    emit="math.copysign(abs(x)**y, x)",
    sympy=lambda x, y: sp.sign(x) * sp.Abs(x) ** y,
    domain=DOMAIN,
    traits=SLOW,
)
def odd_power(out: Node, x: Node, y: Node) -> Partials:
    """sign(x)*|x|**y: partials y*|x|**(y - 1), infinite at 0 for y < 1, and out*log|x|, 0 at x = 0 <= y."""
    return (y * magnitude_power(x, y - 1.0), _by_exponent(out, x, y))


def _by_exponent(out: Node, x: Node, y: Node) -> Node:
    return out * log(select(_is_edge(x, y), Const(1, out.type), abs_(x)))


def _is_edge(x: Node, y: Node) -> Node:
    """Return where x = 0 <= y."""
    return and_(eq(x, 0.0), le(0.0, y))
