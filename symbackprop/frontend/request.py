"""What a user asks for: the outputs, how they are nested, and the named intermediates that a program defines.

A program is a sequence of items. An equation or assignment defines its left-hand side; anything else is an output. The
pair that `sympy.cse` returns is a program, and so are a `CodeBlock` and a list of assignments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import sympy as sp
from sympy.codegen.ast import Assignment, AugmentedAssignment, CodeBlock
from sympy.matrices.expressions.matexpr import MatrixElement

from symbackprop.errors import InputError, UnsupportedExpressionError, message
from symbackprop.frontend.describe import describe, kind_name
from symbackprop.frontend.dispatch import entry_of
from symbackprop.frontend.leaves import is_leaf, leaf_of, text_of
from symbackprop.frontend.program import Container, Layout

__all__ = ["Definition", "Requested", "expression", "requested"]

#: Containers are nested no deeper than this; a list that holds itself is.
_MAX_NESTING = 32

_SOME = "at least one expression"


@dataclass(frozen=True, eq=False)
class Definition:
    """One named intermediate.

    Attributes:
        leaf: what the name stands for where it is read: a symbol or an IndexedBase.
        indices: the free indices of the left-hand side `y[i, j]`.
        lhs: the left-hand side as written.
        rhs: its value; of an augmented assignment together with the old value.
        loose: whether the left-hand side takes any shape, as a symbol made by `sympy.cse` does.
        time: the index t of a left-hand side `h[t + 1, i]`, whose `indices` are t and i then.
        is_start: whether the left-hand side is a first row `h[0, i]`; its `indices` leave the 0 out.
    """

    leaf: Any
    indices: tuple[Any, ...]
    lhs: Any
    rhs: Any
    loose: bool = False
    time: Any = None
    is_start: bool = False

    @property
    def name(self) -> str:
        """The user's text for the name."""
        return text_of(self.leaf)


@dataclass
class Requested:
    """A request taken apart.

    Attributes:
        definitions: in order.
        outputs: (name, expression), in order of the leaves of `layout`; empty when all items are definitions.
        container: how results are handed back.
        layout: the nesting of the outputs.
    """

    definitions: list[Definition] = field(default_factory=list)
    outputs: list[tuple[str, Any]] = field(default_factory=list)
    container: Container = "single"
    layout: Layout = 0


def requested(expr: Any) -> Requested:
    """Return what `expr` asks for.

    Raises:
        InputError: a name that is no string or symbol, or no output at all.
        UnsupportedExpressionError: an item that is no expression.
    """
    made = Requested()
    program = _is_cse(expr)
    if program:
        replacements, expr = expr
        made.definitions += [_definition(lhs, lhs, rhs, loose=True) for lhs, rhs in replacements]
    layout = _Reader(made).read(expr)
    if layout is None:
        if not made.definitions:
            raise InputError(message("there is no output", expected=_SOME))
        return made
    made.layout = layout
    if isinstance(layout, list | tuple) and (program or made.definitions) and len(made.outputs) == 1:
        made.layout = 0
    made.container = _container(made.layout)
    return made


def _container(layout: Layout) -> Container:
    if isinstance(layout, int):
        return "single"
    items = layout.values() if isinstance(layout, dict) else layout
    if not all(isinstance(item, int) for item in items):
        return "nested"
    return "dict" if isinstance(layout, dict) else "list" if isinstance(layout, list) else "tuple"


