"""First result of the window classifier from a new process: cold, with a warm cache, from a saved module.

PyTensor (3.0) wants another numba than we do, so it may live in an environment of its own: the variable
SYMBACKPROP_BENCH_PYTENSOR names that environment's Python, without it this one's is tried.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.row import Limit, Missing, Point, Row, Work
from tests.benchmarks.rows import window

__all__ = ["ROWS"]

ROOT = Path(__file__).parents[3]
SCRIPTS = ROOT / "tests" / "benchmarks" / "first"
ORDER = ("value", "W", "b", "u", "x")
PYTENSOR = "SYMBACKPROP_BENCH_PYTENSOR"


def point(state: str, batch: int = 32, d: int = 50, h: int = 100) -> Point:
    """Return the inputs, and what is to be found on the disk: "cold", "warm" or "saved"."""
    return {**window.point(batch, d, h), "state": state}


class Folder:
    """A folder for inputs, results and caches, deleted with the object."""

    def __init__(self, at: Point) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="symbackprop-bench-")
        self.path = Path(self._folder.name)
        self.cache = self.path / "cache"
        np.savez(self.path / "in.npz", **{name: at[name] for name in window.NAMES})

    def run(self, python: str, script: str, *arguments: str, cold: bool = False) -> None:
        """Run a script in a process of its own; all caches are below this folder, and empty if `cold`."""
        if cold:
            shutil.rmtree(self.cache, ignore_errors=True)
        self.cache.mkdir(exist_ok=True)
        places = {
            "SYMBACKPROP_CACHE_DIR": str(self.cache / "symbackprop"),
            "NUMBA_CACHE_DIR": str(self.cache / "numba"),
            "JAX_COMPILATION_CACHE_DIR": str(self.cache / "jax"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "PYTENSOR_FLAGS": f"base_compiledir={self.cache / 'pytensor'}",
            "PYTHONPATH": str(ROOT),
        }
        files = (str(self.path / "in.npz"), str(self.path / "out.npz"))
        subprocess.run(
            [python, str(SCRIPTS / f"{script}.py"), *files, *arguments],
            env={**os.environ, **places},
            cwd=self.path,
            check=True,
            capture_output=True,
        )

    def results(self, _: Any) -> list[Any]:
        """Return what the last process found."""
        with np.load(self.path / "out.npz") as found:
            return [found[name] for name in ORDER]


def _pytensor_python() -> str:
    python = os.environ.get(PYTENSOR, sys.executable)
    found = subprocess.run([python, "-c", "import pytensor"], capture_output=True, check=False, cwd=ROOT)
    if found.returncode:
        raise Missing(f"pytensor is not installed; {PYTENSOR} may name the Python of another environment")
    return python


def _work(script: str, python: Callable[[], str], at: Point) -> Work:
    """Return a script's process; a warm cache is filled by the first run."""
    folder = Folder(at)
    run = partial(folder.run, python(), script, cold=at["state"] == "cold")
    if script == "numba_alone":
        return Work(run, read=lambda _: [])
    return Work(run, read=folder.results)


def _ours(at: Point) -> Work:
    if at["state"] != "saved":
        return _work("ours", lambda: sys.executable, at)
    folder = Folder(at)
    folder.run(sys.executable, "ours", str(folder.path))
    return Work(partial(folder.run, sys.executable, "saved", str(folder.path)), read=folder.results)


ROWS = (
    Row(
        name="first",
        what="first result of the window classifier from a new process; sizes are what lies on the disk",
        sizes={"cold": {"state": "cold"}, "warm cache": {"state": "warm"}, "saved module": {"state": "saved"}},
        tiny={"state": "cold", "batch": 2, "d": 1, "h": 2},
        point=point,
        sides={
            "symbackprop": _ours,
            "numba alone": partial(_work, "numba_alone", lambda: sys.executable),
            "jax": partial(_work, "jax_first", lambda: sys.executable),
            "pytensor": partial(_work, "pytensor_first", _pytensor_python),
        },
        limits={
            "cold": (Limit(1.0, ("pytensor",)),),
            "": (Limit(0.5, ("numba alone",), figure="beyond"),),
        },
        processes=True,
    ),
)
