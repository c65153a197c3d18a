"""The cache on disk: nothing is made twice, nothing damaged or foreign is used, results are always right."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp

import symbackprop as sbp
from symbackprop import compiler, pipeline
from symbackprop.errors import CacheWarning, InputError
from symbackprop.frontend.fingerprint import fingerprint
from symbackprop.runtime import cache
from symbackprop.runtime.interface import from_plain, to_plain

x, y, z = sp.symbols("x y z")
n = sp.Symbol("n", integer=True, positive=True)
EXPR = (x + y) * sp.Max(y, z)
GRADS = {"x": 3.0, "y": 3.0, "z": 3.0}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh folder, used in this process and those that it starts."""
    monkeypatch.setenv("SYMBACKPROP_CACHE", "1")
    monkeypatch.setenv("SYMBACKPROP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_warned", set())
    return tmp_path / "cache"


def files(folder: Path, pattern: str = "*/*") -> list[Path]:
    return sorted(folder.glob(pattern))


def python(code: str, **environment: str) -> str:
    """What a process of its own prints; no warning is expected."""
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", textwrap.dedent(code)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


#: What happens in a second process: whether anything was translated, and how many functions came from the disk.
REPORT = """
    import sys
    hits = sum(sum(f.stats.cache_hits.values()) for f in kernel._functions.values())
    print("symbackprop.pipeline" in sys.modules, hits)
"""


def test_a_second_process_neither_translates_nor_compiles(folder: Path) -> None:
    code = """
        import sympy as sp, symbackprop as sbp
        x, y, z = sp.symbols("x y z")
        kernel = sbp.compile((x + y) * sp.Max(y, z))
        print(kernel.value_and_grad(1.0, 2.0, 3.0), kernel(1.0, 2.0, 3.0))
    """
    code = textwrap.dedent(code) + textwrap.dedent(REPORT)
    shown = f"(9.0, {GRADS}) 9.0\n"
    assert python(code) == shown + "True 0\n"
    before = {path: path.stat().st_mtime_ns for path in files(folder)}
    assert len(before) == 4  # A request, a source, two functions.
    assert python(code, PYTHONHASHSEED="7") == shown + "False 2\n"
    assert {path: path.stat().st_mtime_ns for path in files(folder)} == before


ARRAYS = """
    import numpy as np, sympy as sp, symbackprop as sbp
    m, n = sp.symbols("m n", integer=True, positive=True)
    W, x, b, u = sp.MatrixSymbol("W", m, n), *(sp.MatrixSymbol(*a) for a in (("x", n, 1), ("b", m, 1), ("u", m, 1)))
    score = u.T * (W * x + b).applyfunc(sp.tanh)
    kernel = sbp.compile({"score": score, "norm": W.T * W}, names={"h": W * x + b})
    rng = np.random.default_rng(0)
    args = rng.standard_normal((3, 4)), rng.standard_normal(3), rng.standard_normal(3), rng.standard_normal(4)
    value, residuals = kernel.fprop(*args)
    grads = kernel.bprop(residuals)
    print({k: np.asarray(v).tolist() for k, v in {**value, **grads}.items()})
    print(kernel.inputs, kernel.outputs, kernel.cost())
"""


@pytest.mark.usefixtures("folder")
def test_arrays_sizes_certificate_and_containers_survive() -> None:
    code = textwrap.dedent(ARRAYS) + textwrap.dedent(REPORT)
    *first, state = python(code).splitlines()
    assert state == "True 0"
    assert python(code).splitlines() == [*first, "False 2"]


#: Functions of SciPy's C libraries, at other addresses in every process.
FOREIGN = """
    import numpy as np, sympy as sp, symbackprop as sbp
    from scipy import special
    x, n = sp.Symbol("x"), sp.Symbol("n", integer=True, positive=True)
    A, b = sp.MatrixSymbol("A", n, n), sp.MatrixSymbol("b", n, 1)
    bessel, kernel = sbp.compile(sp.besselj(0, x) + sp.digamma(x)), sbp.compile(b.T * A.I * b)
    assert abs(bessel(1.25) - special.jv(0, 1.25) - special.psi(1.25)) < 1e-14
    a, c = np.array([[2.0, 0.5], [0.25, 1.0]]), np.array([1.0, -2.0])
    assert abs(kernel(a, c) - c @ np.linalg.solve(a, c)) < 1e-13
    print([sum(k._functions["value"].stats.cache_hits.values()) for k in (bessel, kernel)])
"""


