"""Names in generated code: harmless, unique, the user's own where possible."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Iterable

__all__ = ["LOOP_LETTERS", "RESERVED", "Names"]

#: Names the generated module uses itself.
RESERVED = frozenset(
    {*keyword.kwlist, *dir(builtins), "math", "np", "njit", "float64", "float32", "work", "accumulate", "annotations"}
)

LOOP_LETTERS = "ijklpqrstuvw"


class Names:
    """The names of one scope; each is handed out once."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {*RESERVED, *taken}
        self._count: dict[str, int] = {}

    @property
    def taken(self) -> frozenset[str]:
        """The names that are not to be had."""
        return frozenset(self._taken)

    def fresh(self, base: str) -> str:
        """Return `base`, or `base_2`, `base_3` ... if it is taken."""
        name = base
        while name in self._taken:
            self._count[base] = self._count.get(base, 1) + 1
            name = f"{base}_{self._count[base]}"
        self._taken.add(name)
        return name

    def temporary(self) -> str:
        """Return the next of t1, t2 ..."""
        while True:
            self._count["t"] = self._count.get("t", 0) + 1
            name = f"t{self._count['t']}"
            if name not in self._taken:
                self._taken.add(name)
                return name

    def loop_variable(self) -> str:
        """Return an unused single letter, then i_2, i_3 ..."""
        letter = next((c for c in LOOP_LETTERS if c not in self._taken), LOOP_LETTERS[0])
        return self.fresh(letter)

    def release(self, names: Iterable[str]) -> None:
        """Let `names` be handed out again: the variables of a loop that has ended."""
        self._taken.difference_update(names)
