"""What to differentiate for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy as sp

from symbackprop.errors import InputError, message
from symbackprop.frontend.describe import describe
from symbackprop.frontend.inputs import Declared
from symbackprop.frontend.leaves import is_leaf, leaf_of
from symbackprop.frontend.program import Argument

__all__ = ["resolve_wrt"]


def resolve_wrt(
    wrt: Any, declared: Sequence[Declared], arguments: Sequence[Argument], occurring: Sequence[str]
) -> tuple[str, ...]:
    """Return the names of the arguments to differentiate for, in argument order.

    Args:
        wrt: symbols or names, one or several; None for every real-valued argument that occurs.
        declared: the arguments as declared.
        arguments: their records, parallel to `declared`.
        occurring: names of the arguments that the outputs depend on.

    Raises:
        InputError: an item that does not occur, is an integer, is part of a nested argument, or is given twice.
    """
    dtype = {a.name: a.dtype for a in arguments}
    if wrt is None:
        return tuple(name for name in occurring if dtype[name] != "int64")
    items = list(wrt) if isinstance(wrt, (list, tuple, set, sp.Tuple)) else [wrt]
    chosen: list[str] = []
    for item in items:
        name = _name(item, declared)
        if name is None or name not in occurring:
            raise InputError(
                message(f"wrt {describe(item)} does not occur", expected=f"one of {', '.join(occurring) or 'nothing'}")
            )
        if dtype[name] == "int64":
            raise InputError(
                message(f"wrt {name} is an integer argument", expected="a real-valued argument", found="int64")
            )
        if name in chosen:
            raise InputError(message(f"wrt lists {name} twice"))
        chosen.append(name)
    return tuple(name for name in dtype if name in chosen)


def _name(item: Any, declared: Sequence[Declared]) -> str | None:
    if isinstance(item, str):
        if any(entry.name == item for entry in declared):
            return item
        nested = next((e for e in declared if e.grid and any(str(s) == item for s in e.leaves)), None)
    elif is_leaf(item):
        item = leaf_of(item)
        whole = next((e.name for e in declared if e.grid is None and e.leaves[0] == item), None)
        if whole is not None:
            return whole
        nested = next((e for e in declared if e.grid and item in e.leaves), None)
    else:
        raise InputError(message("wrt is neither a symbol nor a name", found=describe(item)))
    if nested is not None:
        raise InputError(
            message(
                f"wrt {item} is part of the argument {nested.name}",
                hint=f"differentiate for the whole of it: wrt={nested.name!r}",
            )
        )
    return None
