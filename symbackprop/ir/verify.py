"""Invariants of a graph, checked after every pass in the tests."""

from __future__ import annotations

from symbackprop.errors import ShapeError, message
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import Input

__all__ = ["verify", "verify_pass"]


def verify(graph: Graph) -> None:
    """Check that `graph` is well formed: visits each node once.

    Every input that occurs is declared, declared names are unique, and each node, built again from its operands, is
    itself (so its type is what its operands imply and it is interned).

    Raises:
        ShapeError: otherwise.
    """
    names = [node.name for node in graph.inputs]
    if len(set(names)) != len(names):
        raise ShapeError(message("two inputs have one name", found=", ".join(names)))
    declared = set(graph.inputs)
    for node in graph.nodes():
        if isinstance(node, Input) and node not in declared:
            raise ShapeError(message("an input is not declared", found=node))
        if node.rebuilt(node.args) is not node:
            raise ShapeError(message("a node is not what its operands make", found=node))


def verify_pass(before: Graph, after: Graph) -> None:
    """Check that a pass kept inputs, result types and labels.

    Raises:
        ShapeError: otherwise.
    """
    verify(after)
    if before.inputs != after.inputs:
        raise ShapeError(message("a pass changed the inputs", expected=before.inputs, found=after.inputs))
    types = [[n.type for n in g.outputs] for g in (before, after)]
    if types[0] != types[1]:
        raise ShapeError(message("a pass changed a result's type", expected=types[0], found=types[1]))
    if set(before.names) != set(after.names):
        raise ShapeError(message("a pass lost a label", expected=sorted(before.names), found=sorted(after.names)))
