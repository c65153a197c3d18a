"""Long straight-line code straight to LLVM: the decorator that generated modules carry when they need it.

numba's type inference takes milliseconds per statement, which a kernel of a thousand scalar operations feels.
Everything in such a kernel has one type, so nothing needs inferring: each statement becomes its LLVM instructions
directly. LLVM's own time grows faster than a function does, so a very long kernel becomes several functions. The text
of `straight_line` is copied into generated modules; it uses numba and its llvmlite only.
"""

from __future__ import annotations

import ast
import functools
import inspect
import math
import operator
import textwrap
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing import signature
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

__all__ = ["IMPORTS", "bare", "source", "straight_line"]

#: The imports that the copied text needs.
IMPORTS = (
    "import ast",
    "import functools",
    "import inspect",
    "import operator",
    "import textwrap",
    "from llvmlite import ir",
    "from numba import types",
    "from numba.core import cgutils",
    "from numba.core.typing import signature",
    "from numba.extending import intrinsic",
    "from numba.np.arrayobj import make_array",
)


def straight_line(function: Callable[..., Any]) -> Any:
    """Compile straight-line code on numbers and entries of arrays to LLVM, without numba's type inference.

    Statements are assignments to variables, array entries and whole arrays, then possibly a return. All values have
    one float type.
    """

    def define(_: Any, *args: Any) -> Any:
        body = _parsed(function).body
        real = next(a.dtype if isinstance(a, types.Array) else a for a in args)
        returned = body[-1].value if isinstance(body[-1], ast.Return) else None
        many = isinstance(returned, ast.Tuple)
        expressions = returned.elts if isinstance(returned, ast.Tuple) else [returned] if returned else []
        result = types.UniTuple(real, len(expressions)) if many else real if returned else types.none

        def generate(context: Any, builder: Any, sig: Any, values: Any) -> Any:
            block = _Block(context, builder, real, function.__globals__)
            names = inspect.signature(function).parameters
            for name, kind, value in zip(names, sig.args, values, strict=True):
                block.bind(name, kind, value)
            block.run_in_parts(body, expressions)
            results = [block.value(e) for e in expressions]
            if many:
                return context.make_tuple(builder, result, results)
            return results[0] if results else context.get_dummy_value()

        return signature(result, *args), generate

    parameters = inspect.signature(function).parameters.values()
    first = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    setattr(define, "__signature__", inspect.Signature([first, *parameters]))  # noqa: B010 - mypy knows no such field
    return intrinsic(define)


