"""What the forward pass keeps for the backward pass, and the backward pass as a program of its own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from symbackprop.ir.graph import Graph, substitute, toposort
from symbackprop.ir.node import Elementwise, Input, Node
from symbackprop.ir.recurrence import made_along
from symbackprop.ir.registry import Trait
from symbackprop.plan.access import is_access, is_leaf

__all__ = ["Split", "split_bprop"]


@dataclass(frozen=True)
class Split:
    """The backward pass cut from the forward pass.

    Attributes:
        residuals: forward values handed over, in order: arguments by reference, computed values newly stored.
        graph: the backward program; its inputs are the residuals, then the upstream gradients.
    """

    residuals: tuple[Node, ...]
    graph: Graph


def split_bprop(joint: Graph, n_values: int, upstream: Sequence[Input]) -> Split:
    """Return the backward program cut from `joint`, whose outputs are values, then gradients.

    Kept is what the backward nodes mention of the forward ones, except that re-indexing is repeated, and so is an
    operation of one flop or two without a library call whose operands are at hand anyway.
    """
    values, grads = joint.outputs[:n_values], joint.outputs[n_values:]
    order = toposort(grads)
    forward = toposort(values)
    # What steps of the forward pass make for the backward pass alone is kept too, not made a second time.
    forward = toposort([*values, *made_along(forward, order)])
    forward_set = set(forward)
    needed = {a for n in order if n not in forward_set for a in n.args if a in forward_set}
    needed.update(g for g in grads if g in forward_set)
    at_hand = {n for n in needed if not is_access(n)}
    for node in reversed(forward):
        if node in needed and not is_leaf(node) and (is_access(node) or _is_cheap(node, at_hand)):
            needed.discard(node)
            needed.update(node.args)
            at_hand.discard(node)
    computed = (n for n in forward if n in needed and not is_leaf(n))
    kept: tuple[Node, ...] = (*(n for n in joint.inputs if n in needed), *computed)
    stand_in: dict[Node, Node] = {}
    taken = {n.name for n in forward if isinstance(n, Input)} | {u.name for u in upstream}
    for node in kept:
        if not isinstance(node, Input):
            numbered = (f"r{k}" for k in itertools.count(len(stand_in)))
            name = next(n for n in itertools.chain([joint.hints.get(node, "r0")], numbered) if n not in taken)
            taken.add(name)
            stand_in[node] = Input(name, node.type)
    new = substitute(grads, stand_in)
    inputs = [node if isinstance(node, Input) else stand_in[node] for node in kept]
    typed = tuple(n for n in inputs if isinstance(n, Input))
    hints = {new[node]: hint for node, hint in joint.hints.items() if node in new and new[node].args}
    return Split(kept, Graph((*typed, *upstream), tuple(new[g] for g in grads), {}, hints))


def _is_cheap(node: Node, at_hand: set[Node]) -> bool:
    """Whether computing `node` again from what is at hand costs less than keeping it."""
    if not isinstance(node, Elementwise) or node.op.flops > 2 or Trait.TRANSCENDENTAL in node.op.traits:
        return False
    return all(is_leaf(_through(a)) or _through(a) in at_hand for a in node.args)


def _through(node: Node) -> Node:
    """Return the value that a chain of broadcasts and transposes of one operand reads."""
    while is_access(node) and len(node.args) == 1:
        node = node.args[0]
    return node
