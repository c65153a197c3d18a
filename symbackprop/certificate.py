"""Sizes and costs as SymPy expressions in the user's own symbols."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symbackprop.frontend.program import Argument, Output
from symbackprop.ir.dims import Dim
from symbackprop.runtime.interface import Costs, SizeSymbol
from symbackprop.runtime.kernel import Record

__all__ = ["Certificate", "as_sympy", "described", "records", "restored"]


@dataclass(frozen=True)
class Certificate:
    """What a kernel costs, as SymPy polynomials in the size symbols.

    Attributes:
        fprop, bprop: operations of the forward and of the backward pass alone.
        ratio_bound: bprop/fprop is at most this for all sizes of 1 and more.
        fprop_calls, bprop_calls: how many of the operations are library calls (exp, tanh ...).
        fprop_bytes, bprop_bytes: bytes read from and written to arrays.
    """

    fprop: sp.Expr
    bprop: sp.Expr
    ratio_bound: float
    fprop_calls: sp.Expr
    bprop_calls: sp.Expr
    fprop_bytes: sp.Expr
    bprop_bytes: sp.Expr

    @staticmethod
    def of(costs: Costs, symbols: Mapping[str, Any]) -> Certificate:
        """Return the certificate with its polynomials in `symbols`."""
        return Certificate(
            as_sympy(costs.fprop, symbols),
            as_sympy(costs.bprop, symbols),
            costs.ratio_bound,
            as_sympy(costs.fprop_calls, symbols),
            as_sympy(costs.bprop_calls, symbols),
            as_sympy(costs.fprop_bytes, symbols),
            as_sympy(costs.bprop_bytes, symbols),
        )

    def __str__(self) -> str:
        return (
            f"fprop: {self.fprop} operations ({self.fprop_calls} library calls), {self.fprop_bytes} bytes\n"
            f"bprop: {self.bprop} operations ({self.bprop_calls} library calls), {self.bprop_bytes} bytes\n"
            f"bprop / fprop <= {self.ratio_bound:.3g} for all sizes >= 1"
        )


def as_sympy(dim: Dim, symbols: Mapping[str, Any]) -> sp.Expr:
    """Return a size polynomial in the user's own size symbols."""
    return sp.Add(*(c * sp.Mul(*(symbols[s] ** e for s, e in m)) for m, c in dim.terms))


def records(items: Iterable[Argument | Output], symbols: Mapping[str, Any]) -> tuple[Record, ...]:
    """Return the public records of arguments or outputs."""
    return tuple(Record(i.name, tuple(as_sympy(d, symbols) for d in i.shape), i.dtype) for i in items)


def described(symbol: Any) -> SizeSymbol | None:
    """Return what identifies a symbol in any process; None if its name does not."""
    if type(symbol) is not sp.Symbol:
        return None
    return symbol.name, tuple(sorted((fact, truth) for fact, truth in symbol.assumptions0.items()))


def restored(symbols: Mapping[str, SizeSymbol | None]) -> dict[str, Any]:
    """Return the symbols that `described` described."""
    return {k: sp.Symbol(s[0], **dict(s[1])) for k, s in symbols.items() if s is not None}
