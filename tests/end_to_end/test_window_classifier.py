"""The first walkthrough: its corpus, its claims, and second opinions on its training."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "01_window_classifier.py"
SAMPLE = ROOT / "examples" / "data" / "locations.conll"
REAL = ROOT.parent / "shared" / "data" / "text"

MODELS = {
    "logistic, frozen": {},
    "logistic, retrained": {"retrain": True},
    "max-margin, frozen": {"loss": "margin"},
    "max-margin, retrained": {"loss": "margin", "retrain": True},
}


@pytest.fixture(scope="module")
def page() -> Any:
    """Return the walkthrough as a module, its kernels compiled once for all tests of this file."""
    spec = importlib.util.spec_from_file_location("window_classifier_page", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    kernels = module.compile_kernels()
    module.compile_kernels = lambda: kernels
    return module


@pytest.fixture(scope="module")
def sample(page: Any) -> Any:
    """Return word vectors and windows (train, dev, test) of the shipped corpus."""
    return page.load(page.arguments([]))


@pytest.fixture(scope="module")
def real(page: Any) -> Any:
    """Return the same of the real corpus."""
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is not there")
    paths = [REAL / f"wnut17.{part}.conll" for part in ("train", "dev", "test")]
    flags = zip(("--data", "--dev", "--test", "--vectors"), [*paths, REAL / "glove50.npz"], strict=True)
    return page.load(page.arguments([str(item) for pair in flags for item in pair]))


def test_corpus(page: Any) -> None:
    """The corpus has a few hundred sentences, well-formed tags, and the lecture's sentence."""
    sentences = page.load_conll(SAMPLE)
    assert len(sentences) >= 300
    assert len({tuple(token for token, _ in sentence) for sentence in sentences}) == len(sentences)
    assert [token for token, _ in sentences[0]] == ["museums", "in", "Paris", "are", "amazing"]
    for sentence in sentences:
        before = "O"
        for token, tag in sentence:
            assert token
            assert not set(token) & set(" \t")
            assert tag in {"O", "B-location", "I-location"}
            assert not (tag == "I-location" and before == "O")
            before = tag


def test_ambiguous_words_are_labelled_by_context(page: Any) -> None:
    tags: dict[str, set[bool]] = {}
    for sentence in page.load_conll(SAMPLE):
        for token, tag in sentence:
            tags.setdefault(token.lower(), set()).add(tag == "O")
    for word in ("paris", "turkey", "jordan", "reading", "chelsea", "georgia", "amazon", "orange"):
        assert tags[word] == {True, False}, word
    assert tags["may"] == {True}


def test_split_is_by_position(page: Any) -> None:
    train, dev, test = page.split([[(str(number), "O")] for number in range(25)])
    assert [int(sentence[0][0]) for sentence in dev] == [7, 17]
    assert [int(sentence[0][0]) for sentence in test] == [8, 9, 18, 19]
    assert len(train) == 19


def test_quick_run(page: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page runs, finds places, says what it did, and leaves a module that passes its own check."""
    began = time.perf_counter()
    reports = page.main(["--quick", "--out", str(tmp_path)])
    assert time.perf_counter() - began < 60
    assert all(report.f1 > 0.5 for report in reports.values())
    text = capsys.readouterr().out
    assert "imported it back: same value, same gradients of W, b, u, x" in text
    assert "split per word" in text
    done = subprocess.run(
        [sys.executable, tmp_path / "window_classifier.py"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_same_seed_same_numbers(page: Any, sample: Any) -> None:
    table, (data, _, _) = sample
    settings = page.Settings(epochs=1, hidden=10, retrain=True)
    step = page.compiled_step(page.compile_kernels(), settings.loss)
    first, second = (page.train(step, data, table, settings) for _ in range(2))
    assert np.array_equal(first.losses, second.losses)
    assert np.array_equal(first.vectors, second.vectors)


def test_retraining_moves_only_words_of_the_training_text(page: Any, sample: Any) -> None:
    table, (data, _, test) = sample
    settings = page.Settings(epochs=2, hidden=10, retrain=True)
    model = page.train(page.compiled_step(page.compile_kernels(), settings.loss), data, table, settings)
    moved = np.any(model.vectors != table.vectors, axis=1)
    in_train = np.zeros(len(moved), dtype=bool)
    in_train[data.ids] = True
    assert not np.any(moved & ~in_train)
    drift = page.drift(table.vectors, model.vectors, data, test)
    assert drift.seen > 0.01
    assert drift.unseen == 0


def test_main_job(tmp_path: Path) -> None:
    """The README's first command, as a user runs it: everything within two minutes, pictures included."""
    pytest.importorskip("matplotlib")
    began = time.perf_counter()
    done = subprocess.run([sys.executable, SCRIPT, "--out", tmp_path], check=True, capture_output=True, text=True)
    assert time.perf_counter() - began < 120
    assert "imported it back" in done.stdout
    for name in ("loss.png", "embedding.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", MODELS)
def test_losses_agree_with_pytorch(page: Any, sample: Any, name: str) -> None:
    """Identical steps give the same loss to 1e-10, at every step of every epoch."""
    torch = pytest.importorskip("torch")
    table, (data, _, _) = sample
    settings = replace(page.Settings(epochs=5, hidden=30), **MODELS[name])
    ours = page.train(page.compiled_step(page.compile_kernels(), settings.loss), data, table, settings)
    theirs = page.train(page.torch_step(torch, settings.loss), data, table, settings)
    assert len(ours.losses) > 100
    assert np.max(np.abs(ours.losses - theirs.losses)) < 1e-10
    assert np.allclose(ours.vectors, theirs.vectors, rtol=0, atol=1e-10)


def test_real_corpus_beats_logistic_regression(page: Any, real: Any) -> None:
    """WNUT-2017: F1 clearly above the linear model's, which is about 0.34."""
    table, (data, dev, test) = real
    seen = np.zeros(len(table.vectors), dtype=bool)
    seen[page.place_words(data)] = True
    settings = page.Settings()
    kernels = page.compile_kernels()
    model = page.train(page.compiled_step(kernels, settings.loss), data, table, settings)
    report = page.report(kernels, model, dev, test, seen)
    assert report.f1 > 0.36
    regression = page.logistic_regression(table, data, dev, test)
    if regression is not None:
        assert 0.3 < regression < report.f1


def test_real_corpus_losses_agree_with_pytorch(page: Any, real: Any) -> None:
    torch = pytest.importorskip("torch")
    table, (data, _, _) = real
    settings = page.Settings(epochs=2)
    ours = page.train(page.compiled_step(page.compile_kernels(), settings.loss), data, table, settings)
    theirs = page.train(page.torch_step(torch, settings.loss), data, table, settings)
    assert np.max(np.abs(ours.losses - theirs.losses)) < 1e-10
