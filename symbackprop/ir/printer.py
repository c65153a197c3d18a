"""Graphs as text: one line per node, in an order fixed by the graph."""

from __future__ import annotations

from symbackprop.ir.dims import ONE, Dim
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import (
    Broadcast,
    Const,
    Contraction,
    Elementwise,
    Gather,
    Input,
    Library,
    Node,
    Reduction,
    Scatter,
    Size,
)
from symbackprop.ir.recurrence import Scan
from symbackprop.ir.types import AxisMap

__all__ = ["show"]


def show(graph: Graph) -> str:
    """Return a listing: `%3 = mul(%1, %2)  (m, n) float64`, inputs by name, then the outputs and labels."""
    number: dict[Node, str] = {}
    lines = []
    for node in graph.nodes():
        number[node] = f"%{node.name}" if isinstance(node, Input) else f"%{len(number)}"
        if not isinstance(node, Input):
            lines.append(f"{number[node]} = {_operation(node, [number[a] for a in node.args])}  {node.type}")
    lines.append("return " + ", ".join(number[n] for n in graph.outputs))
    lines += [f"{label}: {number[node]}" for label, node in graph.names.items()]
    return "\n".join(lines)


def _operation(node: Node, args: list[str]) -> str:
    operands = ", ".join(args)
    match node:
        case Const():
            return repr(node.value)
        case Size():
            return f"size {node.dim}"
        case Elementwise():
            return f"{node.op.name}{list(node.attr) if node.attr else ''}({operands})"
        case Contraction():
            return f"einsum '{node.spec}'({operands})"
        case Broadcast():
            return f"broadcast({operands}) to axes {node.axes}"
        case Gather():
            return f"gather({operands}) at [{_maps(node.spec)}]"
        case Scatter():
            pieces = (f"{args[p.value]} at [{_maps(p.spec)}]" for p in node.pieces)
            return f"scatter({'; '.join(pieces)}){' disjoint' if node.disjoint else ''}"
        case Reduction():
            return f"{node.op.name}({operands}) over {node.axes}"
        case Library():
            return f"{node.op.name}({operands})"
        case Scan():
            order = "last to first" if node.backwards else "first to last"
            return f"{node.mode} of {_step(node)} in {node.count} steps, {order} ({operands})"
        case _:
            return node.kind


def _maps(spec: tuple[AxisMap, ...]) -> str:
    return ", ".join(map(_axis, spec))


def _axis(m: AxisMap) -> str:
    if m.index is not None:
        base = f"index{m.index}[{', '.join(f'#{a}' for a in m.axes)}]"
    elif m.axes:
        terms = [f"#{a}" if s == ONE else f"{_factor(s)}*#{a}" for a, s in zip(m.axes, m.strides, strict=True)]
        base = " + ".join(terms)
    else:
        return str(m.offset)
    text = f"{base} + {m.offset}" if m.offset.terms else base
    return text if m.span is None else f"{text} kept within {m.span[0]} ... {m.span[1]}"


def _factor(dim: Dim) -> str:
    return f"({dim})" if len(dim.terms) > 1 else str(dim)


def _step(node: Scan) -> str:
    """Return the program of one step in one line; recursive in the nesting of recurrences."""
    body = node.body
    graph = Graph(body.inputs, (*body.following, node.value))
    lines = show(graph).splitlines()
    return f"({', '.join(i.name for i in body.inputs)}) -> {{{'; '.join(lines)}}}"
