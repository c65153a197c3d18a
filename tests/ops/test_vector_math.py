"""The vectorised forms: within their stated error of 50 digits over the whole range, and right at special values.

Every function is checked twice: as Python, where each product is rounded, and compiled in a loop, where products may be
fused with sums.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest

from symbackprop.ir.dims import Dim
from symbackprop.ir.external import External
from symbackprop.ir.graph import Graph
from symbackprop.ir.node import Input, Node
from symbackprop.ir.registry import ELEMENTWISE
from symbackprop.ir.types import TensorType
from symbackprop.ops import vector_math
from symbackprop.ops.vector_forms import ACTIVATIONS, VECTOR
from tests.elementary import Points, arity, sample, worst
from tests.plain import compile_graph

DTYPES = {"float64": np.float64, "float32": np.float32}
#: Errors in ulp that no point may exceed: a little above what large samples showed.
BOUNDS = {
    **dict.fromkeys(("acos", "expm1"), 1.7),
    **dict.fromkeys(("asin", "atan", "atan2"), 1.9),
    "erfc": 1.8,
    "cosh": 1.9,
    **dict.fromkeys(("erf", "softplus"), 1.75),
    **dict.fromkeys(("log", "log10", "log1p", "log2"), 0.85),
    **dict.fromkeys(("cos", "sin"), 1.0),
    "tan": 1.7,
    "cbrt": 0.52,
    "exp": 1.05,
    "logaddexp": 1.3,
    "power": 1.0,
    "sigmoid": 1.7,
    "sinh": 1.8,
    "tanh": 1.4,
}
INF, NAN = math.inf, math.nan
SPECIAL = [0.0, -0.0, 5e-324, -5e-324, 1e-45, 1e-40, 1e-310, 1e-9, 0.5, 1.0, -1.0, 2.0, -2.0, -3.0, 1.5, -1.5, 8.0]
SPECIAL += [89.0, -89.0, 104.0, -104.0, 710.0, -710.0, 750.0, -750.0, 3e38, 1e308, -1e308, INF, -INF, NAN]


def entry(name: str, dtype: str) -> Callable[..., Any]:
    form = VECTOR[name][dtype]
    assert form.emit.startswith(f"{form.helpers[-1].__name__}(x")
    return form.helpers[-1]


@pytest.fixture(scope="module")
def compiled() -> dict[str, Callable[..., Any]]:
    """dtype -> a kernel of two arrays that returns every function of them, computed in loops."""
    out = {}
    for dtype in DTYPES:
        x, y = (Input(name, TensorType((Dim.of("n"),), dtype)) for name in "xy")
        nodes: list[Node] = [ELEMENTWISE[name](*([x, y][: arity(name)])) for name in VECTOR]
        out[dtype] = compile_graph(Graph((x, y), tuple(nodes)), (), dtype=dtype, plain=False)
    return out


def run(compiled: dict[str, Callable[..., Any]], name: str, points: Points) -> Any:
    dtype = points[0].dtype.name
    return compiled[dtype](points[0], points[-1])[list(VECTOR).index(name)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", VECTOR)
def test_error_is_as_stated(name: str, dtype: str, compiled: dict[str, Callable[..., Any]]) -> None:
    points = sample(name, dtype, 1000, np.random.default_rng(0))
    function = entry(name, dtype)
    with np.errstate(all="ignore"):
        plain = np.array([function(*row) for row in zip(*points, strict=True)], dtype)
    assert worst(name, points, plain)[0] <= BOUNDS[name], worst(name, points, plain)
    fused = run(compiled, name, points)
    assert worst(name, points, fused)[0] <= BOUNDS[name], worst(name, points, fused)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", VECTOR)
def test_special_values_equal_numpy(name: str, dtype: str, compiled: dict[str, Callable[..., Any]]) -> None:
    """Signs of zeros, infinities and NaN are NumPy's; other numbers differ by rounding only."""
    with np.errstate(all="ignore"):
        column = np.array(SPECIAL).astype(dtype)
        points = (column,) if arity(name) == 1 else tuple(v.ravel() for v in np.meshgrid(column, column))
        want = np.asarray(ELEMENTWISE[name].numpy(*(p.astype(np.float64) for p in points)), dtype)
        if name == "logaddexp":
            want = np.logaddexp(*points)
        function = entry(name, dtype)
        plain = np.array([function(*row) for row in zip(*points, strict=True)], dtype)
    edge = np.finfo(dtype).smallest_subnormal
    for got in (plain, run(compiled, name, points)):
        for w, g, *at in zip(want, got, *points, strict=True):
            if np.isnan(w) or np.isnan(g):
                assert np.isnan(w), (at, w, g)
                assert np.isnan(g), (at, w, g)
                continue
            assert np.signbit(w) == np.signbit(g), (at, w, g)
            assert w == g or abs(w - g) <= max(3 * np.spacing(abs(w)), edge), (at, w, g)


