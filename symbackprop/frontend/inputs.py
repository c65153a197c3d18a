"""The arguments of a kernel: which there are, in which order, grouped how."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from symbackprop.errors import InputError, UnsupportedExpressionError, message
from symbackprop.frontend.describe import describe
from symbackprop.frontend.leaves import is_leaf, is_scalar, leaf_of, text_of
from symbackprop.frontend.scan import Scan, Usage

__all__ = ["Declared", "arguments_of", "batch_axes", "free_indices", "listed_leaves"]

Leaves = Mapping[Any, Usage]


@dataclass(frozen=True)
class Declared:
    """One argument as declared.

    Attributes:
        name: the user's text for it.
        leaves: the one symbol, MatrixSymbol or IndexedBase, or the scalar symbols of a nested entry, row-major.
        grid: the constant shape of a nested entry, None otherwise.
    """

    name: str
    leaves: tuple[Any, ...]
    grid: tuple[int, ...] | None = None


def _entry(name: str | None, item: Any, by_text: Mapping[str, Any]) -> Declared:
    """Return one entry of `inputs=`; a nested one without a name is called by the caller."""
    if isinstance(item, str):
        if item not in by_text:
            raise InputError(message(f"inputs lists {item!r}, which does not occur", expected=", ".join(by_text)))
        item = by_text[item]
    if is_leaf(item):
        leaf = leaf_of(item)
        return Declared(text_of(leaf) if name is None else name, (leaf,))
    if isinstance(item, sp.MatrixBase):
        grid: tuple[int, ...] = (int(item.rows), int(item.cols))
        items = tuple(item.flat())
    elif isinstance(item, (list, tuple, sp.Tuple)):
        grid, items = (len(item),), tuple(item)
    else:
        raise InputError(
            message(
                "an entry of inputs is neither a symbol nor a list of symbols",
                expected="a symbol of any kind, IndexedBase, a name, or a list, tuple or Matrix of scalar symbols",
                found=describe(item),
            )
        )
    for symbol in items:
        if not is_scalar(symbol) or symbol.is_integer:
            raise InputError(
                message(
                    "a nested entry of inputs may hold real scalar symbols only",
                    expected="a list, tuple or Matrix of Symbol",
                    found=describe(symbol),
                )
            )
    if not items:
        raise InputError(message("a nested entry of inputs is empty", found=describe(item)))
    return Declared("" if name is None else name, items, grid)


def listed(inputs: Any, by_text: Mapping[str, Any]) -> list[Declared] | None:
    """Return the entries of `inputs=`, None when it was not given. Unnamed nested entries are arg0, arg1 ...

    Of several scalar symbols of one name in a sequence the first bears it, the others get the free ones of x_1, x_2 ...

    Raises:
        InputError: an entry of the wrong kind, or a symbol or name given twice.
    """
    if inputs is None:
        return None
    if isinstance(inputs, Mapping):
        bad = [name for name in inputs if not isinstance(name, str)]
        if bad:
            raise InputError(message("a name in inputs is not a string", found=describe(bad[0])))
        entries = [_entry(name, item, by_text) for name, item in inputs.items()]
    elif isinstance(inputs, (list, tuple, sp.Tuple)):
        entries = [_entry(None, item, by_text) for item in inputs]
    elif is_leaf(inputs) or isinstance(inputs, str):
        entries = [_entry(None, inputs, by_text)]
    else:
        raise InputError(message("inputs is neither a sequence nor a dict", found=describe(inputs)))
    out: list[Declared] = []
    unnamed = 0
    for entry in entries:
        name = entry.name
        if entry.grid is not None and not isinstance(inputs, Mapping):
            name, unnamed = f"arg{unnamed}", unnamed + 1
        out.append(Declared(name, entry.leaves, entry.grid))
    seen: set[Any] = set()
    for leaf in (leaf for entry in out for leaf in entry.leaves):
        if leaf in seen:
            raise InputError(message(f"inputs lists {text_of(leaf)} twice"))
        seen.add(leaf)
    if not isinstance(inputs, Mapping):
        out = _apart(out)
    names = [entry.name for entry in out]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise InputError(
            message(f"two inputs are named {twice!r}", hint="name them apart: inputs={'a': first, 'b': second}")
        )
    return out


def _apart(entries: Sequence[Declared]) -> list[Declared]:
    """Return the entries with numbers added to the names of scalar symbols that an earlier one of them bears."""
    taken = {entry.name for entry in entries}
    first: dict[str, Declared] = {}
    numbers: dict[str, Iterator[int]] = {}
    out: list[Declared] = []
    for entry in entries:
        other = first.setdefault(entry.name, entry)
        scalars = all(e.grid is None and is_scalar(e.leaves[0]) for e in (entry, other))
        name = entry.name
        if other is not entry and scalars:
            while name in taken:
                name = f"{entry.name}_{next(numbers.setdefault(entry.name, itertools.count(1)))}"
            taken.add(name)
        out.append(Declared(name, entry.leaves, entry.grid))
    return out


def listed_leaves(inputs: Any, batch: Any, scan: Scan) -> tuple[list[Declared] | None, set[Any]]:
    """Return the entries of `inputs=`, and every leaf that `inputs=` or `batch=` mentions.

    Raises:
        InputError: see `listed`.
    """
    by_text = {text_of(leaf): leaf for leaf in (*scan.sizes, *scan.ranged, *scan.symbols, *scan.matrices, *scan.arrays)}
    _check_texts(inputs, scan)
    entries = listed(inputs, by_text)
    leaves = {leaf for entry in entries or () for leaf in entry.leaves}
    for leaf in (leaf for entry in entries or () for leaf in entry.leaves):
        if isinstance(leaf, sp.IndexedBase) and leaf not in scan.arrays and leaf.shape is None:
            raise InputError(
                message(f"inputs lists the array {leaf}, which does not occur", hint="leave it out, or give it a shape")
            )
        scan.declare(leaf)
    if isinstance(batch, Mapping):
        leaves |= {by_text.get(key, key) if isinstance(key, str) else leaf_of(key) for key in batch}
    return entries, leaves


def _check_texts(inputs: Any, scan: Scan) -> None:
    """Refuse a text in `inputs=` that several symbols bear.

    Raises:
        InputError: there is one.
    """
    items = (
        inputs.values() if isinstance(inputs, Mapping) else inputs if isinstance(inputs, (list, tuple)) else (inputs,)
    )
    texts = {item for item in items if isinstance(item, str)}
    count = Counter(text_of(leaf) for leaf in (*scan.ranged, *scan.symbols, *scan.matrices, *scan.arrays))
    for text in sorted(texts):
        if count[text] > 1:
            raise InputError(
                message(
                    f"inputs lists {text!r}, which {count[text]} different inputs are named",
                    hint="list the symbols themselves",
                )
            )


def free_indices(scan: Scan, mentioned: set[Any], size_names: set[str]) -> list[Any]:
    """Return the symbols and Idx that make output axes, sorted by name.

    These are free indices of arrays that are neither arguments nor sizes. They may be used as numbers too.
    """
    out = [index for index in scan.ranged if scan.is_free(index) and index not in mentioned]
    for symbol, usage in scan.symbols.items():
        if not isinstance(symbol, sp.Symbol):
            continue
        if not usage.array_index or usage.matrix_index or symbol in mentioned or symbol.name in size_names:
            continue
        if not scan.is_free(symbol):
            continue
        out.append(symbol)
    return sorted(out, key=lambda index: (str(index), type(index).__name__))


def arguments_of(
    scan: Scan, entries: Sequence[Declared] | None, free: Iterable[Any], size_names: set[str]
) -> list[Declared]:
    """Return the arguments in calling order: as listed, else by name.

    Raises:
        InputError: an occurring symbol that is not listed, two arrays of one name.
        UnsupportedExpressionError: a symbol that is declared not to be real.
    """
    skip = set(free)
    symbols = [s for s in scan.symbols if s not in skip and text_of(s) not in size_names and scan.is_free(s)]
    occurring = [*symbols, *(leaf for leaf in (*scan.matrices, *scan.arrays) if scan.is_free(leaf))]
    for leaf in occurring:
        _check_real(leaf)
    if entries is None:
        return _by_name(occurring)
    given = {leaf for entry in entries for leaf in entry.leaves}
    missing = [text_of(leaf) for leaf in occurring if leaf not in given]
    if missing:
        raise InputError(
            message(
                f"inputs misses {', '.join(sorted(missing)[:5])}{' ...' if len(missing) > 5 else ''}",
                expected="every symbol that occurs",
                found=", ".join(entry.name for entry in entries),
            )
        )
    return list(entries)


def _by_name(occurring: Sequence[Any]) -> list[Declared]:
    ordered = sorted(occurring, key=text_of)
    first: dict[str, Any] = {}
    for leaf in ordered:
        other = first.setdefault(text_of(leaf), leaf)
        if other is not leaf and not (is_scalar(leaf) and is_scalar(other)):
            raise InputError(
                message(
                    f"two different inputs are named {text_of(leaf)!r}",
                    expected=_declaration(other),
                    found=_declaration(leaf),
                    hint="rename one, or name them apart: inputs={'a': first, 'b': second}",
                )
            )
    return _apart([Declared(text_of(leaf), (leaf,)) for leaf in ordered])


def _check_real(leaf: Any) -> None:
    """Check that nothing says that a symbol is no real number.

    Raises:
        UnsupportedExpressionError: it is complex, imaginary, infinite or does not commute.
    """
    symbol = leaf.label if isinstance(leaf, sp.IndexedBase) else leaf
    if not isinstance(symbol, sp.Symbol):
        return
    if not symbol.is_commutative:
        kind = "noncommutative"
    elif symbol.is_imaginary:
        kind = "imaginary"
    elif symbol.is_extended_real is False or (symbol.is_complex and symbol.is_real is None):
        kind = "complex"
    else:
        return
    raise UnsupportedExpressionError(
        message(
            f"the {kind} symbol {symbol} is not supported",
            hint=f"every value is real: declare it so, as in Symbol({symbol.name!r}, real=True)",
        )
    )


def _declaration(leaf: Any) -> str:
    if isinstance(leaf, sp.MatrixSymbol):
        return f"MatrixSymbol of shape {leaf.shape}"
    return type(leaf).__name__


def batch_axes(batch: Any, arguments: Sequence[Declared]) -> dict[str, str]:
    """Return argument name -> batch size name.

    Raises:
        InputError: no mapping, an unknown argument, an axis that is no name.
    """
    if batch is None:
        return {}
    if not isinstance(batch, Mapping):
        raise InputError(message("batch is not a dict", expected='{"x": "N"}', found=describe(batch)))
    names = {entry.name for entry in arguments}
    by_leaf = {entry.leaves[0]: entry.name for entry in arguments if entry.grid is None}
    out: dict[str, str] = {}
    for key, axis in batch.items():
        name = key if isinstance(key, str) else by_leaf.get(leaf_of(key), "") if is_leaf(key) else ""
        if name not in names:
            raise InputError(
                message(
                    f"batch names the input {describe(key)}, which does not occur",
                    expected=", ".join(entry.name for entry in arguments),
                )
            )
        size = axis.name if isinstance(axis, sp.Symbol) else axis
        if not isinstance(size, str) or not size:
            raise InputError(message(f"the batch axis of {name} is not a name", expected='"N"', found=describe(axis)))
        out[name] = size
    return out
