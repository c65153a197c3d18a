"""Generated text to a live module."""

from __future__ import annotations

import hashlib
import linecache
import types

__all__ = ["load_module"]


def load_module(source: str, name: str) -> types.ModuleType:
    """Return the module whose source is `source`; its functions compile on their first call.

    The text comes from this package's own printer, which sanitises every name that a user chose. It is registered with
    `linecache` under its own hash, so that tracebacks, profilers and `inspect` show it and no other kernel's.
    """
    filename = f"<symbackprop {name} {hashlib.sha256(source.encode()).hexdigest()[:16]}>"
    module = types.ModuleType(f"symbackprop_generated.{name}")
    module.__file__ = filename
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    code = compile(source, filename, "exec")
    exec(code, module.__dict__)  # noqa: S102 - the printer's own text
    return module
