"""All rows of the table."""

from __future__ import annotations

from tests.benchmarks.row import Row
from tests.benchmarks.rows import arm, bundle, digits, first, lstm, mixture, mlp, pendulum, rosenbrock, scalar, window

__all__ = ["ROWS"]

ROWS: dict[str, Row] = {
    row.name: row
    for module in (scalar, arm, pendulum, window, mlp, digits, mixture, lstm, bundle, rosenbrock, first)
    for row in module.ROWS
}
