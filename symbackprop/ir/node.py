"""The program's vocabulary: immutable, interned nodes of a closed set of kinds.

Equality is identity: a constructor returns the existing node when one with the same content is alive. Floats are keyed
by their bits, so 0.0 and -0.0 are two constants and nan is one. Constructors check types and never simplify. Kinds are
closed (stages `match` on them); primitives are open (an `Elementwise` or `Reduction` node carries its `Primitive`).
"""

from __future__ import annotations

import math
import operator
import struct
import weakref
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, ClassVar

from symbackprop.errors import ShapeError, message
from symbackprop.ir.dims import Dim
from symbackprop.ir.types import AxisMap, EinsumSpec, ScatterPiece, TensorType

if TYPE_CHECKING:
    from symbackprop.ir.registry import LibraryPrimitive, Primitive, ReductionPrimitive

__all__ = [
    "Broadcast",
    "Const",
    "Contraction",
    "Elementwise",
    "Gather",
    "Input",
    "Iota",
    "Library",
    "Node",
    "Reduction",
    "Scatter",
    "Size",
    "intern",
]

#: Elementwise primitives by name; filled by `ops/`, read here so that node arithmetic needs nothing above this floor.
PRIMITIVES: dict[str, Primitive] = {}

_TABLE: weakref.WeakValueDictionary[tuple[Hashable, ...], Node] = weakref.WeakValueDictionary()


class Node:
    """One value of the program: `args` are the nodes it is computed from, `type` its shape and dtype."""

    __slots__ = ("__weakref__", "args", "type")

    args: tuple[Node, ...]
    type: TensorType
    kind: ClassVar[str] = "node"

    @property
    def shape(self) -> tuple[Dim, ...]:
        """The symbolic shape."""
        return self.type.shape

    @property
    def dtype(self) -> str:
        """The dtype's name."""
        return self.type.dtype

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.type.shape)

    def with_args(self, args: Sequence[Node]) -> Node:
        """Return this operation applied to other operands; `self` when they are the same."""
        return self if all(map(operator.is_, args, self.args)) and len(args) == len(self.args) else self.rebuilt(args)

    def rebuilt(self, args: Sequence[Node]) -> Node:
        """Return the node of this operation on `args`, constructed and checked anew; leaves return themselves."""
        assert not args
        return self

    def __add__(self, other: Node | float) -> Node:
        return _apply("add", self, other)

    def __radd__(self, other: float) -> Node:
        return _apply("add", other, self)

    def __sub__(self, other: Node | float) -> Node:
        return _apply("sub", self, other)

    def __rsub__(self, other: float) -> Node:
        return _apply("sub", other, self)

    def __mul__(self, other: Node | float) -> Node:
        return _apply("mul", self, other)

    def __rmul__(self, other: float) -> Node:
        return _apply("mul", other, self)

    def __truediv__(self, other: Node | float) -> Node:
        return _apply("div", self, other)

    def __rtruediv__(self, other: float) -> Node:
        return _apply("div", other, self)

    def __neg__(self) -> Node:
        return _apply("neg", self)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.type}>"


def _apply(name: str, *args: Node | float) -> Node:
    return PRIMITIVES[name](*args)


def intern(cls: type[Node], key: tuple[Hashable, ...], node_type: TensorType, args: tuple[Node, ...]) -> Node:
    """Return the node of this content: the living one, or a new one without its own fields set."""
    full = (cls.kind, node_type, args, *key)
    node = _TABLE.get(full)
    if node is None:
        node = object.__new__(cls)
        node.args = args
        node.type = node_type
        _TABLE[full] = node
    return node


class Input(Node):
    """A named argument of the program."""

    __slots__ = ("name",)
    name: str
    kind = "input"

    def __new__(cls, name: str, node_type: TensorType) -> Input:
        node = intern(cls, (name,), node_type, ())
        assert isinstance(node, Input)
        node.name = name
        return node

    def __repr__(self) -> str:
        return f"<input {self.name} {self.type}>"


class Const(Node):
    """A number that fills a shape."""

    __slots__ = ("value",)
    value: float | int | bool
    kind = "const"

    def __new__(cls, value: float, node_type: TensorType) -> Const:
        if node_type.is_real:
            value = float(value)
            bits: Hashable = struct.pack("<d", value) if not math.isnan(value) else "nan"
        else:
            bits = value = (bool if node_type.dtype == "bool" else int)(value)
        node = intern(cls, (bits,), node_type, ())
        assert isinstance(node, Const)
        node.value = value
        return node

    def __repr__(self) -> str:
        return f"<const {self.value!r} {self.type}>"


