"""What the Python layer must know about a generated module: plain data, made from its plan, stored as JSON.

With its source text this is all that a kernel is: one from the cache never sees a graph.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeAlias

from symbackprop.frontend.program import Argument, Container, Layout, Output
from symbackprop.ir.dims import Dim
from symbackprop.ir.sizes import Action, Bind, Check, Given
from symbackprop.ir.types import TensorType

__all__ = ["Costs", "CountRange", "IndexRange", "Interface", "PositionRange", "SizeSymbol", "from_plain", "to_plain"]

#: How a size symbol is written in reports: its name and the assumptions made about it.
SizeSymbol: TypeAlias = tuple[str, tuple[tuple[str, bool], ...]]


@dataclass(frozen=True)
class IndexRange:
    """Every entry of the integer argument `argument`, plus `offset`, must lie in 0 ... size - 1."""

    argument: int
    offset: Dim
    size: Dim


@dataclass(frozen=True)
class PositionRange:
    """An affine index on an axis of `source` runs from `first` to `last` (inclusive), if all `counts` are positive.

    `source` is what errors call the indexed value.
    """

    source: str
    axis: int
    first: Dim
    last: Dim
    size: Dim
    counts: tuple[Dim, ...]


@dataclass(frozen=True)
class CountRange:
    """A number of values that must not be negative."""

    count: Dim


@dataclass(frozen=True)
class Costs:
    """What a kernel costs, as polynomials in the sizes; see `symbackprop.certificate.Certificate`."""

    fprop: Dim
    bprop: Dim
    ratio_bound: float
    fprop_calls: Dim
    bprop_calls: Dim
    fprop_bytes: Dim
    bprop_bytes: Dim


@dataclass(frozen=True)
class Interface:
    """A generated module as its caller sees it.

    Attributes:
        name: its title.
        arguments, outputs: in order.
        container, layout: how results are handed back.
        wrt: names of the arguments with gradients, in argument order.
        free: the user's text for each free index.
        sizes: identifier of each size symbol -> the user's own text for it.
        symbols: identifier of each size symbol -> how reports write it; None for what a name does not identify.
        size_actions: how sizes are read off the arguments, and checked.
        index_checks, range_checks: what is demanded of indices.
        workspaces: public function -> the types of its scratch arrays; its keys are the functions there are.
        costs: for the certificate.
        parallel: whether it uses threads.
    """

    name: str
    arguments: tuple[Argument, ...]
    outputs: tuple[Output, ...]
    container: Container
    layout: Layout
    wrt: tuple[str, ...]
    free: tuple[str, ...]
    sizes: Mapping[str, str]
    symbols: Mapping[str, SizeSymbol | None]
    size_actions: tuple[Action, ...]
    index_checks: tuple[IndexRange, ...]
    range_checks: tuple[PositionRange | CountRange, ...]
    workspaces: Mapping[str, tuple[TensorType, ...]]
    costs: Costs
    parallel: bool = False


_RECORDS: dict[str, Any] = {
    record.__name__: record
    for record in (
        Argument, Bind, Check, Costs, CountRange, Given, IndexRange, Interface, Output, PositionRange, TensorType,
    )
}  # fmt: skip


def to_plain(value: Any) -> Any:
    """Return a record of this module, or what it holds, as JSON's own types.

    Raises:
        TypeError: it holds something else.
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Dim):
        return {"dim": [[c, *(factor for power in m for factor in power)] for m, c in value.terms]}
    if isinstance(value, list):
        return [to_plain(v) for v in value]
    if isinstance(value, tuple):
        return {"tuple": [to_plain(v) for v in value]}
    if isinstance(value, Mapping):
        return {"map": [[key, to_plain(v)] for key, v in value.items()]}
    if is_dataclass(value) and type(value).__name__ in _RECORDS:
        return {type(value).__name__: [to_plain(getattr(value, f.name)) for f in fields(value)]}
    raise TypeError(f"no plain data: {type(value).__name__}")


def from_plain(value: Any) -> Any:
    """Return what `to_plain` was given.

    Raises:
        LookupError, TypeError, ValueError: this is nothing that it made.
    """
    if isinstance(value, list):
        return [from_plain(v) for v in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "dim":
        return Dim({tuple(zip(m[::2], m[1::2], strict=True)): c for c, *m in content})
    if kind == "tuple":
        return tuple(map(from_plain, content))
    if kind == "map":
        return {key: from_plain(v) for key, v in content}
    return _RECORDS[kind](*map(from_plain, content))