class _Reader:
    """Walks a request in order; containers become layouts, definitions leave them."""

    def __init__(self, made: Requested) -> None:
        self.made = made
        self.names: set[str] = set()

    def read(self, item: Any, name: str = "out", depth: int = 0) -> Layout | None:
        """Return the layout of one item, None if it only defines."""
        if depth > _MAX_NESTING:
            raise InputError(message(f"outputs are nested deeper than {_MAX_NESTING} containers", found=describe(item)))
        if isinstance(item, Mapping):
            return self._mapping(item, name, depth)
        if isinstance(item, (list, tuple, sp.Tuple)):
            if not item:
                raise InputError(message("there is no output", expected=_SOME, found=f"an empty {type(item).__name__}"))
            parts = [self.read(e, f"out{k}" if not depth else f"{name}_{k}", depth + 1) for k, e in enumerate(item)]
            kept = [part for part in parts if part is not None]
            return (kept if isinstance(item, list) else tuple(kept)) if kept else None
        found = list(_definitions(item))
        if found:
            self.made.definitions += found
            return None
        taken, k = name, 0
        while taken in self.names:
            k += 1
            taken = f"{name}_{k}"
        self.names.add(taken)
        self.made.outputs.append((taken, expression(item)))
        return len(self.made.outputs) - 1

    def _mapping(self, items: Mapping[Any, Any], name: str, depth: int) -> Layout | None:
        layout: dict[str, Layout] = {}
        if not items:
            raise InputError(message("there is no output", expected=_SOME, found="an empty dict"))
        for key, value in items.items():
            if not isinstance(key, str) and not is_leaf(key):
                raise InputError(
                    message("an output's name is not a string", expected="a string or a symbol", found=describe(key))
                )
            text = key if isinstance(key, str) else text_of(leaf_of(key))
            if text in layout:
                raise InputError(message(f"two outputs are named {text!r}"))
            part = self.read(value, f"{name}_{text}" if depth else text, depth + 1)
            if part is None:
                raise InputError(
                    message("a definition in a dict of outputs", found=describe(value), hint="write {name: expression}")
                )
            layout[text] = part
        return layout


def expression(expr: Any) -> Any:
    """Return a single output: a SymPy object that has a translation, or a number.

    Raises:
        UnsupportedExpressionError: it is neither.
    """
    if isinstance(expr, Real) and not isinstance(expr, (bool, sp.Basic)):
        return sp.sympify(expr)
    if isinstance(expr, (sp.logic.boolalg.BooleanTrue, sp.logic.boolalg.BooleanFalse)):
        raise UnsupportedExpressionError(
            message(
                "a truth value as output is not supported",
                where=describe(expr),
                hint="an equation was evaluated while it was built; for a definition use sympy.codegen.ast.Assignment",
            )
        )
    entry_of(expr)
    return expr


def _is_cse(expr: Any) -> bool:
    """Whether this is what `sympy.cse` returns: a list of (symbol, expression) pairs, and the reduced expressions."""
    if not isinstance(expr, tuple) or len(expr) != 2 or not isinstance(expr[0], list):
        return False
    pairs = all(
        isinstance(p, tuple) and len(p) == 2 and isinstance(p[0], (sp.Symbol, sp.MatrixSymbol)) for p in expr[0]
    )
    return pairs and (bool(expr[0]) or isinstance(expr[1], list))


def _definitions(item: Any) -> Iterator[Definition]:
    """Yield what an item defines; nothing if it is an output."""
    statements: Sequence[Any] = item.args if isinstance(item, CodeBlock) else (item,)
    for statement in statements:
        if isinstance(statement, (sp.Equality, Assignment)):
            yield _definition(statement, *statement.args[:2])
        elif isinstance(statement, AugmentedAssignment):
            yield _definition(statement, statement.lhs, _augmented(statement))
        elif isinstance(item, CodeBlock):
            raise UnsupportedExpressionError(
                message(
                    f"{kind_name(statement)} in a CodeBlock is not supported",
                    where=describe(statement),
                    expected="Assignment or AugmentedAssignment",
                )
            )


def _augmented(statement: Any) -> Any:
    """Return the new value of `lhs op= rhs`, unevaluated: the right-hand side may be of any size."""
    old, new, op = statement.lhs, statement.rhs, statement.binop
    matrix = isinstance(old, (sp.MatrixExpr, sp.MatrixBase)) or isinstance(new, (sp.MatrixExpr, sp.MatrixBase))
    plus, times = (sp.MatAdd, sp.MatMul) if matrix else (sp.Add, sp.Mul)
    options = {} if matrix else {"evaluate": False}
    if op == "+":
        return plus(old, new, **options)
    if op == "-":
        return plus(old, times(sp.Integer(-1), new, **options), **options)
    if op == "*":
        return times(old, new, **options)
    if op == "/":
        return times(old, sp.Pow(new, -1, evaluate=False), **options)
    if op == "%" and not matrix:
        return sp.Mod(old, new, evaluate=False)
    raise UnsupportedExpressionError(message(f"{kind_name(statement)} is not supported", where=describe(statement)))


