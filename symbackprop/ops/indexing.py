"""Reading and writing through index maps: gather and scatter, each other's adjoint, and the builders on top of them."""

from __future__ import annotations

from collections.abc import Sequence

from symbackprop.ir.dims import ZERO, Dim
from symbackprop.ir.node import Gather, Node, Scatter
from symbackprop.ir.types import AxisMap, ScatterPiece

__all__ = ["concatenate", "element", "gather", "gather_adjoint", "scatter", "scatter_adjoint", "stack"]

#: One piece of a scatter: the value, the integer arrays, and the map into the result's axes.
Piece = tuple[Node, Sequence[Node], Sequence[AxisMap]]


def gather(source: Node, indices: Sequence[Node], spec: Sequence[AxisMap], shape: Sequence[Dim]) -> Node:
    """Return the entries of `source` at the positions `spec` names for every position of `shape`."""
    return Gather(source, indices, spec, shape)


def scatter(pieces: Sequence[Piece], shape: Sequence[Dim], *, disjoint: bool = False) -> Node:
    """Return zeros of `shape` with every piece added where its map says.

    `disjoint` states that the pieces together cover every entry of the result exactly once.
    """
    args: dict[Node, int] = {}
    records: list[ScatterPiece] = []
    for value, indices, spec in pieces:
        at = args.setdefault(value, len(args))
        where = tuple(args.setdefault(index, len(args)) for index in indices)
        records.append(ScatterPiece(at, where, tuple(spec)))
    return Scatter(list(args), records, shape, disjoint=disjoint)


def pieces_of(node: Scatter) -> list[Piece]:
    """Return the pieces of a scatter as (value, index arrays, map)."""
    return [(node.args[p.value], [node.args[k] for k in p.indices], p.spec) for p in node.pieces]


def gather_adjoint(ct: Node, node: Gather) -> Node:
    """Return the cotangent of a gather's source: `ct` added at the places it was read from."""
    return scatter([(ct, node.args[1:], node.spec)], node.args[0].shape)


def scatter_adjoint(ct: Node, node: Scatter) -> list[tuple[int, Node]]:
    """Return (operand, cotangent) for every piece of a scatter: `ct` read back from where the piece was added."""
    return [
        (p.value, Gather(ct, [node.args[j] for j in p.indices], p.spec, node.args[p.value].shape)) for p in node.pieces
    ]


def element(source: Node, position: Sequence[int]) -> Node:
    """Return one entry of `source` as a scalar."""
    return Gather(source, (), [AxisMap(offset=Dim.of(p)) for p in position], ())


def stack(values: Sequence[Node], shape: Sequence[Dim]) -> Node:
    """Return scalars arranged in row-major order as an array of the constant `shape`."""
    sizes = [d.value for d in shape]
    pieces: list[Piece] = []
    for flat, value in enumerate(values):
        position: list[AxisMap] = []
        rest = flat
        for size in reversed(sizes):
            rest, at = divmod(rest, size)
            position.insert(0, AxisMap(offset=Dim.of(at)))
        pieces.append((value, (), position))
    return scatter(pieces, shape, disjoint=True)


def concatenate(values: Sequence[Node], axis: int) -> Node:
    """Return `values` laid one after the other along `axis`; other sizes must agree."""
    total = ZERO
    pieces: list[Piece] = []
    for value in values:
        spec = [AxisMap((k,), offset=total if k == axis else ZERO) for k in range(value.rank)]
        pieces.append((value, (), spec))
        total = total + value.shape[axis]
    shape = [total if k == axis else d for k, d in enumerate(values[0].shape)]
    return scatter(pieces, shape, disjoint=True)
