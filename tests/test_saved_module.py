"""Saved modules: they run where neither SymPy nor this package exists, inside the user's own jitted code, and test
themselves; whatever symbols are called, the text is harmless."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp

import symbackprop as sbp
from symbackprop.runtime.kernel import Kernel
from tests.kernels import KERNELS
from tests.plain import compile_plain, load_plain

n = sp.Symbol("n", integer=True, positive=True)

#: Makes importing SymPy and this package fail.
GUARD = """
import importlib.abc, sys

class Guard(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"sympy", "symbackprop"}:
            raise ImportError(f"{name} is not installed here")

sys.meta_path.insert(0, Guard())
sys.path.insert(0, ".")
"""


def run(code: str, folder: Path, *, code_is_file: bool = False) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, code] if code_is_file else [sys.executable, "-c", GUARD + textwrap.dedent(code)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)


def test_alone_and_from_jitted_code(tmp_path: Path) -> None:
    """One process: a scalar kernel, a window scorer, an embedding with integer indices, called from `@njit` code."""
    for name in ("scalar", "window_scorer", "embedding"):
        KERNELS[name]().save(tmp_path / f"ner_{name}.py")
    done = run(
        """
        import numpy as np
        from numba import njit
        from ner_window_scorer import fprop, bprop, value_and_grad, INPUTS, WRT
        from ner_scalar import value_and_grad as scalar
        import ner_embedding

        assert INPUTS == ("W", "b", "u", "x") and WRT == INPUTS

        @njit
        def train(W, b, u, x, steps):
            for _ in range(steps):
                s, (gW, gb, gu, gx) = value_and_grad(W, b, u, x)
                W = W + 0.1 * gW
                b = b + 0.1 * gb
            _, residuals = fprop(W, b, u, x)
            return s, bprop(residuals, 2.0), W

        rng = np.random.default_rng(0)
        W, b, u, x = rng.normal(size=(3, 10)), rng.normal(size=3), rng.normal(size=3), rng.normal(size=10)
        s, grads, W2 = train(W, b, u, x, 5)
        assert W2.shape == W.shape and (W2 != W).all()
        s0, _ = value_and_grad(W, b, u, x)
        assert abs(s0 - u @ np.tanh(W @ x + b)) < 1e-14 and s > s0 and grads[0].shape == (3, 10)

        @njit
        def third(a):
            value, gradients = scalar(1.0, a, 0.0)
            return value, gradients[1]

        assert third(2.0) == (6.0, 5.0)

        E, tok, v = rng.normal(size=(4, 2)), np.array([3, 0, 3]), rng.normal(size=2)
        value, (gE, gv) = ner_embedding.value_and_grad(E, tok, v)
        assert abs(value - np.tanh(E[tok] * v).sum()) < 1e-14 and not gE[1:3].any() and gE[3].any()
        try:
            ner_embedding.value(E, np.array([4]), v)
        except IndexError as error:
            assert str(error) == "tok lies outside 0 ... E_0 - 1", error
        else:
            raise AssertionError
        try:
            value_and_grad(W, b[:2], u, x)
        except ValueError as error:
            assert str(error) == "b: axis 0 must have size m", error
        else:
            raise AssertionError
        print(sorted(m for m in sys.modules if m.startswith(("sympy", "symbackprop"))))
        """,
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"


def test_run_as_a_script(tmp_path: Path) -> None:
    path = KERNELS["softmax_loss"]().save(tmp_path / "ner.py")
    done = run(str(path), tmp_path, code_is_file=True)
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(lines) == 3
    assert lines[0].startswith("  gradient of V, shape (4, 3): relative difference ")
    assert lines[1].startswith("  gradient of x, shape (3,): relative difference ")
    assert lines[0].endswith("  ok")
    assert lines[2] == "self-test passed"
    assert done.stderr == ""


# -- the self-test, run as plain Python ------------------------------------------------------------------------------


def verdict(source: str, capsys: pytest.CaptureFixture[str]) -> tuple[bool, str]:
    with np.errstate(all="ignore"):
        passed = load_plain(source, "saved").self_test()
    return passed, capsys.readouterr().out


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", KERNELS)
def test_self_test_passes(name: str, dtype: str, capsys: pytest.CaptureFixture[str]) -> None:
    passed, printed = verdict(compile_made(KERNELS[name], dtype=dtype).source, capsys)
    assert passed, printed
    assert printed.splitlines()[-1] == "self-test passed"


def compile_made(make: Callable[..., Kernel], **options: Any) -> Kernel:
    return make(compile_plain, **options)


class Flip(ast.NodeTransformer):
    """Negates what the k-th assignment to a gradient (entry) inside one function assigns."""

    def __init__(self, function: str, k: int) -> None:
        self.function, self.k, self.inside = function, k, False

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.inside = node.name in {self.function, f"_{self.function}"}
        self.generic_visit(node)
        return node

    def flipped(self, node: Any) -> Any:
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        made = isinstance(node.value, ast.Call) and ast.unparse(node.value.func) in {"np.empty", "float64"}
        zero = ast.unparse(node.value) == "0.0"
        if self.inside and ast.unparse(target).startswith("ct_") and not made and not zero:
            self.k -= 1
            if self.k == -1:
                node.value = ast.UnaryOp(ast.USub(), node.value)
        return node

    visit_Assign = visit_AugAssign = flipped


@pytest.mark.parametrize("function", ["bprop", "value_and_grad"])
@pytest.mark.parametrize("name", KERNELS)
def test_tampering_is_noticed(name: str, function: str, capsys: pytest.CaptureFixture[str]) -> None:
    source = compile_made(KERNELS[name]).source
    tampered = 0
    for k in range(20):
        flip = Flip(function, k)
        text = ast.unparse(ast.fix_missing_locations(flip.visit(ast.parse(source))))
        if flip.k >= 0:
            break
        tampered += 1
        passed, printed = verdict(text, capsys)
        assert not passed, f"{function}: sign {k} may be flipped"
        assert printed.splitlines()[-1] == "self-test FAILED"
        assert "WRONG" in printed
    assert tampered


def test_tampered_script_returns_1(tmp_path: Path) -> None:
    path = KERNELS["scalar"]().save(tmp_path / "ner.py")
    path.write_text(path.read_text().replace("ct_y = share(y, z, t1) + ct_x", "ct_y = share(y, z, t1) - ct_x"))
    done = run(str(path), tmp_path, code_is_file=True)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1] == "self-test FAILED"
    assert "gradient of y, shape (): relative difference" in done.stdout


x, y = sp.symbols("x y")
c = sp.Symbol("c", integer=True)
i = sp.Symbol("i", integer=True)
X = sp.MatrixSymbol("x", n, 1)
a, e = sp.IndexedBase("a"), sp.IndexedBase("e", integer=True)


@pytest.mark.parametrize(
    ("expr", "options"),
    [
        ([y * y, y**2 + X[c, 0]], {}),
        ({"p": X * X.T, "q": sp.Trace(X * X.T)}, {}),
        (sp.log(x - 1.2) * y, {}),
        (sp.log(x - 5), {}),
        (sp.Sum(a[i + 2] * a[i], (i, 0, n - 1)), {}),
        (sp.Sum(a[e[i] - 1] ** 2, (i, 0, n - 1)), {}),
        (sp.Sum(a[e[i + 1]] * x, (i, 0, n - 1)), {}),
        (a[c - 1] * x, {"inputs": [a, c, x]}),
        (sp.exp(20 * x) * y, {}),
        (sbp.Mean(sp.log(1 + sp.exp(-y * X[0, 0])), "N"), {"batch": {"x": "N", "y": "N"}}),
        (sp.Max(x, y) + sp.Piecewise((x**2, x < y), (y, True)), {}),
    ],
    ids=str,
)
def test_self_test_finds_arguments(expr: Any, options: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Several results, small domains, index ranges with offsets, indices that are looked up, large values."""
    passed, printed = verdict(compile_plain(expr, **options).source, capsys)
    assert passed, printed


