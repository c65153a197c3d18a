"""Kernels on disk: a folder per user, safe to share between processes, never trusted blindly.

    <folder>/requests/<key>.json        what was asked for -> the interface, and the hash of the source
    <folder>/kernels/<hash>.py          a generated module under the hash of its text
    <folder>/kernels/<hash>.*.code      its compiled functions, see `symbackprop.runtime.machine_code`

Every file appears at once or not at all, carries a hash of its content, and is one of many that may vanish at any time.
What is damaged or made by someone else is ignored and made anew.

Environment: SYMBACKPROP_CACHE_DIR moves the folder, SYMBACKPROP_CACHE=0 (or off, no, false) switches it off.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import time
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import llvmlite
import numba
import numpy as np

from symbackprop.errors import CacheWarning
from symbackprop.runtime.interface import Interface, from_plain, to_plain

__all__ = ["clean", "code_path", "damaged", "find", "folder", "keep", "read", "touch", "write"]

#: Limits of the folder; beyond one of them the files that were used least recently go.
MOST_BYTES, MOST_FILES = 256 << 20, 8000
#: What is left of it then.
_KEPT_SHARE = 0.8
#: Seconds after which a use is noted again, and after which an unfinished file is nobody's.
_DAY = 86400.0

_OFF = {"0", "off", "no", "false"}

_REQUESTS, _KERNELS = "requests", "kernels"

_warned: set[str] = set()


def folder() -> Path | None:
    """Return the folder to use, which exists; None if there is to be no cache or no safe place for it."""
    if os.environ.get("SYMBACKPROP_CACHE", "").strip().lower() in _OFF or _VERSIONS is None:
        return None
    chosen = os.environ.get("SYMBACKPROP_CACHE_DIR")
    return _prepared(chosen or None)


def _prepared(chosen: str | None) -> Path | None:
    try:
        base = Path(chosen).expanduser().absolute() if chosen else _default()
        for part in (base / _REQUESTS, base / _KERNELS):
            part.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        # Without a home there is no cache; a folder that was asked for is missed.
        if chosen:
            warn_once("folder", f"the cache folder {chosen} cannot be used: {error}")
        return None
    for part in (base / _REQUESTS, base / _KERNELS):
        if not _is_ours(part):
            warn_once("folder", f"the cache folder {part} is not used: others may write into it")
            return None
    return base


def _default() -> Path:
    """Return the platform's folder for caches of this user."""
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return Path(local or Path.home() / "AppData" / "Local") / "symbackprop" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "symbackprop"
    shared = os.environ.get("XDG_CACHE_HOME")
    base = Path(shared) if shared and Path(shared).is_absolute() else Path.home() / ".cache"
    return base / "symbackprop"


def _is_ours(path: Path) -> bool:
    """Whether nobody but this user (and root) may change a file or the entries of a folder."""
    if not hasattr(os, "getuid"):
        return True
    found = path.stat()
    return found.st_uid in (os.getuid(), 0) and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _versions() -> str | None:
    """Return a text that changes with this package and the libraries below it; None if that cannot be told.

    The package's files count by size and time, so that whoever edits them gets no stale kernels. SymPy's version is
    part of the requests; functions of SciPy are looked up by name whenever a module is loaded.
    """
    try:
        files = sorted(_sources(str(Path(__file__).parents[1])))
    except OSError:
        return None
    libraries = [np.__version__, numba.__version__, llvmlite.__version__]
    return "\n".join([sys.version, sys.platform, *libraries, *files])


def _sources(root: str) -> Iterator[str]:
    """Yield path, size and time of every file of Python text below a folder."""
    folders = [root]
    while folders:
        at = folders.pop()
        with os.scandir(at) as entries:
            for entry in entries:
                if entry.name.endswith(".py"):
                    found = entry.stat()
                    yield f"{entry.path} {found.st_size} {found.st_mtime_ns}"
                elif entry.is_dir() and entry.name != "__pycache__":
                    folders.append(entry.path)


#: Taken when the package is imported: files that change later are not what runs.
_VERSIONS = _versions()


