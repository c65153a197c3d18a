"""What the writers of one kernel function share: names of values and sizes, helper functions, formulas for comments."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from symbackprop.codegen import expression as ex
from symbackprop.codegen.names import Names
from symbackprop.ir.dims import ONE, Dim
from symbackprop.ir.node import (
    Const,
    Contraction,
    Elementwise,
    Gather,
    Input,
    Iota,
    Library,
    Node,
    Reduction,
    Scatter,
    Size,
)
from symbackprop.ir.registry import LibraryPrimitive, Primitive
from symbackprop.plan.access import is_access, is_copy, is_leaf, library_operands
from symbackprop.plan.plan import IndexCheck, Plan

__all__ = ["FORMULA", "Helpers", "Scope", "letters_of"]

#: Longest formula in a comment; a longer operand is written as "...".
FORMULA = 100


class Helpers:
    """The helper functions and helper accumulations that a module's kernels call, in order of first need."""

    def __init__(self, looping: str = "jit") -> None:
        #: The decorator of functions with loops.
        self.looping = looping
        self.functions: dict[Callable[..., Any], None] = {}
        #: Those that must become part of the loop they are called in.
        self.inlined: dict[Callable[..., Any], None] = {}
        self.accumulate = False
        #: Whether a kernel uses threads.
        self.threads = False

    def decorator(self, function: Callable[..., Any]) -> str:
        """Return the name of the decorator that a helper function carries."""
        return "inline" if function in self.inlined else "jit"

    def decorators(self) -> list[str]:
        """Return the assignments that define the decorators of a module."""
        lines = ['jit = njit(error_model="numpy", nogil=True)']
        if self.inlined:
            lines.append('inline = njit(error_model="numpy", forceinline=True, fastmath={"contract"})')
        if self.threads:
            lines.append('threads = njit(error_model="numpy", nogil=True, parallel=True)')
            lines.append("LARGEST = 2**62 - 1  # i & LARGEST is i, known to be no negative number: loops vectorise")
        return lines

    def numba_import(self) -> str:
        """Return the statement that imports what a module needs of numba."""
        return f"from numba import njit{', prange' * self.threads}"


