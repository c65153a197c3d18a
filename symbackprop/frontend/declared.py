"""Functions that a user declares: a forward and a derivative in SymPy, by one decorator."""

from __future__ import annotations

import functools
import inspect
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symbackprop.errors import InputError, message
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe
from symbackprop.frontend.dispatch import Parts, Scope, Scoped, Steps, binds, operands, run
from symbackprop.frontend.forms import Binder
from symbackprop.frontend.leaves import text_of
from symbackprop.frontend.naming import Namer
from symbackprop.frontend.scan import Scan
from symbackprop.frontend.sizes import Sizes
from symbackprop.frontend.value import Axis, Index, Slot, Value, align, place
from symbackprop.ir.dims import ZERO
from symbackprop.ir.node import Elementwise, Node
from symbackprop.ir.registry import Primitive

__all__ = ["DeclaredFunction", "function"]

#: How many functions of a name there are: primitives are told apart by their names.
_TAKEN: Counter[str] = Counter()


@dataclass(frozen=True, eq=False)
class Declaration:
    """A function as declared.

    Attributes:
        name: the user's name for it.
        formals: its arguments.
        result: stands for the function's own value in `partials`.
        forward: its value, in the formals.
        partials: one derivative per argument, in the formals and the result; None for those of `forward` itself.
    """

    name: str
    formals: tuple[Any, ...]
    result: Any
    forward: Binder
    partials: tuple[Binder, ...] | None

    @functools.cached_property
    def primitive(self) -> Primitive:
        """The primitive that carries the declared partials."""
        return _primitive(self)


class DeclaredFunction(sp.Function):  # type: ignore[misc]  # SymPy is untyped
    """Base class of the functions that `function` makes."""

    declaration: Declaration

    def fdiff(self, argindex: int = 1) -> Any:
        """Return the declared derivative for an argument, counted from 1."""
        made = self.declaration
        if made.partials is None:
            partial = made.forward.body.diff(made.formals[argindex - 1])
        else:
            partial = made.partials[argindex - 1].body
        return partial.xreplace({**dict(zip(made.formals, self.args, strict=True)), made.result: self})

    def opened(self) -> Any:
        """Return the declared forward of the arguments."""
        made = self.declaration
        return made.forward.body.xreplace(dict(zip(made.formals, self.args, strict=True)))

    def _eval_expand_func(self, **_hints: Any) -> Any:
        return self.opened()

    def _eval_evalf(self, prec: int) -> Any:
        value = self.opened()
        return value.evalf(sp.core.evalf.prec_to_dps(prec)) if not value.free_symbols else None

    def _eval_is_extended_real(self) -> bool | None:
        return True if all(arg.is_extended_real for arg in self.args) else None


def function(forward: Any = None, *, derivative: Any = None) -> Any:
    """Return a SymPy function with a declared forward and derivative; a decorator.

        @sbp.function(derivative=lambda x, a: (a*sp.cos(x), sp.sin(x)))
        def wave(x, a):
            return a*sp.sin(x)

    `wave(x, a)` is then a node of any expression, `X.applyfunc(f)` applies a function of one argument to every entry,
    and a kernel's forward pass computes the declared forward, its backward pass the declared derivative: a rule that is
    cheaper or more accurate, a surrogate, a straight-through estimator. Second derivatives are those of the declared
    first ones. Both may use whatever a kernel can compute of scalars, other declared functions included.

    Args:
        forward: the function to decorate: SymPy scalars in, a SymPy scalar out.
        derivative: called with the same arguments, and with the function's own value if it takes one more; returns one
            partial derivative per argument, by itself for a function of one argument. None leaves it to the compiler.

    Raises:
        InputError: not a function of a fixed number of scalars, a wrong number of partials, or symbols in the results
            that are not arguments.
    """
    if forward is None:
        return lambda decorated: function(decorated, derivative=derivative)
    count = _count(forward)
    names = list(inspect.signature(forward).parameters)
    formals = tuple(sp.Dummy(name, real=True) for name in names)
    result = sp.Dummy("result", real=True)
    name = forward.__name__ if forward.__name__.isidentifier() else "function"
    body = _scalar(forward(*formals), formals, f"the forward of {name}")
    partials = None
    if derivative is not None:
        own = _count(derivative)
        if own not in {count, count + 1}:
            raise InputError(
                message(
                    f"the derivative of {name} takes the wrong number of arguments",
                    expected=f"{', '.join(names)}, or these and the result",
                    found=own,
                )
            )
        returned = derivative(*formals, *([result] if own > count else []))
        given = tuple(returned) if isinstance(returned, (list, tuple, sp.Tuple)) else (returned,)
        if len(given) != count:
            raise InputError(
                message(
                    f"the derivative of {name} has the wrong length", expected=f"{count} partials", found=len(given)
                )
            )
        inside = (*formals, result)
        partials = tuple(Binder(inside, _scalar(p, inside, f"the derivative of {name}")) for p in given)
    made = Declaration(name, formals, result, Binder(formals, body), partials)
    members = {
        "__doc__": forward.__doc__,
        "__module__": forward.__module__,
        "__qualname__": forward.__qualname__,
        "declaration": made,
        "nargs": count,
    }
    metaclass: Any = type(DeclaredFunction)
    return metaclass(name, (DeclaredFunction,), members)


