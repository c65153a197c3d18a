"""What the front end hands to the pipeline: the graph, and how the user's arguments and results map to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from symbackprop.errors import InputError, message
from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph
from symbackprop.ir.sizes import Spans

__all__ = ["Argument", "Container", "Layout", "Output", "Program", "arrange", "flatten"]

Container: TypeAlias = Literal["single", "tuple", "list", "dict", "nested"]

#: The nesting of several outputs: the user's containers with the numbers of the outputs in their places.
Layout: TypeAlias = "int | list[Layout] | tuple[Layout, ...] | dict[str, Layout]"


@dataclass(frozen=True)
class Argument:
    """One argument of the kernel, as the user passes it.

    Attributes:
        name: the user's own text for it, unique among the arguments; keys of keyword arguments and gradients.
        identifier: a harmless Python identifier, unique; the name of the graph's `Input`.
        shape: the declared shape, batch axis first and unit axes included: `(N, n, 1)` for a batched column vector.
        unit_axes: positions in `shape` whose size is the constant 1 by declaration of a vector or 1x1 matrix; the
            graph's `Input` is without them, and a caller may leave them out.
        dtype: "float64", "float32" or "int64".
        batch: the size symbol of the leading batch axis, if any.
    """

    name: str
    identifier: str
    shape: tuple[Dim, ...]
    unit_axes: tuple[int, ...]
    dtype: str
    batch: str | None = None

    @property
    def core_shape(self) -> tuple[Dim, ...]:
        """The shape inside the kernel: `shape` without the unit axes."""
        return tuple(d for k, d in enumerate(self.shape) if k not in self.unit_axes)


@dataclass(frozen=True)
class Output:
    """One result of the kernel.

    Attributes:
        name: the dictionary key, or "out", "out0", "out1" ...
        identifier: a harmless Python identifier, unique.
        shape: the declared shape, batch axis first; unit axes of a vector included, a 1x1 result has none.
        unit_axes: positions in `shape` that the graph's output node is without.
        dtype: dtype of the result.
    """

    name: str
    identifier: str
    shape: tuple[Dim, ...]
    unit_axes: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class Program:
    """A translated user program.

    Attributes:
        graph: inputs in calling order (one per argument), outputs in order, labelled intermediates.
        arguments, outputs: records parallel to `graph.inputs` and `graph.outputs`.
        container: how results are handed back: one value, a tuple, a list, a dict by name, or these nested.
        wrt: names of the arguments to differentiate for, in argument order.
        sizes: identifier of each size symbol -> the user's own text for it.
        symbols: identifier of each size symbol -> the SymPy object that stands for it in reports.
        unmatched: labels whose values the outputs do not contain as written, with the error to raise if they do not
            contain them after simplification either: `(u.T*h)[0, 0]` is a sum over entries to SymPy.
        layout: the nesting of the results; its depth is bounded.
        free: the user's text for each free index, which is an output axis and no argument.
        spans: sizes that undeclared axes have of their own, with their bounds.
    """

    graph: Graph
    arguments: tuple[Argument, ...]
    outputs: tuple[Output, ...]
    container: Container
    wrt: tuple[str, ...]
    sizes: Mapping[str, str]
    symbols: Mapping[str, Any]
    unmatched: Mapping[str, str] = field(default_factory=dict)
    layout: Layout = 0
    spans: Spans = field(default_factory=dict)
    free: tuple[str, ...] = ()


def arrange(layout: Layout, values: Sequence[Any]) -> Any:
    """Return `values`, one for each output in order, in the containers of `layout`."""
    match layout:
        case int():
            return values[layout]
        case dict():
            return {key: arrange(part, values) for key, part in layout.items()}
        case list():
            return [arrange(part, values) for part in layout]
        case _:
            return tuple(arrange(part, values) for part in layout)


def flatten(layout: Layout, given: Any, name: str) -> list[Any]:
    """Return the items of `given`, nested like `layout`, in order of the outputs.

    Args:
        layout: the nesting of the outputs.
        given: one item for each output.
        name: what `given` is called in errors.

    Raises:
        InputError: its containers, lengths or keys are others.
    """
    if isinstance(layout, int):
        return [given]
    if isinstance(layout, dict):
        if not isinstance(given, Mapping) or set(given) != set(layout):
            found = ", ".join(map(str, given)) if isinstance(given, Mapping) else type(given).__name__
            raise InputError(message(f"{name}: wrong keys", expected=", ".join(layout), found=found))
        pairs = [(part, given[key]) for key, part in layout.items()]
    else:
        if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != len(layout):
            length = len(given) if isinstance(given, Sequence) else type(given).__name__
            raise InputError(message(f"{name}: wrong length", expected=len(layout), found=length))
        pairs = list(zip(layout, given, strict=True))
    return [item for part, value in pairs for item in flatten(part, value, name)]
