"""Patterns: ordinary graphs over metavariables, matched entry by entry and without regard to shape.

A metavariable is an `Input` whose name starts with "?". It stands for any node, the same one wherever it occurs; one
whose name starts with "?#" stands for constants only. Constants in a pattern match by their bits. Operands of a
primitive with `Trait.COMMUTATIVE` match in any order: every order is laid out once, when the rules are indexed, so that
matching itself never backtracks.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from symbackprop.ir.graph import toposort
from symbackprop.ir.node import Const, Elementwise, Input, Node
from symbackprop.ir.registry import Trait
from symbackprop.ir.types import TensorType

__all__ = [
    "Head",
    "Match",
    "Scope",
    "const",
    "has_axes",
    "head",
    "heads_fit",
    "instantiate",
    "is_metavariable",
    "match",
    "number",
    "var",
    "variants",
]

SCALAR = TensorType((), "float64")
BOOLEAN = TensorType((), "bool")

#: What an operand may be, for the index: None for anything, a class for constants, else the primitive's name.
Head = str | type[Const] | None


def var(name: str) -> Input:
    """Return the metavariable `name`, which must start with "?"."""
    assert name.startswith("?"), name
    return Input(name, SCALAR)


def number(name: str) -> Input:
    """Return the metavariable "?#name" that stands for a constant."""
    return Input(f"?#{name}", SCALAR)


def const(value: float) -> Const:
    """Return a constant for use in a pattern."""
    return Const(value, BOOLEAN if isinstance(value, bool) else SCALAR)


def is_metavariable(node: Node) -> bool:
    """Return whether `node` is a metavariable."""
    return isinstance(node, Input) and node.name.startswith("?")


@dataclass(frozen=True)
class Scope:
    """What a computed rule may know of the program around a match.

    Attributes:
        n_uses: node -> how many operands, outputs and labels of the program refer to it.
        memo: results that a rule's helper keeps for the rest of the pass, by (helper, node).
        is_known: node -> whether the pass has met it already, so that it costs nothing to use it again.
    """

    n_uses: Callable[[Node], int]
    memo: dict[tuple[str, Node], Node | None] = field(default_factory=dict)
    is_known: Callable[[Node], bool] = lambda _node: False


@dataclass(frozen=True)
class Match:
    """Where a rule applies.

    Attributes:
        node: the node to be replaced.
        bindings: metavariable name without its mark -> what it stands for.
        scope: the program around it.
    """

    node: Node
    bindings: Mapping[str, Node]
    scope: Scope

    def __getitem__(self, name: str) -> Node:
        return self.bindings[name]

    def value(self, name: str) -> float:
        """Return the constant that the metavariable "?#name" stands for."""
        node = self.bindings[name]
        assert isinstance(node, Const)
        return node.value

    def is_private(self, node: Node) -> bool:
        """Return whether nothing but the operation at hand refers to `node`."""
        return self.scope.n_uses(node) <= 1


def has_axes(node: Node) -> bool:
    """Return whether `node` is an array rather than a number."""
    return bool(node.shape)


def variants(pattern: Node) -> list[Node]:
    """Return the pattern with the operands of commutative primitives in every order, without repetitions."""
    forms: dict[Node, list[Node]] = {}
    for node in toposort([pattern]):
        if not isinstance(node, Elementwise):
            forms[node] = [node]
            continue
        found: dict[Node, None] = {}
        orders = itertools.permutations(node.args) if Trait.COMMUTATIVE in node.op.traits else [node.args]
        for order in orders:
            for operands in itertools.product(*(forms[a] for a in order)):
                found.setdefault(node.with_args(operands))
        forms[node] = list(found)
    return forms[pattern]


def head(node: Node) -> Head:
    """Return what the index knows of an operand of a program."""
    if isinstance(node, Elementwise):
        return node.op.name
    return Const if isinstance(node, Const) else None


def heads_fit(pattern: Node, node: Node, depth: int = 2) -> bool:
    """Return whether the operands of `node`, and theirs down to `depth`, can match those of `pattern` by their heads.

    Operands that the pattern wants to be the same must be.
    """
    if len(pattern.args) != len(node.args):
        return False
    if len(node.args) == 2 and pattern.args[0] is pattern.args[1] and node.args[0] is not node.args[1]:
        return False
    for part, found in zip(pattern.args, node.args, strict=True):
        if is_metavariable(part):
            if _constants_only(part) and not isinstance(found, Const):
                return False
        elif head(part) != head(found) or (depth > 1 and not heads_fit(part, found, depth - 1)):
            return False
    return True


def match(pattern: Node, node: Node) -> dict[str, Node] | None:
    """Return what the metavariables of `pattern` stand for in `node`, or None. Operand order must agree."""
    bindings: dict[str, Node] = {}
    stack = [(pattern, node)]
    while stack:
        part, found = stack.pop()
        if isinstance(part, Elementwise):
            if not isinstance(found, Elementwise) or found.op is not part.op or found.attr != part.attr:
                return None
            if len(found.args) != len(part.args):
                return None
            stack.extend(zip(part.args, found.args, strict=True))
        elif isinstance(part, Const):
            if not isinstance(found, Const) or not _same_number(part.value, found.value):
                return None
        else:
            assert isinstance(part, Input)
            if _constants_only(part) and not isinstance(found, Const):
                return None
            if bindings.setdefault(part.name.lstrip("?#"), found) is not found:
                return None
    return bindings


def instantiate(template: Node, bindings: Mapping[str, Node], like: Node) -> Node:
    """Return `template` with its metavariables filled in; constants take the type of `like`."""
    built: dict[Node, Node] = {}
    for part in _parts(template):
        match part:
            case Elementwise():
                built[part] = Elementwise(part.op, [built[a] for a in part.args], part.attr)
            case Const():
                built[part] = Const(part.value, like.type)
            case Input():
                built[part] = bindings[part.name.lstrip("?#")]
            case _:
                raise TypeError(f"a template holds a {part.kind}")
    return built[template]


@functools.cache
def _parts(template: Node) -> list[Node]:
    """Return the nodes of a template, operands first."""
    return toposort([template])


def _constants_only(part: Node) -> bool:
    return isinstance(part, Input) and part.name.startswith("?#")


def _same_number(a: float, b: float) -> bool:
    """Return whether two constants agree in value, sign of zero, and being boolean."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    return a == b and (a != 0 or str(float(a)) == str(float(b)))
