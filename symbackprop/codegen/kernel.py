"""One kernel function as text: the mathematics, writing into arrays that it is given."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from symbackprop.codegen import expression as ex
from symbackprop.codegen.checks import index_check
from symbackprop.codegen.names import Names
from symbackprop.codegen.recurrences import emit_recurrence
from symbackprop.codegen.scope import Helpers, Scope
from symbackprop.codegen.steps import emit_step
from symbackprop.codegen.threads import bind_parts
from symbackprop.ir.dims import Dim
from symbackprop.ir.node import Const, Input, Node, Size
from symbackprop.plan.memory import made_by
from symbackprop.plan.plan import IndexCheck, Plan
from symbackprop.plan.steps import Recur, Shared, Step

__all__ = ["KernelText", "emit_kernel", "is_long", "loops_write"]

#: Statements from which a straight-line kernel goes to LLVM directly.
LONG = 100


@dataclass(frozen=True)
class KernelText:
    """A kernel function's parts.

    Attributes:
        body: its statements, without the return.
        sizes: the size symbols it uses, sorted; variables of the same name.
        inputs: (input, variable) it reads.
        arrays: (result, variable) of array results, which the caller provides.
        results: one expression per output of the plan's graph, scalars only; None for arrays.
        workspace: (slot type's shape, dtype) it needs, and the variable of each slot.
        functions: lines of other functions that the body calls.
    """

    body: list[str]
    sizes: tuple[str, ...]
    inputs: tuple[tuple[Input, str], ...]
    arrays: tuple[tuple[Node, str], ...]
    results: tuple[str | None, ...]
    workspace: tuple[tuple[tuple[Dim, ...], str, str], ...]
    functions: tuple[str, ...] = ()


def emit_kernel(
    plan: Plan,
    arguments: Mapping[str, str],
    sizes: Mapping[str, str],
    helpers: Helpers,
    *,
    taken: Collection[str],
    checks: Sequence[IndexCheck],
    title: str = "kernel",
) -> KernelText:
    """Return the text of the kernel that carries out `plan`.

    Args:
        plan: what to compute.
        arguments: name of an argument -> variable; other inputs get a variable of their own.
        sizes: size symbol -> variable.
        helpers: notes the helper functions needed.
        taken: names that no further variable may have, `arguments` and `sizes` included.
        checks: index checks; those on computed values are written where the value is made, before it is used.
        title: the kernel's name, part of the names of the functions it calls.
    """
    scope = Scope(plan, Names(taken), sizes, helpers, title)
    for check in checks:
        if not isinstance(check.index, Input):
            scope.checks.setdefault(check.index, []).append(check)
    nodes = plan.graph.nodes()
    inputs = [n for n in nodes if isinstance(n, Input)]
    for argument in sorted(inputs, key=plan.graph.inputs.index):
        hint = plan.graph.hints.get(argument, argument.name)
        scope.bind(argument, arguments.get(argument.name) or scope.names.fresh(hint))
    arrays = [(node, scope.variable(node)) for node in plan.graph.outputs if node.rank]
    for node in plan.graph.outputs:
        if not isinstance(node, Const | Size):
            scope.variable(node)
    for value, whole in plan.workspace.within.items():
        scope.bind(value, scope.variable(whole))
    slots: list[str] = [""] * len(plan.workspace.slots)
    body = _emit_steps(plan.steps, scope, slots)
    results = tuple(None if n.rank else ex.text(_scalar(n, scope)) for n in plan.graph.outputs)
    text = "\n".join([*body, *(r or "" for r in results)])
    used = tuple(s for s in sorted(sizes) if _mentions(text, sizes[s]))
    workspace = tuple((t.shape, t.dtype, slots[s]) for s, t in enumerate(plan.workspace.slots))
    ordered = tuple((n, scope.variable(n)) for n in plan.graph.inputs if n in set(inputs))
    return KernelText(body, used, ordered, tuple(arrays), results, workspace, tuple(scope.functions))


def _emit_steps(steps: Sequence[Step], scope: Scope, slots: list[str]) -> list[str]:
    """Return the lines of some steps; recursive in the nesting of recurrences."""
    body: list[str] = []
    for step in steps:
        if isinstance(step, Shared):
            bind_parts(step, scope)
        body += _take_slots(step, scope, slots)
        if isinstance(step, Recur):
            body += emit_recurrence(step, scope, lambda inner_steps, inner: _emit_steps(inner_steps, inner, slots))
        else:
            body += emit_step(step, scope)
        for node in made_by(step):
            for check in scope.checks.pop(node, ()):
                body += index_check(check, scope.variable(node), "index", scope.size)
    return body


def _take_slots(step: Step, scope: Scope, slots: list[str]) -> list[str]:
    """Give each value a step makes its workspace slot; the first value in a slot gives the parameter its name."""
    lines = []
    for made in made_by(step):
        node = scope.plan.workspace.within.get(made, made)
        if node not in scope.plan.workspace.at:
            continue
        slot = scope.plan.workspace.at[node]
        variable = scope.variable(node)
        if slots[slot] == variable:
            continue
        if slots[slot] and node in scope.plan.local and isinstance(step, Shared):
            scope.turns[variable] = slots[slot]
            continue
        if slots[slot] and node in scope.plan.local:
            lines.append(f"{variable} = {slots[slot]}  # one array for both, in turn")
        elif slots[slot]:
            lines.append(f"{variable} = {slots[slot]}  # {slots[slot]} is not needed any more: its memory serves again")
        else:
            slots[slot] = variable
    return lines


def _scalar(node: Node, scope: Scope) -> ast.expr:
    if isinstance(node, Const):
        return ex.literal(node.value, node.dtype)
    if isinstance(node, Size):
        return scope.size_value(node)
    return ex.name(scope.variable(node))


def _mentions(text: str, variable: str) -> bool:
    """Whether `variable` occurs in `text` as a whole word."""
    return re.search(rf"\b{re.escape(variable)}\b", text) is not None


def is_long(text: KernelText, plan: Plan) -> bool:
    """Whether a kernel is straight-line real code long enough that numba's type inference would be felt."""
    real = all(n.type.is_real for n in (*plan.graph.outputs, *(n for n, _ in text.inputs)))
    operations = sum(len(n.args) for n in plan.graph.nodes())
    if (len(text.body) < LONG and operations < 8 * LONG) or text.sizes or text.workspace or not real:
        return False
    zero = ("[...] = 0.0", "[...] = float32(0.0)")
    statements = [line for line in text.body if not line.startswith("#") and not line.endswith(zero)]
    return not any(line.startswith((" ", "for ", "if ")) or "[...]" in line for line in statements)


def loops_write(text: KernelText) -> bool:
    """Whether a kernel has loops that write to arrays."""
    return bool(text.arrays or text.workspace) and any(
        line.lstrip().startswith("for ") for line in (*text.body, *text.functions)
    )