@pytest.mark.usefixtures("folder")
def test_functions_of_scipy_and_lapack_are_right_in_every_process() -> None:
    assert python(FOREIGN) == "[0, 0]\n"
    assert python(FOREIGN) == "[1, 1]\n"


@pytest.mark.usefixtures("folder")
def test_long_straight_line_code() -> None:
    code = """
        import sympy as sp, symbackprop as sbp
        x = sp.symbols("x0:40")
        expr = sum(sp.sin(a * b) * sp.exp(a) for a, b in zip(x, x[1:]))
        kernel = sbp.compile(expr, inputs=[x])
        assert "straight_line" in kernel.source
        print(kernel.value_and_grad([0.1 * k for k in range(40)]))
    """
    code = textwrap.dedent(code) + textwrap.dedent(REPORT)
    first, second = python(code).splitlines(), python(code).splitlines()
    assert first[:-1] == second[:-1]
    assert (first[-1], second[-1]) == ("True 0", "False 1")


@pytest.mark.usefixtures("folder")
def test_what_a_loaded_kernel_did_not_need_before_is_compiled() -> None:
    """Machine code is loaded without numba's compiler; compiling afterwards must go as ever."""
    python("import sympy as sp, symbackprop as sbp; a = sp.Symbol('a'); sbp.compile(sp.sin(a)**2).value_and_grad(1.0)")
    code = """
        import numpy as np, sympy as sp, symbackprop as sbp
        a = sp.Symbol("a")
        kernel = sbp.compile(sp.sin(a)**2)
        value, grads = kernel.value_and_grad(1.0)
        again, residuals = kernel.fprop(1.0)
        assert value == again and kernel.bprop(residuals) == grads
        x = sp.MatrixSymbol("x", sp.Symbol("n", integer=True, positive=True), 1)
        assert sbp.compile(x.T * x)(np.ones(3)) == 3.0
        assert sorted(kernel._plans) == ["bprop", "fprop", "value", "value_and_grad"]
    """
    python(code)


@pytest.mark.usefixtures("folder")
def test_the_same_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("translated again")

    first = sbp.compile(EXPR)
    monkeypatch.setattr(pipeline, "translate", fail)
    second = sbp.compile(EXPR)
    assert first.value_and_grad(1.0, 2.0, 3.0) == second.value_and_grad(1.0, 2.0, 3.0) == (9.0, GRADS)
    assert second.source == first.source
    assert second._module is first._module
    with pytest.raises(AssertionError, match="translated again"):
        sbp.compile(EXPR + 1)


@pytest.mark.usefixtures("folder")
def test_a_changed_expression_is_not_compiled_for_its_plans() -> None:
    vector = sp.Matrix([x, y])
    sbp.compile(vector)
    kernel = sbp.compile(vector)
    vector[0, 0] = z
    with pytest.raises(InputError, match="was changed after"):
        kernel._plans  # noqa: B018 - a property


# -- where ----------------------------------------------------------------------------------------------------------


