"""Rewrite rules as data: what to look for, what to put instead, where that is true, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from symbackprop.ir.node import Elementwise, Node
from symbackprop.options import Warrant
from symbackprop.rewrite.pattern import Match, Scope, instantiate, match, variants

__all__ = ["Computed", "Rule", "Template"]

Computed = Callable[[Match], "Node | None"]
Template = Node | type[Node]


@dataclass(frozen=True)
class Rule:
    """One identity.

    Attributes:
        name: identifies it in counts and tests.
        lhs: a pattern, or a kind of node for rules about structure.
        rhs: a pattern over the same metavariables, or a function of the match that may decline with None.
        warrant: where both sides are equal; see `Warrant`.
        why: the reason for a warrant weaker than EXACT, or for the rule.
        when: for rules about elementwise nodes: whether one may apply, as far as its primitive, its operands' heads
            and its having axes tell. Asked once for all nodes that agree in these.
    """

    name: str
    lhs: Template
    rhs: Node | Computed
    warrant: Warrant
    why: str = ""
    when: Callable[[Elementwise], bool] | None = None

    def __post_init__(self) -> None:
        """Demand a reason for every rule that is not exact.

        Raises:
            ValueError: without one.
        """
        if self.warrant is not Warrant.EXACT and not self.why:
            raise ValueError(f"rule {self.name!r} is not exact and does not say why")

    def patterns(self) -> Sequence[Node]:
        """Return the orders of operands to try, none for a rule about a kind."""
        return variants(self.lhs) if isinstance(self.lhs, Node) else ()

    def apply(self, pattern: Node | None, node: Node, scope: Scope) -> Node | None:
        """Return what replaces `node`, or None where the rule does not apply.

        Args:
            pattern: one of `patterns()`, or None for a rule about a kind.
            node: the node, of the rule's kind.
            scope: the program around it.
        """
        bindings = match(pattern, node) if pattern is not None else {}
        if bindings is None:
            return None
        if isinstance(self.rhs, Node):
            return instantiate(self.rhs, bindings, _template_operand(node))
        return self.rhs(Match(node, bindings, scope))


def _template_operand(node: Node) -> Node:
    """Return the node whose type the constants of a right side take: a comparison's constants are not boolean."""
    real = [a for a in node.args if a.type.is_real] if isinstance(node, Elementwise) else []
    return real[-1] if real and not node.type.is_real else node