def find(at: Path, key: str) -> tuple[str, Interface] | None:
    """Return the source and the interface that were kept for a request, None if there are none."""
    path = _request(at, key)
    content = read(path)
    if content is None:
        return None
    try:
        asked, name, plain = json.loads(content)
        interface = from_plain(plain)
    except (LookupError, TypeError, ValueError, RecursionError):
        damaged(path)
        return None
    if asked != key or not isinstance(interface, Interface) or not isinstance(name, str) or not name.isalnum():
        damaged(path)
        return None
    source = at / _KERNELS / f"{name}.py"
    text = _load(source)
    if text is None:
        return None
    if text_hash(text) != name:
        damaged(source)
        return None
    touch(path)
    touch(source)
    return text.decode("utf-8"), interface


def keep(at: Path, key: str | None, source: str, interface: Interface) -> None:
    """Store a kernel, and what was asked for under `key`; what cannot be stored is left out."""
    text = source.encode("utf-8")
    name = text_hash(text)
    if _store(at / _KERNELS / f"{name}.py", text) and key:
        entry = json.dumps([key, name, to_plain(interface)], separators=(",", ":"))
        write(_request(at, key), entry.encode("utf-8"))
    clean(at)


def _request(at: Path, key: str) -> Path:
    """Return where a request is kept; the same request to other versions is another one."""
    own = hashlib.sha256(f"{key}\n{_VERSIONS}".encode()).hexdigest()
    return at / _REQUESTS / f"{own[:40]}.json"


def text_hash(text: bytes) -> str:
    """Return the name of a generated module."""
    return hashlib.sha256(text).hexdigest()[:40]


def code_path(at: Path, source: str, name: str) -> Path:
    """Return where the compiled form `name` of a generated module is kept."""
    return at / _KERNELS / f"{text_hash(source.encode('utf-8'))}.{name}.code"


# -- files ----------------------------------------------------------------------------------------------------------


def read(path: Path) -> bytes | None:
    """Return what `write` wrote; None if there is nothing, or it is damaged or somebody else's."""
    raw = _load(path)
    if raw is None:
        return None
    digest, _, content = raw.partition(b"\n")
    if digest.decode("ascii", "replace") != hashlib.sha256(content).hexdigest():
        damaged(path)
        return None
    return content


def write(path: Path, content: bytes) -> bool:
    """Store a file behind a hash of its content; returns whether that was possible."""
    return _store(path, hashlib.sha256(content).hexdigest().encode("ascii") + b"\n" + content)


def _load(path: Path) -> bytes | None:
    try:
        if _is_ours(path):
            return path.read_bytes()
        damaged(path, "others may write to it")
    except FileNotFoundError:
        return None
    except OSError as error:
        damaged(path, str(error))
    return None


def _store(path: Path, content: bytes) -> bool:
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(content)
        partial.replace(path)
    except OSError as error:
        warn_once("write", f"the cache folder {path.parent} cannot be written: {error}")
        partial.unlink(missing_ok=True)
        return False
    return True


def damaged(path: Path, why: str = "it is damaged") -> None:
    """Note that a file is not used."""
    warn_once("read", f"the cache file {path} is not used, its kernel is built anew: {why}")


def warn_once(kind: str, text: str) -> None:
    """Warn, once per process and kind."""
    if kind not in _warned:
        _warned.add(kind)
        warnings.warn(text, CacheWarning, stacklevel=3)


def touch(path: Path) -> None:
    """Note that a file is in use, at most once a day."""
    try:
        if time.time() - path.stat().st_mtime > _DAY:
            os.utime(path)
    except OSError:
        return


_cleaned: dict[Path, int] = {}


def clean(at: Path) -> None:
    """Remove what was used least recently, if there is too much; looks once in a hundred times."""
    count = _cleaned[at] = _cleaned.get(at, -1) + 1
    if count % 100:
        return
    files = sorted(_files(at))
    total, number = sum(size for _, size, _ in files), len(files)
    crowded = total > MOST_BYTES or number > MOST_FILES
    now = time.time()
    for used, size, path in files:
        full = crowded and (total > _KEPT_SHARE * MOST_BYTES or number > _KEPT_SHARE * MOST_FILES)
        if full or (path.suffix == ".partial" and now - used > _DAY):
            total, number = total - size, number - 1
            try:
                path.unlink(missing_ok=True)
            except OSError:
                return


def _files(at: Path) -> Iterator[tuple[float, int, Path]]:
    """Yield (time of last use, bytes, path)."""
    for part in (_REQUESTS, _KERNELS):
        with os.scandir(at / part) as entries:
            for entry in entries:
                try:
                    found = entry.stat()
                except OSError:
                    continue
                yield found.st_mtime, found.st_size, Path(entry.path)
