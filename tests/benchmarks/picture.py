"""The picture of the table: one line a row and size, a mark for each library on a logarithmic axis, and the limits."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.measure import Figures
from tests.benchmarks.row import EXPERT, OURS

__all__ = ["draw"]

MARKS = {
    EXPERT: ("D", "#222222"),
    "gemms": ("|", "#222222"),
    "jax": ("o", "#c0392b"),
    "torch": ("s", "#e08e0b"),
    "casadi": ("^", "#2471a3"),
    "casadi buffer": ("v", "#5dade2"),
    "heyoka": ("P", "#1e8449"),
    "pytensor": ("X", "#7d3c98"),
}


def draw(figures: Sequence[Figures], path: Path) -> None:
    """Write the picture of all ratios to a PNG file; needs matplotlib."""
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot = importlib.import_module("matplotlib.pyplot")
    shown = [found for found in figures if OURS in found.run and len(found.run) > 1]
    figure, axes = pyplot.subplots(figsize=(9, 1.6 + 0.27 * len(shown)), layout="constrained")
    for k, found in enumerate(shown):
        if k % 2:
            axes.axhspan(k - 0.5, k + 0.5, color="#f4f4f4", zorder=0)
        for limit in found.row.limits_at(found.label):
            if limit.figure == "run" and EXPERT not in limit.against:
                axes.plot([limit.ratio] * 2, [k - 0.45, k + 0.45], color="#c0392b", linewidth=1.6, zorder=2)
        for side in found.run:
            if side != OURS:
                marker, color = MARKS.get(side, ("x", "#888888"))
                axes.plot(found.ratio(side), k, marker, color=color, markersize=5.5, zorder=3)
    used = dict.fromkeys(side for found in shown for side in found.run if side != OURS)
    for side in used:
        marker, color = MARKS.get(side, ("x", "#888888"))
        axes.plot([], [], marker, color=color, markersize=5.5, label=side)
    axes.plot([], [], color="#c0392b", linewidth=1.6, label="limit")
    axes.axvline(1.0, color="#888888", linewidth=1.0, zorder=1)
    axes.set_xscale("log")
    axes.set_yticks(range(len(shown)), [f"{found.row.name}  {found.label}" for found in shown], fontsize=8)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xlabel("our time / theirs, value and gradient, one thread (left of 1: we are faster)")
    axes.grid(axis="x", which="major", color="#dddddd")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(used) + 1, frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
