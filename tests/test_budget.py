"""No file of the package is longer than about 400 lines."""

from __future__ import annotations

from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "symbackprop"
BUDGET = 400


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_file_within_budget(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= BUDGET, f"{path.relative_to(PACKAGE)} has {lines} lines; it probably holds two rooms"