class Size(Node):
    """A size polynomial as a scalar value, such as the N of a mean over N examples."""

    __slots__ = ("dim",)
    dim: Dim
    kind = "size"

    def __new__(cls, dim: Dim, dtype: str) -> Size:
        node = intern(cls, (dim,), TensorType((), dtype), ())
        assert isinstance(node, Size)
        node.dim = dim
        return node


class Iota(Node):
    """The integers 0, 1, ... along one axis: an index used as a number. A leaf that no loop needs in memory."""

    __slots__ = ()
    kind = "iota"

    def __new__(cls, count: Dim) -> Iota:
        node = intern(cls, (), TensorType((count,), "int64"), ())
        assert isinstance(node, Iota)
        return node


class Elementwise(Node):
    """A primitive applied entry by entry to operands of one shape; `attr` holds its static parameters."""

    __slots__ = ("attr", "op")
    op: Primitive
    attr: tuple[int, ...]
    kind = "elementwise"

    def __new__(cls, op: Primitive, args: Sequence[Node], attr: tuple[int, ...] = ()) -> Elementwise:
        operands = tuple(args)
        key = (op.name, attr, *operands)
        node = _TABLE.get(key)
        if node is None:
            node = object.__new__(cls)
            node.args = operands
            node.type = op.result_type(node.args)
            node.op, node.attr = op, attr
            _TABLE[key] = node
        assert isinstance(node, Elementwise)
        return node

    @staticmethod
    def existing(op: Primitive, args: Sequence[Node], attr: tuple[int, ...] = ()) -> Node | None:
        """Return the node of this content if there is one."""
        return _TABLE.get((op.name, attr, *args))

    def rebuilt(self, args: Sequence[Node]) -> Node:
        return Elementwise(self.op, args, self.attr)

    def __repr__(self) -> str:
        return f"<{self.op.name} {self.type}>"


class Contraction(Node):
    """An einsum: every sum, transpose, outer product, trace and matrix product is one.

    A label may repeat inside one operand (a diagonal); every output label occurs in some operand, once in the output.
    """

    __slots__ = ("spec",)
    spec: EinsumSpec
    kind = "contraction"

    def __new__(cls, spec: EinsumSpec, args: Sequence[Node]) -> Contraction:
        args = tuple(args)
        extents = spec.extents([a.shape for a in args])
        node_type = TensorType(tuple(extents[label] for label in spec.out), args[0].dtype)
        node = intern(cls, (spec,), node_type, args)
        assert isinstance(node, Contraction)
        node.spec = spec
        return node

    @property
    def extents(self) -> dict[int, Dim]:
        """The size of each label."""
        return self.spec.extents([a.shape for a in self.args])

    def rebuilt(self, args: Sequence[Node]) -> Node:
        return Contraction(self.spec, args)

    def __repr__(self) -> str:
        return f"<einsum {self.spec} {self.type}>"


class Broadcast(Node):
    """An operand repeated along new axes: operand axis k becomes output axis `axes[k]`."""

    __slots__ = ("axes",)
    axes: tuple[int, ...]
    kind = "broadcast"

    def __new__(cls, arg: Node, shape: Sequence[Dim], axes: Sequence[int]) -> Broadcast:
        shape, axes = tuple(shape), tuple(axes)
        if len(axes) != arg.rank or len(set(axes)) != len(axes) or tuple(shape[a] for a in axes) != arg.shape:
            raise ShapeError(message("broadcast does not fit", expected=f"{shape} at axes {axes}", found=arg.type))
        node = intern(cls, (axes,), TensorType(shape, arg.dtype), (arg,))
        assert isinstance(node, Broadcast)
        node.axes = axes
        return node

    def rebuilt(self, args: Sequence[Node]) -> Node:
        return Broadcast(args[0], self.shape, self.axes)


