"""The story of the front end: scan, declare the arguments, translate, and describe the results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import sympy as sp

from symbackprop.errors import InputError, UnsupportedExpressionError, message
from symbackprop.frontend import arrays, batch as _batch, indexed, matrices, scalars  # noqa: F401 - registers handlers
from symbackprop.frontend.context import Context
from symbackprop.frontend.describe import describe
from symbackprop.frontend.dispatch import entry_of
from symbackprop.frontend.inputs import Declared, arguments_of, batch_axes, free_indices, listed_leaves
from symbackprop.frontend.naming import Namer
from symbackprop.frontend.program import Argument, Output, Program
from symbackprop.frontend.scan import Scan
from symbackprop.frontend.shapes import infer_shapes
from symbackprop.frontend.sizes import Sizes
from symbackprop.frontend.value import COL, ROW, Axis, Batch, Index, Slot, Value
from symbackprop.frontend.wrt import resolve_wrt
from symbackprop.ir.dims import ONE, Dim
from symbackprop.ir.graph import Graph, toposort
from symbackprop.ir.node import Input, Node
from symbackprop.ir.types import AxisMap, TensorType
from symbackprop.ops.contraction import permute
from symbackprop.ops.indexing import gather
from symbackprop.options import Options

__all__ = ["translate"]

Container = Literal["single", "tuple", "list", "dict"]


def translate(
    expr: Any,
    *,
    wrt: Any = None,
    inputs: Any = None,
    names: Mapping[str, Any] | None = None,
    batch: Mapping[Any, Any] | None = None,
    options: Options,
) -> Program:
    """Return the program of a SymPy expression, or of a list, tuple or dict of them.

    Linear in the number of distinct expression objects; iterative.

    Args:
        expr: scalar Expr, MatrixExpr, Matrix, NDimArray, or a list, tuple or dict of these.
        wrt: symbols or names to differentiate for; default every real-valued argument that occurs.
        inputs: calling order; a sequence, or a dict name -> entry; an entry may be nested.
        names: labels for intermediates.
        batch: argument -> name of its leading batch axis.
        options: dtype of real values.

    Raises:
        UnsupportedExpressionError: a construct that has no translation.
        ShapeError: shapes that cannot agree.
        InputError: arguments, labels or `wrt` that do not fit the expression.
    """
    outputs, container = _outputs(expr)
    labels = _labels(names)
    roots = [e for _, e in outputs]
    scan = Scan([*roots, *labels.values()])
    namer = Namer()
    entries, mentioned = listed_leaves(inputs, batch, scan)
    size_names = {s.name for s in scan.sizes} | _batch_names(batch)
    free = free_indices(scan, mentioned, size_names)
    declared = arguments_of(scan, entries, free, size_names)
    batched = batch_axes(batch, declared)
    identifiers = [namer.identifier(entry.name) for entry in declared]
    sizes = Sizes(namer)
    for symbol in sorted(scan.sizes, key=lambda s: str(s.name)):
        sizes.declare(symbol.name)
    batch_order = tuple(dict.fromkeys(batched.values()))
    for name in batch_order:
        sizes.declare(name)
    shapes, indices = infer_shapes(scan, sizes, free)
    arguments, nodes, values = _arguments(declared, identifiers, batched, scan, sizes, shapes, options)
    ctx = Context(options.dtype, sizes, scan, arguments=values, indices=indices, batches=batch_order)
    named = {label: ctx.translate(e) for label, e in labels.items()}
    ctx.keep = {value.node for value in named.values()}
    results = [_output(ctx, name, namer.identifier(name), ctx.translate(e), e) for name, e in outputs]
    graph = Graph(
        tuple(nodes),
        tuple(node for _, node in results),
        {namer.identifier(label): value.node for label, value in named.items()},
    )
    used = set(toposort(graph.outputs))
    for label, value in named.items():
        if value.node not in used:
            raise InputError(
                message(
                    f"the named intermediate {label!r} does not occur",
                    where=describe(labels[label]),
                    hint="build the outputs from the same sub-expression",
                )
            )
    _check_sizes(used, arguments, nodes, sizes)
    occurring = [a.name for a, node in zip(arguments, nodes, strict=True) if node in used]
    return Program(
        graph,
        tuple(arguments),
        tuple(output for output, _ in results),
        container,
        resolve_wrt(wrt, declared, arguments, occurring),
        dict(sizes.texts),
    )


def _outputs(expr: Any) -> tuple[list[tuple[str, Any]], Container]:
    """Return (name, expression) of each output, and how they were given."""
    if isinstance(expr, Mapping):
        bad = [key for key in expr if not isinstance(key, str)]
        if bad:
            raise InputError(message("an output's name is not a string", found=describe(bad[0])))
        pairs, container = [(key, e) for key, e in expr.items()], "dict"
    elif isinstance(expr, (list, tuple, sp.Tuple)):
        pairs = [(f"out{k}", e) for k, e in enumerate(expr)]
        container = "list" if isinstance(expr, list) else "tuple"
    else:
        return [("out", _expression(expr))], "single"
    if not pairs:
        raise InputError(message("there is no output", expected="at least one expression"))
    return [(key, _expression(e)) for key, e in pairs], "dict" if container == "dict" else (
        "list" if container == "list" else "tuple"
    )


def _expression(expr: Any) -> Any:
    """Return a single output: a SymPy object that has a translation, or a number."""
    if isinstance(expr, (int, float)) and not isinstance(expr, bool):
        return sp.sympify(expr)
    entry_of(expr)
    return expr


def _labels(names: Any) -> dict[str, Any]:
    if names is None:
        return {}
    if not isinstance(names, Mapping):
        raise InputError(message("names is not a dict", expected='{"z": z_expr}', found=describe(names)))
    for label in names:
        if not isinstance(label, str):
            raise InputError(message("a label in names is not a string", found=describe(label)))
    return {label: _expression(e) for label, e in names.items()}


def _batch_names(batch: Any) -> set[str]:
    if not isinstance(batch, Mapping):
        return set()
    return {axis.name if isinstance(axis, sp.Symbol) else axis for axis in batch.values() if axis}


def _arguments(
    declared: Sequence[Declared],
    identifiers: Sequence[str],
    batched: Mapping[str, str],
    scan: Scan,
    sizes: Sizes,
    shapes: Mapping[Any, tuple[Dim, ...]],
    options: Options,
) -> tuple[list[Argument], list[Input], dict[Any, Value]]:
    """Return the argument records, the graph's inputs, and the value of every leaf."""
    arguments: list[Argument] = []
    nodes: list[Input] = []
    values: dict[Any, Value] = {}
    for entry, identifier in zip(declared, identifiers, strict=True):
        leaf = entry.leaves[0]
        core: list[tuple[Axis, Dim]]
        squeeze = entry.grid is not None and len(entry.grid) == 2
        if entry.grid is not None:
            sides: Sequence[Axis] = (ROW, COL) if squeeze else (Slot(0),)
            core = [(axis, Dim.of(n)) for axis, n in zip(sides, entry.grid, strict=True)]
        elif isinstance(leaf, sp.MatrixSymbol):
            squeeze = True
            core = [(ROW, sizes.dim(leaf.args[1])), (COL, sizes.dim(leaf.args[2]))]
        elif isinstance(leaf, sp.IndexedBase):
            core = [(Slot(k), d) for k, d in enumerate(shapes.get(leaf, ()))]
        else:
            core = []
        size = batched.get(entry.name)
        axes: list[tuple[Axis, Dim]] = ([(Batch(size), sizes.declare(size))] if size else []) + core
        unit = tuple(k for k, (a, d) in enumerate(axes) if squeeze and a in {ROW, COL} and d == ONE)
        kept = [pair for k, pair in enumerate(axes) if k not in unit]
        dtype = "int64" if entry.grid is None and _is_integer(leaf, scan) else options.dtype
        node = Input(identifier, TensorType(tuple(d for _, d in kept), dtype))
        shape = tuple(d for _, d in axes)
        batch_name = sizes.declare(size).symbols[0] if size else None
        arguments.append(Argument(entry.name, identifier, shape, unit, dtype, batch_name))
        nodes.append(node)
        value = Value(node, tuple(a for a, _ in kept))
        if entry.grid is None:
            values[leaf] = value
        else:
            values |= zip(entry.leaves, _elements(value, entry.grid), strict=True)
    return arguments, nodes, values


