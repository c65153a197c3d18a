"""Inverses and determinants: no inverse where a system is cheaper, no determinant where its logarithm is meant.

An inverse between factors is applied to the side with fewer columns, once that side is multiplied out. It gives way to
the solution of a system if nothing else needs it, or if that side is a single vector, where the system is also the more
accurate way.
"""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.ir.dims import Dim, product
from symbackprop.ir.node import Broadcast, Const, Contraction, Elementwise, Library, Node, Size
from symbackprop.ops.arithmetic import abs_, div, integer_power, mul, sqrt
from symbackprop.ops.contraction import contract
from symbackprop.ops.layout import spread
from symbackprop.ops.linear_algebra import cofactor, det, inverse, logabsdet, logdet, solve, transposed
from symbackprop.ops.transcendental import exp, log, power
from symbackprop.options import Warrant
from symbackprop.rewrite.pattern import Match
from symbackprop.rewrite.rule import Rule

__all__ = ["LOGARITHMS", "RULES", "SYSTEMS"]

REAL = Warrant.REAL

Labels = tuple[int, ...]

#: Size at which the columns of the two sides of an inverse are compared.
NOMINAL_SIZE = 64


def solve_instead(m: Match) -> Node | None:
    """Return a product with an inverse by way of a linear system, where that is better."""
    node = m.node
    assert isinstance(node, Contraction)
    for k, arg in enumerate(node.args):
        if not isinstance(arg, Library) or arg.op is not inverse:
            continue
        row, col = node.spec.ins[k][-2:]
        sides = [s for s in (_side(node, k, col, row), _side(node, k, row, col)) if s is not None]
        if not sides:
            continue
        members, rest = min(sides, key=lambda side: _nominal(node, side[1]))
        if not rest or m.is_private(arg):
            return _solved(node, k, members, rest)
    return None


def _side(node: Contraction, k: int, near: int, far: int) -> tuple[list[int], Labels] | None:
    """Return the operands on the `near` side of inverse k, and the labels that stay when they are multiplied out.

    None if the label is not summed, or if that side is also tied to the inverse's other side, as in a trace.
    """
    ins, out = node.spec.ins, node.spec.out
    batch = ins[k][:-2]
    if near == far or near in out or len(set(ins[k])) != len(ins[k]):
        return None
    members: list[int] = []
    reached = [near]
    for label in reached:
        for j, labels in enumerate(ins):
            if j == k or j in members or label not in labels:
                continue
            members.append(j)
            reached += [x for x in labels if x not in out and x not in reached and x not in batch]
    if not members or far in reached or any(far in ins[j] for j in members):
        return None
    others = {x for j, labels in enumerate(ins) if j not in members and j != k for x in labels}
    seen = dict.fromkeys(x for j in members for x in ins[j])
    return members, tuple(x for x in seen if x != near and x not in batch and (x in out or x in others))


def _nominal(node: Contraction, labels: Labels) -> int:
    columns: Dim = product(node.extents[x] for x in labels)
    return columns.evaluate(dict.fromkeys(columns.symbols, NOMINAL_SIZE))


def _solved(node: Contraction, k: int, members: Sequence[int], rest: Labels) -> Node:
    """Return `node` with inverse k and the operands `members` replaced by the solution of a system."""
    ins, extents = node.spec.ins, node.extents
    *batch, row, col = ins[k]
    near, far = (col, row) if any(col in ins[j] for j in members) else (row, col)
    matrix = node.args[k].args[0] if near == col else transposed(node.args[k].args[0])
    given = {x for j in members for x in ins[j]}
    full = [*batch, near, *rest]
    held = [x for x in full if x in given]
    right = contract([node.args[j] for j in members], [ins[j] for j in members], held)
    right = spread(right, [extents[x] for x in full], [full.index(x) for x in held])
    others = [j for j in range(len(ins)) if j != k and j not in members]
    args = [*(node.args[j] for j in others), solve(matrix, right)]
    return contract(args, [*(ins[j] for j in others), (*batch, far, *rest)], node.spec.out)


def _is_transposed(node: Node) -> bool:
    """Whether the node is a batch of matrices, each transposed."""
    lead = tuple(range(node.rank - 2))
    swapped = (*lead, node.rank - 1, node.rank - 2)
    return isinstance(node, Contraction) and node.spec.is_permutation and node.spec.out == swapped


