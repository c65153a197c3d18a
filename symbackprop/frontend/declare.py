"""Arguments as the kernel sees them: records, graph inputs, and the labelled value of every symbol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sympy as sp

from symbackprop.errors import InputError, message
from symbackprop.frontend.inputs import Declared
from symbackprop.frontend.program import Argument
from symbackprop.frontend.scan import Scan
from symbackprop.frontend.sizes import Sizes
from symbackprop.frontend.value import COL, ROW, Axis, Batch, Slot, Value
from symbackprop.ir.dims import ONE, Dim
from symbackprop.ir.node import Input
from symbackprop.ir.sizes import Bind, Given, read_sizes
from symbackprop.ir.types import AxisMap, TensorType
from symbackprop.ops.indexing import gather

__all__ = ["check_sizes", "declare", "give_sizes"]


def declare(
    declared: Sequence[Declared],
    identifiers: Sequence[str],
    batched: Mapping[str, str],
    *,
    scan: Scan,
    sizes: Sizes,
    shapes: Mapping[Any, tuple[Dim, ...]],
    dtype: str,
) -> tuple[list[Argument], list[Input], dict[Any, Value]]:
    """Return the argument records, the graph's inputs, and the value of every leaf.

    Args:
        declared: the arguments in calling order.
        identifiers: their identifiers.
        batched: argument name -> size name of its batch axis.
        scan: what occurs, and in which role.
        sizes: the size symbols.
        shapes: shape of every IndexedBase.
        dtype: dtype of real values.
    """
    arguments: list[Argument] = []
    nodes: list[Input] = []
    values: dict[Any, Value] = {}
    for entry, identifier in zip(declared, identifiers, strict=True):
        leaf = entry.leaves[0]
        core: list[tuple[Axis, Dim]]
        squeeze = entry.grid is not None and len(entry.grid) == 2
        if entry.grid is not None:
            sides: Sequence[Axis] = (ROW, COL) if squeeze else (Slot(0),)
            core = [(axis, Dim.of(n)) for axis, n in zip(sides, entry.grid, strict=True)]
        elif isinstance(leaf, sp.MatrixSymbol):
            squeeze = True
            core = [(ROW, sizes.dim(leaf.args[1])), (COL, sizes.dim(leaf.args[2]))]
        elif isinstance(leaf, sp.IndexedBase):
            shape = shapes[leaf] if leaf in shapes else tuple(map(sizes.dim, leaf.shape))
            core = [(Slot(k), d) for k, d in enumerate(shape)]
        else:
            core = []
        size = batched.get(entry.name)
        axes: list[tuple[Axis, Dim]] = ([(Batch(size), sizes.declare(size))] if size else []) + core
        unit = tuple(k for k, (a, d) in enumerate(axes) if squeeze and a in {ROW, COL} and d == ONE)
        kept = [pair for k, pair in enumerate(axes) if k not in unit]
        own = "int64" if entry.grid is None and _is_integer(leaf, scan) else dtype
        given = sizes.atom(leaf) if entry.grid is None else None
        if given is not None:
            own, identifier = "int64", given.symbols[0]  # noqa: PLW2901
            sizes.given.add(identifier)
            if size:
                raise InputError(message(f"batch names the size {leaf}", hint="a size is one number for all examples"))
        node = Input(identifier, TensorType(tuple(d for _, d in kept), own))
        shape = tuple(d for _, d in axes)
        batch_name = sizes.declare(size).symbols[0] if size else None
        arguments.append(Argument(entry.name, identifier, shape, unit, own, batch_name))
        nodes.append(node)
        value = Value(node, tuple(a for a, _ in kept))
        if entry.grid is None:
            values[leaf] = value
        else:
            values |= zip(entry.leaves, _elements(value, entry.grid), strict=True)
    return arguments, nodes, values


def _is_integer(leaf: Any, scan: Scan) -> bool:
    usage = scan.symbols.get(leaf) or scan.matrices.get(leaf) or scan.arrays.get(leaf)
    declared = bool(leaf.is_integer) if isinstance(leaf, (sp.Symbol, sp.Idx, sp.IndexedBase)) else False
    return declared or (usage is not None and usage.index)


def _elements(value: Value, grid: tuple[int, ...]) -> Iterable[Value]:
    """Yield the scalar entries of a nested argument, row-major."""
    carried = tuple(a for a in value.axes if isinstance(a, Batch))
    lead = [AxisMap((k,)) for k in range(len(carried))]
    sides: Sequence[Axis] = (ROW, COL) if len(grid) == 2 else (Slot(0),)
    count = 1
    for n in grid:
        count *= n
    for flat in range(count):
        rest = flat
        position: list[AxisMap] = []
        for n, side in zip(reversed(grid), reversed(sides), strict=True):
            rest, at = divmod(rest, n)
            if side in value.axes:
                position.insert(0, AxisMap(offset=Dim.of(at)))
        shape = value.node.shape[: len(carried)]
        yield Value(gather(value.node, (), [*lead, *position], shape), carried) if position else value


def give_sizes(
    declared: list[Declared], arguments: list[Argument], nodes: list[Input], sizes: Sizes, *, ordered: bool
) -> None:
    """Add an integer argument for every size that no array has, in place and in order of name.

    Args:
        declared: the arguments as declared.
        arguments: their records.
        nodes: the graph's inputs.
        sizes: the size symbols.
        ordered: whether the user gave the order of the arguments.

    Raises:
        InputError: the user did, without such a size.
    """
    while True:
        _, missing = read_sizes(nodes, sizes.texts)
        if not missing:
            return
        identifier = min(missing, key=sizes.texts.__getitem__)
        text = sizes.texts[identifier]
        if ordered:
            raise InputError(
                message(
                    f"the size {text} cannot be read off any argument",
                    expected=f"an argument with {text} in its shape, or {text} itself among inputs",
                    found=", ".join(f"{a.name}: {sizes.shape_text(a.shape) or 'scalar'}" for a in arguments),
                )
            )
        at = next((k for k, a in enumerate(arguments) if a.name > text), len(arguments))
        declared.insert(at, Declared(text, (sizes.symbols[identifier],)))
        arguments.insert(at, Argument(text, identifier, (), (), "int64"))
        nodes.insert(at, Input(identifier, TensorType((), "int64")))
        sizes.given.add(identifier)


def check_sizes(arguments: Sequence[Argument], nodes: Sequence[Input], sizes: Sizes) -> None:
    """Check that the sizes can be read off the arguments one after the other.

    Args:
        arguments: the argument records, for the error text.
        nodes: the graph's inputs, without unit axes; these hold no size to read.
        sizes: the size symbols, each of which must be found.

    Raises:
        InputError: one cannot.
    """
    actions, _ = read_sizes(nodes, sizes.texts)
    solved = {action.symbol for action in actions if isinstance(action, Bind | Given)}
    for identifier, text in sizes.texts.items():
        if identifier not in solved:
            raise InputError(
                message(
                    f"the size {text} cannot be read off any argument",
                    expected=f"an argument with {text} in its shape",
                    found=", ".join(f"{a.name}: {sizes.shape_text(a.shape) or 'scalar'}" for a in arguments),
                )
            )
