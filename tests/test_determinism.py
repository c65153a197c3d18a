"""The same expression gives the same text, byte for byte, in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.kernels import KERNELS

SCRIPT = """
import hashlib
from tests.kernels import KERNELS
for name, make in KERNELS.items():
    for dtype in ("float64", "float32"):
        print(name, dtype, hashlib.sha256(make(dtype=dtype).source.encode()).hexdigest())
"""


def hashes(seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
        env=environment,
    )
    return done.stdout


def test_same_text_in_every_process() -> None:
    first = hashes("1")
    assert len(first.splitlines()) == 2 * len(KERNELS)
    assert first == hashes("77")


def test_same_text_twice_and_after_other_work() -> None:
    """Nodes are interned and names counted: neither may leak from one compilation into the next."""
    before = {name: make().source for name, make in KERNELS.items()}
    after = {name: make().source for name, make in reversed(KERNELS.items())}
    assert before == after
