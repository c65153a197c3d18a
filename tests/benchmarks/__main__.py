"""Benchmarks: `python -m tests.benchmarks [ratios | growth | frontend]`.

ratios (default)    symbackprop's time over that of JAX and of PyTorch, window classifier, value and gradient.
growth              exponents of fprop's and bprop's time over the dimension; they must be the same.
frontend            seconds per expression node of translation, differentiation and simplification; growth exponents.

Everything runs in double precision on one thread. Results are compared before anything is timed.
"""

from __future__ import annotations

import os
import sys

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_variable] = "1"  # read when the libraries are loaded: before they are imported
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

from tests.benchmarks import frontend, growth, ratios  # noqa: E402 - after the settings above

COMMANDS = {"ratios": ratios.main, "growth": growth.main, "frontend": frontend.main}


def main(argv: list[str]) -> int:
    """Run the command named first, `ratios` if none is; return the exit status."""
    command = argv[0] if argv else "ratios"
    if command not in COMMANDS or len(argv) > 1:
        print(__doc__)
        return 2
    COMMANDS[command]()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