def _count(called: Callable[..., Any]) -> int:
    """Return the number of arguments of a function of a fixed number of them, at least one."""
    if not callable(called) or isinstance(called, type):
        raise InputError(message("not a function", expected="a function of SymPy scalars", found=describe(called)))
    parameters = inspect.signature(called).parameters.values()
    fixed = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    if not parameters or any(p.kind not in fixed for p in parameters):
        raise InputError(
            message("a declared function needs a fixed number of arguments", found=str(inspect.signature(called)))
        )
    return len(parameters)


def _scalar(value: Any, inside: Sequence[Any], what: str) -> Any:
    """Return a scalar expression in the symbols `inside`."""
    expr = sp.sympify(value)
    if not isinstance(expr, sp.Expr) or isinstance(expr, sp.MatrixExpr):
        raise InputError(message(f"{what} is no scalar expression", found=describe(expr)))
    scan = Scan([Binder(tuple(inside), expr)])
    foreign = [s for s in (*scan.symbols, *scan.matrices, *scan.arrays, *scan.ranged) if scan.is_free(s)]
    return expr if not foreign else _refuse_symbols(what, foreign, inside)


def _refuse_symbols(what: str, foreign: Sequence[Any], inside: Sequence[Any]) -> Any:
    raise InputError(
        message(
            f"{what} has symbols that are not its arguments",
            expected=", ".join(text_of(s) for s in inside),
            found=", ".join(text_of(s) for s in foreign),
            hint="make them arguments",
        )
    )


def _primitive(made: Declaration) -> Primitive:
    """Return the identity on the forward's value, with the declared partials for the arguments behind it."""
    _TAKEN[made.name] += 1
    suffix = f"_{_TAKEN[made.name]}" if _TAKEN[made.name] > 1 else ""

    def rule(out: Node, _value: Node, *args: Node) -> tuple[Node | None, ...]:
        return (None, *_partials(made, out, args))

    return Primitive(
        name=f"declared_{made.name}{suffix}",
        arity=len(made.formals) + 1,
        rule=rule,
        numpy=lambda value, *_args: value,
        emit="x",
        sympy=None,
        flops=0,
        expand=lambda node: node.args[0],
    )


def _partials(made: Declaration, out: Node, args: Sequence[Node]) -> list[Node]:
    """Return the declared partials at `args`, of the shape of `out`."""
    assert made.partials is not None
    ctx = Context(out.dtype, Sizes(Namer()), Scan(made.partials), arguments={}, indices={})
    axes: tuple[Axis, ...] = tuple(Index(Slot(k), ZERO, size) for k, size in enumerate(out.shape))
    scope: Scope = {
        **{formal: Value(arg, axes) for formal, arg in zip(made.formals, args, strict=True)},
        made.result: Value(out, axes),
    }
    return [place(ctx.real(run(ctx, p.body, scope)), axes, out.shape) for p in made.partials]


def _parts_of_declared(expr: Any) -> Parts:
    made = expr.declaration
    return Parts(children=(*expr.args, made.forward, *(made.partials or ())))


@binds(DeclaredFunction, parts=_parts_of_declared)
def declared(ctx: Context, expr: Any, scope: Scope) -> Steps:
    """Return the declared forward, marked with the declared partials."""
    made = expr.declaration
    values = yield from operands(expr.args)
    args = [ctx.scalar(value, expr) for value in values]
    inner = {**scope, **dict(zip(made.formals, args, strict=True))}
    forward = ctx.scalar((yield Scoped(made.forward.body, inner)), expr)
    if made.partials is None:
        return forward
    nodes, axes = align([forward, *args])
    return Value(Elementwise(made.primitive, nodes), axes)
