"""The story of the front end: scan, declare the arguments, translate, and describe the results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from symbackprop.errors import InputError, message
from symbackprop.frontend import families  # noqa: F401 - registers every handler
from symbackprop.frontend.context import Context
from symbackprop.frontend.declare import check_sizes, declare
from symbackprop.frontend.describe import describe
from symbackprop.frontend.inputs import arguments_of, batch_axes, free_indices, listed_leaves
from symbackprop.frontend.naming import Namer
from symbackprop.frontend.outputs import expression, output_of, requested
from symbackprop.frontend.program import Program
from symbackprop.frontend.scan import Scan
from symbackprop.frontend.shapes import infer_shapes
from symbackprop.frontend.sizes import Sizes
from symbackprop.frontend.wrt import resolve_wrt
from symbackprop.ir.graph import Graph, toposort
from symbackprop.options import Options

__all__ = ["translate"]


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
    outputs, container = requested(expr)
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
        sizes.declare(symbol.name, symbol)
    batch_order = tuple(dict.fromkeys(batched.values()))
    for name in batch_order:
        sizes.declare(name)
    shapes, indices = infer_shapes(scan, sizes, free)
    arguments, nodes, values = declare(
        declared, identifiers, batched, scan=scan, sizes=sizes, shapes=shapes, dtype=options.dtype
    )
    ctx = Context(options.dtype, sizes, scan, arguments=values, indices=indices, batches=batch_order)
    named = {label: ctx.translate(e) for label, e in labels.items()}
    ctx.keep = {value.node for value in named.values()}
    results = [output_of(ctx, name, namer.identifier(name), ctx.translate(e), e) for name, e in outputs]
    graph = Graph(
        tuple(nodes),
        tuple(node for _, node in results),
        {namer.identifier(label): value.node for label, value in named.items()},
    )
    used = set(toposort(graph.outputs))
    unmatched = {
        identifier: _no_label(label, labels[label])
        for (identifier, node), label in zip(graph.names.items(), named, strict=True)
        if node not in used
    }
    check_sizes(arguments, nodes, sizes)
    occurring = [a.name for a, node in zip(arguments, nodes, strict=True) if node in used]
    return Program(
        graph,
        tuple(arguments),
        tuple(output for output, _ in results),
        container,
        resolve_wrt(wrt, declared, arguments, occurring),
        dict(sizes.texts),
        dict(sizes.symbols),
        unmatched,
    )


def _labels(names: Any) -> dict[str, Any]:
    if names is None:
        return {}
    if not isinstance(names, Mapping):
        raise InputError(message("names is not a dict", expected='{"z": z_expr}', found=describe(names)))
    for label in names:
        if not isinstance(label, str):
            raise InputError(message("a label in names is not a string", found=describe(label)))
    return {label: expression(e) for label, e in names.items()}


def _batch_names(batch: Any) -> set[str]:
    if not isinstance(batch, Mapping):
        return set()
    return {axis.name if isinstance(axis, sp.Symbol) else axis for axis in batch.values() if axis}


def _no_label(label: str, expr: Any) -> str:
    return message(
        f"the named intermediate {label!r} does not occur",
        where=describe(expr),
        hint="build the outputs from the same sub-expression",
    )
