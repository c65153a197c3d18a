"""Piecewise functions that SymPy has moved out of inner sums, put back.

SymPy's constructor of sums, products and the like folds a Piecewise that mentions the new index, `Eq(i, j)`, to the
top of what is summed: also out of an inner sum or product over the other index j. There j is no longer bound, and the
result means something else:

    Sum(y[i]*Product(Piecewise((1, Eq(i, j)), (x[j], True)), (j, 0, n - 1)), (i, 0, n - 1))
    = Sum(Piecewise((y[i]*Product(1, (j, ...)), Eq(i, j)), (y[i]*Product(x[j], (j, ...)), True)), (i, 0, n - 1))

A condition on an index that the branches bind, all in the same place, shows this and tells what it was before.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sympy as sp
from sympy.concrete.expr_with_limits import ExprWithLimits

from symbackprop.errors import UnsupportedExpressionError, message
from symbackprop.frontend.describe import describe

__all__ = ["unfolded"]

#: The body that makes an iteration equal to 0 or 1, as SymPy may have evaluated it.
_NEUTRAL = {sp.Sum: sp.S.Zero, sp.Product: sp.S.One}

#: Most inner iterations of one branch that are told apart by trying their orders.
_MOST = 4


def unfolded(expr: Any) -> Any:
    """Return what a sum, product or extremum runs over, each Piecewise where it was written.

    Raises:
        UnsupportedExpressionError: it was moved, but the branches do not tell from where.
    """
    body = expr.function
    if not isinstance(body, sp.Piecewise):
        return body
    loose = _symbols(test for _, test in body.args)
    loose = {s: None for s in loose if all(s != limit[0] for limit in expr.limits)}
    found = [_binders(value, loose) for value, _ in body.args] if loose else []
    if not any(found):
        return body
    made = _together(body, found)
    if made is None:
        name = next(str(limit[0]) for nodes in found for node in nodes for limit in node.limits if limit[0] in loose)
        raise UnsupportedExpressionError(
            message(
                f"a condition on {name} outside the {_kinds(found)} over {name} is not supported",
                where=describe(expr),
                found="SymPy moves a Piecewise out of inner sums and products, even if its condition is on their index",
                hint=f"define the inner one by name: [Eq(s[i], inner), outer with s[i]]; or rename {name} outside it",
            )
        )
    return made


def _kinds(found: Sequence[Sequence[Any]]) -> str:
    return next(type(node).__name__ for nodes in found for node in nodes)


def _symbols(exprs: Iterator[Any]) -> dict[Any, None]:
    """Return the symbols and Idx that occur and are not bound there, in order."""
    out: dict[Any, None] = {}
    seen: set[tuple[int, frozenset[Any]]] = set()
    stack: list[tuple[Any, frozenset[Any]]] = [(expr, frozenset()) for expr in exprs][::-1]
    while stack:
        node, bound = stack.pop()
        if (id(node), bound) in seen:
            continue
        seen.add((id(node), bound))
        if isinstance(node, (sp.Symbol, sp.Idx)):
            if node not in bound:
                out[node] = None
            continue
        if isinstance(node, ExprWithLimits):
            bound = bound.union(limit[0] for limit in node.limits)
        stack.extend((arg, bound) for arg in reversed(node.args))
    return out


def _binders(expr: Any, symbols: Mapping[Any, None]) -> list[Any]:
    """Return the outermost iterations in `expr` that bind one of `symbols`, equal ones once."""
    out: dict[Any, None] = {}
    seen: set[int] = set()
    stack = [expr]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, ExprWithLimits) and any(limit[0] in symbols for limit in node.limits):
            out[node] = None
        else:
            stack.extend(reversed(node.args))
    return list(out)


def _together(body: Any, found: Sequence[Sequence[Any]]) -> Any:
    """Return the branches as one expression with choices inside its iterations, None if there is not just one way."""
    shared = [node for node in found[0] if all(node in nodes for nodes in found)]
    own = [[node for node in nodes if node not in shared] for nodes in found]
    first = max(range(len(own)), key=lambda k: len(own[k]))
    if not 0 < len(own[first]) <= _MOST or any(not limit[1:] for node in own[first] for limit in node.limits):
        return None
    marks = [sp.Dummy() for _ in own[first]]
    frame = _replaced(body.args[first][0], dict(zip(own[first], marks, strict=True)))
    choices: list[list[tuple[Any, Any]]] = [[] for _ in marks]
    for (value, test), nodes in zip(body.args, own, strict=True):
        ways = list(_ways(value, nodes, own[first], frame, marks))
        if len(ways) != 1:
            return None
        for choice, inner in zip(choices, ways[0], strict=True):
            choice.append((inner, test))
    loose = _symbols(test for _, test in body.args)
    bound = [{limit[0] for limit in node.limits if limit[0] in loose} for node in own[first]]
    if any(symbols != bound[0] for symbols in bound):
        return None
    made = [
        _iteration(node, sp.Piecewise(*choice, evaluate=False))
        for node, choice in zip(own[first], choices, strict=True)
    ]
    return _replaced(frame, dict(zip(marks, made, strict=True)))


def _ways(
    value: Any, nodes: Sequence[Any], like: Sequence[Any], frame: Any, marks: Sequence[Any]
) -> Iterator[tuple[Any, ...]]:
    """Yield, for each way to see a branch as `frame`, what its iterations run over, one for each mark."""
    if not nodes and all(type(node) in _NEUTRAL for node in like):
        # SymPy evaluates what it can: log(Sum(0, ...)) is gone.
        inner = tuple(_NEUTRAL[type(node)] for node in like)
        if _replaced(frame, dict(zip(marks, inner, strict=True))) == value:
            yield inner
    if len(nodes) != len(marks):
        return
    for order in itertools.permutations(nodes):
        same = all(a.func == b.func and a.limits == b.limits for a, b in zip(order, like, strict=True))
        if same and _replaced(value, dict(zip(order, marks, strict=True))) == frame:
            yield tuple(node.function for node in order)


def _iteration(node: Any, function: Any) -> Any:
    """Return an iteration over something else, made without SymPy's constructor, which folds."""
    made = sp.Basic.__new__(node.func, function, *node.limits)
    made.is_commutative = True
    return made


def _replaced(expr: Any, table: Mapping[Any, Any]) -> Any:
    """Return an expression with nodes replaced; iterative, each distinct object once."""
    done: dict[int, Any] = {}
    stack: list[tuple[Any, bool]] = [(expr, False)]
    while stack:
        node, ready = stack.pop()
        if id(node) in done:
            continue
        if node in table:
            done[id(node)] = table[node]
        elif not ready:
            stack.append((node, True))
            stack.extend((arg, False) for arg in node.args)
        else:
            args = [done[id(arg)] for arg in node.args]
            changed = any(new is not old for new, old in zip(args, node.args, strict=True))
            if changed and isinstance(node, ExprWithLimits):
                done[id(node)] = _iteration(node, args[0])
            else:
                done[id(node)] = node.func(*args) if changed else node
    return done[id(expr)]
