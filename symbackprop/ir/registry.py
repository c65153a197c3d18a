"""Declarations of primitives: one record per primitive with all its facets, and the tables that hold them.

`ops/` fills the tables; later stages read facets and never name a primitive.
"""

from __future__ import annotations

import enum
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symbackprop.errors import ShapeError, message
from symbackprop.ir.dims import Dim
from symbackprop.ir.node import PRIMITIVES, Const, Elementwise, Library, Node, Reduction
from symbackprop.ir.types import TensorType

__all__ = [
    "ELEMENTWISE",
    "LIBRARY",
    "REDUCTIONS",
    "Domain",
    "Form",
    "LibraryPrimitive",
    "Primitive",
    "ReductionPrimitive",
    "Trait",
    "elementwise",
]

Rule = Callable[..., tuple["Node | None", ...]]

ELEMENTWISE: dict[str, Primitive] = PRIMITIVES
REDUCTIONS: dict[str, ReductionPrimitive] = {}
LIBRARY: dict[str, LibraryPrimitive] = {}


class Trait(enum.Flag):
    """Algebraic facts that generic passes use."""

    NONE = 0
    COMMUTATIVE = enum.auto()
    ODD = enum.auto()
    EVEN = enum.auto()
    #: Costs a call into libm rather than an instruction or two.
    TRANSCENDENTAL = enum.auto()
    #: Piecewise constant: every partial is zero wherever it exists.
    FLAT = enum.auto()
    #: Linear in every argument by itself with value 0 at 0: `ct * partial` may be moved through it.
    LINEAR = enum.auto()


@dataclass(frozen=True)
class Domain:
    """The interval of arguments on which a primitive is real, and where tests sample it."""

    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True)
class Form:
    """How a primitive is written in generated code: a Python expression, and the helper functions that it calls."""

    emit: str
    helpers: tuple[Callable[..., Any], ...] = ()


@dataclass(frozen=True, eq=False)
class Primitive:
    """An elementwise primitive with all its facets.

    Attributes:
        name: identifies it in listings and node keys.
        arity: number of operands; None means any number from two up, evaluated as a left fold of `emit`.
        params: number of static integer parameters (`Elementwise.attr`).
        rule: (out, *args, *attr) -> one partial derivative per operand, None where there is none (integer or
            boolean operands, flat functions).
        numpy: evaluates it on arrays (the oracle).
        emit: a Python expression in x, y, z (operands), n (parameter) that numba compiles.
        sympy: builds the SymPy expression it stands for, from real symbols; tests differentiate it at 50 digits.
        helpers: scalar Python functions the expression calls; their source goes into the generated module.
        vector: dtype -> another form for loops over arrays, which LLVM can vectorise; it must stay right where a
            product and a sum are rounded once together.
        traits, domain: see the classes; `domain` is one per operand.
        dtype: dtype of the result, None for that of the last operand.
        flops: arithmetic operations and function calls per entry.
        expand: node -> an equal node in simpler primitives, for one that only carries a rule for its derivative.
    """

    name: str
    arity: int | None
    rule: Rule
    numpy: Callable[..., Any]
    emit: str
    sympy: Callable[..., Any] | None
    params: int = 0
    helpers: tuple[Callable[..., Any], ...] = ()
    vector: Mapping[str, Form] = field(default_factory=dict)
    traits: Trait = Trait.NONE
    domain: tuple[Domain, ...] = ()
    dtype: str | None = None
    flops: int = 1
    expand: Callable[[Node], Node] | None = None

    def __call__(self, *args: Node | float, attr: tuple[int, ...] = ()) -> Node:
        """Return the node of this primitive on `args`; numbers become constants of the operands' shape.

        Raises:
            ShapeError: wrong operand count, or operands of different shapes.
        """
        template = next((a for a in reversed(args) if isinstance(a, Node) and a.type.is_real), None)
        template = template or next(a for a in args if isinstance(a, Node))
        return Elementwise(self, [a if isinstance(a, Node) else Const(a, template.type) for a in args], attr)

    def form(self, dtype: str, *, in_loop: bool) -> Form:
        """Return how the primitive is written for `dtype`, inside a loop over arrays or in straight-line code."""
        plain = Form(self.emit, self.helpers)
        return self.vector.get(dtype, plain) if in_loop else plain

    def partials(self, out: Node) -> tuple[Node | None, ...]:
        """Return d out / d arg for every operand of `out`, None where it is zero by nature."""
        assert isinstance(out, Elementwise)
        return self.rule(out, *out.args, *out.attr)

    def result_type(self, args: Sequence[Node]) -> TensorType:
        """Return the type of the result; check operands.

        Raises:
            ShapeError: wrong operand count, or operands of different shapes.
        """
        if (self.arity is None and len(args) < 2) or (self.arity is not None and len(args) != self.arity):
            raise ShapeError(message(f"{self.name} has the wrong operand count", expected=self.arity, found=len(args)))
        last = args[-1].type
        for arg in args:
            if arg.type is not last and arg.type.shape != last.shape:
                found = ", ".join(str(a.type) for a in args)
                raise ShapeError(message(f"{self.name} needs operands of one shape", found=found))
        return last if self.dtype in {None, last.dtype} else TensorType(last.shape, self.dtype or last.dtype)


