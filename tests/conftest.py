"""Options of the test run."""

from __future__ import annotations

import os

import pytest

# Before NumPy is imported: small matrix products on several BLAS threads crawl when tests share the cores.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# What is tested is compiled here and now, and the user's own cache stays as it is.
os.environ["SYMBACKPROP_CACHE"] = "0"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write the generated sources to tests/codegen/golden")
