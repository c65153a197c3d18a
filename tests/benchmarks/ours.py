"""Our side of a row."""

from __future__ import annotations

import symbackprop as sbp
from tests.benchmarks.row import Point, Work

__all__ = ["kernel_work"]


def kernel_work(kernel: sbp.Kernel, at: Point) -> Work:
    """Return a kernel's value and gradients at a point that holds its inputs by name."""
    arguments = [at[record.name] for record in kernel.inputs]
    return Work(
        lambda: kernel.value_and_grad(*arguments),
        read=lambda result: [result[0], *result[1].values()],
        objective=lambda: kernel(*arguments),
    )