@dataclass(frozen=True, eq=False)
class ReductionPrimitive:
    """A non-linear reduction over axes.

    Attributes:
        name: identifies it.
        rule: (out, arg, spread) -> the partial d out / d arg with the shape of arg; `spread` repeats a node of the
            result's shape along the reduced axes.
        numpy: (array, axes) -> array, the oracle.
        combine: elementwise primitive that folds two values, None when `expand` must be used.
        initial: the fold's neutral element.
        expand: (arg, axes, spread) -> an equal graph in simpler nodes, for primitives without a direct loop.
    """

    name: str
    rule: Callable[[Node, Node, Callable[[Node], Node]], Node]
    numpy: Callable[[Any, tuple[int, ...]], Any]
    combine: Primitive | None = None
    initial: float = 0.0
    expand: Callable[[Node, tuple[int, ...], Callable[[Node], Node]], Node] | None = None

    def __call__(self, arg: Node, axes: Sequence[int]) -> Node:
        """Return the reduction of `arg` over `axes`."""
        return Reduction(self, arg, axes)


@dataclass(frozen=True, eq=False)
class LibraryPrimitive:
    """A dense linear-algebra routine.

    Attributes:
        name: identifies it.
        ranks: number of matrix axes of each operand, behind the batch axes; None for all axes that are left, any
            number from one up. The first operand's is never None.
        shape: core shapes of the operands -> core shape of the result; raises ShapeError where they do not fit.
        vjp: (out, ct, *args) -> one cotangent per operand, None where there is none. `ct` has the shape of `out`.
        numpy: the oracle, on arrays with any leading batch axes.
        emit: a Python expression in x, y (operands of one batch entry, matrices or vectors: further axes are merged
            into the second) that numba compiles. If the result has axes, the name after the operands' is the array to
            fill, as in "solution_of(x, y, z)"; otherwise the expression's value is the result.
        formula: what generated code calls the result in comments, in {out}, {x}, {y}.
        helpers: functions the expression calls; their source goes into the generated module.
        flops: core shapes of the operands -> arithmetic operations for one batch entry.
    """

    name: str
    ranks: tuple[int | None, ...]
    shape: Callable[..., tuple[Dim, ...]]
    vjp: Callable[..., tuple[Node | None, ...]]
    numpy: Callable[..., Any]
    emit: str
    formula: str
    flops: Callable[..., Dim]
    helpers: tuple[Callable[..., Any], ...] = ()

    def __call__(self, *args: Node) -> Node:
        """Return the node of this routine on `args`."""
        return Library(self, args)

    def batch_rank(self, args: Sequence[Node]) -> int:
        """Return the number of leading batch axes of the operands."""
        assert self.ranks[0] is not None
        return args[0].rank - self.ranks[0]

    def core_shapes(self, args: Sequence[Node]) -> list[tuple[Dim, ...]]:
        """Return the axes of each operand that the routine works on, those behind the batch axes."""
        return [a.shape[self.batch_rank(args) :] for a in args]

    def result_type(self, args: Sequence[Node]) -> TensorType:
        """Return the type of the result; check operands.

        Raises:
            ShapeError: wrong operand count, batch axes that differ, or matrices that do not fit.
        """
        if len(args) != len(self.ranks):
            raise ShapeError(
                message(f"{self.name} has the wrong operand count", expected=len(self.ranks), found=len(args))
            )
        cores = self.core_shapes(args)
        fits = all(len(c) == r if r is not None else len(c) >= 1 for c, r in zip(cores, self.ranks, strict=True))
        batches = {a.shape[: self.batch_rank(args)] for a in args}
        if len(batches) != 1 or not fits:
            raise ShapeError(
                message(f"{self.name} needs operands of one batch", found=", ".join(str(a.type) for a in args))
            )
        return TensorType((*batches.pop(), *self.shape(*cores)), args[0].dtype)


def elementwise(**facets: Any) -> Callable[[Rule], Primitive]:
    """Return a decorator that declares the primitive named after the rule it decorates.

    The decorated function is the rule: `(out, x, y, ...) -> partials`. `arity` is read off its signature unless given.
    Facets are the fields of `Primitive`.
    """

    def declare(rule: Rule) -> Primitive:
        params = facets.get("params", 0)
        n_operands = len(inspect.signature(rule).parameters) - 1 - params
        options = {"arity": n_operands, "sympy": None, **facets}
        primitive = Primitive(name=rule.__name__.rstrip("_"), rule=rule, **options)
        if primitive.name in ELEMENTWISE:
            raise ValueError(f"primitive {primitive.name!r} is declared twice")
        ELEMENTWISE[primitive.name] = primitive
        return primitive

    return declare
