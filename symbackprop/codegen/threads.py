"""Nests that threads share, as text: a function for one block, one that runs the blocks, and the choice to do so.

The function for one block holds the nest as it would stand in the kernel. A loop that is not worth threads is one block
for all of it; whether it is depends on the sizes alone, so that results never depend on the number of threads.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable, Sequence

from symbackprop.codegen.loops import emit_loop
from symbackprop.codegen.positions import Around
from symbackprop.codegen.scope import Scope
from symbackprop.codegen.strips import emit_strip
from symbackprop.ir.dims import ZERO, product
from symbackprop.plan.memory import made_by
from symbackprop.plan.steps import Loop, Shared
from symbackprop.plan.threads import BLOCKS

__all__ = ["HELPERS", "RESERVED", "bind_parts", "emit_shared"]

#: Longest line of a call.
WIDTH = 110

#: Operations from which threads are worth starting: some tenths of a millisecond, where starting them takes hundredths.
WORTH = 1_000_000

#: The names that a module with shared nests has for itself.
RESERVED = ("threads", "prange", "LARGEST", "entries", "add_up", "sum_up")

#: The functions around the blocks.
HELPERS = f'''@jit
def entries(block, extent, unit):
    """Return where one of {BLOCKS} blocks of an axis starts and ends; `unit` entries stay together."""
    units, k = (extent + unit - 1) // unit, np.int64(block)
    return min(units * k // {BLOCKS} * unit, extent), min(units * (k + 1) // {BLOCKS} * unit, extent)


@jit
def add_up(parts, total):
    """Add up the arrays of all blocks, in order: the result is the same for any number of threads."""
    flat, sums = total.reshape(total.size), parts.reshape((parts.shape[0], total.size))
    for i in range(flat.size):
        flat[i] = sums[0, i]
    for k in range(1, sums.shape[0]):
        for i in range(flat.size):
            flat[i] += sums[k, i]


@jit
def sum_up(parts):
    """Return the sum of the numbers of all blocks, added in order."""
    total = parts[0]
    for k in range(1, parts.shape[0]):
        total += parts[k]
    return total'''


def bind_parts(step: Shared, scope: Scope) -> None:
    """Name the arrays of what the blocks sum up."""
    for node, parts in step.parts.items():
        scope.bind(parts, scope.names.fresh(f"{scope.variable(node)}_parts"))


def emit_shared(step: Shared, scope: Scope) -> list[str]:
    """Return the lines that stand for a shared nest; the functions they call are noted in `scope`."""
    names, made, nest = scope.names, made_by(step.step), step.step
    start, stop, block = owned = [names.fresh("start"), names.fresh("stop"), names.fresh("block")]
    flat = isinstance(nest, Loop) and len(nest.order) == 1
    around = Around(part=(f"{start} & LARGEST", f"{stop} & LARGEST") if flat else (start, stop))
    body = emit_loop(nest, scope, around) if isinstance(nest, Loop) else emit_strip(nest, scope, around)
    extent = scope.size(step.extent)
    body = _turns(body, scope) + body
    used = [name for name in _read(body) if name not in (start, stop)]
    arrays = [name for name in used if name not in scope.sizes]
    lengths = sorted(scope.sizes.intersection(used))
    sums = {scope.variable(node): scope.variable(parts) for node, parts in step.parts.items()}
    numbers = [scope.variable(node) for node in step.parts if not node.rank]
    own = {scope.variable(node) for node in made if node in scope.plan.local and node in scope.plan.workspace.at}
    own |= {scope.turns[name] for name in own if name in scope.turns}
    named = next((node for node in made if node in scope.plan.graph.hints), made[-1])
    one = names.fresh(f"_{scope.variable(named)}_of_{scope.title}")
    run = names.fresh(f"{one}_blocks")

    def call(first: str, last: str, argument: Callable[[str], str], result: Callable[[str], str]) -> list[str]:
        """Return the statement that does the work from `first` to `last`."""
        target = f"{', '.join(map(result, numbers))} = " if numbers else ""
        return _wrapped(f"{target}{one}(", [first, last, *lengths, *map(argument, arrays)], ")")

    def of_block(name: str) -> str:
        return f"{sums.get(name, name)}[{block}]" if name in sums or name in own else name

    function = [
        f"@{scope.require_threads()}",
        *_wrapped(f"def {one}(", [start, stop, *lengths, *arrays], "):"),
        f'    """Run the outermost loop from {start} to {stop} - 1."""',
        *(f"    {line}" for line in body),
        *([f"    return {', '.join(numbers)}"] if numbers else []),
    ]
    bounds = sorted(scope.sizes.intersection([*used, *_read([extent])]))
    given = [*bounds, *(sums.get(name, name) for name in arrays), *(sums[name] for name in numbers)]
    runner = [
        "@threads",
        *_wrapped(f"def {run}(", given, "):"),
        f'    """Run {one} on {BLOCKS} blocks, on as many threads as there are."""',
        f"    for {block} in prange({BLOCKS}):",
        f"        {start}, {stop} = entries({block}, {extent}, {step.unit})",
        *(f"        {line}" for line in call(start, stop, of_block, of_block)),
    ]
    whole = call("np.int64(0)", extent, lambda name: f"{name}[0]" if name in own else name, lambda name: name)
    lines = [f"if {_is_little(step, scope)}:  # too little for threads", *(f"    {line}" for line in whole)]
    lines += ["else:", *(f"    {line}" for line in _wrapped(f"{run}(", given, ")"))]
    for name, parts in sums.items():
        lines.append(f"    {name} = sum_up({parts})" if name in numbers else f"    add_up({parts}, {name})")
    names.release(owned)
    scope.functions += [*function, "", "", *runner, "", ""]
    return lines


def _turns(body: Sequence[str], scope: Scope) -> list[str]:
    """Return statements for local values that share memory: one array is passed for all of them."""
    turns = [(name, scope.turns[name]) for name in _read(body) if name in scope.turns]
    return [f"{name} = {other}  # one array for both, in turn" for name, other in turns]


def _is_little(step: Shared, scope: Scope) -> str:
    """Return the condition that threads do not pay, be it for all work or for adding up what the blocks have summed."""
    added = sum((product(node.shape) for node in step.parts if node.rank), ZERO)
    least = f"max({WORTH}, {scope.size(added * (4 * BLOCKS))})" if added.terms else str(WORTH)
    return f"{scope.size(step.work)} < {least}"


def _read(lines: Sequence[str]) -> list[str]:
    """Return the variables that some statements read and do not set, in order of appearance."""
    tree = list(ast.walk(ast.parse("\n".join(lines))))
    names = [n for n in tree if isinstance(n, ast.Name)]
    calls = [n for n in tree if isinstance(n, ast.Call)]
    skipped = {"np", "math", "LARGEST", *(call.func.id for call in calls if isinstance(call.func, ast.Name))}
    skipped.update(n.id for n in names if isinstance(n.ctx, ast.Store))
    names.sort(key=lambda n: (n.lineno, n.col_offset))
    return [name for name in dict.fromkeys(n.id for n in names) if name not in skipped]


def _wrapped(head: str, items: Sequence[str], tail: str) -> list[str]:
    """Return `head`, the items and `tail` on one line, or on several where that is too long."""
    one = f"{head}{', '.join(items)}{tail}"
    if len(one) <= WIDTH:
        return [one]
    deeper = textwrap.wrap(", ".join(items), WIDTH, break_long_words=False, break_on_hyphens=False)
    return [head, *(f"    {line}" for line in deeper), tail]
