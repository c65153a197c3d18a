"""The story of the front end: scan, declare the arguments, translate, and describe the results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sympy as sp

from symbackprop.errors import InputError, SymbackpropError, message
from symbackprop.frontend import families  # noqa: F401 - registers every handler
from symbackprop.frontend.context import Context
from symbackprop.frontend.declare import check_sizes, declare, give_sizes
from symbackprop.frontend.definitions import Block, define, results_of
from symbackprop.frontend.describe import describe, trail_text
from symbackprop.frontend.dispatch import run
from symbackprop.frontend.inputs import arguments_of, batch_axes, free_indices, listed_leaves
from symbackprop.frontend.naming import Namer
from symbackprop.frontend.outputs import output_of
from symbackprop.frontend.program import Program
from symbackprop.frontend.request import Requested, expression, requested
from symbackprop.frontend.scan import Scan
from symbackprop.frontend.shapes import infer_shapes
from symbackprop.frontend.sizes import Sizes
from symbackprop.frontend.wrt import resolve_wrt
from symbackprop.ir.graph import Graph, toposort
from symbackprop.ir.node import Node
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
    differentiate: Callable[[Node, Node, Node], Node] | None = None,
) -> Program:
    """Return the program of a SymPy expression, of nested lists, tuples or dicts of them, or of definitions.

    Linear in the number of distinct expression objects; iterative.

    Args:
        expr: scalar Expr, MatrixExpr, Matrix, NDimArray, or lists, tuples or dicts of these; with definitions in
            front, see `symbackprop.frontend.request`.
        wrt: symbols or names to differentiate for; default every real-valued argument that occurs.
        inputs: calling order; a sequence, or a dict name -> entry; an entry may be nested.
        names: labels for intermediates.
        batch: argument -> name of its leading batch axis.
        options: dtype of real values.
        differentiate: (output, node, upstream) -> the gradient for a node of the output's graph; for `Derivative`.

    Raises:
        UnsupportedExpressionError: a construct that has no translation.
        ShapeError: shapes that cannot agree.
        InputError: arguments, labels or `wrt` that do not fit the expression.
    """
    wanted = requested(expr)
    labels = _labels(names)
    try:
        return _program(
            wanted, labels, wrt=wrt, inputs=inputs, batch=batch, options=options, differentiate=differentiate
        )
    except SymbackpropError as error:
        _locate(error, wanted, labels)
        raise


def _program(
    wanted: Requested,
    labels: Mapping[str, Any],
    *,
    wrt: Any,
    inputs: Any,
    batch: Mapping[Any, Any] | None,
    options: Options,
    differentiate: Callable[[Node, Node, Node], Node] | None,
) -> Program:
    roots = [*(e for _, e in wanted.outputs), *labels.values()]
    definitions = wanted.definitions
    scan = Scan([Block(tuple(definitions), tuple(roots))] if definitions else roots)
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
    recurrent = {d.leaf: d.time for d in definitions if d.time is not None}
    shapes, indices = infer_shapes(scan, sizes, free, mentioned, recurrent)
    arguments, nodes, values = declare(
        declared, identifiers, batched, scan=scan, sizes=sizes, shapes=shapes, dtype=options.dtype
    )
    give_sizes(declared, arguments, nodes, sizes, ordered=inputs is not None)
    ctx = Context(options.dtype, sizes, scan, arguments=values, indices=indices, batches=batch_order)
    ctx.differentiate = differentiate
    ctx.defined = {d.leaf for d in definitions}
    scope, defined = define(ctx, definitions)
    named = {label: run(ctx, e, scope) for label, e in labels.items()}
    # The replacements of `sympy.cse` are nobody's names.
    loose = {d.name for d in definitions if d.loose}
    defined = [pair for pair in defined if pair[0] not in loose]
    ctx.keep = {value.node for value in (*named.values(), *(value for _, value in defined))}
    outputs, container, layout = wanted.outputs, wanted.container, wanted.layout
    if not outputs:
        results = [(d.name, d.lhs, scope[d.leaf]) for d in results_of(definitions, scan)]
        container = "single" if len(results) == 1 else "dict"
    else:
        results = [(name, e, run(ctx, e, scope)) for name, e in outputs]
    made = [output_of(ctx, name, namer.identifier(name), value, e) for name, e, value in results]
    graph_outputs = tuple(node for _, node in made)
    used = set(toposort(graph_outputs))
    graph_names = {namer.identifier(label): value.node for label, value in named.items()}
    unmatched = {
        identifier: _no_label(label, labels[label])
        for (identifier, node), label in zip(graph_names.items(), named, strict=True)
        if node not in used
    }
    labelled = {*graph_names.values(), *graph_outputs}
    for name, value in defined:
        if value.node in used and value.node.args and value.node not in labelled:
            labelled.add(value.node)
            graph_names[namer.identifier(name)] = value.node
    graph = Graph(tuple(nodes), graph_outputs, graph_names)
    check_sizes(arguments, nodes, sizes)
    occurring = [a.name for a, node in zip(arguments, nodes, strict=True) if node in used]
    return Program(
        graph,
        tuple(arguments),
        tuple(output for output, _ in made),
        container,
        resolve_wrt(wrt, declared, arguments, occurring),
        dict(sizes.texts),
        dict(sizes.symbols),
        unmatched,
        layout,
        dict(sizes.spans),
        tuple(map(str, free)),
    )


def _locate(error: SymbackpropError, wanted: Requested, labels: Mapping[str, Any]) -> None:
    """Add to the text of `error` in which output it arose, and the way there."""
    starts = {id(d.rhs): f"definition of {d.name}" for d in wanted.definitions}
    starts |= {id(e): f"label {name!r}" for name, e in labels.items()}
    single = wanted.container == "single"
    starts |= {id(e): "the output" if single else f"output {name!r}" for name, e in wanted.outputs}
    at = next((k for k, e in enumerate(error.trail) if id(e) in starts), None)
    if at is None or (single and at == len(error.trail) - 1):
        return
    error.args = (f"{error}\n  at: {trail_text(starts[id(error.trail[at])], error.trail[at:])}",)


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
