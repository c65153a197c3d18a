"""Modules that load when something in them is first called.

A program that finds its kernel in the cache needs no compiler, and none but rare kernels need SciPy's functions:
importing these would take most of the time until such a program's first result. A deferral is written among the imports
of a file and counts as one of them for the floors.
"""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["Deferred", "imported"]


def imported(module: str, name: str) -> Any:
    """Return what a module calls `name`; the module is imported if it is not yet."""
    return getattr(importlib.import_module(module), name)


class Deferred:
    """Stands for a module; its attributes are functions that import it when they are called."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Function(self._module, name)


class _Function:
    """A function of a deferred module."""

    __slots__ = ("_module", "_name")

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return imported(self._module, self._name)(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{self._module}.{self._name}, imported when it is called>"