class Gather(Node):
    """Entries of `args[0]` read through an index map; `args[1:]` are the integer arrays that the map mentions.

    `spec[k]` says where axis k of the source is read, in terms of the output's axes: see `AxisMap`. Slices, single
    entries, diagonals, shifts and table look-ups are all this one node; `Scatter` is its adjoint.
    """

    __slots__ = ("spec",)
    spec: tuple[AxisMap, ...]
    kind = "gather"

    def __new__(cls, source: Node, indices: Sequence[Node], spec: Sequence[AxisMap], shape: Sequence[Dim]) -> Gather:
        spec = tuple(spec)
        check_axis_maps(spec, source.rank, indices, tuple(shape))
        node = intern(cls, (spec,), TensorType(tuple(shape), source.dtype), (source, *indices))
        assert isinstance(node, Gather)
        node.spec = spec
        return node

    def rebuilt(self, args: Sequence[Node]) -> Node:
        return Gather(args[0], args[1:], self.spec, self.shape)


class Scatter(Node):
    """Zeros of `shape` with every piece added at the places its index map names: the adjoint of `Gather`, n-ary.

    Being n-ary keeps the gradient of a sum of N gathers at O(N): one buffer, N additions into place. Stacking and
    concatenation are scatters whose pieces do not meet; `disjoint` records that they cover every entry exactly once.
    """

    __slots__ = ("disjoint", "pieces")
    pieces: tuple[ScatterPiece, ...]
    disjoint: bool
    kind = "scatter"

    def __new__(
        cls, args: Sequence[Node], pieces: Sequence[ScatterPiece], shape: Sequence[Dim], *, disjoint: bool = False
    ) -> Scatter:
        args, pieces, shape = tuple(args), tuple(pieces), tuple(shape)
        for piece in pieces:
            check_axis_maps(piece.spec, len(shape), [args[k] for k in piece.indices], args[piece.value].shape)
        node = intern(cls, (pieces, disjoint), TensorType(shape, args[pieces[0].value].dtype), args)
        assert isinstance(node, Scatter)
        node.pieces, node.disjoint = pieces, disjoint
        return node

    def rebuilt(self, args: Sequence[Node]) -> Node:
        return Scatter(args, self.pieces, self.shape, disjoint=self.disjoint)


class Reduction(Node):
    """A non-linear reduction (maximum, log-sum-exp ...) of its operand over `axes`."""

    __slots__ = ("axes", "op")
    op: ReductionPrimitive
    axes: tuple[int, ...]
    kind = "reduction"

    def __new__(cls, op: ReductionPrimitive, arg: Node, axes: Sequence[int]) -> Reduction:
        axes = tuple(sorted(axes))
        shape = tuple(d for k, d in enumerate(arg.shape) if k not in axes)
        node = intern(cls, (op.name, axes), TensorType(shape, arg.dtype), (arg,))
        assert isinstance(node, Reduction)
        node.op, node.axes = op, axes
        return node

    @property
    def kept(self) -> tuple[int, ...]:
        """The operand's axes that remain."""
        return tuple(k for k in range(self.args[0].rank) if k not in self.axes)

    def rebuilt(self, args: Sequence[Node]) -> Node:
        return Reduction(self.op, args[0], self.axes)

    def __repr__(self) -> str:
        return f"<{self.op.name} over {self.axes} {self.type}>"


class Library(Node):
    """A dense linear-algebra routine on the trailing axes of its operands; leading axes, equal in all, are a batch."""

    __slots__ = ("op",)
    op: LibraryPrimitive
    kind = "library"

    def __new__(cls, op: LibraryPrimitive, args: Sequence[Node]) -> Library:
        args = tuple(args)
        node = intern(cls, (op.name,), op.result_type(args), args)
        assert isinstance(node, Library)
        node.op = op
        return node

    def rebuilt(self, args: Sequence[Node]) -> Node:
        return Library(self.op, args)

    def __repr__(self) -> str:
        return f"<{self.op.name} {self.type}>"


def check_axis_maps(spec: tuple[AxisMap, ...], rank: int, indices: Sequence[Node], shape: tuple[Dim, ...]) -> None:
    """Check that an index map addresses `rank` axes from axes and index arrays that exist.

    Raises:
        ShapeError: otherwise.
    """
    if len(spec) != rank:
        raise ShapeError(message("index map has the wrong length", expected=rank, found=len(spec)))
    for m in spec:
        if m.index is not None:
            index = indices[m.index]
            if index.dtype != "int64" or index.shape != tuple(shape[a] for a in m.axes):
                expected = f"int64 {tuple(str(shape[a]) for a in m.axes)}"
                raise ShapeError(message("index array does not fit", expected=expected, found=index.type))
