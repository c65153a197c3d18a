"""Where a cotangent is alive: the condition outside of which it is a strong zero, and what such a zero must not meet.

The cotangent of a branch is a selection between what arrives and 0. Products with local gradients go inside selections
by rewriting, but a sum hides the selection: where no term of the sum takes the branch, its value is 0 and the local
gradient behind it may be infinite or NaN. So conditions travel with cotangents. Through a sum a condition becomes
whether it holds anywhere along the summed axes, a count as cheap as the sum.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from symbackprop.ir.node import Broadcast, Const, Contraction, Elementwise, Input, Library, Node
from symbackprop.ops.arithmetic import div, integer_power, is_constant
from symbackprop.ops.contraction import contract
from symbackprop.ops.layout import spread
from symbackprop.ops.logic import and_, lt, not_, or_, select, to_real

__all__ = ["Alive", "Liveness"]


@dataclass(frozen=True)
class Alive:
    """A boolean node of the cotangent's shape, false where the cotangent is a strong zero.

    Attributes:
        hidden: whether a sum or a repetition stands between the selection and the cotangent, so that the rules about
            selections do not see it.
    """

    condition: Node
    hidden: bool = False


class Liveness:
    """Follows conditions through the reverse pass of one program. Each node is looked at once."""

    def __init__(self, order: Sequence[Node]) -> None:
        """Prepare for the nodes of a forward program, operands first."""
        hiding = any(isinstance(node, Broadcast | Contraction) for node in order)
        self.is_needed = hiding and any(isinstance(node, Elementwise) and node.op is select for node in order)
        self._risky: dict[Node, bool] = {}
        self._of_data: dict[Node, bool] = {}

    # -- conditions ----------------------------------------------------------------------------------------------------

    def either(self, conditions: Sequence[Alive | None]) -> Alive | None:
        """Return the condition of a sum of contributions."""
        distinct = [c for c in dict.fromkeys(conditions) if c is not None]
        if not distinct or None in conditions:
            return None
        either = functools.reduce(or_, dict.fromkeys(c.condition for c in distinct))
        return Alive(either, any(c.hidden for c in distinct))

    def below(self, node: Elementwise, k: int, partial: Node, alive: Alive | None) -> Alive | None:
        """Return the condition of the contribution to operand `k`: a branch adds its own."""
        if not self.is_needed or node.op is not select or not isinstance(partial, Elementwise):
            return alive
        own = node.args[0] if k == 1 else not_(node.args[0])
        if not self._depends_on_data(own):
            return alive
        return Alive(own) if alive is None else replace(alive, condition=and_(alive.condition, own))

    def repeated(self, alive: Alive | None, along: Callable[[Node], Node]) -> Alive | None:
        """Return the condition of a cotangent repeated by `along`."""
        return None if alive is None else Alive(along(alive.condition), hidden=True)

    def summed(self, alive: Alive | None, node: Broadcast) -> Alive | None:
        """Return the condition of the cotangent of a broadcast's operand."""
        return None if alive is None else Alive(_anywhere(alive.condition, range(node.rank), node.axes), hidden=True)

    def contracted(self, alive: Alive | None, node: Contraction, k: int) -> Alive | None:
        """Return the condition of the cotangent of operand `k` of a contraction."""
        if alive is None:
            return None
        condition = _restricted(alive.condition, node, k)
        return None if condition is None else Alive(condition, hidden=True)

    # -- what a strong zero must not meet ------------------------------------------------------------------------------

    def product(self, ct: Node, partial: Node, alive: Alive | None) -> tuple[Node, Alive | None]:
        """Return ct*partial and its condition; guarded where a zero that rules do not see could meet infinity."""
        if alive is None or not alive.hidden or not self._is_risky(partial):
            return ct * partial, alive
        return select(alive.condition, ct * partial, Const(0, ct.type)), replace(alive, hidden=False)

    def guarded(self, node: Contraction, k: int, alive: Alive | None) -> Contraction:
        """Return the contraction with its operands but `k` set to 0 where no living cotangent meets them."""
        if alive is None:
            return node
        args = list(node.args)
        for j, arg in enumerate(node.args):
            condition = _restricted(alive.condition, node, j) if j != k and self._is_risky(arg) else None
            if condition is not None:
                args[j] = select(condition, arg, Const(0, arg.type))
        guarded = node.with_args(args)
        assert isinstance(guarded, Contraction)
        return guarded

    def _is_risky(self, node: Node) -> bool:
        """Return whether `node` may be infinite or NaN for finite inputs, overflow aside."""
        return _holds_below(node, _may_leave_its_domain, self._risky)

    def _depends_on_data(self, node: Node) -> bool:
        """Return whether `node` is more than a function of positions: those leave out the same for all data."""
        return _holds_below(node, lambda n: isinstance(n, Input), self._of_data)


def _may_leave_its_domain(node: Node) -> bool:
    if isinstance(node, Library):
        return True
    if not isinstance(node, Elementwise):
        return False
    if node.op is div:
        return not is_constant(node.args[1])
    if node.op is integer_power:
        return node.attr[0] < 0
    return any(domain.low > -float("inf") or domain.high < float("inf") for domain in node.op.domain)


def _holds_below(node: Node, test: Callable[[Node], bool], known: dict[Node, bool]) -> bool:
    """Return whether `test` holds for `node` or anything it is computed from; `known` keeps answers."""
    stack = [node]
    while stack:
        top = stack[-1]
        if top in known:
            stack.pop()
        elif test(top) or any(known.get(a, False) for a in top.args):
            known[stack.pop()] = True
        else:
            waiting = [a for a in top.args if a not in known]
            if waiting:
                stack.extend(waiting)
            else:
                known[stack.pop()] = False
    return known[node]


def _anywhere(condition: Node, labels: Sequence[int], kept: Sequence[int]) -> Node:
    """Return whether `condition`, its axes named by `labels`, holds anywhere along the labels not in `kept`.

    What is `kept` comes in that order.
    """
    count = contract([to_real(condition, "float64")], [labels], kept)
    return lt(Const(0, count.type), count)


def _restricted(condition: Node, node: Contraction, k: int) -> Node | None:
    """Return where operand `k` meets an entry of the result at which `condition` holds; None for a diagonal of it."""
    labels = node.spec.ins[k]
    if len(set(labels)) < len(labels):
        return None
    kept = [label for label in labels if label in node.spec.out]
    small = condition
    if tuple(kept) != node.spec.out:
        small = _anywhere(condition, node.spec.out, kept)
    return spread(small, node.args[k].shape, [labels.index(label) for label in kept])
