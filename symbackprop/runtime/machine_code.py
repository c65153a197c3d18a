"""Compiled functions on disk: numba's own result of compiling, kept beside the source that it was compiled from.

numba has a cache too. This one stores the same objects and differs in three ways. Content is verified before it is
used: unpickling damaged data may do anything, running it too. The name of an entry covers the text of the whole module,
so that helpers are never stale. And loading does not import all that numba would need for compiling, which takes longer
than anything else on the way to the first result: machine code needs only the functions it calls by name, and these are
stored with it and looked up first, since LLVM ends the process over a name that it does not find.
"""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import sys
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import llvmlite
import numba
from llvmlite import binding as llvm
from numba.core import config, serialize
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.runtime import _nrt_python

from symbackprop.runtime import cache

__all__ = ["attach"]

#: What numba's environment variables change in compiled code.
_CHOICES = ("OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "BOUNDSCHECK", "DEBUGINFO_DEFAULT", "ENABLE_AVX")


def attach(at: Path, source: str, module: types.ModuleType, functions: Iterable[str]) -> None:
    """Let compiled forms of a generated module's functions be looked for on disk, and stored there.

    Functions that they call need no entries: their code is part of the caller's.
    """
    for name in functions:
        function: Any = getattr(module, name)
        # With NUMBA_DISABLE_JIT they are plain functions.
        if hasattr(function, "enable_caching"):
            function._cache = _CodeCache(at, source, module.__name__, name)  # noqa: SLF001 - as its own enable_caching does


class _CodeCache(NullCache):  # type: ignore[misc]  # numba is untyped
    """The compiled forms of one function, for as many argument types as it is called with."""

    def __init__(self, at: Path, source: str, module: str, name: str) -> None:
        self._at, self._source, self._module, self._name = at, source, module, name

    @property
    def cache_path(self) -> str:
        """The folder."""
        return str(self._path((), ()).parent)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled form for argument types, None if there is none. numba holds its compiler lock."""
        path = self._path(sig, target_context.codegen().magic_tuple())
        content = cache.read(path)
        if content is None:
            return None
        try:
            with _importable(self._module):
                called, compiled = pickle.loads(content)  # noqa: S301 - verified, and in a folder of the user's own
                if called is None or not _known(called):
                    target_context.refresh()
                    if called is not None and not _known(called):
                        return None
                found = CompileResult._rebuild(target_context, *compiled)  # noqa: SLF001
        except Exception as error:  # noqa: BLE001 - numba's internals; whatever it is, compiling anew helps
            cache.damaged(path, f"{type(error).__name__}: {error}")
            return None
        if str(found.signature.args) != str(tuple(getattr(sig, "args", sig))):
            return None
        cache.touch(path)
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store a compiled form, unless it holds addresses of this process."""
        if data.library.has_dynamic_globals or data.objectmode or data.lifted:
            return
        try:
            *compiled, environments = data._replace(type_annotation="")._reduce()  # noqa: SLF001
            # An environment without constants is never looked at, and finding its module would import it.
            compiled.append(tuple(env for env in environments if env.consts))
            # Threads are started, and their names made known, while numba rebuilds what uses them.
            called = None if data.reload_init else _called(data.library)
            content = serialize.dumps((called, tuple(compiled)))
        except Exception:  # noqa: BLE001 - as in loading: without an entry all is well
            return
        cache.write(self._path(sig, data.codegen.magic_tuple()), content)

    def _path(self, sig: Any, machine: Any) -> Path:
        choices = [str(getattr(config, name, None)) for name in _CHOICES]
        made_by = (sys.version, numba.__version__, llvmlite.__version__, *choices)
        what = hashlib.sha256(repr((str(sig), machine, made_by)).encode()).hexdigest()[:20]
        return cache.code_path(self._at, self._source, f"{self._name}.{what}")


@contextlib.contextmanager
def _importable(name: str) -> Iterator[None]:
    """Let there be a module of that name for a while, without content: numba wants the globals of a function.

    Compiled code does not look at them. While numba compiled, it found no such module and called it dynamic.
    """
    names = (name, "<dynamic>")
    before = {known: sys.modules.get(known) for known in names}
    sys.modules.update({known: types.ModuleType(known) for known in names})
    try:
        yield
    finally:
        for known, other in before.items():
            if other is None:
                sys.modules.pop(known, None)
            else:
                sys.modules[known] = other


def _called(library: Any) -> list[str]:
    """Return what compiled code calls or reads by name."""
    module = library._final_module  # noqa: SLF001
    outside = [*module.functions, *module.global_variables]
    return [v.name for v in outside if v.is_declaration and not v.name.startswith("llvm.")]


def _known(names: Iterable[str]) -> bool:
    """Whether this process has something for every name."""
    for name, address in _nrt_python.c_helpers.items():
        llvm.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)
    return all(llvm.address_of_symbol(name) is not None for name in names)