def _definition(statement: Any, lhs: Any, rhs: Any, *, loose: bool = False) -> Definition:
    """Return the definition of a left-hand side.

    Raises:
        UnsupportedExpressionError: the left-hand side is no name.
    """
    if isinstance(rhs, (int, float)) and not isinstance(rhs, bool):
        rhs = sp.sympify(rhs)
    if isinstance(lhs, sp.Indexed) and isinstance(lhs.args[0], sp.IndexedBase):
        indices = tuple(lhs.args[1:])
        if len(set(indices)) == len(indices) and all(isinstance(i, (sp.Symbol, sp.Idx)) for i in indices):
            return Definition(lhs.args[0], indices, lhs, expression(rhs))
        row = _row_of_recurrence(lhs, indices, rhs)
        if row is not None:
            return row
        raise UnsupportedExpressionError(
            message(
                "the left-hand side of a definition has indices that are not free",
                where=describe(lhs),
                expected="different index symbols, as in y[i, j]",
                hint="build an array of single entries with Matrix or Array; a recurrence has h[0, i] and h[t + 1, i]",
            )
        )
    if isinstance(lhs, MatrixElement) and isinstance(lhs.args[0], sp.MatrixSymbol):
        matrix = lhs.args[0]
        return Definition(leaf_of(matrix), (), matrix, _matrix_by_entries(lhs, expression(rhs)))
    if is_leaf(lhs) and not isinstance(lhs, sp.IndexedBase):
        return Definition(leaf_of(lhs), (), lhs, expression(rhs), loose)
    raise UnsupportedExpressionError(
        message(
            f"{kind_name(statement)} whose left-hand side is no name is not supported",
            where=describe(statement),
            expected="a Symbol, a MatrixSymbol, an ArraySymbol or y[i] on the left",
            hint="for an equation to be solved pass the two sides' difference, or its square",
        )
    )


def _row_of_recurrence(lhs: Any, indices: tuple[Any, ...], rhs: Any) -> Definition | None:
    """Return the definition of `h[t + 1, i]` or `h[0, i]`, None if the left-hand side is neither."""
    first, *rest = indices
    if len(set(rest)) < len(rest) or not all(isinstance(i, (sp.Symbol, sp.Idx)) for i in rest):
        return None
    if first == 0:
        return Definition(lhs.args[0], tuple(rest), lhs, expression(rhs), is_start=True)
    time = first - 1 if isinstance(first, sp.Add) else None
    if not isinstance(time, (sp.Symbol, sp.Idx)) or time in rest:
        return None
    return Definition(lhs.args[0], (time, *rest), lhs, expression(rhs), time=time)


def _matrix_by_entries(lhs: Any, rhs: Any) -> Any:
    """Return the matrix that `K[i, j] = rhs` defines, i and j running over all rows and columns of K.

    Raises:
        UnsupportedExpressionError: the indices are no two index symbols, nor one next to a 0 in a single row or column.
    """
    matrix, *at = lhs.args
    indices = [sp.Dummy() if i == 0 and size == 1 else i for i, size in zip(at, matrix.shape, strict=True)]
    if len(set(indices)) < len(indices) or not all(isinstance(i, (sp.Symbol, sp.Idx)) for i in indices):
        raise UnsupportedExpressionError(
            message(
                "the left-hand side of a definition has indices that are not free",
                where=describe(lhs),
                expected=f"different index symbols, as in {matrix}[i, j]",
                hint="write the matrix with FunctionMatrix(n, m, Lambda((i, j), ...)), or entry by entry with Matrix",
            )
        )
    # Made without `Lambda`'s own checks, which know no Idx.
    entry = sp.Basic.__new__(sp.Lambda, sp.Tuple(*indices), rhs)
    return sp.FunctionMatrix(*matrix.shape, entry)
