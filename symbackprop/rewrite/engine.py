"""The rewriting pass: one walk over the program, operands first, each node to its fixed point.

What a rule builds is simplified in turn, operands included, before it stands in for the old node. Nothing recurses, and
no node is simplified twice: cost is proportional to the nodes of the program plus the nodes that rules build.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, MutableMapping, Sequence
from typing import Any

from symbackprop.errors import SymbackpropError
from symbackprop.ir.graph import Graph, rebuild
from symbackprop.ir.node import Const, Elementwise, Node, Reduction
from symbackprop.ir.registry import Trait
from symbackprop.ops.layout import spread
from symbackprop.options import Warrant
from symbackprop.rewrite.pattern import Scope, head, heads_fit
from symbackprop.rewrite.rule import Rule
from symbackprop.rewrite.rules import RULES

__all__ = ["expand_reductions", "simplify"]

Log = MutableMapping[str, int]


def simplify(
    graph: Graph, rules: Iterable[Rule] = RULES, warrant: Warrant = Warrant.REAL, log: Log | None = None
) -> Graph:
    """Return a graph with the same inputs, output types and labels, simplified by `rules`.

    Args:
        graph: the program; labelled nodes stay available under their labels.
        rules: tried in this order at every node.
        warrant: rules that assume more than this are left out.
        log: counts of applied rules by name are added to it.

    Raises:
        SymbackpropError: the rules do not come to an end.
    """
    run = _Run([rule for rule in rules if rule.warrant <= warrant], graph)
    result = graph.replace(run.simplified())
    for before, after in zip(graph.roots, result.roots, strict=True):
        assert before.type == after.type, f"{before!r} became {after!r}"
    if log is not None:
        for name, count in run.fired.items():
            log[name] = log.get(name, 0) + count
    return result


def expand_reductions(graph: Graph) -> Graph:
    """Return the graph with every reduction that has no direct loop (log-sum-exp) written out in simpler nodes.

    So is every elementwise primitive that stands for others, such as a function with a declared derivative.

    Runs last, after differentiation and the rules that look for these reductions.
    """

    def visit(node: Node) -> Node:
        if isinstance(node, Elementwise) and node.op.expand is not None:
            return node.op.expand(node)
        if not isinstance(node, Reduction) or node.op.expand is None:
            return node
        arg = node.args[0]
        return node.op.expand(arg, node.axes, lambda small: spread(small, arg.shape, node.kept))

    return graph.replace(rebuild(graph.roots, visit))


#: A rule, and the operand order to match, None for a rule about a kind.
Entry = tuple[Rule, Node | None]


class _Index:
    """The rules by what they look for; candidate lists are worked out once per outline of a node.

    An outline is the primitive, the heads of its operands and of theirs (as far as rules tell them apart), whether two
    operands are the same, and whether there are axes.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.by_primitive: dict[str, list[Entry]] = {}
        self.entries = [(rule, p) for rule in rules for p in (rule.patterns() or (None,))]
        self.known: dict[Any, list[Entry]] = {}
        self.outlines: dict[Node, Any] = {}
        inner = (part for _, p in self.entries if p is not None for part in p.args)
        self.told_apart = {head(part) for operand in inner for part in operand.args} | {Const}

    def candidates(self, node: Node) -> list[Entry]:
        """Return the rules that may apply to `node`, in order, with the operand order to match."""
        key: Any = type(node)
        if isinstance(node, Elementwise):
            args = node.args
            same = len(args) == 2 and args[0] is args[1]
            key = (node.op.name, not node.type.shape, same, *map(self._outline, args))
        found = self.known.get(key)
        if found is None:
            found = self.known[key] = [entry for entry in self._entries(node) if self._fits(*entry, node)]
        return found

    def _outline(self, node: Node) -> Any:
        """Return what an operand looks like to the rules."""
        found: Any = self.outlines.get(node)
        if found is None:
            found = head(node)
            if isinstance(node, Elementwise):
                args = node.args
                heads = (h if (h := head(a)) in self.told_apart else None for a in args)
                found = (found, len(args) == 2 and args[0] is args[1], *heads)
            self.outlines[node] = found
        return found

    def _entries(self, node: Node) -> list[Entry]:
        """Return the entries about the node's kind or primitive."""
        name = node.op.name if isinstance(node, Elementwise) else node.kind
        if name not in self.by_primitive:
            self.by_primitive[name] = [(rule, p) for rule, p in self.entries if self._is_about(rule, p, node)]
        return self.by_primitive[name]

    @staticmethod
    def _is_about(rule: Rule, pattern: Node | None, node: Node) -> bool:
        if pattern is None:
            return isinstance(rule.lhs, type) and isinstance(node, rule.lhs)
        return isinstance(node, Elementwise) and isinstance(pattern, Elementwise) and pattern.op is node.op

    @staticmethod
    def _fits(rule: Rule, pattern: Node | None, node: Node) -> bool:
        if pattern is None:
            return rule.when is None or (isinstance(node, Elementwise) and rule.when(node))
        return heads_fit(pattern, node)


