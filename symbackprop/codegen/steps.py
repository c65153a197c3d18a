"""Matrix products and scatters as text; dispatch over the kinds of step."""

from __future__ import annotations

import ast

from symbackprop.codegen import expression as ex
from symbackprop.codegen.loops import emit_loop
from symbackprop.codegen.scope import Scope
from symbackprop.ir.dims import Dim, product
from symbackprop.ir.node import Const, Node, Size
from symbackprop.ir.types import AxisMap
from symbackprop.plan.memory import is_whole
from symbackprop.plan.products import as_matrix_product
from symbackprop.plan.steps import Loop, Product, Step, Write

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


def _emit_write(step: Write, scope: Scope) -> list[str]:
    """Return the statements that put every piece of a scatter in place."""
    node = step.node
    out = scope.variable(node)
    lines = [f"# {scope.formula(node)}"]
    whole = is_whole(node, 0)
    if not node.disjoint and not whole:
        lines.append(f"{out}[...] = {ex.text(ex.literal(0.0, node.dtype))}")
    for k, piece in enumerate(node.pieces):
        value = node.args[piece.value]
        if value in scope.plan.workspace.within:
            continue
        sign = "=" if node.disjoint or (whole and k == 0) else "+="
        variables = [scope.names.loop_variable() for _ in value.shape]
        for depth, (variable, extent) in enumerate(zip(variables, value.shape, strict=True)):
            lines.append(f"{'    ' * depth}for {variable} in range({scope.size(extent)}):")
        index = [_index(m, [node.args[j] for j in piece.indices], variables, scope) for m in piece.spec]
        entry = ex.text(_entry(value, variables, scope))
        lines.append(f"{'    ' * len(variables)}{ex.text(ex.subscript(out, index))} {sign} {entry}")
        scope.names.release(variables)
    return lines


def _index(m: AxisMap, indices: list[Node], variables: list[str], scope: Scope) -> str:
    """Return the position that an axis map gives at the loop variables."""
    at = [variables[a] for a in m.axes]
    offset = scope.size(m.offset) if m.offset.terms else ""
    if m.index is not None:
        base = ex.text(_entry(indices[m.index], at, scope))
    elif at:
        base = at[0] if m.stride == 1 else f"{m.stride} * {at[0]}"
    else:
        return offset or "0"
    return f"{base} + {offset}" if offset else base


def _entry(node: Node, at: list[str], scope: Scope) -> ast.expr:
    """Return one entry of a leaf or stored value."""
    match node:
        case Const():
            return ex.literal(node.value, node.dtype)
        case Size():
            return scope.size_value(node)
        case _:
            return ex.subscript(scope.variable(node), at) if at else ex.name(scope.variable(node))