def _is_integer(leaf: Any, scan: Scan) -> bool:
    usage = (scan.symbols.get(leaf) or scan.matrices.get(leaf)) or scan.arrays.get(leaf)
    declared = bool(leaf.is_integer) if isinstance(leaf, (sp.Symbol, sp.IndexedBase)) else False
    return declared or (usage is not None and usage.index)


def _elements(value: Value, grid: tuple[int, ...]) -> Iterable[Value]:
    """Yield the scalar entries of a nested argument, row-major."""
    carried = tuple(a for a in value.axes if isinstance(a, Batch))
    lead = [AxisMap((k,)) for k in range(len(carried))]
    sides: Sequence[Axis] = (ROW, COL) if len(grid) == 2 else (Slot(0),)
    count = 1
    for n in grid:
        count *= n
    for flat in range(count):
        rest, position = flat, []
        for n, side in zip(reversed(grid), reversed(sides), strict=True):
            rest, at = divmod(rest, n)
            if side in value.axes:
                position.insert(0, AxisMap(offset=Dim.of(at)))
        shape = value.node.shape[: len(carried)]
        yield Value(gather(value.node, (), [*lead, *position], shape), carried) if position else value


def _output(ctx: Context, name: str, identifier: str, value: Value, expr: Any) -> tuple[Output, Node]:
    """Return the record of one output and its node: batch axes first, free indices by name, then rows and columns."""
    if value.node.dtype == "bool":
        raise UnsupportedExpressionError(
            message("a condition as output is not supported", where=describe(expr), hint="write Piecewise((1, c), (0, True))")
        )
    value = ctx.real(value)
    order = sorted(value.axes, key=lambda axis: _rank(axis, ctx))
    node = permute(value.node, [value.axes.index(a) for a in order])
    shape = list(node.shape)
    unit: list[int] = []
    if value.is_matrix:
        for side in (ROW, COL):
            if side not in order:
                at = len(shape) - 1 if side is ROW else len(shape)
                shape.insert(at, ONE)
                unit.append(at)
    return Output(name, identifier, tuple(shape), tuple(unit), node.dtype), node


