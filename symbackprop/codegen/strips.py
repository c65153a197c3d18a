"""Strips as text: loops that share an outer loop, over the entries of an axis or over blocks of them."""

from __future__ import annotations

from dataclasses import replace

from symbackprop.codegen.loops import emit_part
from symbackprop.codegen.positions import Around
from symbackprop.codegen.scope import Scope
from symbackprop.plan.steps import Loop, Packed, Strip

__all__ = ["emit_strip"]

#: What must be done before a strip starts: which one, counted from outside, and the statement.
Start = tuple[int, str]


def emit_strip(strip: Strip, scope: Scope, around: Around | None = None) -> list[str]:
    """Return the lines of a strip: sums over its axis are started first."""
    lines, starts = _emit(strip, around or Around(), scope)
    return [*(statement for _, statement in starts), *lines]


def _emit(strip: Strip, around: Around, scope: Scope) -> tuple[list[str], list[Start]]:
    """Return the lines of a strip, and the statements that must stand before it or a strip around it. Recursive."""
    depth = len(around.fixed)
    start, stop = around.part if around.part and not depth else ("0", scope.size(strip.extent))
    if strip.block > 1:
        first, width = scope.names.fresh("first"), scope.names.fresh("width")
        owned = [first, width]
        inside = Around((first,), first, width, packed={p.source: p for p in strip.packed})
        head = f"for {first} in range({start}, {stop}, {strip.block}):"
        body = [f"{width} = min({strip.block}, {stop} - {first})"]
        for packed in strip.packed:
            body += _copied(packed, inside, scope)
    else:
        variable = scope.names.loop_variable()
        owned = [variable]
        inside = replace(around, fixed=(*around.fixed, variable), part=None)
        head = f"for {variable} in range({f'{start}, {stop}' if start != '0' else stop}):"
        body = []
    starts: list[Start] = []
    for part in strip.parts:
        lines, before = emit_part(part, inside, scope) if isinstance(part, Loop) else _emit(part, inside, scope)
        body += [statement for level, statement in before if level == depth + 1]
        starts += [(level, statement) for level, statement in before if level <= depth]
        body += lines
    scope.names.release(owned)
    return [head, *(f"    {line}" for line in body)], starts


def _copied(packed: Packed, inside: Around, scope: Scope) -> list[str]:
    """Return the copying of a block's entries to where they are adjacent."""
    source, copy = scope.variable(packed.source), scope.variable(packed.copy)
    variables = [scope.names.loop_variable() for _ in range(packed.source.rank)]
    *outer, entry = variables
    lines = [f"# {copy} = {source}, the entries of this block side by side"]
    for depth, (variable, extent) in enumerate(zip(outer, packed.copy.shape, strict=False)):
        lines.append(f"{'    ' * depth}for {variable} in range({scope.size(extent)}):")
    lines.append(f"{'    ' * len(outer)}for {entry} in range({inside.width}):")
    at = [*outer[: packed.axis], f"{inside.first} + {entry}", *outer[packed.axis :]]
    lines.append(f"{'    ' * len(variables)}{copy}[{', '.join(variables)}] = {source}[{', '.join(at)}]")
    scope.names.release(variables)
    return lines
