"""What a row of the table is: inputs, and who computes the same from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["EXPERT", "OURS", "Limit", "Missing", "Point", "Row", "Sweep", "Work", "numbers"]

Point = dict[str, Any]

OURS = "symbackprop"
EXPERT = "expert"


class Missing(Exception):
    """A library that is not installed, or a part of ours that does not exist; the text says which."""


@dataclass(frozen=True)
class Work:
    """One side's work at a point.

    Attributes:
        run: does it once; what it returns is only looked at by `read`.
        read: from what `run` returned to numbers and arrays, in the order that the row's sides share.
        objective: computes the value alone, where the row asks for the ratio of gradient to objective.
        seconds: what compilation took, where it is not all that making the work took.
    """

    run: Callable[[], Any]
    read: Callable[[Any], Sequence[Any]] = field(default=lambda result: [result[0], *result[1]])
    objective: Callable[[], Any] | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Limit:
    """A ratio that a row must reach: our figure over the best of those named, at most `ratio`.

    `figure` is "run", "compile" or "memory"; "objective" compares our gradient with our own objective; "beyond" is a
    difference of times, in seconds, in place of a ratio.
    """

    ratio: float
    against: tuple[str, ...] = ()
    figure: str = "run"

    def __str__(self) -> str:
        whom = "the best of " * (len(self.against) > 1) + ", ".join(self.against)
        if self.figure == "beyond":
            return f"run <= {whom} + {self.ratio:g} s"
        return f"{self.figure} <= {self.ratio:g}" + (f" x {whom}" if whom else "")


@dataclass(frozen=True)
class Sweep:
    """One argument of a row's `point` that `growth` varies, the others fixed."""

    argument: str
    values: tuple[int, ...]
    fixed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A piece of work at several sizes.

    Attributes:
        name: as `--rows` takes it.
        what: one line for the reader.
        sizes: label -> arguments of `point`.
        tiny: arguments of `point` for a quick check that all sides agree.
        point: makes the inputs, as arrays of NumPy.
        sides: library -> what it does with a point; raises `Missing` where it is not installed.
        limits: label -> what must be reached there; the label "" stands for all others.
        tolerance: largest difference between sides, relative to the largest entry of an array.
        fresh: labels at which compile time and memory are measured in processes of their own.
        kernel: our kernel for a point, if its sizes are symbolic; `growth` times its two passes.
        sweeps: what `growth` varies.
        processes: whether the work is done by processes that are started for it, whose time is to be taken.
    """

    name: str
    what: str
    sizes: Mapping[str, Mapping[str, Any]]
    tiny: Mapping[str, Any]
    point: Callable[..., Point]
    sides: Mapping[str, Callable[[Point], Work]]
    limits: Mapping[str, tuple[Limit, ...]]
    tolerance: Callable[[Point], float] = lambda _: 1e-9
    fresh: tuple[str, ...] = ()
    kernel: Callable[[Point], Any] | None = None
    sweeps: tuple[Sweep, ...] = ()
    processes: bool = False

    def limits_at(self, label: str) -> tuple[Limit, ...]:
        """Return what must be reached at a size."""
        return self.limits.get(label, self.limits.get("", ()))


def numbers(work: Work, result: Any) -> list[np.ndarray]:
    """Return what `run` returned as arrays in double precision."""
    return [np.asarray(part, dtype=np.float64) for part in work.read(result)]