def test_self_test_without_a_domain(capsys: pytest.CaptureFixture[str]) -> None:
    passed, printed = verdict(compile_plain(sp.log(-1 - x**2)).source, capsys)
    assert not passed
    assert printed == "self-test FAILED: no arguments with finite results found\n"


def test_self_test_of_a_declared_derivative(capsys: pytest.CaptureFixture[str]) -> None:
    """A straight-through estimator is no derivative: there the two passes are compared, elsewhere slopes as always."""

    @sbp.function(derivative=lambda a: 1 + 0 * a)
    def rounded(a: Any) -> Any:
        return sp.floor(a + sp.Rational(1, 2))

    z = sp.Symbol("z")
    source = compile_plain(rounded(x * y) * z + sp.sin(z)).source
    passed, printed = verdict(source, capsys)
    assert passed, printed
    lines = printed.splitlines()
    assert [line.startswith(f"  gradient of {name}, ") for line, name in zip(lines, "xyz", strict=False)] == [True] * 3
    remark = "ok (a derivative was declared: bprop against value_and_grad)"
    assert [line.endswith(remark) for line in lines] == [True, True, False, False]

    passed, printed = verdict(source.replace("math.cos(z)", "2.0 * math.cos(z)"), capsys)
    assert not passed
    assert printed.splitlines()[2].endswith("WRONG")


