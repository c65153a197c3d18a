"""A program: inputs, outputs, and labels; the one traversal and the one rebuild. Everything here is iterative."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from symbackprop.ir.node import Input, Node

__all__ = ["Graph", "rebuild", "substitute", "toposort", "users"]


@dataclass(frozen=True)
class Graph:
    """A program from named inputs to outputs.

    Attributes:
        inputs: the arguments in calling order; one may be unused.
        outputs: the results in order.
        names: the user's labels for intermediates: label -> node. Labelled nodes survive every pass.
        hints: preferred variable names of values; they keep nothing alive and follow a value through the passes,
            except into a leaf, which has a name or a number of its own.
    """

    inputs: tuple[Input, ...]
    outputs: tuple[Node, ...]
    names: Mapping[str, Node] = field(default_factory=dict)
    hints: Mapping[Node, str] = field(default_factory=dict)

    @property
    def roots(self) -> tuple[Node, ...]:
        """Outputs and labelled nodes: what passes must keep."""
        return (*self.outputs, *self.names.values())

    def nodes(self) -> list[Node]:
        """Return every node that a root needs, operands first."""
        return toposort(self.roots)

    def replace(self, mapping: Mapping[Node, Node]) -> Graph:
        """Return the graph whose roots are looked up in `mapping` (which must hold them all)."""
        names = {label: mapping[node] for label, node in self.names.items()}
        hints: dict[Node, str] = {}
        for node, hint in self.hints.items():
            if node in mapping and mapping[node].args:
                hints.setdefault(mapping[node], hint)
        return Graph(self.inputs, tuple(mapping[n] for n in self.outputs), names, hints)


def toposort(roots: Iterable[Node]) -> list[Node]:
    """Return all nodes reachable from `roots`, operands first, in an order fixed by the graph alone.

    Visits each node and edge once; no recursion.
    """
    order: list[Node] = []
    done: set[Node] = set()
    path: list[Node] = []
    operands: list[Iterator[Node]] = []
    for root in roots:
        if root in done:
            continue
        done.add(root)
        path.append(root)
        operands.append(iter(root.args))
        while path:
            for arg in operands[-1]:
                if arg in done:
                    continue
                done.add(arg)
                if arg.args:
                    path.append(arg)
                    operands.append(iter(arg.args))
                    break
                order.append(arg)
            else:
                operands.pop()
                order.append(path.pop())
    return order


def users(nodes: Sequence[Node]) -> dict[Node, list[Node]]:
    """Return node -> the nodes among `nodes` that have it as operand (once each), in the given order."""
    out: dict[Node, list[Node]] = {n: [] for n in nodes}
    for n in nodes:
        for arg in dict.fromkeys(n.args):
            out[arg].append(n)
    return out


def rebuild(roots: Iterable[Node], visit: Callable[[Node], Node]) -> dict[Node, Node]:
    """Return old node -> new node for everything reachable from `roots`.

    Every node is first given its already rebuilt operands, then passed to `visit`, which returns it or a replacement.
    """
    new: dict[Node, Node] = {}
    for node in toposort(roots):
        new[node] = visit(node.with_args([new[a] for a in node.args]))
    return new


def substitute(roots: Iterable[Node], replacements: Mapping[Node, Node]) -> dict[Node, Node]:
    """Return old node -> new node with `replacements` put in; what lies below a replaced node is not visited."""
    new: dict[Node, Node] = dict(replacements)
    stack = [(root, False) for root in roots]
    while stack:
        node, ready = stack.pop()
        if node in new:
            continue
        if ready:
            new[node] = node.with_args([new[a] for a in node.args])
        else:
            stack.append((node, True))
            stack.extend((a, False) for a in reversed(node.args) if a not in new)
    return new
