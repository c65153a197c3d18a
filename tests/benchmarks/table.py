"""The table: `python -m tests.benchmarks table --rows window,gmm --quick --markdown --json F --picture F`."""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.catalogue import ROWS
from tests.benchmarks.measure import Figures, measure
from tests.benchmarks.picture import draw
from tests.benchmarks.row import EXPERT, OURS

__all__ = ["main", "record", "render"]

#: Seconds of one turn, and turns, of a measurement; the same with --quick.
CAREFUL = {"rounds": 25, "target": 0.05}
QUICK = {"rounds": 7, "target": 0.01}


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _peers(figures: Iterable[Figures]) -> list[str]:
    """Return the sides to compare with, in the order of the rows."""
    return list(dict.fromkeys(side for f in figures for side in f.row.sides if side not in {OURS, EXPERT}))


def _cells(found: Figures, peers: Sequence[str]) -> list[str]:
    best = found.best_peer()
    excess = found.worst_excess()
    cells = [found.row.name, found.label]
    cells.append(_number(found.run[OURS] * 1e6) if OURS in found.run else "-")
    cells.append(f"{_number(found.ratio(best))} {best}" if best and OURS in found.run else "-")
    cells += [_number(found.ratio(side)) for side in (EXPERT, *peers)]
    cells.append(_number(found.objective))
    for figure in ("compile", "memory"):
        ratios = {side: found.ratio(side, figure) for side in getattr(found, figure) if side in peers}
        cells.append(" ".join(f"{_number(ratio)} {side}" for side, ratio in ratios.items()) or "-")
    cells.append("; ".join(map(str, found.row.limits_at(found.label))))
    cells.append("-" if excess is None else "yes" if excess <= 1 else f"no, x{excess:.2f}")
    return cells


def render(figures: Sequence[Figures], *, markdown: bool = False) -> str:
    """Return the table as text: our time over the others', below 1 where we are faster."""
    peers = _peers(figures)
    header = ["row", "size", "us", "/best peer", "/expert", *(f"/{side}" for side in peers)]
    header += ["grad/obj", "compile", "memory", "limits", "reached"]
    rows = [header, *(_cells(found, peers) for found in figures)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(header))]
    if markdown:
        rows.insert(1, ["-" * width for width in widths])
        lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in rows]
    else:
        lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    notes = [
        f"{found.row.name} {found.label}: {side} left out: {reason}"
        for found in figures
        for side, reason in found.absent.items()
    ]
    return "\n".join([*lines, *notes])


def record(found: Figures) -> dict[str, Any]:
    """Return figures as JSON takes them."""
    return {
        "row": found.row.name,
        "size": found.label,
        "run": found.run,
        "compile": found.compile,
        "peak": found.memory,
        "growth": found.growth,
        "gradient_over_objective": found.objective,
        "excess": found.worst_excess(),
        "absent": found.absent,
    }


def main(argv: Sequence[str] = ()) -> int:
    """Measure, print and write what the arguments say; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks table", description=__doc__)
    parser.add_argument("--rows", default=",".join(ROWS), help="names of rows, with commas; default all")
    parser.add_argument("--sizes", default="", help="only sizes that contain this text")
    parser.add_argument("--quick", action="store_true", help="short measurements, no fresh processes")
    parser.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--picture", type=Path, help="draw the ratios into this PNG file")
    chosen = parser.parse_args(list(argv))
    names = chosen.rows.split(",")
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    figures = []
    for row in (ROWS[name] for name in names):
        for label in (label for label in row.sizes if chosen.sizes in label):
            fresh = label in row.fresh and not chosen.quick
            figures.append(measure(row, label, fresh=fresh, **(QUICK if chosen.quick else CAREFUL)))
            print(f"{row.name} {label} measured", flush=True)
    print(f"\n{platform.processor() or platform.machine()}, one thread; ratios of processor time, ours over theirs")
    print(render(figures, markdown=chosen.markdown))
    if chosen.json:
        chosen.json.write_text(json.dumps([record(found) for found in figures], indent=1), encoding="utf-8")
    if chosen.picture:
        draw(figures, chosen.picture)
    return 0
