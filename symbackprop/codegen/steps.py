"""Matrix products and scatters as text; dispatch over the kinds of step."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence

from symbackprop.codegen import expression as ex
from symbackprop.codegen.formulas import formula
from symbackprop.codegen.loops import emit_loop, emit_piece
from symbackprop.codegen.positions import Index, Where, axis_position, leaf_entry
from symbackprop.codegen.scope import Scope
from symbackprop.codegen.strips import emit_strip
from symbackprop.codegen.threads import emit_shared
from symbackprop.ir.dims import Dim, product
from symbackprop.ir.node import Input, Node
from symbackprop.plan.access import is_leaf, library_operands
from symbackprop.plan.memory import is_whole
from symbackprop.plan.products import as_matrix_product
from symbackprop.plan.steps import Call, Loop, Product, Shared, Step, Strip, Write

__all__ = ["emit_step"]


def emit_step(step: Step, scope: Scope) -> list[str]:
    """Return the lines of one step."""
    match step:
        case Loop():
            return emit_loop(step, scope)
        case Product():
            return _emit_product(step, scope)
        case Write():
            return _emit_write(step, scope)
        case Call():
            return _emit_call(step, scope)
        case Strip():
            return emit_strip(step, scope)
        case Shared():
            return emit_shared(step, scope)
        case _:
            raise TypeError("the steps of a recurrence are written by their kernel")


def _emit_product(step: Product, scope: Scope) -> list[str]:
    """Return a call of BLAS, inside a loop over batch axes if there are any; transposes are views, never copies."""
    node = step.node
    view = as_matrix_product(node)
    assert view is not None
    extents = node.extents
    a, b = node.args
    la, lb = node.spec.ins
    out = scope.variable(node)
    batch = len(view.batch)
    variables = [scope.names.loop_variable() for _ in view.batch]
    prefix = f"[{', '.join(variables)}]" if batch else ""

    def matrix(arg: Node, labels: tuple[int, ...], rows: tuple[int, ...], columns: tuple[int, ...]) -> str:
        """Return the operand as rows x columns (or a vector, where one of them is empty)."""
        array = scope.variable(arg) + prefix
        core = labels[batch:]
        if not rows or not columns:
            return _flat(array, core, (core,), extents, scope)
        if core == (*rows, *columns):
            return _flat(array, core, (rows, columns), extents, scope)
        return _flat(array, core, (columns, rows), extents, scope) + ".T"

    core_out = node.spec.out[batch:]
    left, right, summed = view.left, view.right, view.summed
    if view.form == "gemv":
        if left:
            args = matrix(a, la, left, summed), matrix(b, lb, summed, ())
        else:
            args = matrix(b, lb, right, summed), matrix(a, la, summed, ())
        target = _flat(out + prefix, core_out, (core_out,), extents, scope)
    elif core_out == (*left, *right):
        args = matrix(a, la, left, summed), matrix(b, lb, summed, right)
        target = _flat(out + prefix, core_out, (left, right), extents, scope)
    else:
        args = matrix(b, lb, right, summed), matrix(a, la, summed, left)
        target = _flat(out + prefix, core_out, (right, left), extents, scope)
    lines = [f"# {out} = {' @ '.join(args)}"]
    for k, variable in enumerate(variables):
        lines.append(f"{'    ' * k}for {variable} in range({scope.size(extents[view.batch[k]])}):")
    lines.append(f"{'    ' * batch}np.dot({args[0]}, {args[1]}, {target})")
    scope.names.release(variables)
    return lines


def _flat(
    array: str, labels: tuple[int, ...], groups: tuple[tuple[int, ...], ...], extents: dict[int, Dim], scope: Scope
) -> str:
    """Return `array` with each group of adjacent axes merged into one; a view, since arrays are contiguous."""
    if len(labels) == len(groups):
        return array
    sizes = [product(extents[label] for label in group) for group in groups]
    return f"{array}.reshape({scope.shape(sizes)})"


def _emit_call(step: Call, scope: Scope) -> list[str]:
    """Return a call of a linear-algebra routine, inside a loop over batch axes if there are any."""
    node = step.node
    batch = node.op.batch_rank(node.args)
    variables = [scope.names.loop_variable() for _ in range(batch)]
    prefix = f"[{', '.join(variables)}]" if batch else ""

    def matrix(array: Node, core: tuple[Dim, ...]) -> str:
        """Return one entry of the batch as a matrix or vector."""
        text = scope.variable(array) + prefix
        return text if len(core) <= 2 else f"{text}.reshape({scope.shape([core[0], product(core[1:])])})"

    operands = []
    for (array, turned), core in zip(library_operands(node), node.op.core_shapes(node.args), strict=True):
        operands.append(matrix(array, core) + (".T" if turned else ""))
    core = node.shape[batch:]
    if core:
        statement = scope.write_call(node.op, [*operands, matrix(node, core)])
    else:
        value = scope.write_call(node.op, operands)
        value = f"{node.dtype}({value})" if node.dtype == "float32" else value
        statement = f"{scope.variable(node)}{prefix} = {value}"
    lines = [f"# {scope.formula(node)}"]
    for depth, (variable, extent) in enumerate(zip(variables, node.shape, strict=False)):
        lines.append(f"{'    ' * depth}for {variable} in range({scope.size(extent)}):")
    lines.append(f"{'    ' * batch}{statement}")
    scope.names.release(variables)
    return lines


def _emit_write(step: Write, scope: Scope) -> list[str]:
    """Return the statements that put every piece of a scatter in place."""
    node = step.node
    out = scope.variable(node)
    lines = [f"# {formula(node, scope)}"]
    whole = is_whole(node, 0)
    if not node.disjoint and not whole:
        lines.append(f"{out}[...] = {ex.text(ex.literal(0.0, node.dtype))}")
    for k, piece in enumerate(node.pieces):
        value = node.args[piece.value]
        if value in scope.plan.workspace.within:
            continue
        sign = "=" if node.disjoint or (whole and k == 0) else "+="
        if k in step.inline:
            lines += emit_piece(node, k, step.inline[k], sign, scope)
            continue
        variables = [scope.names.loop_variable() for _ in value.shape]
        for depth, (variable, extent) in enumerate(zip(variables, value.shape, strict=True)):
            lines.append(f"{'    ' * depth}for {variable} in range({scope.size(extent)}):")
        here = tuple(Index(variable, level + 1) for level, variable in enumerate(variables))
        indices = [node.args[j] for j in piece.indices]
        at = [
            axis_position(m, size, value.shape, here, entry=_reader(indices, scope), scope=scope)
            for m, size in zip(piece.spec, node.shape, strict=True)
        ]
        target = ex.text(ex.subscript(out, [i.text for i in at]))
        lines.append(f"{'    ' * len(variables)}{target} {sign} {ex.text(_entry(value, here, scope))}")
        scope.names.release(variables)
    return lines


def _reader(arrays: Sequence[Node], scope: Scope) -> Callable[[int, Where], ast.expr]:
    return lambda k, at: _entry(arrays[k], at, scope)


def _entry(node: Node, at: Where, scope: Scope) -> ast.expr:
    """Return one entry of a leaf or stored value."""
    if is_leaf(node) and not isinstance(node, Input):
        return leaf_entry(node, at, scope)
    variable = scope.variable(node)
    return ex.subscript(variable, [i.text for i in at]) if at else ex.name(variable)
