"""Python expressions as syntax trees: a primitive's template filled with its operands.

`ast.unparse` puts in the fewest parentheses, so there is no precedence table here. Templates are the `emit` facets of
the primitives and the source of their helper functions: text of this package, never of the user.
"""

from __future__ import annotations

import ast
import functools
import inspect
import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

__all__ = [
    "call",
    "fill_template",
    "helper_source",
    "literal",
    "name",
    "numpy_type",
    "operator",
    "subscript",
    "target_text",
    "text",
    "tuple_text",
]

_OPERANDS = "xyzuvw"

#: Up to this many operands of a primitive of any arity are taken one after the other.
_CHAIN = 16


def name(identifier: str) -> ast.expr:
    """Return a variable."""
    return ast.Name(identifier, ast.Load())


def text(expr: ast.expr) -> str:
    """Return the expression as source text."""
    return ast.unparse(expr)


@functools.lru_cache(maxsize=4096)
def parse(source: str) -> ast.expr:
    """Return the syntax tree of a template or of an index text that this package wrote."""
    return ast.parse(source, mode="eval").body


def literal(value: float, dtype: str) -> ast.expr:
    """Return a number as source of the given dtype; float32 literals are cast, so that nothing is widened."""
    if dtype == "bool":
        return ast.Constant(bool(value))
    if dtype == "int64":
        number = ast.Constant(abs(int(value)))
        return ast.UnaryOp(ast.USub(), number) if value < 0 else number
    if math.isnan(value):
        expr: ast.expr = parse("math.nan")
    elif math.isinf(value):
        expr = parse("math.inf")
    else:
        expr = ast.Constant(abs(float(value)))
    if math.copysign(1.0, value) < 0:
        expr = ast.UnaryOp(ast.USub(), expr)
    return call("float32", [expr]) if dtype == "float32" else expr


def call(function: str, args: Sequence[ast.expr]) -> ast.expr:
    """Return a call of a named function."""
    return ast.Call(name(function), list(args), [])


def operator(symbol: str, left: ast.expr, right: ast.expr) -> ast.expr:
    """Return `left symbol right` for +, - or *."""
    op = {"+": ast.Add(), "-": ast.Sub(), "*": ast.Mult()}[symbol]
    return ast.BinOp(left, op, right)


def subscript(array: str, index: Sequence[str]) -> ast.expr:
    """Return `array[index]`; an index is source text of this package's making.

    Of a row `x[t]` that is `x[t, index]`.
    """
    if array.endswith("]"):
        array, _, rows = array[:-1].partition("[")
        index = (rows, *index)
    at = [parse(i) for i in index]
    where: ast.expr = at[0] if len(at) == 1 else ast.Tuple(at, ast.Load())
    return ast.Subscript(name(array), where, ast.Load())


def target_text(names: Sequence[str]) -> str:
    """Return the left side of an unpacking assignment."""
    return f"({names[0]},)" if len(names) == 1 else ", ".join(names)


def tuple_text(parts: Iterable[object]) -> str:
    """Return the parts as source text of a tuple, `(n,)` for a single one."""
    items = [str(part) for part in parts]
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


def numpy_type(dtype: str) -> str:
    """Return a dtype as generated modules call it."""
    return {"int64": "np.int64", "bool": "np.bool_"}.get(dtype, dtype)


def fill_template(
    template: str, arity: int | None, args: Sequence[ast.expr], attr: Sequence[int], dtype: str
) -> ast.expr:
    """Return a primitive's template on `args`.

    For a primitive of any arity (None) it is folded from the left; many operands meet in pairs of pairs, so that the
    expression stays shallow.
    """
    params = {"n": literal(attr[0], "int64")} if attr else {}
    if arity is not None:
        operands = dict(zip(_OPERANDS, args, strict=False))
        return _fill(template, {**operands, **params}, dtype)
    parts = list(args)
    while len(parts) > _CHAIN:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        paired = [_fill(template, {"x": x, "y": y, **params}, dtype) for x, y in pairs]
        parts = paired + parts[2 * len(paired) :]
    total = parts[0]
    for part in parts[1:]:
        total = _fill(template, {"x": total, "y": part, **params}, dtype)
    return total


def _fill(template: str, operands: dict[str, ast.expr], dtype: str) -> ast.expr:
    tree = _put(parse(template), operands, dtype)
    assert isinstance(tree, ast.expr)
    return tree


def _put(node: Any, operands: dict[str, ast.expr], dtype: str) -> Any:
    """Return a copy of a syntax tree with operands put in for its variables and its float literals cast.

    Operands are shared, not copied. Templates and helper functions are a few levels deep.
    """
    match node:
        case ast.Name():
            return operands.get(node.id, node)
        case ast.Constant(value=float()) if dtype == "float32":
            return call("float32", [node])
        case ast.Attribute(value=ast.Name(id="math"), attr="inf" | "nan") if dtype == "float32":
            return call("float32", [node])
        case ast.Attribute(value=ast.Name()) | ast.Constant():
            return node
        case list():
            return [_put(item, operands, dtype) for item in node]
        case ast.AST():
            return type(node)(**{field: _put(value, operands, dtype) for field, value in ast.iter_fields(node)})
        case _:
            return node


def helper_source(function: Callable[..., Any], dtype: str) -> str:
    """Return the source of a helper function, without annotations, its float literals cast for float32."""
    module = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = module.body[0]
    assert isinstance(definition, ast.FunctionDef)
    definition.returns = None
    definition.decorator_list = []
    for argument in definition.args.args:
        argument.annotation = None
    return ast.unparse(ast.fix_missing_locations(_put(definition, {}, dtype)))
