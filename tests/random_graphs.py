"""Random programs over the whole vocabulary of the IR, reproducible from a seed.

The mix leans towards what a planner can get wrong: transposed and diagonal reads, gathers of computed values, scatters
on top of dense values, values shared between outputs, outputs that are inputs or constants, sizes such as `n - 1` and
`3*k`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

import symbackprop.ops  # noqa: F401 - fills the registry
from symbackprop.ir.dims import ONE, ZERO, Dim, product
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import PRIMITIVES, Broadcast, Const, Input, Node, Size
from symbackprop.ir.types import AxisMap, TensorType
from symbackprop.ops.contraction import contract
from symbackprop.ops.indexing import concatenate, gather, scatter
from symbackprop.ops.logic import lt, select
from symbackprop.ops.reduction import logsumexp, max_over, min_over

UNARY = ("tanh", "sin", "cos", "sigmoid", "softplus", "abs", "neg", "atan")
BINARY = ("add", "sub", "mul", "maximum", "minimum")
SYMBOLS = ("k", "m", "n")

MAX_RANK = 3
MAX_LABELS = 4


@dataclass
class RandomProgram:
    """A graph, the names to differentiate for, and sample arguments.

    Attributes:
        limits: integer input -> the size its entries must stay below.
    """

    graph: Graph
    wrt: tuple[str, ...]
    limits: dict[str, Dim] = field(default_factory=dict)

    def arguments(self, sizes: dict[str, int], seed: int) -> dict[str, np.ndarray]:
        """Sample arguments: reals standard normal, integers within their limits."""
        rng = np.random.default_rng(seed)
        out = {}
        for node in self.graph.inputs:
            shape = tuple(d.evaluate(sizes) for d in node.shape)
            if node.dtype == "int64":
                out[node.name] = rng.integers(0, max(self.limits[node.name].evaluate(sizes), 1), shape)
            else:
                out[node.name] = rng.standard_normal(shape)
        return out


def random_program(seed: int, n_nodes: int = 14) -> RandomProgram:
    """The program of a seed."""
    return _Builder(np.random.default_rng(seed)).build(n_nodes)


class _Builder:
    """A growing pool of real values."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.limits: dict[str, Dim] = {}
        dims = [Dim.of(s) for s in SYMBOLS]
        extra = [Dim.of("n") - 1, Dim.of("k") * 3, Dim.of(1), Dim.of(2)]
        self.dims = [*dims, *dims, *extra]
        shapes = [(d,) for d in dims] + [self._shape(r) for r in (0, 1, 2, 2, 3)]
        self.inputs = [Input(f"x{j}", TensorType(tuple(s), "float64")) for j, s in enumerate(shapes)]
        self.indices: list[Input] = []
        self.pool: list[Node] = list(self.inputs)

    def build(self, n_nodes: int) -> RandomProgram:
        steps = (
            self._elementwise,
            self._elementwise,
            self._elementwise,
            self._contraction,
            self._contraction,
            self._broadcast,
            self._gather,
            self._scatter,
            self._reduction,
        )
        while len(self.pool) < len(self.inputs) + n_nodes:
            made = self._pick(steps)()
            if made is not None:
                self.pool.append(made)
        wrt = tuple(x.name for x in self.inputs if self.rng.random() < 0.8) or ("x0",)
        return RandomProgram(Graph((*self.inputs, *self.indices), tuple(self._outputs())), wrt, self.limits)

    def _outputs(self) -> list[Node]:
        used = {a for n in self.pool for a in n.args}
        outputs = [n for n in self.pool if n not in used and n.args][:4]
        if self.rng.random() < 0.3:
            outputs.append(self._pick(outputs))
        if self.rng.random() < 0.3:
            outputs.append(self._pick(self.pool))
        if self.rng.random() < 0.15:
            outputs.append(self._pick(self.inputs))
        if self.rng.random() < 0.15:
            outputs.append(Const(0.5, self._pick(self.pool).type))
        return outputs

    # -- small choices -------------------------------------------------------------------------------------------------

    def _pick(self, items: Sequence):
        return items[int(self.rng.integers(len(items)))]

    def _recent(self) -> Node:
        """A value of the pool, later ones more often."""
        n = len(self.pool)
        return self.pool[n - 1 - int(n * self.rng.random() ** 1.6)]

    def _shape(self, rank: int) -> list[Dim]:
        return [self._pick(self.dims) for _ in range(rank)]

    def _like(self, node: Node) -> Node:
        """A value of the same shape: from the pool, a repeated scalar, a constant, or `node`."""
        same = [p for p in self.pool if p.shape == node.shape]
        kind = self.rng.random()
        if kind < 0.1:
            return Const(float(self._pick((0.0, 1.0, -1.0, 0.5, 2.0))), node.type)
        if kind < 0.15:
            size = Size(Dim.of(self._pick(SYMBOLS)) + 1, "float64")
            return Broadcast(size, node.shape, ()) if node.rank else size
        return self._pick(same)

    # -- nodes ---------------------------------------------------------------------------------------------------------

    def _elementwise(self) -> Node:
        x = self._recent()
        kind = self.rng.random()
        if kind < 0.35:
            return PRIMITIVES[self._pick(UNARY)](x)
        if kind < 0.75:
            return PRIMITIVES[self._pick(BINARY)](x, self._like(x))
        if kind < 0.80:
            return PRIMITIVES["maximum"](x, self._like(x), self._like(x))
        if kind < 0.85:
            return select(lt(x, self._like(x)), self._like(x), PRIMITIVES["sin"](x))
        if kind < 0.90:
            return PRIMITIVES["div"](x, 1.5 + PRIMITIVES["integer_power"](self._like(x) * 1.0, attr=(2,)))
        if kind < 0.95:
            return PRIMITIVES["log"](2.0 + PRIMITIVES["cos"](x))
        return PRIMITIVES["integer_power"](PRIMITIVES["tanh"](x), attr=(self._pick((2, 3)),))

    def _contraction(self) -> Node | None:
        args = [self._recent() for _ in range(self._pick((1, 1, 2, 2, 2, 3)))]
        size_of: dict[int, Dim] = {}
        labels = []
        for arg in args:
            part = []
            for dim in arg.shape:
                fitting = [label for label, size in size_of.items() if size == dim]
                # Diagonals are rarer than sums.
                fresh = [label for label in fitting if label not in part] or (
                    fitting if self.rng.random() < 0.4 else []
                )
                if fresh and self.rng.random() < 0.75:
                    part.append(self._pick(fresh))
                else:
                    size_of[len(size_of)] = dim
                    part.append(len(size_of) - 1)
            labels.append(part)
        if len(size_of) > MAX_LABELS:
            return None
        out = [label for label in size_of if self.rng.random() < 0.5][:MAX_RANK]
        self.rng.shuffle(out)
        made = contract(args, labels, out)
        return PRIMITIVES["tanh"](made) if self.rng.random() < 0.3 else made

    def _broadcast(self) -> Node | None:
        x = self._recent()
        if x.rank >= MAX_RANK:
            return None
        rank = x.rank + int(self.rng.integers(1, MAX_RANK - x.rank + 1))
        axes = [int(a) for a in self.rng.permutation(rank)[: x.rank]]
        if self.rng.random() < 0.7:
            axes.sort()
        shape = self._shape(rank)
        for axis, dim in zip(axes, x.shape, strict=True):
            shape[axis] = dim
        return Broadcast(x, shape, axes)

    def _map(self, dim: Dim, shape: list[Dim], indices: list[Node]) -> AxisMap:
        """A random in-range map of an axis of size `dim`; axes it needs are appended to `shape`."""
        kind = self.rng.random()
        same = [a for a, d in enumerate(shape) if d == dim]
        if same and kind < 0.2:
            return AxisMap((self._pick(same),))
        if kind < 0.4 or (dim.is_const and dim.value > 1):
            shape.append(dim)
            return AxisMap((len(shape) - 1,))
        if kind < 0.5:
            shape.append(dim)
            return AxisMap((len(shape) - 1,), strides=(Dim.of(-1),), offset=dim - 1)
        if kind < 0.6:
            return AxisMap(offset=self._pick((ZERO, dim - 1)))
        if kind < 0.75 and dim == Dim.of("n"):
            shape.append(dim - 1)
            return AxisMap((len(shape) - 1,), offset=self._pick((ZERO, ONE)))
        if kind < 0.75 and dim == Dim.of("k") * 3:
            shape.append(Dim.of("k"))
            return AxisMap((len(shape) - 1,), strides=(Dim.of(self._pick((1, 3))),), offset=self._pick((ZERO, ONE)))
        axes = [a for a in range(len(shape)) if self.rng.random() < 0.3][:2]
        if self.rng.random() < 0.6 and len(shape) < MAX_RANK:
            shape.append(Dim.of(self._pick(SYMBOLS)))
            axes.append(len(shape) - 1)
        index = Input(f"i{len(self.indices)}", TensorType(tuple(shape[a] for a in axes), "int64"))
        self.indices.append(index)
        self.limits[index.name] = dim
        indices.append(index)
        return AxisMap(tuple(axes), index=len(indices) - 1)

    def _gather(self) -> Node | None:
        x = self._recent()
        if not x.rank:
            return None
        shape = self._shape(int(self.rng.random() < 0.2))
        indices: list[Node] = []
        spec = [self._map(d, shape, indices) for d in x.shape]
        return None if len(shape) > MAX_RANK else gather(x, indices, spec, shape)

    def _scatter(self) -> Node | None:
        kind = self.rng.random()
        if kind < 0.3:
            x = self._recent()
            if not x.rank:
                return None
            axis = int(self.rng.integers(x.rank))
            parts = [
                p
                for p in self.pool
                if p.rank == x.rank
                and all(d == e for a, (d, e) in enumerate(zip(p.shape, x.shape, strict=True)) if a != axis)
            ]
            return concatenate([x, *(self._pick(parts) for _ in range(self._pick((1, 2))))], axis)
        shape = self._shape(self._pick((1, 1, 2)))
        pieces = []
        if kind < 0.65:
            whole = [p for p in self.pool if p.shape == tuple(shape)]
            if not whole:
                whole = [Broadcast(self._pick([p for p in self.pool if not p.rank]), shape, ())]
            base = self._pick(whole)
            base = PRIMITIVES[self._pick(UNARY)](base) if self.rng.random() < 0.5 else base
            pieces.append((base, (), [AxisMap((a,)) for a in range(len(shape))]))
        for _ in range(self._pick((1, 2))):
            domain: list[Dim] = []
            indices: list[Node] = []
            spec = [self._map(d, domain, indices) for d in shape]
            if len(domain) > MAX_RANK:
                continue
            source = self._recent()
            fit = [p for p in self.pool if p.shape == tuple(domain)]
            small = self._pick(fit) if fit else self._spread_to(source, domain)
            pieces.append((small, indices, spec))
        return scatter(pieces, shape) if pieces else None

    def _spread_to(self, x: Node, shape: list[Dim]) -> Node:
        total = contract([x], [range(x.rank)], []) if x.rank else x
        total = PRIMITIVES["sin"](total)
        return Broadcast(total, shape, ()) if shape else total

    def _reduction(self) -> Node | None:
        x = self._recent()
        if not x.rank or product(x.shape).is_const:
            return None
        axes = [a for a in range(x.rank) if self.rng.random() < 0.6] or [0]
        return self._pick((max_over, min_over, logsumexp))(x, axes)
