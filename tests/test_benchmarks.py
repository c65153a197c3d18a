"""The benchmarks' own parts: every row's sides agree at a tiny size, and the table, the picture and the sweeps work."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks import growth, table
from tests.benchmarks.catalogue import ROWS
from tests.benchmarks.measure import Figures, measure
from tests.benchmarks.row import EXPERT, OURS, Limit, Missing, Row, Work

ROOT = Path(__file__).parents[1]
OWN = (OURS, EXPERT)


def only(row: Row, *sides: str) -> Row:
    """The row with some of its sides: other libraries are not needed, and not waited for."""
    return Row(**{**vars(row), "sides": {side: row.sides[side] for side in sides if side in row.sides}})


def test_our_results_are_the_experts() -> None:
    """In every row, and the experts' gradients are right, and certificates have equal degrees; nothing is compiled."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "check", "--plain", "--sides", f"{OURS},{EXPERT}"],
        cwd=ROOT,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name, row in ROWS.items():
        if not row.processes:
            assert f"{name}: " in done.stdout


def figures() -> list[Figures]:
    row = ROWS["scalar"]
    found = Figures(row, "from Python", run={OURS: 1e-6, EXPERT: 0.5e-6, "jax": 2e-5, "casadi": 4e-5}, objective=2.0)
    found.compile, found.memory = {OURS: 1.0, "jax": 2.0}, {OURS: 1e8, "jax": 2e8}
    found.absent["torch"] = "Missing: torch is not installed"
    return [found]


def test_the_table_renders() -> None:
    text = table.render(figures())
    header, row, note = text.splitlines()
    assert header.split()[:3] == ["row", "size", "us"]
    assert "0.05 jax" in row
    assert "0.5 jax" in row
    assert row.endswith("yes")
    assert note == "scalar from Python: torch left out: Missing: torch is not installed"
    assert table.render(figures(), markdown=True).startswith("| row ")
    assert table.record(figures()[0])["excess"] == pytest.approx(1.0)


def test_limits() -> None:
    found = figures()[0]
    found.run[OURS] = 2e-6
    assert found.worst_excess() == pytest.approx(2.0)
    assert table.render([found]).splitlines()[1].endswith("no, x2.00")
    assert (found.best_peer(), found.ratio("heyoka")) == ("jax", None)
    assert str(Limit(0.5, ("numba alone",), figure="beyond")) == "run <= numba alone + 0.5 s"
    assert str(Limit(2.5, figure="objective")) == "objective <= 2.5"


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    importlib.import_module("tests.benchmarks.picture").draw(figures(), tmp_path / "ratios.png")
    assert (tmp_path / "ratios.png").read_bytes().startswith(b"\x89PNG")


def test_a_row_is_measured_and_sides_that_differ_are_left_out() -> None:
    def wrong(_: object) -> Work:
        return Work(lambda: (1.0, [0.0, 0.0, np.nan]))

    def missing(_: object) -> Work:
        raise Missing("this is not installed")

    row = only(ROWS["scalar"], *OWN)
    row = Row(**{**vars(row), "sides": {**row.sides, "wrong": wrong, "absent": missing}})
    found = measure(row, "from Python", rounds=2, target=0.001)
    assert set(found.run) == {OURS, EXPERT}
    assert found.absent["wrong"].startswith("results differ by")
    assert found.absent["absent"] == "Missing: this is not installed"
    assert found.objective is not None


def test_the_exponent_of_a_sweep() -> None:
    assert growth.exponent((10, 20, 40), (3.0, 12.0, 48.0)) == pytest.approx(2.0)
    row = ROWS["rosenbrock"]
    assert growth.degrees(row, row.sweeps[0]) == (1, 1)


def test_unknown_rows_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        table.main(["--rows", "nothing"])
    assert "no row nothing" in capsys.readouterr().err
