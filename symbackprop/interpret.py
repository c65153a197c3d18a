"""The oracle: evaluates a graph with NumPy, one node after the other, with no regard to speed.

It reads the same facets as the compiler (`Primitive.numpy`), so it cannot fall behind a new primitive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symbackprop.errors import InputError, message
from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph, toposort
from symbackprop.ir.node import (
    Broadcast,
    Const,
    Contraction,
    Elementwise,
    Gather,
    Input,
    Iota,
    Library,
    Node,
    Reduction,
    Scatter,
    Size,
)
from symbackprop.ir.recurrence import Scan, every_node
from symbackprop.ir.types import AxisMap

__all__ = ["infer_sizes", "interpret"]

Array = NDArray[Any]
Sizes = Mapping[str, int]


def interpret(
    program: Graph | Sequence[Node], inputs: Mapping[str, ArrayLike], sizes: Sizes | None = None
) -> list[Array]:
    """Return the values of a graph's outputs, or of the given nodes, in order.

    Args:
        program: what to evaluate.
        inputs: a value for every input that occurs, by name; shapes must fit the symbolic ones. The value of an integer
            that is named like a size is that size.
        sizes: size symbols that the inputs' shapes do not determine; the others are read off the arrays.

    Raises:
        InputError: an input or a size is missing, a shape does not fit, or an index is out of bounds.
    """
    roots = program.outputs if isinstance(program, Graph) else program
    order = toposort(roots)
    needed = [node for node in order if isinstance(node, Input)]
    missing = [node.name for node in needed if node.name not in inputs]
    if missing:
        raise InputError(message("an input has no value", expected=", ".join(missing), found=", ".join(inputs)))
    arrays = {node: np.asarray(inputs[node.name], node.dtype) for node in needed}
    symbols = {s for node in every_node(roots) for dim in _dims(node) for s in dim.symbols}
    given = [n for n in program.inputs if _is_number(n) and n.name in symbols] if isinstance(program, Graph) else []
    passed = {n.name: int(np.asarray(inputs[n.name])) for n in given if n.name in inputs}
    known = infer_sizes(arrays, {**passed, **(sizes or {})})
    unknown = sorted(symbols.difference(known))
    if unknown:
        raise InputError(message("sizes cannot be read off the inputs", found=", ".join(unknown), hint="pass sizes="))
    with np.errstate(all="ignore"):
        values = _values(order, arrays, known)
    return [values[node] for node in roots]


def _values(order: Sequence[Node], arrays: Mapping[Input, Array], sizes: Sizes) -> dict[Node, Array]:
    """Return the value of every node of `order`, operands first."""
    values: dict[Node, Array] = {}
    for node in order:
        operands = [values[a] for a in node.args]
        result = arrays[node] if isinstance(node, Input) else _evaluate(node, operands, sizes)
        value = np.asarray(result, node.dtype)
        assert value.shape == _shape(node, sizes), f"{node!r} gave shape {value.shape}"
        values[node] = value
    return values


def _repeated(node: Scan, args: list[Array], sizes: Sizes) -> Array:
    """Return one result of a recurrence; recursive in the nesting of recurrences."""
    body, count = node.body, node.count.evaluate(sizes)
    order = toposort([*body.following, node.value])
    bound = dict(zip(body.inputs, args, strict=True))
    out = np.zeros(_shape(node, sizes), node.dtype)
    if node.mode == "path":
        assert isinstance(node.value, Input)
        out[-1 if node.backwards else 0] = bound[node.value]
    for t in reversed(range(count)) if node.backwards else range(count):
        now = {**bound, **{i: bound[i][t] for i in body.reads}}
        values = _values(order, now, sizes)
        bound |= {s: values[n] for s, n in zip(body.states, body.following, strict=True)}
        if node.mode == "path":
            assert isinstance(node.value, Input)
            out[t if node.backwards else t + 1] = bound[node.value]
        elif node.mode == "stack":
            out[t] = values[node.value]
        else:
            out += values[node.value]
    return out


def infer_sizes(arrays: Mapping[Input, Array], sizes: Sizes) -> dict[str, int]:
    """Return the value of every size symbol, solved from array shapes where it occurs alone and linearly.

    Raises:
        InputError: a rank or size does not fit, or a size stays unknown.
    """
    known = dict(sizes)
    pending = []
    for node, array in arrays.items():
        if array.ndim != node.rank:
            raise InputError(message(f"input {node.name} has the wrong rank", expected=node.type, found=array.shape))
        pending += [(node, dim, extent) for dim, extent in zip(node.shape, array.shape, strict=True)]
    while pending:
        later = []
        for node, dim, extent in pending:
            unknown = [s for s in dim.symbols if s not in known]
            if not unknown:
                if dim.evaluate(known) != extent:
                    expected = f"{dim} = {dim.evaluate(known)}"
                    raise InputError(message(f"input {node.name} has the wrong size", expected=expected, found=extent))
                continue
            linear = dim.linear_in(unknown[0]) if len(unknown) == 1 else None
            if linear is None:
                later.append((node, dim, extent))
                continue
            factor, rest = linear
            value, remainder = divmod(extent - rest.evaluate(known), factor)
            if remainder or value < 0:
                raise InputError(message(f"input {node.name} has the wrong size", expected=str(dim), found=extent))
            known[unknown[0]] = value
        if len(later) == len(pending):
            names = sorted({s for _, dim, _ in later for s in dim.symbols if s not in known})
            raise InputError(message("sizes cannot be read off the inputs", found=", ".join(names), hint="pass sizes="))
        pending = later
    return known


def _is_number(node: Input) -> bool:
    return node.dtype == "int64" and not node.shape


def _dims(node: Node) -> tuple[Dim, ...]:
    return (*node.shape, node.dim) if isinstance(node, Size) else node.shape


def _shape(node: Node, sizes: Sizes) -> tuple[int, ...]:
    return tuple(d.evaluate(sizes) for d in node.shape)


def _evaluate(node: Node, args: list[Array], sizes: Sizes) -> Any:
    """Return the value of a node that is no input, from the values of its operands."""
    shape = _shape(node, sizes)
    match node:
        case Const():
            return np.full(shape, node.value, node.dtype)
        case Size():
            return node.dim.evaluate(sizes)
        case Iota():
            return np.arange(*shape)
        case Elementwise():
            return node.op.numpy(*args, *node.attr)
        case Contraction():
            operands = [x for pair in zip(args, map(list, node.spec.ins), strict=True) for x in pair]
            return np.einsum(*operands, list(node.spec.out), optimize="greedy" if len(args) > 2 else False)
        case Broadcast():
            return _broadcast(args[0], shape, node.axes)
        case Gather():
            at = _positions(node.spec, args[1:], shape, args[0].shape, sizes)
            return np.broadcast_to(args[0][at], shape)
        case Scatter():
            total = np.zeros(shape, node.dtype)
            for piece in node.pieces:
                value = args[piece.value]
                at = _positions(piece.spec, [args[k] for k in piece.indices], value.shape, shape, sizes)
                np.add.at(total, tuple(np.broadcast_to(p, value.shape) for p in at), value)
            return total
        case Reduction():
            return node.op.numpy(args[0], node.axes)
        case Library():
            return node.op.numpy(*args)
        case Scan():
            return _repeated(node, args, sizes)
    raise TypeError(f"no evaluation for {node!r}")  # pragma: no cover - kinds are closed


def _broadcast(arg: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """Return `arg` repeated to `shape`, its axis k becoming axis `axes[k]`."""
    ascending = np.transpose(arg, np.argsort(axes)) if axes else arg
    return np.broadcast_to(ascending.reshape([n if k in axes else 1 for k, n in enumerate(shape)]), shape)


def _positions(
    spec: Sequence[AxisMap], indices: Sequence[Array], shape: tuple[int, ...], bounds: tuple[int, ...], sizes: Sizes
) -> tuple[Array, ...]:
    """Return, for every addressed axis, its position at each entry of `shape` (arrays that broadcast to it).

    Raises:
        InputError: a position lies outside `bounds`.
    """
    grid = np.indices(shape, sparse=True)
    out = []
    for m, bound in zip(spec, bounds, strict=True):
        offset = m.offset.evaluate(sizes)
        if m.index is not None:
            position = indices[m.index][tuple(grid[a] for a in m.axes)] + offset
        else:
            steps = zip(m.axes, m.strides, strict=True)
            position = np.asarray(sum((s.evaluate(sizes) * grid[a] for a, s in steps), start=np.asarray(offset)))
            if m.span is not None:
                first, last = (d.evaluate(sizes) for d in m.span)
                if position.size and not 0 <= first <= last < bound:
                    raise InputError(_outside(first, last, bound))
                position = np.clip(position, 0, bound - 1)
        if position.size and not (position.min() >= 0 and position.max() < bound):
            raise InputError(_outside(position.min(), position.max(), bound))
        out.append(position)
    return tuple(out)


def _outside(first: int, last: int, bound: int) -> str:
    return message("an index is out of bounds", expected=f"0 to {bound - 1}", found=f"{first} to {last}")