class _Block:
    """Writes LLVM instructions for Python expressions.

    `local` holds variables, `arrays` arrays; `memory` points to the variables of other parts, which stand at `slots`,
    comparisons (`truths`) as numbers. More than `longest` statements become parts of `short` statements each: measured,
    LLVM takes time like the 1.5th power of a function's length, and passing values through memory costs run time.
    """

    longest = 5000
    short = 500

    def __init__(self, context: Any, builder: Any, real: Any, names: dict[str, Any]) -> None:
        self.context, self.builder, self.real, self.names = context, builder, real, names
        self.type = context.get_value_type(real)
        self.local: dict[str, Any] = {}
        self.arrays: dict[str, Any] = {}
        self.memory: Any = None
        self.slots: dict[str, int] = {}
        self.truths: set[str] = set()

    def bind(self, name: str, kind: Any, value: Any) -> None:
        """Let an argument be known by its name."""
        if isinstance(kind, types.Array):
            self.arrays[name] = make_array(kind)(self.context, self.builder, value)
        else:
            self.local[name] = value

    def run(self, body: list[Any]) -> None:
        """Write all assignments."""
        for statement in body:
            if not isinstance(statement, (ast.Assign, ast.AugAssign)):
                continue
            value = self.value(statement.value)
            target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
            if isinstance(statement, ast.AugAssign):
                value = self.binary(statement.op, self.value(target), value)
            if isinstance(target, ast.Name):
                self.local[target.id] = value
            elif isinstance(target, ast.Subscript) and ast.unparse(target.slice) == "...":
                array = self.arrays[ast.unparse(target.value)]
                with cgutils.for_range(self.builder, array.nitems) as loop:
                    self.builder.store(value, self.builder.gep(array.data, [loop.index]))
            else:
                self.builder.store(value, self.entry(target))

    def run_in_parts(self, body: list[Any], results: list[Any]) -> None:
        """Write all assignments, as several functions if there are many; `results` are read behind.

        Variables that one part sets and another reads pass through memory, which they share as their lifetimes allow.
        """
        if len(body) <= self.longest:
            self.run(body)
            return
        parts = [body[k : k + self.short] for k in range(0, len(body), self.short)]
        last = {name: at for at, part in enumerate([*parts, results]) for name in _names(part, ast.Load)}
        ending: dict[int, list[str]] = {}
        for name, at in last.items():
            ending.setdefault(at, []).append(name)
        made = [self.local, *(_names(part, ast.Store) for part in parts)]
        saved = [[name for name in names if last.get(name, -1) >= at] for at, names in enumerate(made)]
        free: list[int] = []
        used = 0
        for at, names in enumerate(saved):
            free += [self.slots[name] for name in ending.get(at - 1, ()) if name in self.slots]
            for name in names:
                if name not in self.slots:
                    used += not free
                    self.slots[name] = free.pop() if free else used - 1
        self.memory = cgutils.alloca_once(self.builder, self.type, size=used)
        self.save(saved[0])
        for part, names in zip(parts, saved[1:], strict=True):
            self.write_part(part, names)
        self.local = {}

    def write_part(self, body: list[Any], saved: list[str]) -> None:
        """Write assignments as a function of its own, by numba's calling convention, and call it."""
        context, convention = self.context, self.context.call_conv
        arrays = {name: (array._fe_type, array._getvalue()) for name, array in self.arrays.items()}  # noqa: SLF001
        kinds = [types.CPointer(self.real), *(kind for kind, _ in arrays.values())]
        function = ir.Function(
            self.builder.module,
            convention.get_function_type(types.none, kinds),
            self.builder.module.get_unique_name("part"),
        )
        function.linkage = "internal"
        function.attributes.add("noinline")
        part = _Block(context, ir.IRBuilder(function.append_basic_block()), self.real, self.names)
        arguments = context.get_arg_packer(kinds).from_arguments(part.builder, convention.get_arguments(function))
        part.memory, part.slots, part.truths = arguments[0], self.slots, self.truths
        for name, kind, value in zip(arrays, kinds[1:], arguments[1:], strict=True):
            part.bind(name, kind, value)
        part.run(body)
        part.save(saved)
        convention.return_value(part.builder, context.get_dummy_value())
        values = [self.memory, *(value for _, value in arrays.values())]
        status, _ = convention.call_function(self.builder, function, types.none, kinds, values)
        with cgutils.if_unlikely(self.builder, status.is_error):
            convention.return_status_propagate(self.builder, status)

    def save(self, names: list[str]) -> None:
        """Put variables into memory; a comparison as a number."""
        for name in names:
            value = self.local[name]
            if value.type == ir.IntType(1):
                self.truths.add(name)
                value = self.builder.uitofp(value, self.type)
            self.builder.store(value, self.slot(name))

    def variable(self, name: str) -> Any:
        """Return the value of a variable, loaded once if another part has set it."""
        if name not in self.local:
            value = self.builder.load(self.slot(name))
            if name in self.truths:
                value = self.builder.fcmp_ordered("!=", value, ir.Constant(self.type, 0.0))
            self.local[name] = value
        return self.local[name]

    def slot(self, name: str) -> Any:
        """Return the pointer to a variable in memory."""
        return self.builder.gep(self.memory, [ir.Constant(ir.IntType(64), self.slots[name])])

    def entry(self, node: Any) -> Any:
        """Return the pointer to an array entry at constant positions of a C-contiguous array."""
        array = self.arrays[node.value.id]
        at = ast.literal_eval(node.slice)
        positions = at if isinstance(at, tuple) else (at,)
        step = ir.Constant(ir.IntType(64), 0)
        for k, position in enumerate(positions):
            size = self.builder.extract_value(array.shape, k)
            step = self.builder.add(self.builder.mul(step, size), ir.Constant(ir.IntType(64), position))
        return self.builder.gep(array.data, [step])

    def value(self, node: Any) -> Any:
        """Return the LLVM value of an expression."""
        build = self.builder
        match node:
            case ast.Constant(value=bool() as truth):
                return ir.Constant(ir.IntType(1), int(truth))
            case ast.Constant(value=float() | int() as number):
                return ir.Constant(self.type, float(number))
            case ast.Name():
                return self.variable(node.id)
            case ast.Attribute():
                return ir.Constant(self.type, getattr(math, node.attr))
            case ast.Subscript():
                return build.load(self.entry(node))
            case ast.BinOp():
                exponent = node.right.value if isinstance(node.right, ast.Constant) else None
                if isinstance(node.op, ast.Pow) and isinstance(exponent, int):
                    return self.power(self.value(node.left), exponent)
                return self.binary(node.op, self.value(node.left), self.value(node.right))
            case ast.UnaryOp():
                operand = self.value(node.operand)
                return build.not_(operand) if isinstance(node.op, ast.Not) else build.fneg(operand)
            case ast.BoolOp():
                join = build.and_ if isinstance(node.op, ast.And) else build.or_
                return functools.reduce(join, map(self.value, node.values))
            case ast.Compare():
                symbol = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}
                sign = symbol[type(node.ops[0])]
                compare = build.fcmp_unordered if sign == "!=" else build.fcmp_ordered
                return compare(sign, self.value(node.left), self.value(node.comparators[0]))
            case ast.IfExp():
                return build.select(self.value(node.test), self.value(node.body), self.value(node.orelse))
            case ast.Call():
                return self.call(node.func, [self.value(a) for a in node.args])
        raise TypeError(f"not straight-line code: {ast.unparse(node)}")

    def binary(self, op: Any, left: Any, right: Any) -> Any:
        """Return left op right."""
        build = self.builder
        if isinstance(op, ast.Pow | ast.Mod):
            return self.compiled(operator.pow if isinstance(op, ast.Pow) else operator.mod, [left, right])
        real = {ast.Add: build.fadd, ast.Sub: build.fsub, ast.Mult: build.fmul, ast.Div: build.fdiv}
        truth = {ast.BitAnd: build.and_, ast.BitOr: build.or_}
        return {**real, **truth}[type(op)](left, right)

    def power(self, base: Any, n: int) -> Any:
        """Return base**n for an integer n >= 1 by repeated squaring."""
        result = None
        while n:
            if n & 1:
                result = base if result is None else self.builder.fmul(result, base)
            n >>= 1
            base = self.builder.fmul(base, base) if n else base
        return result

    def call(self, function: Any, args: list[Any]) -> Any:
        """Return a function's value: numba's own code for a library function, a helper's text written in place."""
        if isinstance(function, ast.Name) and function.id == self.real.name:
            return args[0]
        if isinstance(function, ast.Name) and function.id != "abs":
            known = self.names[function.id]
            helper = _parsed(known) if hasattr(known, "py_func") else None
            if helper is None or not all(isinstance(s, ast.Assign | ast.Return | ast.Expr) for s in helper.body):
                return self.compiled(known, args)
            inner = _Block(self.context, self.builder, self.real, self.names)
            inner.local = dict(zip((a.arg for a in helper.args.args), args, strict=True))
            inner.run(helper.body)
            return inner.value(helper.body[-1].value)
        if isinstance(function, ast.Attribute) and function.attr == self.real.name:
            return self.builder.uitofp(args[0], self.type)
        if isinstance(function, ast.Attribute) and ast.unparse(function.value) == "np":
            return self.compiled(getattr(self.names["np"], function.attr), args)
        library = operator.attrgetter(function.attr)(math) if isinstance(function, ast.Attribute) else math.fabs
        sig = signature(self.real, *[self.real] * len(args))
        return self.context.get_function(library, sig)(self.builder, args)

    def compiled(self, function: Any, args: list[Any]) -> Any:
        """Return the value of anything that compiled code may call, as numba itself would call it."""
        typing = self.context.typing_context
        kind = typing.resolve_value_type(function)
        sig = kind.get_call_type(typing, [self.real] * len(args), {})
        implementation = self.context.get_function(kind, sig)
        value = implementation(self.builder, args)
        self.context.add_linking_libs(getattr(implementation, "libs", ()))
        return self.context.cast(self.builder, value, sig.return_type, self.real)


def _names(nodes: list[Any], use: type[ast.expr_context]) -> dict[str, None]:
    """Return the variables that some nodes read (Load) or set (Store), in order."""
    walk = (part for node in nodes for part in ast.walk(node))
    return {part.id: None for part in walk if isinstance(part, ast.Name) and isinstance(part.ctx, use)}


@functools.cache
def _parsed(function: Any) -> Any:
    """Return a function's definition as a syntax tree."""
    return ast.parse(textwrap.dedent(inspect.getsource(getattr(function, "py_func", function)))).body[0]


@functools.cache
def source() -> str:
    """Return the text that generated modules carry: this file's decorator with what it needs, without annotations."""
    parts = (straight_line, _Block, _names, _parsed)
    return "\n\n\n".join(bare(part) for part in parts)


def bare(part: Any) -> str:
    """Return the source of a function or class without annotations."""
    module = ast.parse(inspect.getsource(part))
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in (*node.args.args, *filter(None, [node.args.vararg])):
                argument.annotation = None
    return ast.unparse(_Unannotated().visit(module))


class _Unannotated(ast.NodeTransformer):
    """Turns annotated assignments into plain ones."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        assert node.value is not None
        return ast.copy_location(ast.Assign([node.target], node.value), node)