# -- saving ----------------------------------------------------------------------------------------------------------


def test_save_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ner.py"
    path.write_text("precious")
    kernel = compile_plain(x**2)

    def broken(self: Path, text: str, **_: Any) -> int:
        with self.open("w") as file:
            file.write(text[:10])
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", broken)
        with pytest.raises(OSError, match="disk full"):
            kernel.save(path)
    assert path.read_text() == "precious"
    assert kernel.save(str(path)) == path
    assert path.read_text(encoding="utf-8") == kernel.source
    assert [p.name for p in tmp_path.iterdir()] == ["ner.py"]


# -- hostile names ---------------------------------------------------------------------------------------------------

HOSTILE = (
    *("x; import os", "lambda", "np", "math", "range", "_sizes", "value", "t1", "i", "float64", "accumulate", "work"),
    *(
        "softplus",
        "sigmoid",
        "larger",
        "vtanh",
        "jit",
        "jit_2",
        "scratch",
        "r0",
        "ct_x",
        "x",
        "x_shape",
        "out",
        "upstream",
    ),
    *("residuals", "scratch_2", "self_test", "example", "total", "rng", "low", "high", "REAL", "INPUTS", "_value", "h"),
    *(
        "a\nb",
        "''' + boom + '''",
        '"""',
        "\\theta_1",
        "θ",
        "é",
        "",
        " ",
        "1st",
        "x y",
        "__import__('os')",
        "None",
        "print",
    ),
)


def check_text(source: str) -> None:
    """The module imports what every module imports, and nothing a user's name says has become code."""
    tree = ast.parse(source)
    imported = {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))}
    imported.discard("from numba.core.compiler import Compiler")
    assert imported == {"import math", "import numpy as np", "from numba import njit"}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not names & {"os", "__import__", "eval", "exec"}


def softplus_of(v: Any) -> Any:
    return np.log1p(np.exp(v))