def test_subnormal_results_are_rounded_once() -> None:
    with np.errstate(all="ignore"), mpmath.workdps(50):
        for x in np.linspace(-745.1, -708.5, 200):
            got, want = float(vector_math.vexp(float(x))), float(mpmath.exp(mpmath.mpf(float(x))))
            assert abs(got - want) <= max(5e-324, 1.1 * np.spacing(want)), x


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*VECTOR, *ACTIVATIONS])
def test_a_form_lists_what_it_calls(name: str, dtype: str) -> None:
    """Every helper that a listed function calls is listed before it, and nothing else is."""
    table = VECTOR | ACTIVATIONS
    helpers = table[name][dtype].helpers
    names = [f.__name__ for f in helpers]
    assert len(set(names)) == len(names)
    known = {f.__name__ for forms in table.values() for form in forms.values() for f in form.helpers}
    called = {names[-1]}
    for k, function in enumerate(helpers):
        calls = set() if isinstance(function, External) else known & set(function.__code__.co_names)
        assert calls <= set(names[:k]), (names[k], calls)
        called |= calls
    assert called == set(names)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["log", "power", "sin", "tanh"])
def test_a_module_holds_only_what_its_loops_call(name: str, dtype: str) -> None:
    operands = [Input(v, TensorType((Dim.of("n"),), dtype)) for v in "xy"[: arity(name)]]
    kernel = compile_graph(Graph(tuple(operands), (ELEMENTWISE[name](*operands),)), (), dtype=dtype, plain=False)
    form = VECTOR[name][dtype]
    defined = re.findall(r"^@(\w+)\ndef (\w+)", kernel.source, re.MULTILINE)
    own = [f.__name__ for f in form.helpers if not isinstance(f, External)]
    assert [f for d, f in defined if d == "inline"] == own
    assert {f for d, f in defined if d != "inline"} == {"_sizes", "_value", "value"}


@pytest.mark.parametrize("dtype", DTYPES)
def test_loops_are_vectorised(dtype: str) -> None:
    """The sum of all functions is one loop, and LLVM turns its arithmetic into that of vectors."""
    x, y = (Input(name, TensorType((Dim.of("n"),), dtype)) for name in "xy")
    values = [ELEMENTWISE[name](*([x, y][: arity(name)])) for name in VECTOR]
    total = functools.reduce(ELEMENTWISE["add"], values)
    kernel: Any = compile_graph(Graph((x, y), (total,)), (), dtype=dtype, plain=False)
    kernel(*[np.ones(8, dtype)] * 2)
    assert kernel.source.count("for i in range") == 1
    text = "\n".join(kernel._module._value.inspect_llvm().values())
    number = "double" if dtype == "float64" else "float"
    assert len(re.findall(rf"fmul (?:contract )?<\d+ x {number}>", text)) > 10 * len(VECTOR)
    assert " @llvm.exp" not in text


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_in_loops_equal_those_in_straight_lines(name: str, dtype: str) -> None:
    """The scalar helpers are right at extremes by their own tests; the vectorised forms agree with them."""
    op = ELEMENTWISE[name]
    points = np.concatenate([np.linspace(-45.0, 45.0, 301), np.array([0.0, -0.0, INF, -INF, NAN, 1e30, -1e30])])
    if name == "weight":
        points = np.append(points[~(points > 0)], [-690.0, -692.9, -693.1, -750.0])
        points = points[(points > -69.0) | (points < -694.0)] if dtype == "float32" else points
    rows = [(x, y) for x in points.astype(dtype) for y in ((0.3, 1.5) if op.arity == 2 else (0.0,))]
    for row in rows:
        arguments = [np.dtype(dtype).type(v) for v in row[: op.arity]]
        with np.errstate(all="ignore"):
            want = float(op.numpy(*map(np.float64, arguments)))
            got = float(ACTIVATIONS[name][dtype].helpers[-1](*arguments))
        rtol = (2e-11 if name.startswith("gelu") else 1e-14) if dtype == "float64" else 3e-4
        np.testing.assert_allclose(got, want, rtol=rtol, atol=1e-300 if dtype == "float64" else 1e-37, err_msg=f"{row}")


@pytest.mark.parametrize(("size", "call"), [(3, "math.log(x[i])"), (4, "vlog(x[i])")])
def test_short_loops_call_the_library(size: int, call: str) -> None:
    x = Input("x", TensorType((Dim.of(size),), "float64"))
    assert call in compile_graph(Graph((x,), (ELEMENTWISE["log"](x),)), (), plain=False).source