class _Run:
    """One pass: what each node became, how often each is used, and which rules fired."""

    def __init__(self, rules: Sequence[Rule], graph: Graph) -> None:
        self.index = _Index(rules)
        self.done: dict[Node, Node] = {}
        self.fired: Counter[str] = Counter()
        self.uses: dict[Node, int] = {}
        self.order = graph.nodes()
        for user in self.order:
            for arg in user.args:
                self.uses[arg] = self.uses.get(arg, 0) + 1
        for root in graph.roots:
            self.uses[root] = self.uses.get(root, 0) + 1
        self.limit = 100 * len(self.order) + 10_000
        self.scope = Scope(self.n_uses, is_known=self.done.__contains__)

    def n_uses(self, node: Node) -> int:
        """Return how many operands, outputs and labels refer to `node`; a node that a rule has just built counts 1."""
        return self.uses.get(node, 1)

    def simplified(self) -> dict[Node, Node]:
        """Return node -> simplified node, for every node of the program."""
        for node in self.order:
            if node not in self.done:
                self._settle(node)
        return self.done

    def _settle(self, root: Node) -> None:
        """Bring `root` to its fixed point.

        A node on the stack first waits for its operands, then is offered to the rules; what it becomes is its `form`,
        which is put on top and settled in turn. A node met again while its form is not settled depends on itself.
        """
        done = self.done
        stack = [root]
        form: dict[Node, Node] = {}
        while stack:
            node = stack[-1]
            if node in done:
                stack.pop()
                continue
            target = form.get(node)
            if target is not None:
                if target not in done:
                    raise SymbackpropError(f"rewrite rules go in a circle at {node!r}: {dict(self.fired)}")
                self._finish(node, done[target])
                stack.pop()
                continue
            waiting = [a for a in node.args if a not in done]
            if waiting:
                stack.extend(reversed(waiting))
                continue
            operands = [done[a] for a in node.args]
            target = node.with_args(operands)
            if target is node:
                target = self._rewrite(node)
            target = done.get(target, target)
            if target is node:
                self._finish(node, node)
                stack.pop()
                continue
            self.uses[target] = self.uses.get(target, 0) + self.uses.get(node, 0)
            form[node] = target
            if target not in done:
                stack.append(target)

    def _finish(self, node: Node, result: Node) -> None:
        self.done[node] = result
        self.done.setdefault(result, result)

    def _rewrite(self, node: Node) -> Node:
        """Return what the first applicable rule makes of `node`, or `node`."""
        for rule, pattern in self.index.candidates(node):
            result = rule.apply(pattern, node, self.scope)
            if result is not None and result is not node:
                assert result.type == node.type, f"rule {rule.name!r}: {node!r} became {result!r}"
                self.fired[rule.name] += 1
                self.limit -= 1
                if self.limit < 0:
                    raise SymbackpropError(f"rewrite rules do not come to an end: {self.fired.most_common(5)}")
                return result
        return self._mirrored(node)

    def _mirrored(self, node: Node) -> Node:
        """Return y + x for x + y when the program has that already: the two become one, in the order met first."""
        if isinstance(node, Elementwise) and len(node.args) == 2 and Trait.COMMUTATIVE in node.op.traits:
            mirrored = Elementwise.existing(node.op, node.args[::-1], node.attr)
            if mirrored is not None and mirrored in self.done:
                return mirrored
        return node
