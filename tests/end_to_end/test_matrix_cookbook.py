"""Derivatives of matrix expressions against their closed forms.

The identities with a scalar value of the Matrix Cookbook's chapter 2 and the example inputs of matrixcalculus.org, each
at three sizes with two seeds and one compilation: value and gradients agree with the closed form, written in NumPy, to
1e-9 of the largest entry.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import symbackprop as sbp
from tests.end_to_end.cookbook import DETERMINANTS, FORMS, INVERSES, Identity
from tests.end_to_end.cookbook_traces import FIRST_ORDER, HIGHER_ORDER, NORMS, SECOND_ORDER, WEBSITE
from tests.plain import compile_plain

IDENTITIES = [*DETERMINANTS, *INVERSES, *FORMS, *FIRST_ORDER, *SECOND_ORDER, *HIGHER_ORDER, *NORMS, *WEBSITE]
BY_NAME = {identity.name: identity for identity in IDENTITIES}
SIZES = [{"m": 4, "n": 3, "p": 2}, {"m": 5, "n": 2, "p": 4}, {"m": 7, "n": 6, "p": 1}]
TOLERANCE = 1e-9


@functools.cache
def kernel(name: str) -> Any:
    """Compile an identity once for all sizes."""
    identity = BY_NAME[name]
    compiler = sbp.compile if identity.jit else compile_plain
    return compiler(identity.expr, wrt=list(identity.grads), **identity.options)


def draw(identity: Identity, sizes: dict[str, int], seed: int) -> dict[str, Any]:
    """Return random arguments, regular, symmetric or positive where the identity asks for it."""
    rng = np.random.default_rng((seed, *sizes.values(), *identity.name.encode()))
    values = {}
    for record in kernel(identity.name).inputs:
        shape = [sizes[str(dim)] if str(dim) in sizes else int(dim) for dim in record.shape]
        value = rng.standard_normal(shape)
        if record.name in identity.symmetric:
            value = value @ value.T + len(value) * np.eye(len(value))
        elif record.name in identity.regular:
            value = 0.5 * value + len(value) * np.eye(len(value))
        elif record.name in identity.positive:
            value = np.exp(value)
        values[record.name] = value if value.ndim else float(value)
    return values


def close(found: Any, expected: Any) -> bool:
    found, expected = np.asarray(found), np.asarray(expected)
    return found.shape == expected.shape and bool(
        np.max(np.abs(found - expected)) <= TOLERANCE * max(np.max(np.abs(expected)), 1e-3)
    )


def test_the_names_are_distinct() -> None:
    assert len(BY_NAME) == len(IDENTITIES) >= 90


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: "x".join(map(str, sizes.values())))
@pytest.mark.parametrize("identity", IDENTITIES, ids=lambda identity: identity.name)
def test_identity(identity: Identity, sizes: dict[str, int], seed: int) -> None:
    values = draw(identity, sizes, seed)
    value, grads = kernel(identity.name).value_and_grad(**values)
    columns = {k: v[:, 0] if np.ndim(v) == 2 and np.shape(v)[1] == 1 and k in COLUMNS else v for k, v in values.items()}
    at = SimpleNamespace(**columns)
    assert close(value, identity.value(at))
    assert set(grads) == set(identity.grads)
    for name, closed in identity.grads.items():
        assert close(np.reshape(grads[name], np.shape(columns[name])), closed(at)), name
        assert np.shape(grads[name]) == np.shape(values[name])


#: Arguments that are columns in every identity.
COLUMNS = frozenset("abcdxsghrzyw")