def test_hostile_scalars() -> None:
    symbols = [sp.Symbol(name) for name in HOSTILE]
    after = [*symbols[1:], symbols[0]]
    expr = sum(
        sp.log(1 + sp.exp(s)) * sp.Max(s, t) + sp.tanh(s) / (1 + sp.exp(-s))
        for s, t in zip(symbols, after, strict=True)
    )
    kernel = compile_plain(expr, name='hostile """ + boom + """ \\')
    check_text(kernel.source)
    order = [r.name for r in kernel.inputs]
    assert sorted(order) == sorted(HOSTILE)
    numbers = np.linspace(-1, 1, len(order))

    def by_hand(v: np.ndarray) -> Any:
        at = dict(zip(order, v, strict=True))
        s = np.array([at[name] for name in HOSTILE])
        return np.sum(softplus_of(s) * np.maximum(s, np.roll(s, -1)) + np.tanh(s) / (1 + np.exp(-s)))

    value, grads = kernel.value_and_grad(*numbers)
    assert value == pytest.approx(by_hand(numbers), rel=1e-12)
    for k, name in enumerate(order):
        h = 1e-6 * np.eye(len(order))[k]
        assert grads[name] == pytest.approx((by_hand(numbers + h) - by_hand(numbers - h)) / 2e-6, rel=1e-6, abs=1e-8)
    assert kernel(**dict(zip(order, numbers, strict=True))) == value


@pytest.mark.parametrize(
    "size", ["x; import os", '"""', "rng", "low", "np", "t1", "i", "softplus", "work", "x_shape", "_sizes"]
)
def test_hostile_vectors_and_sizes(size: str, capsys: pytest.CaptureFixture[str]) -> None:
    dim = sp.Symbol(size, integer=True, positive=True)
    start = 12 if size == "low" else 0
    names = [s for s in HOSTILE if s and s != size][start : start + 12]
    columns = [sp.MatrixSymbol(name, dim, 1) for name in names]
    t = sp.Symbol("t")
    soft = sp.Lambda(t, sp.log(1 + sp.exp(t)))
    pairs = zip(columns, [*columns[1:], columns[0]], strict=True)
    expr = sum((sp.Trace(p.applyfunc(soft) * q.applyfunc(sp.tanh).T) for p, q in pairs), sp.S.Zero)
    kernel = compile_plain(expr, name=size)
    check_text(kernel.source)
    rng = np.random.default_rng(0)
    given = {r.name: rng.standard_normal(3) for r in kernel.inputs}
    vectors = [given[name] for name in names]
    after = [*vectors[1:], vectors[0]]
    expected = sum(softplus_of(p) @ np.tanh(q) for p, q in zip(vectors, after, strict=True))
    assert kernel(*given.values()) == pytest.approx(expected, rel=1e-12)
    assert kernel.inputs[0].shape[0] == dim
    passed, printed = verdict(kernel.source, capsys)
    assert passed, printed


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_labels(label: str) -> None:
    z = sp.sin(x) * y
    kernel = compile_plain(sp.tanh(z) + z**2, names={label: z})
    check_text(kernel.source)
    value, grads = kernel.value_and_grad(0.3, 0.4)
    z_value = np.sin(0.3) * 0.4
    slope = 1 - np.tanh(z_value) ** 2 + 2 * z_value
    assert value == pytest.approx(np.tanh(z_value) + z_value**2)
    assert grads["x"] == pytest.approx(slope * np.cos(0.3) * 0.4)
    assert grads["y"] == pytest.approx(slope * np.sin(0.3))


def test_symbols_of_equal_name() -> None:
    real, positive = sp.Symbol("v", real=True), sp.Symbol("v", positive=True)
    kernel = compile_plain(real**2 + 3 * positive)
    assert len({r.name for r in kernel.inputs}) == 2
    _, grads = kernel.value_and_grad(2.0, 2.0)
    assert sorted(grads.values()) == [3.0, 4.0]


def test_hostile_output_names() -> None:
    kernel = compile_plain({name: (k + 1) * x for k, name in enumerate(HOSTILE)})
    check_text(kernel.source)
    assert kernel(2.0) == {name: 2.0 * (k + 1) for k, name in enumerate(HOSTILE)}
    _, residuals = kernel.fprop(2.0)
    assert kernel.bprop(residuals)["x"] == sum(range(1, len(HOSTILE) + 1))
