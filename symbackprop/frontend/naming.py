"""Harmless, unique, deterministic Python identifiers for whatever a symbol is called."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata

__all__ = ["Namer", "sanitise"]

#: Names that generated modules use themselves.
_RESERVED = frozenset(
    {
        *("np", "numpy", "math", "njit", "numba", "scipy", "linalg", "prange", "intrinsic", "types", "sys"),
        *("float32", "float64", "int64", "bool_", "inf", "nan", "pi", "e", "self", "cls", "args", "kwargs"),
        *("work", "ct", "residuals", "upstream", "grads", "value", "kernel", "main", "check"),
        *("fprop", "bprop", "value_and_grad", "INPUTS", "OUTPUTS", "WRT"),
    }
)
_TAKEN = _RESERVED | frozenset(keyword.kwlist) | frozenset(keyword.softkwlist) | frozenset(dir(builtins))


def sanitise(text: str) -> str:
    r"""Return an ASCII identifier that resembles `text`; not yet unique.

    `\theta_1` becomes `theta_1`, a Greek letter its name, any other run of foreign characters one underscore.
    """
    spelled: list[str] = []
    for ch in text:
        name = unicodedata.name(ch, "") if ord(ch) > 127 else ""
        if name.startswith("GREEK") and " LETTER " in name:
            letter = name.split(" LETTER ")[1].split(" WITH ")[0].split()[-1].replace("LAMDA", "LAMBDA")
            spelled.append(letter.capitalize() if "CAPITAL" in name else letter.lower())
        else:
            spelled.append(unicodedata.normalize("NFKD", ch) if ord(ch) > 127 else ch)
    out = re.sub(r"[^A-Za-z0-9]+", "_", "".join(spelled)).strip("_")
    if not out:
        return "v"
    return f"v_{out}" if out[0].isdigit() else out


class Namer:
    """Hands out identifiers: each harmless, none twice, the same ones for the same requests in the same order."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._next: dict[str, int] = {}

    def identifier(self, text: str) -> str:
        """Return a fresh identifier for `text`: itself if it is harmless and free, else with a suffix."""
        stem = sanitise(text)
        if stem in _TAKEN:
            stem += "_"
        name = stem
        joint = "" if stem.endswith("_") else "_"
        while name in self._used:
            self._next[stem] = self._next.get(stem, 0) + 1
            name = f"{stem}{joint}{self._next[stem]}"
        self._used.add(name)
        return name
