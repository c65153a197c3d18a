"""Calls of kernels that use threads, one at a time where numba's threading layer cannot take several.

numba has three: of Intel's TBB, of OpenMP, and "workqueue", its own, which ends the process when two threads start
parallel loops at once. Which one it is shows when the threads are started.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numba

__all__ = ["in_turn"]

#: One for all kernels: they share the threads.
_TURN = threading.Lock()


def in_turn(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return `function`, called by one thread at a time if it has to be; numba's threads start at the first call."""

    @functools.wraps(function)
    def call(*args: Any) -> Any:
        if _several_at_once():
            return function(*args)
        with _TURN:
            return function(*args)

    return call


@functools.cache
def _several_at_once() -> bool:
    """Whether several Python threads may use numba's threads at once; starts these if they do not run yet."""
    with _TURN, _waiting_passively():
        numba.get_num_threads()
    return bool(numba.threading_layer() != "workqueue")


@contextlib.contextmanager
def _waiting_passively() -> Iterator[None]:
    """Let OpenMP's threads sleep when they have nothing to do, unless the user said how they are to wait.

    By default they watch for work for some milliseconds after each loop, on the processors that BLAS's own threads are
    to run on: networks became three times slower. OpenMP reads its environment when it is loaded.
    """
    chosen = any(name in os.environ for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"))
    if not chosen:
        os.environ["OMP_WAIT_POLICY"] = "passive"
    try:
        yield
    finally:
        if not chosen:
            os.environ.pop("OMP_WAIT_POLICY", None)
