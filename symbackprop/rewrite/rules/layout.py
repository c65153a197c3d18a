"""Broadcasts, transposes and index maps: computed small and spread late, merged, or gone."""

from __future__ import annotations

from symbackprop.ir.node import Broadcast, Const, Contraction, Elementwise, Gather, Node, Scatter, Size
from symbackprop.ops.contraction import permute
from symbackprop.ops.indexing import pieces_of, scatter
from symbackprop.ops.layout import fill, spread
from symbackprop.options import Warrant
from symbackprop.rewrite.pattern import Match, has_axes
from symbackprop.rewrite.rule import Rule

__all__ = ["RULES"]

EXACT, FINITE = Warrant.EXACT, Warrant.FINITE


def broadcast(m: Match) -> Node | None:
    """Return a broadcast of a number, of a broadcast, to the same shape, or with axes out of order, in simpler form."""
    node = m.node
    assert isinstance(node, Broadcast)
    arg = node.args[0]
    if isinstance(arg, Const):
        return fill(arg.value, node.shape, node.dtype)
    if isinstance(arg, Broadcast):
        return Broadcast(arg.args[0], node.shape, [node.axes[a] for a in arg.axes])
    if list(node.axes) == sorted(node.axes) and arg.rank < node.rank:
        return None
    order = sorted(range(arg.rank), key=lambda k: node.axes[k])
    return spread(permute(arg, order), node.shape, sorted(node.axes))


def shared_axes(m: Match) -> Node | None:
    """Return an elementwise operation on broadcasts as the broadcast of the operation: computed before repeating."""
    node = m.node
    assert isinstance(node, Elementwise)
    if not all(isinstance(a, Broadcast | Const) for a in node.args):
        return None
    spreads = [a for a in node.args if isinstance(a, Broadcast)]
    kept = sorted({axis for a in spreads for axis in a.axes})
    if not spreads or len(kept) == node.rank:
        return None
    shape = [node.shape[axis] for axis in kept]

    def small(arg: Node) -> Node:
        if isinstance(arg, Broadcast):
            return Broadcast(arg.args[0], shape, [kept.index(axis) for axis in arg.axes])
        assert isinstance(arg, Const)
        return fill(arg.value, shape, arg.dtype)

    return Broadcast(Elementwise(node.op, [small(a) for a in node.args], node.attr), node.shape, kept)


def common_transpose(m: Match) -> Node | None:
    """Return f(x.T, y.T) as f(x, y).T: one transpose instead of several, nearer to what may absorb it.

    Other operands may be numbers, or repeat a scalar or a vector.
    """
    node = m.node
    assert isinstance(node, Elementwise)
    turned = next((a for a in node.args if isinstance(a, Contraction) and a.spec.is_permutation), None)
    if turned is None:
        return None
    spec, inner = turned.spec, turned.args[0]
    operands: list[Node] = []
    for arg in node.args:
        match arg:
            case Contraction() if arg.spec == spec:
                operands.append(arg.args[0])
            case Const():
                operands.append(fill(arg.value, inner.shape, arg.dtype))
            case Broadcast() if arg.args[0].rank <= 1:
                axes = [spec.ins[0].index(spec.out[axis]) for axis in arg.axes]
                operands.append(Broadcast(arg.args[0], inner.shape, axes))
            case _:
                return None
    return Contraction(spec, [Elementwise(node.op, operands, node.attr)])


def transpose_of_broadcast(m: Match) -> Node | None:
    """Return the transpose of a broadcast as a broadcast along the axes where they end up."""
    node = m.node
    assert isinstance(node, Contraction)
    arg = node.args[0]
    if not node.spec.is_permutation or not isinstance(arg, Broadcast):
        return None
    place = [node.spec.out.index(node.spec.ins[0][axis]) for axis in arg.axes]
    return Broadcast(arg.args[0], node.shape, place)


def gather(m: Match) -> Node | None:
    """Return the gather of a number or a broadcast without the axes along which nothing varies; a whole copy as is."""
    node = m.node
    assert isinstance(node, Gather)
    source = node.args[0]
    if isinstance(source, Const):
        return fill(source.value, node.shape, node.dtype)
    if isinstance(source, Broadcast):
        spec = [node.spec[axis] for axis in source.axes]
        used = sorted({at.index for at in spec if at.index is not None})
        number = {old: new for new, old in enumerate(used)}
        indices = [node.args[1 + k] for k in used]
        if not spec:
            return spread(source.args[0], node.shape, ())
        return Gather(source.args[0], indices, [at.renumber(number) for at in spec], node.shape)
    whole = node.shape == source.shape and all(at.along == k for k, at in enumerate(node.spec))
    return source if whole and node.rank else None


def scatter_of_zeros(m: Match) -> Node | None:
    """Return a scatter without the pieces that add nothing."""
    node = m.node
    assert isinstance(node, Scatter)
    pieces = pieces_of(node)
    live = [p for p in pieces if not (isinstance(p[0], Const) and p[0].value == 0)]
    if not live:
        return fill(0, node.shape, node.dtype)
    if node.disjoint or len(live) == len(pieces):
        return None
    return scatter(live, node.shape)


def known_size(m: Match) -> Node | None:
    """Return a size that is a number as a constant."""
    assert isinstance(m.node, Size)
    return Const(m.node.dim.value, m.node.type) if m.node.dim.is_const else None


RULES = (
    Rule("known-size", Size, known_size, EXACT),
    Rule("broadcast", Broadcast, broadcast, EXACT),
    Rule("shared-axes", Elementwise, shared_axes, EXACT, when=has_axes),
    Rule("common-transpose", Elementwise, common_transpose, EXACT, when=has_axes),
    Rule("transpose-of-broadcast", Contraction, transpose_of_broadcast, EXACT),
    Rule("gather", Gather, gather, EXACT, why="the index of a repeated axis is not checked any more"),
    Rule("scatter-of-zeros", Scatter, scatter_of_zeros, FINITE, why="0.0 + -0.0 is +0.0"),
)
