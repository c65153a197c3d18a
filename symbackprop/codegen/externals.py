"""The functions that generated code may call: their names, and those from SciPy's C library as text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from symbackprop.ir.external import External
from symbackprop.ir.registry import ELEMENTWISE, LIBRARY, Form

__all__ = ["bindings", "externals", "helper_names"]


def externals(functions: Iterable[Any]) -> list[External]:
    """Return the functions that come from SciPy's C library."""
    return [f for f in functions if isinstance(f, External)]


def bindings(binder: str, functions: Iterable[External]) -> str:
    """Return the assignments that bind each function's name; `binder` is the function that does it."""
    lines = []
    for f in functions:
        outputs = f", {f.outputs}, {f.which}" if f.outputs else ""
        lines.append(f'{f.name} = {binder}("{f.name}", "{f.symbol}", {f.arity}{outputs})')
    return "\n".join(lines)


def helper_names() -> list[str]:
    """Return the names of all helper functions that expressions may call."""
    forms = [form for op in ELEMENTWISE.values() for form in (Form(op.emit, op.helpers), *op.vector.values())]
    called = [*(f for form in forms for f in form.helpers), *(f for op in LIBRARY.values() for f in op.helpers)]
    return [f.__name__ for f in called]