class Scope:
    """Names and services while one kernel function is written.

    Attributes:
        plan: the plan being written out.
        names: allocates variables of the function.
        checks: checks still to be written, by the computed index that they are on.
        sums: the variable that every entry of a value is added to as it is computed.
        sizes: the variables that hold sizes.
        title: the kernel's name.
        functions: the lines of functions that it calls.
        turns: local values of a shared nest whose memory is that of another one: variable -> the other's.
    """

    def __init__(self, plan: Plan, names: Names, sizes: Mapping[str, str], helpers: Helpers, title: str) -> None:
        self.plan = plan
        self.names = names
        self.checks: dict[Node, list[IndexCheck]] = {}
        self.sums: dict[Node, str] = {}
        self.sizes = frozenset(sizes.values())
        self.title = title
        self.functions: list[str] = []
        self.turns: dict[str, str] = {}
        self._sizes = {symbol: Dim.of(variable) for symbol, variable in sizes.items()}
        self._helpers = helpers
        self._variables: dict[Node, str] = {}
        self._formulas: dict[Node, str] = {}

    def inside(self, plan: Plan) -> Scope:
        """Return the scope of the steps of a recurrence, which share the function's variables."""
        inner = Scope(plan, self.names, {}, self._helpers, self.title)
        inner._sizes = self._sizes
        return inner

    def bind(self, node: Node, variable: str) -> None:
        """Let `node` be known under `variable`."""
        self._variables[node] = variable

    def variable(self, node: Node) -> str:
        """Return the variable that holds `node`, made up on first use: its label, or a temporary."""
        if node not in self._variables:
            label = self.plan.graph.hints.get(node)
            self._variables[node] = self.names.fresh(label) if label else self.names.temporary()
        return self._variables[node]

    def write(
        self, op: Primitive, args: Sequence[ast.expr], attr: Sequence[int], dtype: str, *, in_loop: bool
    ) -> ast.expr:
        """Return primitive `op` on `args` as an expression; the module will hold the helper functions it calls."""
        form = op.form(dtype, in_loop=in_loop)
        self._helpers.functions.update(dict.fromkeys(form.helpers))
        if in_loop and dtype in op.vector:
            self._helpers.inlined.update(dict.fromkeys(form.helpers))
        return ex.fill_template(form.emit, op.arity, args, attr, dtype)

    def write_call(self, op: LibraryPrimitive, operands: Sequence[str]) -> str:
        """Return routine `op` on `operands` as source text; the module will hold the helper functions it calls."""
        self._helpers.functions.update(dict.fromkeys(op.helpers))
        return ex.text(ex.fill_template(op.emit, len(operands), [ex.parse(o) for o in operands], (), "float64"))

    def require_accumulate(self) -> None:
        """Note that the module needs `accumulate`."""
        self._helpers.accumulate = True

    def require_threads(self) -> str:
        """Note that the module needs what runs blocks on threads; return the decorator of functions with loops."""
        self._helpers.threads = True
        return self._helpers.looping

    def size(self, dim: Dim) -> str:
        """Return a size polynomial as source text in the function's variables."""
        return str(dim.substitute(self._sizes)) if self._sizes else str(dim)

    def size_value(self, node: Size) -> ast.expr:
        """Return a size as a number of the node's dtype."""
        count = ex.parse(self.size(node.dim))
        return count if node.dtype == "int64" else ex.call(node.dtype, [count])

    def shape(self, dims: Iterable[Dim]) -> str:
        """Return a shape as source text of a tuple."""
        return ex.tuple_text(self.size(d) for d in dims)

    def formula(self, node: Node) -> str:
        """Return "name = mathematics" for a stored node, down to the names of other stored values."""
        at = ""
        if isinstance(node, Contraction) and node.spec.out:
            letters = letters_of(node)
            at = f"[{', '.join(letters[label] for label in node.spec.out)}]"
        # A scatter onto a value that was made in its memory only adds the rest.
        onto = isinstance(node, Scatter) and node.args[node.pieces[0].value] in self.plan.workspace.within
        return f"{self.variable(node)}{at} {'+=' if onto else '='} {self._right_hand_side(node)}"

    def _operand(self, node: Node) -> str:
        """Return an operand's name, or its formula where it has none. Not recursive: chains may be long."""
        node = self._looked_through(node)
        stack = [] if self._is_named(node) else [node]
        while stack:
            top = stack[-1]
            operands = map(self._looked_through, top.args)
            pending = [a for a in operands if not self._is_named(a) and a not in self._formulas]
            if pending:
                stack += pending
                continue
            stack.pop()
            if top not in self._formulas:
                text = self._right_hand_side(top)
                self._formulas[top] = text if len(text) <= FORMULA else "..."
        if node in self._formulas:
            return self._formulas[node]
        if isinstance(node, Const):
            return f"{node.value:g}" if node.type.is_real else str(node.value)
        if isinstance(node, Iota):
            return f"arange({self.size(node.shape[0])})"
        return self.size(node.dim) if isinstance(node, Size) else self.variable(node)

    def _looked_through(self, node: Node) -> Node:
        """Return the value that a chain of unstored broadcasts and transposes reads."""
        while is_access(node) and not isinstance(node, Gather) and node not in self.plan.stored:
            node = node.args[0]
        return node

    def _is_named(self, node: Node) -> bool:
        """Whether formulas mention the value by a name or as a number."""
        return not node.args or node in self.plan.stored or node in self.plan.graph.hints

    def _right_hand_side(self, node: Node) -> str:
        match node:
            case Elementwise():
                operands = [_tree(self._operand(a)) for a in node.args]
                filled = ex.fill_template(node.op.emit, node.op.arity, operands, node.attr, "float64")
                return _plain(ex.text(filled))
            case Contraction():
                return self._contraction(node)
            case Reduction():
                return f"{node.op.name} over axes {node.axes} of {self._operand(node.args[0])}"
            case Library():
                return self._library(node)
            case Gather():
                return self._gather(node)
            case Scatter():
                return self._scatter(node)
            case _:
                return self._operand(node.args[0])

    def _library(self, node: Library) -> str:
        """Return what a routine computes, in words: "solution of A @ x = b"."""
        operands = library_operands(node)
        names = [f"{self._operand(array)}.T" if turned else self._operand(array) for array, turned in operands]
        return node.op.formula.format(out=self.variable(node), **dict(zip("xy", names, strict=False)))

    def _gather(self, node: Gather) -> str:
        """Return what is read where, as NumPy would write it: "E[tok]", "x[1:n]"; "part of x" for intricate maps."""
        source, *indices = map(self._operand, node.args)
        if is_copy(node) or (is_leaf(node.args[0]) and not isinstance(node.args[0], Input)):
            return source
        used = [a for m in node.spec for a in m.axes if m.index is None]
        if used != sorted(set(used)):
            return f"part of {source}"
        at = []
        for m, size in zip(node.spec, node.args[0].shape, strict=True):
            first = self.size(m.offset)
            if m.index is not None:
                at.append(f"{indices[m.index]} + {first}" if m.offset.terms else indices[m.index])
            elif not m.axes:
                at.append(first)
            elif len(m.axes) > 1 or m.span is not None:
                return f"part of {source}"
            elif m.strides == (ONE,) and node.shape[m.axes[0]] == size:
                at.append(":")
            elif m.strides == (ONE,):
                at.append(f"{first if m.offset.terms else ''}:{self.size(m.offset + node.shape[m.axes[0]])}")
            elif m.strides == (-ONE,) and m.offset == size - 1 and node.shape[m.axes[0]] == size:
                at.append("::-1")
            else:
                return f"part of {source}"
        while at and at[-1] == ":":
            at.pop()
        where = f"[{', '.join(at)}]" if at else ""
        return f"{source if source.isidentifier() else f'({source})'}{where}"

    def _scatter(self, node: Scatter) -> str:
        """Return what is put where: "dE[tok[i], j] += ct[i, j]" in words, the first few pieces."""
        values = [node.args[p.value] for p in node.pieces]
        names = list(dict.fromkeys(self._operand(v) for v in values if v not in self.plan.workspace.within))
        shown = ", ".join(names[:4]) + (" ..." if len(names) > 4 else "")
        return f"{shown}, put in place" if node.disjoint else f"{shown}, added in place"

    def _contraction(self, node: Contraction) -> str:
        """Return a contraction as a sum of products with written-out indices: "sum over j of W[i, j] * x[j]"."""
        letters = letters_of(node)
        factors = []
        for arg, labels in zip(node.args, node.spec.ins, strict=True):
            operand = self._operand(arg)
            simple = re.fullmatch(r"\w+(\[[^][]*\])?", operand) is not None
            index = ", ".join(letters[label] for label in labels)
            if not labels:
                factors.append(operand if simple else f"({operand})")
            else:
                factors.append(f"{operand}[{index}]" if simple else f"({operand})[{index}]")
        product = " * ".join(factors)
        summed = ", ".join(letters[label] for label in node.spec.summed)
        return f"sum over {summed} of {product}" if summed else product


def letters_of(node: Contraction) -> dict[int, str]:
    """Return an index letter for each label: kept ones first."""
    labels = dict.fromkeys((*node.spec.out, *(label for part in node.spec.ins for label in part)))
    return {label: "ijklpqrstuvw"[k % 12] + ("" if k < 12 else str(k)) for k, label in enumerate(labels)}


def _tree(operand: str) -> ast.expr:
    """Return an operand's formula as a tree; prose is quoted as a name would be."""
    try:
        return ex.parse(operand.replace("^", "**"))  # `^` would bind more loosely than a sum
    except SyntaxError:
        return ex.name(f"({operand})")


def _plain(source: str) -> str:
    """Return source text as mathematics: without module prefixes."""
    return source.replace("math.", "").replace("**", "^") if len(source) <= 4 * FORMULA else "..."
