"""Recurrences as text: a loop over the steps whose statements read and write rows of arrays, without copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symbackprop.codegen import expression as ex
from symbackprop.codegen.scope import Scope
from symbackprop.ir.dims import ONE, ZERO
from symbackprop.ir.node import Const, Input, Iota, Node, Size
from symbackprop.ir.recurrence import Scan
from symbackprop.plan.access import row_of, start_of
from symbackprop.plan.memory import Workspace
from symbackprop.plan.plan import Plan
from symbackprop.plan.steps import Recur, Step

__all__ = ["emit_recurrence"]

#: (steps, scope) -> their lines.
EmitSteps = Callable[[Sequence[Step], Scope], list[str]]


def emit_recurrence(step: Recur, scope: Scope, emit_steps: EmitSteps) -> list[str]:
    """Return the loop that carries out the steps of a recurrence, in order or from the last to the first."""
    scans, outputs = step.scans, step.graph.outputs
    repetition = scans[0].repetition
    count, backwards = scope.size(repetition.times), repetition.backwards
    n = len(repetition.body.states)
    time = scope.names.fresh("t")
    here, there = (f"{time} + 1", time) if backwards else (time, f"{time} + 1")
    workspace = Workspace((), step.slots, step.within)
    inner = scope.inside(Plan(step.graph, tuple(step.steps), frozenset(step.stored), workspace))
    first: list[str] = []
    last: list[str] = []
    rows = [f"{scope.variable(s)}[{there if k < n else time}]" for k, s in enumerate(scans)]
    for state, scan, start in zip(repetition.body.states, scans, repetition.starts, strict=False):
        path = scope.variable(scan)
        inner.bind(state, f"{path}[{here}]")
        first.append(f"{path}[{count if backwards else 0}] = {_start(start, scope)}")
    for read, arg in zip(repetition.body.reads, repetition.rows, strict=True):
        inner.bind(read, _row_text(arg, time, scope))
    for shared, arg in zip(repetition.body.shared, repetition.shared, strict=True):
        inner.bind(shared, scope.variable(arg))
    bound: set[Node] = set()
    for scan, row, output in zip(scans, rows, outputs, strict=True):
        if scan.mode == "sum":
            zero = ex.text(ex.literal(0.0, scan.dtype))
            total = scope.variable(scan)
            first.append(f"{total}[...] = {zero}" if scan.rank else f"{total} = {zero}")
            if step.added.get(output) is scan:
                inner.sums[output] = total
            continue
        if _is_given(output) or output in bound:
            last.append(f"{row} = {_entry(output, inner)}")
        else:
            bound.add(output)
            inner.bind(output, row)
    for value, whole in step.within.items():
        inner.bind(value, inner.variable(whole))
    for scan, output in zip(scans, outputs, strict=True):
        if scan.mode == "sum" and output not in inner.sums:
            last += _added(scan, output, scope, inner)
    body = emit_steps(step.steps, inner) + last
    order = f"range({count} - 1, -1, -1)" if backwards else f"range({count})"
    scope.names.release([time])
    return [*first, f"for {time} in {order}:", *(f"    {line}" for line in body or ["pass"])]


def _start(start: Node, scope: Scope) -> str:
    """Return what a path starts with."""
    array, row = start_of(start)
    return _entry(array, scope) if row is None else f"{scope.variable(array)}[{scope.size(row)}]"


def _entry(node: Node, scope: Scope) -> str:
    if isinstance(node, Const):
        return ex.text(ex.literal(node.value, node.dtype))
    return ex.text(scope.size_value(node)) if isinstance(node, Size) else scope.variable(node)


def _is_given(node: Node) -> bool:
    return isinstance(node, Input | Const | Size)


def _row_text(arg: Node, time: str, scope: Scope) -> str:
    """Return row t of an operand as source text."""
    if isinstance(arg, Iota):
        return time
    array, stride, first = row_of(arg)
    position = time
    if stride == -ONE:
        position = f"{scope.size(first)} - {time}"
    elif stride != ONE:
        position = f"({scope.size(stride)}) * {time} + {scope.size(first)}"
    elif first != ZERO:
        text = scope.size(first)
        position = f"{time} - {text[1:]}" if text.startswith("-") else f"{time} + {text}"
    return f"{scope.variable(array)}[{position}]"


def _added(scan: Scan, output: Node, scope: Scope, inner: Scope) -> list[str]:
    """Return the statements that add a value of one step to its sum."""
    total, value = scope.variable(scan), _entry(output, inner)
    variables = [scope.names.loop_variable() for _ in scan.shape]
    lines = [
        f"{'    ' * k}for {i} in range({scope.size(d)}):"
        for k, (i, d) in enumerate(zip(variables, scan.shape, strict=True))
    ]
    entries = [ex.text(ex.subscript(array, variables)) if variables else array for array in (total, value)]
    scope.names.release(variables)
    return [*lines, f"{'    ' * scan.rank}{entries[0]} += {entries[1]}"]
