"""Types of values: shape and dtype; einsum labels; index maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from symbackprop.errors import ShapeError, message
from symbackprop.ir.dims import ONE, ZERO, Dim, never_negative

__all__ = ["AxisMap", "EinsumSpec", "ScatterPiece", "TensorType"]

_LETTERS = "ijklmnopqrstuvwxyzabcdefgh"


@dataclass(frozen=True)
class TensorType:
    """A symbolic shape and a dtype: "float64", "float32", "int64" or "bool"."""

    shape: tuple[Dim, ...]
    dtype: str

    @property
    def is_real(self) -> bool:
        """Whether values are floating-point numbers."""
        return self.dtype.startswith("float")

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.shape))}{',' if len(self.shape) == 1 else ''}) {self.dtype}"


@dataclass(frozen=True)
class EinsumSpec:
    """Labels of an einsum: `ins[k][a]` names axis a of operand k, `out` the axes of the result.

    Labels are small integers, renumbered by first occurrence in `canonical`, so equal contractions are one node.
    """

    ins: tuple[tuple[int, ...], ...]
    out: tuple[int, ...]

    @staticmethod
    def parse(text: str) -> EinsumSpec:
        """Return the spec of a NumPy-style string such as "ij,j->i"."""
        left, _, right = text.partition("->")
        return EinsumSpec.canonical([list(part) for part in left.split(",")], list(right))

    @staticmethod
    def canonical(ins: Sequence[Sequence[object]], out: Sequence[object]) -> EinsumSpec:
        """Return the spec for any hashable labels, renumbered by first occurrence."""
        number: dict[object, int] = {}
        numbered = tuple(tuple(number.setdefault(label, len(number)) for label in part) for part in ins)
        return EinsumSpec(numbered, tuple(number[label] for label in out))

    @property
    def summed(self) -> tuple[int, ...]:
        """Labels that occur in operands only, by first occurrence."""
        seen = dict.fromkeys(label for part in self.ins for label in part)
        return tuple(label for label in seen if label not in self.out)

    @property
    def is_permutation(self) -> bool:
        """Whether this is one operand with its axes reordered and nothing else."""
        return len(self.ins) == 1 and len(set(self.ins[0])) == len(self.ins[0]) == len(self.out)

    def extents(self, shapes: Sequence[tuple[Dim, ...]]) -> dict[int, Dim]:
        """Return the size of each label.

        Raises:
            ShapeError: an operand's rank differs from its labels, or one label has two sizes.
        """
        out: dict[int, Dim] = {}
        if len(shapes) != len(self.ins):
            raise ShapeError(message(f"einsum '{self}' takes {len(self.ins)} operands", found=len(shapes)))
        for k, (labels, shape) in enumerate(zip(self.ins, shapes, strict=True)):
            if len(labels) != len(shape):
                raise ShapeError(
                    message(f"einsum '{self}': operand {k} has the wrong rank", expected=len(labels), found=len(shape))
                )
            for label, size in zip(labels, shape, strict=True):
                if out.setdefault(label, size) != size:
                    letter = _LETTERS[label % 26]
                    raise ShapeError(
                        message(
                            f"einsum '{self}': label '{letter}' has two sizes",
                            expected=out[label],
                            found=f"{size} in operand {k}",
                        )
                    )
        return out

    def __str__(self) -> str:
        def letters(labels: tuple[int, ...]) -> str:
            return "".join(_LETTERS[label % 26] for label in labels)

        return f"{','.join(map(letters, self.ins))}->{letters(self.out)}"


@dataclass(frozen=True)
class AxisMap:
    """Where one axis of an indexed array is addressed, as a function of the other side's axes.

    The position is `offset + sum(strides * axes)` when `index` is None, else the entry of integer array number `index`
    at the positions of `axes`, plus `offset`.

    Attributes:
        axes: axes of the gathered (or scattered) value that the position depends on; distinct.
        strides: factor of each axis of an affine map, never 0, of a sign that no size changes; ones by default, and
            none for an integer array.
        offset: a size polynomial added to the position.
        index: which integer array holds the positions, if any.
        span: smallest and largest position that matters, of an affine map. Whatever is read or written elsewhere is
            masked, so such positions are clamped into the axis. None where every position matters.
    """

    axes: tuple[int, ...] = ()
    strides: tuple[Dim, ...] = ()
    offset: Dim = ZERO
    index: int | None = None
    span: tuple[Dim, Dim] | None = None

    def __post_init__(self) -> None:
        """Fill in strides of one.

        Raises:
            ShapeError: an affine map names an axis twice, or has a stride of no definite sign.
        """
        if self.index is not None:
            if self.strides or self.span:
                raise ShapeError(message("an integer array as index has no strides and no span", found=self))
            return
        if not self.strides:
            object.__setattr__(self, "strides", (ONE,) * len(self.axes))
        if len(set(self.axes)) != len(self.axes) or len(self.strides) != len(self.axes):
            raise ShapeError(message("an affine index map needs one stride for each axis", found=self))
        for stride in self.strides:
            if not never_negative(stride) and not never_negative(-stride):
                raise ShapeError(message("a stride of an index map has no definite sign", found=stride))

    @property
    def along(self) -> int | None:
        """The axis that the position is equal to, if that is all there is to it."""
        plain = self.index is None and self.span is None and self.strides == (ONE,) and self.offset == ZERO
        return self.axes[0] if plain else None

    def reach(self, shape: Sequence[Dim]) -> tuple[Dim, Dim]:
        """Return the smallest and largest position of an affine map over all entries of `shape`, not clamped."""
        first = last = self.offset
        for axis, stride in zip(self.axes, self.strides, strict=True):
            end = (shape[axis] - 1) * stride
            if never_negative(stride):
                last = last + end
            else:
                first = first + end
        return first, last

    def renumber(self, index: Mapping[int, int]) -> AxisMap:
        """Return the map with its integer array renumbered."""
        return self if self.index is None else replace(self, index=index[self.index])


@dataclass(frozen=True)
class ScatterPiece:
    """Where one value of a `Scatter` goes: `value` and `indices` are positions in the node's args."""

    value: int
    indices: tuple[int, ...]
    spec: tuple[AxisMap, ...]
