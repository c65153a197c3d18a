"""Index positions: affine functions of running indices, integer data, and whole numbers computed from both."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple

import sympy as sp
from sympy.matrices.expressions.matexpr import MatrixElement

from symbackprop.errors import UnsupportedExpressionError, message
from symbackprop.frontend.affine import GUARDS, NO_GUARDS, Affine
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.dispatch import Request, Scope, Scoped
from symbackprop.frontend.sizes import polynomial
from symbackprop.frontend.value import Axis, Index, Value, apply, place
from symbackprop.ir.dims import ONE, ZERO, Dim, never_negative
from symbackprop.ir.registry import ELEMENTWISE

__all__ = ["Lookup", "Position", "affine_of", "compared", "holds", "integer_of", "linear", "lookups", "position"]

#: What a symbol stands for, None if that is nothing of the kind.
Lookup = Callable[[Any], Any]

#: What a whole number may be computed from, where it is no polynomial.
_LEAVES = (sp.Symbol, sp.Idx, sp.Indexed, MatrixElement)

#: Most combinations of remainders that are tried.
_RESIDUES = 10_000

_FUNCTIONS = (sp.floor, sp.ceiling, sp.Mod, sp.Max, sp.Min, sp.Abs)


class Position(NamedTuple):
    """One position: an affine function of running indices, or entries of an integer array plus a size."""

    affine: Affine
    data: Value | None = None


def linear(expr: Any, lookup: Lookup, size_of: Lookup) -> tuple[Affine, list[tuple[Dim, Any]]] | None:
    """Return a whole number as (affine function of running indices, [(factor, leaf)]), None when it is not linear.

    Args:
        expr: built from integers, sizes, indices and leaves.
        lookup: gives what a symbol stands for if that is a running index or an affine function of some, else None.
        size_of: gives the Dim of a size symbol, None for any other node.

    Raises:
        UnsupportedExpressionError: it is built from something else.
    """
    if _has_fraction(expr):
        return None
    leaves: dict[str, Any] = {}
    numbers: dict[Any, str] = {}

    def atom(node: Any) -> Dim | None:
        dim: Dim | None = size_of(node)
        if dim is not None:
            return dim
        if not isinstance(node, _LEAVES + _FUNCTIONS):
            return None
        key = node if isinstance(node, (sp.Symbol, sp.Idx)) else id(node)
        name = numbers.setdefault(key, f"@{len(numbers)}")
        leaves[name] = node
        return Dim.of(name)

    rest = polynomial(expr, atom, "an index")
    affine = Affine()
    data: list[tuple[Dim, Any]] = []
    for name, leaf in leaves.items():
        split = rest.split(name)
        if split is None or any(symbol in leaves for symbol in split[0].symbols):
            return None
        factor, rest = split
        if not factor.terms:
            continue
        running = lookup(leaf) if isinstance(leaf, (sp.Symbol, sp.Idx)) else None
        if running is None:
            data.append((factor, leaf))
        else:
            affine = affine + running * factor
    return affine + rest, data


def affine_of(expr: Any, lookup: Lookup, size_of: Lookup) -> Affine | None:
    """Return an affine function of running indices, None for anything else."""
    try:
        found = linear(expr, lookup, size_of)
    except UnsupportedExpressionError:
        return None
    return None if found is None or found[1] else found[0]


def lookups(ctx: Context, scope: Scope) -> tuple[Lookup, Lookup]:
    """Return what symbols stand for in a scope: running indices, and sizes."""

    def running(symbol: Any) -> Affine | None:
        return ctx.running(symbol, scope)

    def size_of(node: Any) -> Dim | None:
        return None if node in scope or node in ctx.indices else ctx.sizes.atom(node)

    return running, size_of


def position(ctx: Context, expr: Any, scope: Scope, where: Any) -> Generator[Request, Value, Position]:
    """Return one index position; asks for the integer arrays it mentions.

    Raises:
        UnsupportedExpressionError: it is no whole number, or not one that can be computed.
    """
    top, below = _quotient(expr, where)
    if below > 1:
        whole = yield from _computed(ctx, top, scope, where)
        part = apply("quotient", whole, ctx.integer(Dim.of(below)))
        return Position(Affine(), _guarded(ctx, part, scope))
    found = linear(expr, *lookups(ctx, scope))
    if found is None:
        return Position(Affine(), _guarded(ctx, (yield from _computed(ctx, expr, scope, where)), scope))
    affine, leaves = found
    if not leaves:
        return Position(affine)
    terms: list[Value] = []
    for factor, leaf in leaves:
        value = yield from _computed(ctx, leaf, scope, where)
        terms.append(value if factor == ONE else apply("mul", ctx.integer(factor), value))
    if affine.terms:
        terms.append(ctx.index_number(Affine(ZERO, affine.terms)))
    data = functools.reduce(lambda a, b: apply("add", a, b), terms)
    if scope.get(GUARDS, NO_GUARDS).masks or any(i.depends for i in affine.indices):
        total = apply("add", data, ctx.integer(affine.offset)) if affine.offset.terms else data
        return Position(Affine(), _guarded(ctx, total, scope))
    return Position(Affine(affine.offset), data)


def _has_fraction(expr: Any) -> bool:
    seen, stack = {expr}, [expr]
    while stack:
        node = stack.pop()
        if isinstance(node, sp.Rational) and not isinstance(node, sp.Integer):
            return True
        # What stands inside an entry of integer data, or of floor and its like, is looked at by itself.
        if not isinstance(node, (sp.Indexed, MatrixElement, *_FUNCTIONS)):
            fresh = [a for a in node.args if a not in seen]
            seen.update(fresh)
            stack += fresh
    return False


def _quotient(expr: Any, where: Any) -> tuple[Any, int]:
    """Return (top, below) with integer coefficients for an index such as i*(i - 1)/2; below = 1 for others.

    Raises:
        UnsupportedExpressionError: it is not a whole number for all whole numbers that it is made of.
    """
    if not _has_fraction(expr):
        return expr, 1
    top, below = sp.fraction(sp.together(expr))
    leaves = sorted(top.atoms(*_LEAVES) if not top.atoms(*_FUNCTIONS) else (), key=str)
    stand_ins = [sp.Dummy(integer=True) for _ in leaves]
    plain = top.xreplace(dict(zip(leaves, stand_ins, strict=True)))
    countable = isinstance(below, sp.Integer) and leaves and plain.is_polynomial(*stand_ins)
    if not countable or int(below) ** len(leaves) > _RESIDUES:
        raise _refusal(f"{kind_name(expr)} with a fraction in an index", where, describe(expr))
    # Its remainder depends on the remainders of what it is made of only.
    terms = sp.Poly(plain, *stand_ins).terms()
    for residues in itertools.product(range(int(below)), repeat=len(leaves)):
        whole = sum(int(c) * math.prod(r**e for r, e in zip(residues, powers, strict=True)) for powers, c in terms)
        if whole % int(below):
            at = ", ".join(f"{leaf} = {r}" for leaf, r in zip(leaves, residues, strict=True))
            raise _refusal("an index that is no whole number", where, f"{describe(expr)}, for example at {at}")
    return top, int(below)


def integer_of(ctx: Context, place: Position) -> Value:
    """Return a position as an integer value."""
    if place.data is None:
        return ctx.index_number(place.affine)
    return apply("add", place.data, ctx.index_number(place.affine)) if place.affine.offset.terms else place.data


def holds(ctx: Context, form: Affine, like: Sequence[Axis] = ()) -> Value:
    """Return whether an affine function is >= 0, as a comparison of loop variables: `i <= j`.

    Args:
        ctx: the translation.
        form: the affine function.
        like: the axes of what the condition will select, whose order it then has.
    """
    return compared(ctx, "le", Affine(), form, like)


def compared(ctx: Context, name: str, left: Affine, right: Affine, like: Sequence[Axis] = ()) -> Value:
    """Return the comparison `name` of two affine functions, with terms moved so that none is negative."""
    form = right - left
    offset = form.offset + sum((stride * index.low for index, stride in form.terms), start=ZERO)
    plus = [(index, stride) for index, stride in form.terms if never_negative(stride)]
    minus = [(index, -stride) for index, stride in form.terms if not never_negative(stride)]

    axes = sorted(form.indices, key=lambda index: index.depth)
    if set(axes).issubset(like):
        axes = [axis for axis in like if isinstance(axis, Index) and axis in form.indices]

    def side(terms: list[Any], rest: Dim) -> Value:
        lows = sum((stride * index.low for index, stride in terms), start=ZERO)
        return ctx.index_number(Affine(rest - lows, tuple(terms)))

    if name == "le" and offset == -ONE:
        name, offset = "lt", ZERO
    elif name == "lt" and offset == ONE:
        name, offset = "le", ZERO
    below, above = (ZERO, offset) if never_negative(offset) else (-offset, ZERO)
    values = [side(minus, below), side(plus, above)]
    shape = [index.count for index in axes]
    nodes = [place(value, axes, shape) for value in values]
    return Value(ELEMENTWISE[name](*nodes), tuple(axes))


def _guarded(ctx: Context, data: Value, scope: Scope) -> Value:
    """Return computed positions, 0 where the conditions around them say that they do not matter."""
    guards = scope.get(GUARDS, NO_GUARDS)
    own = set(data.axes)
    running = [axis for axis in data.axes if isinstance(axis, Index)]
    forms = [form for index in running for form in index.within() if own.issuperset(form.indices)]
    masks = [holds(ctx, form, data.axes) for form in forms]
    masks += [m for m in guards.masks if own.issuperset(m.axes)]
    if not masks:
        return data
    mask = functools.reduce(lambda a, b: apply("and", a, b), dict.fromkeys(masks))
    return apply("select", mask, data, ctx.const(0, "int64"))


def _computed(ctx: Context, expr: Any, scope: Scope, where: Any) -> Generator[Request, Value, Value]:
    """Return a whole number as an integer value; iterative."""
    running, size_of = lookups(ctx, scope)
    values: list[Value] = []
    stack: list[tuple[Any, bool]] = [(expr, False)]
    while stack:
        node, ready = stack.pop()
        args = _operands(node)
        if ready:
            operands = [values.pop() for _ in args][::-1]
            values.append(_operation(node, operands))
            continue
        affine = affine_of(node, running, size_of)
        if affine is not None:
            values.append(ctx.index_number(affine))
        elif args:
            stack.append((node, True))
            stack.extend((a, False) for a in reversed(args))
        elif isinstance(node, _LEAVES):
            value = yield Scoped(node, scope)
            if value.node.dtype != "int64":
                raise _refusal("a real number in the place of an index", where, describe(node))
            values.append(value)
        else:
            raise _refusal(f"{kind_name(node)} in an index", where, describe(node))
    return values[0]


def _operands(node: Any) -> tuple[Any, ...]:
    """Return what a whole number is computed from, () for what is no operation on whole numbers."""
    if isinstance(node, (sp.floor, sp.ceiling)):
        return tuple(sp.fraction(sp.together(node.args[0])))
    if isinstance(node, sp.Pow):
        return (node.base,) if isinstance(node.exp, sp.Integer) and 0 < node.exp.p <= 16 else ()
    return tuple(node.args) if isinstance(node, (sp.Add, sp.Mul, sp.Mod, sp.Max, sp.Min, sp.Abs)) else ()


def _operation(node: Any, args: list[Value]) -> Value:
    match node:
        case sp.floor():
            return apply("quotient", *args)
        case sp.ceiling():
            return apply("neg", apply("quotient", apply("neg", args[0]), args[1]))
        case sp.Mod():
            return apply("remainder", *args)
        case sp.Pow():
            return functools.reduce(lambda a, b: apply("mul", a, b), args * int(node.exp))
        case sp.Abs():
            return apply("abs", args[0])
        case _:
            names = {sp.Add: "add", sp.Mul: "mul", sp.Max: "maximum", sp.Min: "minimum"}
            name = next(names[cls] for cls in names if isinstance(node, cls))
            return functools.reduce(lambda a, b: apply(name, a, b), args)


def _refusal(what: str, where: Any, found: str) -> UnsupportedExpressionError:
    return UnsupportedExpressionError(message(f"{what} is not supported", where=describe(where), found=found))
