"""Everything the README shows is true: its examples run, its listings are generated, its commands are complete."""

from __future__ import annotations

import doctest
import importlib
import re
import sys
from pathlib import Path

import pytest

import symbackprop as sbp

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Run all examples in order, in an empty folder, and hand over their variables."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("readme")
    patch.chdir(folder)
    patch.syspath_prepend(folder)
    try:
        text = "\n".join(body for kind, body in BLOCKS if kind == "python" and body.startswith(">>>"))
        test = doctest.DocTestParser().get_doctest(text, {}, "README", "README.md", 0)
        runner = doctest.DocTestRunner(optionflags=FLAGS)
        runner.run(test, clear_globs=False)
        assert runner.summarize(verbose=False).failed == 0
        assert test.examples
        return test.globs
    finally:
        patch.undo()
        sys.modules.pop("scorer", None)
        importlib.invalidate_caches()


def test_examples_run(session: dict[str, object]) -> None:
    assert isinstance(session["kernel"], sbp.Kernel)


def test_listings_are_generated_code(session: dict[str, object]) -> None:
    kernel = session["kernel"]
    assert isinstance(kernel, sbp.Kernel)
    listings = [body for kind, body in BLOCKS if kind == "python" and not body.startswith(">>>")]
    assert listings
    for listing in listings:
        assert listing in kernel.source


def test_exactly_two_complete_commands() -> None:
    commands = [line for kind, body in BLOCKS if kind == "sh" for line in body.splitlines()]
    assert len(commands) == 2
    for command in commands:
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install")
    assert "examples/01_window_classifier.py" in commands[0]
    assert "pytest" in commands[1]


def test_links_and_pictures_exist() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).exists(), target
