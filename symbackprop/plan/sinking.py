"""Cheap values computed where they are used: moved to the one later loop that reads them, instead of through memory."""

from __future__ import annotations

from symbackprop.ir.node import Elementwise, Node
from symbackprop.ir.registry import Trait
from symbackprop.plan.access import Positions, is_access, is_leaf, reads
from symbackprop.plan.steps import Loop, Recur, Shared, Step, Strip

__all__ = ["sink"]


def sink(steps: list[Step], made_in: dict[Node, int], stored: set[Node], keep: set[Node]) -> None:
    """Move values between loops so that fewer are stored; changes `steps`, `made_in` and `stored`.

    A value moves when a single later loop over its own domain reads it, point by point, and everything it is computed
    from is in memory anyway or moves along with it (cheap elementwise values that nothing else reads). Nodes in `keep`
    stay where they are. Each node is looked at a bounded number of times.
    """
    readers = _readers(steps, stored)
    arrivals: dict[int, list[Node]] = {}
    for at in range(len(steps) - 1, -1, -1):
        loop = steps[at]
        if not isinstance(loop, Loop) or not loop.domain:
            continue
        for node in reversed(loop.members):
            if node not in stored or node in keep:
                continue
            target = _single_target(node, steps, made_in, readers)
            cluster = _cluster(node, made_in, stored, readers) if target is not None else None
            if target is None or cluster is None:
                continue
            arrivals.setdefault(target, []).extend(cluster)
            made_in.update(dict.fromkeys(cluster, target))
            stored.discard(node)
        loop.members = [n for n in loop.members if made_in[n] == at]
    # Values only move to later loops, which have been gone through by then; users came first.
    for target, moved in arrivals.items():
        loop = steps[target]
        assert isinstance(loop, Loop)
        loop.members = moved[::-1] + loop.members


#: A node and the positions at which it reads; where it is computed is in `made_in`, so moving it changes no reader.
Reader = tuple[Node, Positions]


def _readers(steps: list[Step], stored: set[Node]) -> dict[Node, list[Reader]]:
    """Return who reads each value, at which positions; other steps than loops read at no position."""
    out: dict[Node, list[Reader]] = {}
    for step in steps:
        if isinstance(step, Loop):
            for node in step.members:
                for source, where in reads(node, stored):
                    out.setdefault(source, []).append((node, where))
        elif not isinstance(step, Strip | Shared):
            node = step.scans[0] if isinstance(step, Recur) else step.node
            for arg in node.args:
                out.setdefault(arg, []).append((node, (None,)))
    return out


def _single_target(
    node: Node, steps: list[Step], made_in: dict[Node, int], readers: dict[Node, list[Reader]]
) -> int | None:
    """Return the later loop that alone reads `node`, at its own point, if that is how it is read."""
    found = {made_in[reader] for reader, _ in readers.get(node, [])}
    if len(found) != 1 or not _is_cheap(node):
        return None
    (target,) = found
    loop = steps[target]
    here = tuple(range(node.rank))
    same = isinstance(loop, Loop) and loop.domain == node.shape and target > made_in[node]
    return target if same and all(where == here for _, where in readers[node]) else None


def _cluster(
    node: Node, made_in: dict[Node, int], stored: set[Node], readers: dict[Node, list[Reader]]
) -> list[Node] | None:
    """Return `node` and the values that move with it, users first, or None when something would have to be stored."""
    cluster = [node]
    inside = {node}
    for user in cluster:
        for source, where in reads(user, stored):
            if source in inside or is_leaf(source) or source in stored or made_in[source] != made_in[node]:
                continue
            alone = all(reader in inside for reader, _ in readers.get(source, []))
            if not (alone and _is_cheap(source) and where == tuple(range(source.rank))):
                return None
            inside.add(source)
            cluster.append(source)
    return cluster


def _is_cheap(node: Node) -> bool:
    """Whether a value takes no library call."""
    return not is_access(node) and isinstance(node, Elementwise) and Trait.TRANSCENDENTAL not in node.op.traits
