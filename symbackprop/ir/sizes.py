"""How sizes are read off the arguments and checked against each other: an ordered list of bindings and checks.

Both the generated module and the Python layer follow this list, so they agree about what fits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from symbackprop.ir.dims import Dim, never_negative
from symbackprop.ir.node import Input

__all__ = ["Action", "Bind", "Check", "Given", "Spans", "lowest", "read_sizes"]

#: Size symbol of an axis that need not fit exactly -> the least and the largest size it may have.
Spans = Mapping[str, tuple[Dim, Dim]]


@dataclass(frozen=True)
class Bind:
    """Size symbol `symbol` is read from axis `axis` of argument `argument`: extent = factor * symbol + rest."""

    symbol: str
    argument: int
    axis: int
    factor: int
    rest: Dim


@dataclass(frozen=True)
class Given:
    """Size symbol `symbol` is the value of the integer argument `argument`."""

    symbol: str
    argument: int


@dataclass(frozen=True)
class Check:
    """Axis `axis` of argument `argument` must have the size `dim`, all of whose symbols are bound by then.

    With `least` it may be smaller than `dim`, but not than `least`.
    """

    argument: int
    axis: int
    dim: Dim
    least: Dim | None = None


Action = Bind | Given | Check


def lowest(dim: Dim, spans: Spans) -> Dim:
    """Return a size that `dim` nowhere falls below, without the symbols of `spans` where it is linear in them."""
    for symbol in dim.symbols:
        ends, split = spans.get(symbol), dim.split(symbol)
        if ends is None or split is None:
            continue
        factor, rest = split
        if never_negative(factor, 0):
            dim = factor * ends[0] + rest
        elif never_negative(-factor, 0):
            dim = factor * ends[1] + rest
    return dim


def read_sizes(
    inputs: Sequence[Input], symbols: Collection[str] = (), spans: Spans | None = None
) -> tuple[list[Action], list[str]]:
    """Return the bindings and checks for `inputs`, and the symbols that no argument determines.

    A symbol is the value of the integer argument of its name, if there is one; else it is bound by the first axis that
    is just this symbol, else by the first axis that is linear in it and in nothing unknown. Every axis that binds
    nothing is checked.

    Args:
        inputs: the arguments.
        symbols: further size symbols that must be found.
        spans: bounds on sizes that axes have of their own; each is checked.
    """
    pending = [(k, axis, dim) for k, node in enumerate(inputs) for axis, dim in enumerate(node.shape)]
    wanted = {s for _, _, dim in pending for s in dim.symbols}.union(symbols)
    actions: list[Action] = [
        Given(node.name, k) for k, node in enumerate(inputs) if node.name in wanted and _is_number(node)
    ]
    known = {action.symbol for action in actions if isinstance(action, Given)}
    for k, axis, dim in pending:
        if len(dim.symbols) == 1 and dim == Dim.of(dim.symbols[0]) and dim.symbols[0] not in known:
            known.add(dim.symbols[0])
            actions.append(Bind(dim.symbols[0], k, axis, 1, Dim.of(0)))
    progress = True
    while progress:
        progress = False
        for k, axis, dim in pending:
            unknown = [s for s in dim.symbols if s not in known]
            if len(unknown) != 1 or (linear := dim.linear_in(unknown[0])) is None:
                continue
            known.add(unknown[0])
            actions.append(Bind(unknown[0], k, axis, *linear))
            progress = True
    missing = {s: None for s in symbols if s not in known}
    exact = {(a.argument, a.axis) for a in actions if isinstance(a, Bind) and a.factor == 1}
    for k, axis, dim in pending:
        missing.update((s, None) for s in dim.symbols if s not in known)
        if (k, axis) not in exact:
            actions.append(Check(k, axis, dim))
        elif spans and str(dim) in spans:
            least, most = spans[str(dim)]
            actions.append(Check(k, axis, most, least))
    return actions, list(missing)


def _is_number(node: Input) -> bool:
    return node.dtype == "int64" and not node.shape
