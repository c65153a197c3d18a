"""Vectorised loops on other processors: SSE, AVX2 and AVX-512, each in a process that compiles for it.

What this machine cannot run is compiled and looked at only.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import Input
from symbackprop.ir.registry import ELEMENTWISE
from symbackprop.ir.types import TensorType
from tests.plain import compile_graph

#: name for numba -> what the processor must have, and the registers that packed arithmetic uses.
TARGETS = {
    "nehalem": ("sse4.2", "mulpd", "xmm"),
    "haswell": ("avx2", "vmulpd|vfn?m(?:add|sub)...pd", "ymm"),
    "skylake-avx512": ("avx512vl", "vmulpd|vfn?m(?:add|sub)...pd", "[yz]mm"),
}
RUN = """
import re, sys
import numpy as np
import several
x = np.concatenate([np.linspace(-30.0, 30.0, 1001), [0.0, 1e6, -1e9, np.inf, np.nan]])
with np.errstate(all="ignore"):
    wanted = np.tanh(x) + np.sin(x) + np.exp(x / 10.0) + np.log1p(x * x)
if sys.argv[3] == "run":
    np.testing.assert_allclose(several.value(x), wanted, rtol=1e-14, atol=1e-15)
several._value.compile("(int64, float64[::1], float64[::1])")
text = "\\n".join(several._value.inspect_asm().values())
print(len(re.findall(rf"\\b(?:{sys.argv[1]})\\b.*%{sys.argv[2]}", text)))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a saved module: one loop with a sum of several functions."""
    x = Input("x", TensorType((Dim.of("n"),), "float64"))
    op = ELEMENTWISE
    terms = [op["tanh"](x), op["sin"](x), op["exp"](op["div"](x, 10.0)), op["log1p"](op["mul"](x, x))]
    total = terms[0]
    for term in terms[1:]:
        total = op["add"](total, term)
    made = tmp_path_factory.mktemp("targets")
    compile_graph(Graph((x,), (total,)), (), plain=False).save(made / "several.py")
    return made


@pytest.mark.parametrize("target", TARGETS)
def test_loops_are_packed_and_right(target: str, folder: Path) -> None:
    feature, instruction, register = TARGETS[target]
    runs = "run" if llvm.get_host_cpu_features().get(feature) else "compile"
    env = {**os.environ, "NUMBA_CPU_NAME": target, "NUMBA_CPU_FEATURES": ""}
    command = [sys.executable, "-c", RUN, instruction, register, runs]
    done = subprocess.run(command, cwd=folder, env=env, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20
