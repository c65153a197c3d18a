"""Kernels whose arrays share no memory: the few lines with which generated modules tell LLVM so.

Results and scratch arrays are made for the call, and inputs are not written to, so no two arrays of a kernel overlap
where one of them changes. LLVM does not know: it guards every vectorised loop with comparisons of addresses, beside a
second, scalar loop, and gives up where a loop has too many arrays. numba marks arguments for it under a flag that its
decorators do not offer, but a compiler class may set. The text of `Apart` is copied into generated modules.
"""

from __future__ import annotations

from typing import Any

from numba.core.compiler import Compiler

from symbackprop.runtime.straightline import bare

__all__ = ["DECORATOR", "IMPORTS", "Apart", "source"]

#: The imports that the copied text needs.
IMPORTS = ("from numba.core.compiler import Compiler",)

DECORATOR = "kernel"


class Apart(Compiler):  # type: ignore[misc]
    """Compiles functions whose arrays share no memory, so that loops need no checks of it to be vectorised."""

    def define_pipelines(self) -> Any:
        """Return the passes, with the flag set for all of them."""
        self.state.flags.noalias = True
        return super().define_pipelines()


def source() -> str:
    """Return the text that generated modules carry: the class, and the decorator that uses it."""
    return f'{bare(Apart)}\n\n\n{DECORATOR} = njit(error_model="numpy", pipeline_class=Apart)'