def test_switched_off(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for off in ("0", "off", "No", " false "):
        monkeypatch.setenv("SYMBACKPROP_CACHE", off)
        assert sbp.compile(EXPR)(1.0, 2.0, 3.0) == 9.0
    assert not folder.exists()


def test_moved(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sbp.compile(EXPR)
    monkeypatch.setenv("SYMBACKPROP_CACHE_DIR", str(tmp_path / "else" / "where"))
    sbp.compile(EXPR)
    names = [[p.name for p in files(at)] for at in (folder, tmp_path / "else" / "where")]
    assert names[0] == names[1] != []


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="where other platforms keep caches")
def test_the_default_is_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SYMBACKPROP_CACHE_DIR", raising=False)
    monkeypatch.setenv("SYMBACKPROP_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.folder() == tmp_path / "xdg" / "symbackprop"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.folder() == tmp_path / ".cache" / "symbackprop"
    if os.getuid():
        monkeypatch.setenv("HOME", "/proc/nobody")
        assert cache.folder() is None


def test_a_folder_that_others_may_write_to_is_not_used(folder: Path) -> None:
    sbp.compile(EXPR)
    (folder / "kernels").chmod(0o777)
    with pytest.warns(CacheWarning, match="others may write") as caught:
        assert cache.folder() is None
        assert sbp.compile(EXPR)(1.0, 2.0, 3.0) == 9.0
    assert len(caught) == 1


def test_a_folder_that_cannot_be_made(folder: Path) -> None:
    folder.write_text("a file")
    with pytest.warns(CacheWarning, match="cannot be used") as caught:
        for _ in range(2):
            assert sbp.compile(EXPR)(1.0, 2.0, 3.0) == 9.0
    assert len(caught) == 1


def test_a_folder_that_cannot_be_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> int:
        raise OSError(28, "No space left on device")

    assert cache.folder() == folder
    monkeypatch.setattr(cache.os, "open", full)
    with pytest.warns(CacheWarning, match="No space left") as caught:
        for item in (EXPR, EXPR + 1):
            assert sbp.compile(item)(1.0, 2.0, 3.0) in {9.0, 10.0}
    assert len(caught) == 1


# -- damage ---------------------------------------------------------------------------------------------------------


def shortened(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def foreign(path: Path) -> None:
    path.write_bytes(b"\x80\x04 something else\n" * 3)


def opened(path: Path) -> None:
    path.chmod(0o666)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir(mode=0o700)


@pytest.mark.parametrize("kind", ["requests/*.json", "kernels/*.py", "kernels/*.code"])
@pytest.mark.parametrize("damage", [shortened, emptied, flipped, foreign, opened])
def test_damaged_files_are_ignored_and_made_anew(folder: Path, kind: str, damage: Callable[[Path], None]) -> None:
    warm(folder)
    (path,) = files(folder, kind)
    before = path.read_bytes()
    damage(path)
    with pytest.warns(CacheWarning, match="is not used, its kernel is built anew") as caught:
        assert warm(folder) == (9.0, GRADS)
        assert warm(folder) == (9.0, GRADS)
    assert len(caught) == 1
    assert str(path) in str(caught[0].message)
    if kind != "kernels/*.code":
        assert path.read_bytes() == before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache._warned.clear()
        assert warm(folder) == (9.0, GRADS)


def warm(folder: Path) -> Any:
    """The result of a kernel that has nothing compiled in memory."""
    assert cache.folder() == folder
    gc.collect()  # A kernel and its method refer to each other.
    kernel = sbp.compile(EXPR)
    return kernel.value_and_grad(1.0, 2.0, 3.0)


def test_a_folder_in_place_of_a_file(folder: Path) -> None:
    sbp.compile(EXPR)
    a_folder(files(folder, "requests/*")[0])
    with pytest.warns(CacheWarning):
        assert sbp.compile(EXPR)(1.0, 2.0, 3.0) == 9.0


def test_verified_content_that_is_no_entry(folder: Path) -> None:
    """Right hashes, wrong content: of another request, of another format, of another class."""
    sbp.compile(EXPR)
    (path,) = files(folder, "requests/*")
    content = cache.read(path)
    assert content is not None
    asked, name, plain = json.loads(content)
    for other in (["0" * 64, name, plain], [asked, "../x", plain], [asked, name, {"dim": []}], [asked], {}, [1, 2, 3]):
        cache.write(path, json.dumps(other).encode())
        cache._warned.clear()
        with pytest.warns(CacheWarning):
            assert cache.find(folder, asked) is None
    sbp.compile(EXPR)
    assert cache.read(path) == content


def test_files_that_vanish_are_missed_silently(folder: Path) -> None:
    sbp.compile(EXPR)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for pattern in ("kernels/*", "requests/*", "*/*"):
            for path in files(folder, pattern):
                path.unlink()
            assert sbp.compile(EXPR)(1.0, 2.0, 3.0) == 9.0


# -- many -----------------------------------------------------------------------------------------------------------


def test_processes_at_once(folder: Path) -> None:
    code = """
        import sympy as sp, symbackprop as sbp
        x, y, z = sp.symbols("x y z")
        for k in range(2):
            print(sbp.compile((x + y) * sp.Max(y, z) + k)(1.0, 2.0, 3.0))
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    expected = "9.0\n10.0\n"
    for process in started:
        assert process.communicate()[0] == expected
        assert process.returncode == 0
    assert not files(folder, "*/*.partial")


def test_the_least_recently_used_go_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sbp.compile(EXPR)
    old = time.time() - 10 * 86400
    for k in range(20):
        path = folder / "kernels" / f"{k}.code"
        cache.write(path, bytes(100))
        os.utime(path, (old + k, old + k))
    late = folder / "kernels" / "x.partial"
    late.write_bytes(b"")
    os.utime(late, (old, old))
    monkeypatch.setattr(cache, "_cleaned", {})
    cache.clean(folder)
    assert len(files(folder)) == 22
    assert not late.exists()
    monkeypatch.setattr(cache, "MOST_FILES", 12)
    monkeypatch.setattr(cache, "_cleaned", {})
    cache.clean(folder)
    kept = {p.name for p in files(folder, "kernels/*.code")}
    assert kept == {f"{k}.code" for k in range(20 - len(kept), 20)}
    assert 5 <= len(kept) <= 8
    assert len(files(folder, "requests/*")) == 1


def test_uses_are_noted_once_a_day(folder: Path) -> None:
    sbp.compile(EXPR)
    old = time.time() - 10 * 86400
    for path in files(folder):
        os.utime(path, (old, old))
    sbp.compile(EXPR)
    assert all(path.stat().st_mtime > old + 86400 for path in files(folder))


# -- what is kept ---------------------------------------------------------------------------------------------------


class Own(sp.Function):
    """A function whose meaning is in the user's code."""

    def doit(self, **_: Any) -> Any:
        return self.args[0] ** 2


def test_requests_without_fingerprint_keep_machine_code_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "fingerprint", lambda _: None)
    for hits in range(2):
        kernel = sbp.compile(EXPR + 0.25)
        assert kernel(1.0, 2.0, 3.0) == 9.25
        assert sum(kernel._functions["value"].stats.cache_hits.values()) == hits
        del kernel
        gc.collect()
    assert {p.suffix for p in files(folder)} == {".py", ".code"}
    assert fingerprint(Own(x)) is None


def test_sizes_that_their_names_do_not_identify(folder: Path) -> None:
    """A Dummy cannot be made again: such kernels are compiled every time."""
    size = sp.Dummy("n", integer=True, positive=True)
    vector = sp.MatrixSymbol("v", size, 1)
    for _ in range(2):
        kernel = sbp.compile(vector.T * vector)
        assert kernel.inputs[0].shape[0] is size
    assert not files(folder, "requests/*")


@pytest.mark.usefixtures("folder")
def test_records_and_certificate_are_in_the_users_symbols() -> None:
    vector = sp.MatrixSymbol("v", n + 1, 1)
    first, second = (sbp.compile(sp.Sum(vector[x0, 0] ** 2, (x0, 0, n))) for x0 in [sp.Symbol("k", integer=True)] * 2)
    assert first.inputs == second.inputs
    assert second.inputs[0].shape == (n + 1, 1)
    assert first.cost() == second.cost()
    assert first.cost().fprop.free_symbols == {n}


def test_interfaces_are_plain_data() -> None:
    index, free = sp.IndexedBase("idx", (n,), integer=True), sp.symbols("i k", integer=True)
    E = sp.IndexedBase("E")
    nested = [{"a": E[index[free[0]], free[1]], "b": (x, [y])}, sp.Sum(E[free[0] + 1, 2], (free[0], 0, n - 1))]
    for request in (EXPR, nested, {"s": x, "t": y}):
        interface = pipeline.build(request, options=compiler.Options()).interface
        assert from_plain(json.loads(json.dumps(to_plain(interface)))) == interface
    with pytest.raises(TypeError, match="no plain data"):
        to_plain(np.ones(2))
