"""Benchmarks: `python -m tests.benchmarks [table | growth | check | frontend] [options]`.

table (default)     our time over that of every other library installed, row by row; `table --help` lists the options.
growth              exponents of fprop's and bprop's time over every size of every row, beside the certificate's degree.
check               whether all sides of every row agree, at tiny sizes.
frontend            seconds per expression node of translation, differentiation and simplification; growth exponents.

Everything runs on one thread. Results are compared before anything is timed. The libraries are those of the `bench`
extra; one that is not installed is left out by name.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

for _variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_variable] = "1"  # read when the libraries are loaded: before they are imported
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
os.environ["JAX_ENABLE_X64"] = "1"
os.environ["JAX_PLATFORMS"] = "cpu"

from tests.benchmarks import catalogue, check, frontend, growth, measure, table  # noqa: E402 - after the settings above


def fresh(argv: Sequence[str]) -> int:
    """Print what one side of one row costs this process, which was started for it: ROW SIZE SIDE."""
    name, label, side = argv
    print(json.dumps(measure.fresh_figures(catalogue.ROWS[name], label, side)))
    return 0


COMMANDS = {"table": table.main, "growth": growth.main, "frontend": frontend.main, "check": check.main, "fresh": fresh}


def main(argv: list[str]) -> int:
    """Run the command named first, `table` if none is; return the exit status."""
    command, rest = (argv[0], argv[1:]) if argv and argv[0] in COMMANDS else ("table", argv)
    return COMMANDS[command](rest)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
