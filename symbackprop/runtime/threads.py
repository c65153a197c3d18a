"""Calls of kernels that use threads, one at a time where numba's threading layer cannot take several.

numba has three: of Intel's TBB, of OpenMP, and "workqueue", its own, which ends the process when two threads start
parallel loops at once. Which one it is shows when the threads are started.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
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
    """Whether several Python threads may use numba's threads at once."""
    numba.get_num_threads()
    return bool(numba.threading_layer() != "workqueue")
