"""Kernels whose arrays share no memory: loops over many arrays are vectorised, without comparing addresses."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
import sympy as sp

from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import Input, Node
from symbackprop.ir.registry import ELEMENTWISE
from symbackprop.ir.types import TensorType
from tests.plain import compile_graph, compile_plain

COUNT = 20


@functools.cache
def sums() -> Any:
    """x * k + y for many k: one loop that writes as many arrays."""
    x, y = (Input(name, TensorType((Dim.of("n"),), "float64")) for name in "xy")
    outputs: list[Node] = [ELEMENTWISE["add"](ELEMENTWISE["mul"](x, float(k)), y) for k in range(2, COUNT)]
    return compile_graph(Graph((x, y), tuple(outputs)), (), plain=False)


def test_a_loop_over_many_arrays_is_vectorised() -> None:
    compiled = sums()
    values = np.linspace(0.0, 1.0, 37)
    for k, got in enumerate(compiled(values, values), start=2):  # the same array twice: it is only read
        np.testing.assert_allclose(got, (k + 1) * values, rtol=1e-15)
    assert compiled.source.count("for i in range") == 1
    text = "\n".join(compiled._module._value.inspect_llvm().values())
    assert len(re.findall(r"fmul <\d+ x double>", text)) >= COUNT - 2
    assert "memcheck" not in text


def test_saved_module_in_compiled_code(tmp_path: Path) -> None:
    """A kernel is called from compiled code; numba's own cache on disk takes it, too."""
    sums().save(tmp_path / "sums.py")
    spec = importlib.util.spec_from_file_location("sums", tmp_path / "sums.py")
    assert spec
    assert spec.loader
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    inner = module._value

    @numba.njit
    def last(x: Any, out: Any) -> float:
        inner(x.size, x, x, *out)
        return out[-1][0]

    out = tuple(np.empty(5) for _ in range(2, COUNT))
    assert last(np.full(5, 2.0), out) == 2.0 * COUNT
    text = (tmp_path / "sums.py").read_text()
    stored = text.replace("pipeline_class=Apart)", "pipeline_class=Apart, cache=True)")
    assert stored != text
    (tmp_path / "stored.py").write_text(stored)
    run = "import stored as s, numpy as np; s.value(np.ones(5), np.ones(5)); print(s._value.stats.cache_hits.total())"
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    hits = [subprocess.check_output([sys.executable, "-c", run], cwd=tmp_path, env=env, text=True) for _ in range(2)]
    assert [h.strip() for h in hits] == ["0", "1"]


def test_overlapping_arrays_are_refused() -> None:
    n, i = sp.symbols("n i", integer=True, positive=True)
    x, y = sp.IndexedBase("x", (n,)), sp.IndexedBase("y", (n,))
    into = compile_plain(sp.Sum(x[i] ** 2 * y[i], (i, 0, n - 1)), inputs=[x, y]).value_and_grad_into
    memory = np.ones(20)
    a, b, c, d = memory[:5], memory[5:10], memory[10:15], memory[15:]
    assert into(a, b, c, d) == 5.0  # neighbours in one block are apart
    np.testing.assert_array_equal(c, 2.0)
    assert into(a, a, c, d) == 5.0
    for wrong in ((a, b, a, d), (a, b, c, c), (a, b, memory[4:9], d), (a, b, c, memory[11:16]), (a, b, c, b)):
        with pytest.raises(ValueError, match="ct_x, ct_y: must share no memory with another array"):
            into(*wrong)
