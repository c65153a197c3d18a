"""The floors: imports go strictly down, siblings do not know each other, each library enters on its own floor."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "symbackprop"

FLOOR = {
    "errors": 0,
    "deferred": 0,
    "options": 0.5,  # above errors on the same floor
    "ir": 1,
    "ops": 2,
    "frontend": 3,
    "autodiff": 3,
    "rewrite": 3,
    "interpret": 3,
    "cost": 3,
    "plan": 4,
    "codegen": 5,
    "runtime": 6,
    "certificate": 6.5,
    "pipeline": 7,
    "compiler": 8,
    "__init__": 9,
}
#: Outside library -> the rooms that may import it.
LIBRARIES = {
    "sympy": {"ops", "frontend", "certificate"},
    "mpmath": {"ops"},
    "numba": {"runtime"},
    "llvmlite": {"runtime"},
    "scipy": {"ops", "cost"},
    "numpy": {"ops", "interpret", "rewrite", "cost", "runtime", "frontend"},
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def imports(path: Path) -> list[tuple[str, int]]:
    """Every imported module, also inside functions and deferred; a `from` import counts its module."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            found.append((node.module or "", node.lineno))
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"Deferred", "imported"}:
            found += [(node.args[0].value, node.lineno)] if isinstance(node.args[0], ast.Constant) else []
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    own = room(path)
    for module, line in imports(path):
        where = f"{path.relative_to(PACKAGE)}:{line} imports {module}"
        top, *rest = module.split(".")
        if top == "symbackprop":
            if not rest:
                pytest.fail(f"{where}: import the module, not the package")
            if rest[0] != own:
                assert FLOOR[rest[0]] < FLOOR[own], f"{where}: not on a lower floor"
        elif top in LIBRARIES:
            assert own in LIBRARIES[top], f"{where}: {top} does not enter here"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_import_is_hidden_in_a_function(path: Path) -> None:
    for outer in ast.walk(ast.parse(path.read_text())):
        if isinstance(outer, ast.FunctionDef):
            hidden = [n.lineno for n in ast.walk(outer) if isinstance(n, ast.Import | ast.ImportFrom)]
            assert not hidden, f"{path.relative_to(PACKAGE)}:{hidden[0]}: import inside {outer.name}"


def test_only_ops_names_a_primitive() -> None:
    """Later floors match on kinds and read facets; the rule tables and the SymPy table name primitives by nature."""
    allowed = {"ops", "frontend", "rewrite"}
    for path in FILES:
        if room(path) in allowed:
            continue
        for module, line in imports(path):
            structural = {"contraction", "layout", "liveness", "indexing", "positional", "recurrence", "stepping"}
            if module.startswith("symbackprop.ops."):
                name = module.split(".")[2]
                assert name in structural, f"{path.relative_to(PACKAGE)}:{line}: {module}"
