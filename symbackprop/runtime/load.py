"""Generated text to a live module."""

from __future__ import annotations

import hashlib
import linecache
import types
import weakref

__all__ = ["load_module"]

#: The modules in use: equal text is one module, and compiled once.
_MODULES: weakref.WeakValueDictionary[tuple[str, str], types.ModuleType] = weakref.WeakValueDictionary()


def load_module(source: str, name: str) -> types.ModuleType:
    """Return the module whose source is `source`; its functions compile on their first call.

    The text comes from this package's own printer, which sanitises every name that a user chose. It is registered with
    `linecache` under its own hash, so that tracebacks, profilers and `inspect` show it and no other kernel's. The hash
    is part of the module's name too: numba tells functions apart by the names of their modules.
    """
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    known = _MODULES.get((name, source))
    if known is not None:
        return known
    filename = f"<symbackprop {name} {digest}>"
    module = types.ModuleType(f"symbackprop_generated.{name}_{digest}")
    module.__file__ = filename
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    code = compile(source, filename, "exec")
    exec(code, module.__dict__)  # noqa: S102 - the printer's own text
    _MODULES[name, source] = module
    return module