def of_transposed(m: Match) -> Node | None:
    """Return a determinant of a transposed matrix as that of the matrix; an inverse, where the program has that too."""
    node = m.node
    assert isinstance(node, Library)
    matrix = node.args[0]
    if node.op in {inverse, cofactor}:
        turned = matrix.args[0] if _is_transposed(matrix) else transposed(matrix)
        known = node.op(turned)
        return transposed(known) if m.scope.is_known(known) else None
    return node.op(matrix.args[0]) if len(node.args) == 1 and _is_transposed(matrix) else None


def of_inverse(m: Match) -> Node | None:
    """Return a routine applied to an inverse by way of the matrix itself."""
    node = m.node
    assert isinstance(node, Library)
    inner = node.args[0]
    if not isinstance(inner, Library) or inner.op is not inverse:
        return None
    matrix = inner.args[0]
    if node.op is inverse:
        return matrix
    if node.op is det:
        return 1.0 / det(matrix)
    if node.op in {logdet, logabsdet}:
        return -node.op(matrix)
    if node.op is solve:
        batch = [("batch", k) for k in range(matrix.rank - 2)]
        columns = [("column", k) for k in range(node.rank - len(batch) - 1)]
        labels = [[*batch, "i", "j"], [*batch, "j", *columns]]
        return contract([matrix, node.args[1]], labels, [*batch, "i", *columns])
    return None


def _is_det(node: Node) -> bool:
    return isinstance(node, Library) and node.op is det


def _holds_det(root: Node) -> bool:
    """Whether a product, quotient, root or power has a determinant as its one factor of unknown sign."""
    node = root
    while isinstance(node, Elementwise):
        if node.op in {sqrt, abs_, integer_power}:
            node = node.args[0]
        elif node.op in {mul, div}:
            unknown = [a for a in node.args if not _is_positive(a)]
            if len(unknown) != 1:
                return False
            node = unknown[0]
        else:
            return False
    return _is_det(node)


def _is_positive(node: Node) -> bool:
    """Whether a node is visibly positive: a number, a size, an exponential, a power of a number."""
    while isinstance(node, Broadcast):
        node = node.args[0]
    match node:
        case Const():
            return node.value > 0
        case Size():
            return True
        case Elementwise():
            base = node.args[0]
            return node.op is exp or (node.op is power and isinstance(base, Const) and base.value > 0)
        case _:
            return False


def log_of_det(m: Match) -> Node | None:
    """Return the logarithm of a determinant, and of its products with positive factors, without the determinant."""
    node = m.node
    assert isinstance(node, Elementwise)
    if node.op is not log:
        return None
    arg = node.args[0]
    if isinstance(arg, Library) and arg.op is det:
        return logdet(arg.args[0])
    if not isinstance(arg, Elementwise) or not _holds_det(arg):
        return None
    inner = arg.args[0]
    if arg.op is abs_ and isinstance(inner, Library) and inner.op is det:
        return logabsdet(inner.args[0])
    if arg.op is sqrt:
        return 0.5 * log(inner)
    if arg.op is integer_power:
        n = arg.attr[0]
        return float(n) * log(abs_(inner) if n % 2 == 0 else inner)
    if arg.op is mul:
        return log(inner) + log(arg.args[1])
    return log(inner) - log(arg.args[1]) if arg.op is div else None


def log_of_power(m: Match) -> Node | None:
    """Return the logarithm of a positive number's power as a multiple of its logarithm."""
    node = m.node
    assert isinstance(node, Elementwise)
    inner = node.args[0]
    if node.op is not log or not isinstance(inner, Elementwise) or inner.op is not power:
        return None
    base = inner.args[0]
    return inner.args[1] * log(base) if isinstance(base, Const) and base.value > 0 else None


OVERFLOW = "the determinant over- or underflows long before its logarithm"

#: True of every program.
RULES = (
    Rule("library-transposed", Library, of_transposed, REAL, why="pivots are chosen in another order"),
    Rule("library-inverse", Library, of_inverse, REAL, why="the inverse of an inverse is rounded twice"),
)

#: For programs whose products are not in order yet.
SYSTEMS = (Rule("einsum-inverse", Contraction, solve_instead, REAL, why="a system is cheaper and more accurate"),)

#: Before differentiation, for the derivative of the logarithm is the simpler one.
LOGARITHMS = (
    Rule("log-det", Elementwise, log_of_det, REAL, why=OVERFLOW, when=lambda node: node.op is log),
    Rule("log-power", Elementwise, log_of_power, REAL, why="the power overflows", when=lambda node: node.op is log),
)
