"""The functions that generated code may call: their names, and those from SciPy's C library as text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from symbackprop.ir.external import Beyond, External
from symbackprop.ir.registry import ELEMENTWISE, LIBRARY, Form

__all__ = ["Support", "foreign", "helper_names"]


@dataclass(frozen=True)
class Support:
    """Text that a module carries on demand: a decorator's name, the imports it needs, its source."""

    decorator: str
    imports: tuple[str, ...]
    source: str


def foreign(
    functions: Iterable[Any], special: Support | None, lapack: Support | None, beyond: Support | None
) -> list[tuple[Support, str]]:
    """Return (what binds them, the assignments) for each of the C libraries that some functions come from."""
    external = [f for f in functions if isinstance(f, External)]
    far = [f for f in external if isinstance(f, Beyond)]
    routines = [f for f in external if f.is_routine]
    others = [f for f in external if f not in far and f not in routines]
    chosen = ((special, others), (lapack, routines), (beyond, far))
    return [(support, _bindings(support.decorator, found)) for support, found in chosen if support and found]


def _bindings(binder: str, functions: Iterable[External]) -> str:
    """Return the assignments that bind each function's name; `binder` is the function that does it."""
    lines = []
    for f in functions:
        if isinstance(f, Beyond):
            lines.append(f'{f.name} = {binder}("{f.symbol}", {f.bound!r})')
            continue
        outputs = f", {f.outputs}, {f.which}" if f.outputs else ""
        lines.append(f'{f.name} = {binder}("{f.name}", "{f.symbol}", {f.arity}{outputs})')
    return "\n".join(lines)


def helper_names() -> list[str]:
    """Return the names of all helper functions that expressions may call."""
    forms = [form for op in ELEMENTWISE.values() for form in (Form(op.emit, op.helpers), *op.vector.values())]
    called = [*(f for form in forms for f in form.helpers), *(f for op in LIBRARY.values() for f in op.helpers)]
    return [f.__name__ for f in called]
