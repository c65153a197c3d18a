"""Generated sources, word for word. They are the product: read the difference as a code review before updating.

`pytest tests/codegen/test_golden.py --update-golden` writes them anew.
"""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest
import sympy as sp

from tests.kernels import KERNELS
from tests.plain import compile_plain

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def sources() -> dict[str, str]:
    return {name: make().source for name, make in KERNELS.items()}


@pytest.mark.parametrize("name", KERNELS)
def test_source(name: str, sources: dict[str, str], request: pytest.FixtureRequest) -> None:
    source = sources[name]
    path = GOLDEN / f"{name}.py"
    if request.config.getoption("--update-golden"):
        path.write_text(source, encoding="utf-8")
    expected = path.read_text(encoding="utf-8")
    if source != expected:
        lines = difflib.unified_diff(
            expected.splitlines(), source.splitlines(), str(path), "generated now", lineterm=""
        )
        pytest.fail("\n".join(lines), pytrace=False)


@pytest.mark.parametrize("name", KERNELS)
def test_style(name: str, sources: dict[str, str]) -> None:
    """What every generated source keeps to: no line over 200 characters, no trailing blanks, no tabs."""
    source = sources[name]
    for line in source.splitlines():
        assert line == line.rstrip()
        assert "\t" not in line
        assert len(line) <= 200
    assert source.endswith(")\n")
    assert "\n\n\n\n" not in source


def test_powers_of_sums_keep_their_parentheses() -> None:
    """A comment's `^` binds like a power, also inside another operation."""
    x, y = sp.MatrixSymbol("x", 3, 1), sp.MatrixSymbol("y", 3, 1)
    squares = (x - y).applyfunc(lambda t: 1 / (1 + t**2) ** 3)
    source = compile_plain(sp.Trace(squares * squares.T)).source
    comments = [line for line in source.splitlines() if "^" in line]
    assert comments
    assert all("- y ^ 2" not in line and "+ 1 ^ 3" not in line for line in comments)