def _rank(axis: Axis, ctx: Context) -> tuple[int, int]:
    if isinstance(axis, Batch):
        return 0, ctx.batches.index(axis.size)
    if isinstance(axis, Index):
        return 1, list(ctx.indices).index(axis.symbol)
    if isinstance(axis, Slot):
        return 2, axis.position
    return 3, 0 if axis is ROW else 1


def _check_sizes(
    used: Iterable[Node], arguments: Sequence[Argument], nodes: Sequence[Input], sizes: Sizes
) -> None:
    """Check that the sizes can be read off the arguments one after the other.

    Raises:
        InputError: one cannot.
    """
    open_dims = [d for a in arguments for d in a.shape if not d.is_const]
    solved: set[str] = set()
    progress = True
    while progress:
        progress = False
        for dim in open_dims:
            unknown = [s for s in dim.symbols if s not in solved]
            if len(unknown) == 1:
                split = dim.linear_in(unknown[0])
                if split is not None and split[0] != 0:
                    solved.add(unknown[0])
                    progress = True
    for identifier, text in sizes.texts.items():
        if identifier not in solved:
            raise InputError(
                message(
                    f"the size {text} cannot be read off any argument",
                    expected=f"an argument with {text} in its shape",
                    found=", ".join(f"{a.name}: {sizes.shape_text(a.shape) or 'scalar'}" for a in arguments),
                )
            )
