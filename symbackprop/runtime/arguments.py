"""Arguments at call time: bound to names, converted, and refused by name when they do not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from symbackprop.codegen.expression import tuple_text
from symbackprop.errors import InputError, message
from symbackprop.frontend.program import Argument
from symbackprop.ir.dims import Dim
from symbackprop.ir.sizes import Bind, Check, Given
from symbackprop.runtime.interface import CountRange, Interface

__all__ = ["Arguments", "Signature", "as_array"]

_REAL_KINDS = "fiub"

#: Combinations of shapes that a kernel remembers as checked.
KEPT_SHAPES = 1024


class Arguments(NamedTuple):
    """Converted arguments of one call.

    Attributes:
        values: one per argument: a number, or a C-contiguous array without unit axes.
        shapes: the shape each array had when it was passed; () for numbers.
        sizes: the value of each size symbol.
        key: what has been checked once it is known: the shapes of arrays inside the kernel, sizes given as numbers.
    """

    values: tuple[Any, ...]
    shapes: tuple[tuple[int, ...], ...]
    sizes: Mapping[str, int]
    key: tuple[tuple[int, ...], ...]


class Signature:
    """The arguments a kernel takes, and what they must satisfy.

    Shapes are checked once per combination of shapes; later calls with the same shapes only look it up.
    """

    def __init__(self, interface: Interface) -> None:
        self.arguments = arguments = interface.arguments
        self._position = {a.name: k for k, a in enumerate(arguments)}
        self._position.update({a.identifier: k for k, a in enumerate(arguments) if a.identifier not in self._position})
        self._actions = actions = interface.size_actions
        self._index_checks = interface.index_checks
        self._range_checks = interface.range_checks
        self._size_names = dict(interface.sizes)
        self._free = interface.free
        self._sizes: dict[tuple[tuple[int, ...], ...], Mapping[str, int]] = {}
        self._given = tuple(a.argument for a in actions if isinstance(a, Given))
        #: Positions of arguments in the key.
        self.keyed = tuple(k for k, a in enumerate(self.arguments) if a.core_shape or k in self._given)
        self._ready = tuple((len(a.core_shape), np.dtype(a.dtype)) for a in arguments)

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Arguments:
        """Return the arguments of a call, converted.

        Raises:
            InputError: missing, extra or misnamed arguments; a wrong dtype, rank or shape.
        """
        ordered = self._order(args, kwargs) if kwargs or len(args) != len(self.arguments) else args
        values: list[Any] = []
        shapes: list[tuple[int, ...]] = []
        cores: list[tuple[int, ...]] = []
        for k, value in enumerate(ordered):
            rank, dtype = self._ready[k]
            # The common case first: an array that is right as it is.
            right = type(value) is np.ndarray and value.ndim == rank and value.dtype is dtype
            if right and rank and value.flags.c_contiguous:
                shape = core = value.shape
                values.append(value)
            else:
                converted, shape = _convert(self.arguments[k], value)
                core = converted.shape if rank else ()
                values.append(converted)
            shapes.append(shape)
            cores.append(core)
        for k in self._given:
            cores[k] = (values[k],)
        key = tuple([cores[k] for k in self.keyed])
        sizes = self._sizes.get(key)
        if sizes is None:
            sizes = self._read_sizes(cores)
            if len(self._sizes) >= KEPT_SHAPES:
                self._sizes.clear()
            self._sizes[key] = sizes
        return Arguments(tuple(values), tuple(shapes), sizes, key)

    def refuse_indices(self, arguments: Arguments) -> InputError | None:
        """Return the error for the first integer argument with an entry outside its axis, if there is one."""
        for check in self._index_checks:
            k = check.argument
            offset, size = check.offset.evaluate(arguments.sizes), check.size.evaluate(arguments.sizes)
            entries = np.atleast_1d(np.asarray(arguments.values[k])) + offset
            bad = entries[(entries < 0) | (entries >= size)]
            if bad.size:
                return InputError(
                    message(
                        f"{self.arguments[k].name}: index out of range",
                        expected=f"{-offset} ... {size - 1 - offset}",
                        found=int(bad.flat[0]) - offset,
                    )
                )
        return None

    def _order(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """Return positional and keyword arguments in calling order."""
        names = ", ".join(a.name for a in self.arguments)
        if len(args) > len(self.arguments):
            raise InputError(
                message("too many arguments", expected=f"{len(self.arguments)} ({names})", found=len(args))
            )
        given: dict[int, Any] = dict(enumerate(args))
        for key, value in kwargs.items():
            k = self._position.get(key)
            if k is None:
                raise InputError(
                    message(f"{key}: no such argument", expected=names, found=key, hint=self._hint_for(key))
                )
            if k in given:
                raise InputError(message(f"{key}: given twice", expected="once", found="by position and by name"))
            given[k] = value
        missing = [a.name for k, a in enumerate(self.arguments) if k not in given]
        if missing:
            raise InputError(
                message(f"missing argument{'s'[: len(missing) > 1]}: {', '.join(missing)}", expected=names)
            )
        return [given[k] for k in range(len(self.arguments))]

    def _hint_for(self, key: str) -> str | None:
        if key in self._free:
            return f"{key} is a free index and so an axis of the output; list it in inputs= to pass its value instead"
        if key in self._size_names.values():
            return f"{key} is a size, read off the shapes of the arguments"
        return None

    def _read_sizes(self, shapes: Sequence[tuple[int, ...]]) -> Mapping[str, int]:
        """Return the size symbols' values for these shapes.

        Raises:
            InputError: two arguments disagree about a size, or an index range does not fit.
        """
        sizes: dict[str, int] = {}
        source: dict[str, str] = {}
        for action in self._actions:
            argument = self.arguments[action.argument]
            if isinstance(action, Given):
                (sizes[action.symbol],) = shapes[action.argument]
                source[action.symbol] = argument.name
                continue
            extent = shapes[action.argument][action.axis]
            if isinstance(action, Bind):
                sizes[action.symbol] = (extent - action.rest.evaluate(sizes)) // action.factor
                source[action.symbol] = argument.name
                continue
            expected = action.dim.evaluate(sizes)
            if action.least is not None and not action.least.evaluate(sizes) <= extent <= expected:
                raise InputError(self._span_message(argument, action, extent, sizes))
            if action.least is None and extent != expected:
                raise InputError(self._shape_message(argument, shapes[action.argument], sizes, source))
        for symbol, size in sizes.items():
            if size < 0:
                text = self._size_names.get(symbol, symbol)
                raise InputError(message(f"size {text} comes out negative", expected="0 or more", found=size))
        for ranges in self._range_checks:
            if isinstance(ranges, CountRange):
                count = ranges.count.evaluate(sizes)
                if count < 0:
                    found = f"{self._text(ranges.count)} = {count}"
                    raise InputError(
                        message("an index takes fewer values than none", expected="0 or more", found=found)
                    )
                continue
            first, last = ranges.first.evaluate(sizes), ranges.last.evaluate(sizes)
            extent = ranges.size.evaluate(sizes)
            if all(c.evaluate(sizes) > 0 for c in ranges.counts) and (first < 0 or last >= extent):
                raise InputError(
                    message(
                        f"{ranges.source}: an index runs outside axis {ranges.axis}",
                        expected=f"0 ... {extent - 1}",
                        found=f"{first} ... {last}",
                    )
                )
        return sizes

    def _text(self, dim: Dim) -> str:
        """Return a size polynomial in the user's own symbols."""
        return str(dim.substitute({s: Dim.of(self._size_names.get(s, s)) for s in dim.symbols}))

    def _span_message(self, argument: Argument, check: Check, extent: int, sizes: Mapping[str, int]) -> str:
        assert check.least is not None
        ends = " to ".join(f"{self._text(dim)} = {dim.evaluate(sizes)}" for dim in (check.least, check.dim))
        return message(f"{argument.name}: axis {check.axis} has a wrong size", expected=ends, found=extent)

    def _shape_message(
        self, argument: Argument, shape: tuple[int, ...], sizes: Mapping[str, int], source: Mapping[str, str]
    ) -> str:
        core = argument.core_shape
        symbols = dict.fromkeys(s for d in core for s in d.symbols if s in sizes)
        known = ", ".join(f"{self._size_names.get(s, s)} = {sizes[s]} from {source[s]}" for s in symbols)
        expected = tuple_text(core) + (f" with {known}" if known else "")
        return message(f"{argument.name}: wrong shape", expected=expected, found=shape)


def _convert(argument: Argument, value: Any) -> tuple[Any, tuple[int, ...]]:
    """Return a value as the kernel takes it, and the shape it was passed in.

    Raises:
        InputError: a wrong dtype or rank.
    """
    if not argument.shape:
        if argument.dtype == "float64" and (type(value) is float or (type(value) is int and abs(value) < 2**53)):
            return float(value), ()
        return _number(argument, value), ()
    array = _array(argument, value)
    shape = array.shape
    full, core = argument.shape, argument.core_shape
    if argument.unit_axes:
        if array.ndim == len(full) and all(shape[k] == 1 for k in argument.unit_axes):
            array = array.reshape([s for k, s in enumerate(shape) if k not in argument.unit_axes])
        elif array.ndim != len(core):
            either = f"{tuple_text(core)} or {tuple_text(full)}"
            raise InputError(message(f"{argument.name}: wrong shape", expected=either, found=shape))
        if not core:
            return _number(argument, array[()]), shape
    elif array.ndim != len(core):
        expected = f"{len(core)} axes {tuple_text(core)}"
        raise InputError(message(f"{argument.name}: wrong rank", expected=expected, found=f"shape {shape}"))
    return array, shape


def as_array(value: Any) -> npt.NDArray[Any]:
    """Return the value as NumPy sees it; nested lists of unequal lengths are an array of objects."""
    try:
        return np.asarray(value)
    except ValueError:
        return np.empty(0, dtype=object)


def _array(argument: Argument, value: Any) -> npt.NDArray[Any]:
    """Return the value as a C-contiguous array of the argument's dtype; the caller's own array if it is one."""
    array = as_array(value)
    kinds = "iu" if argument.dtype == "int64" else _REAL_KINDS
    if array.dtype.kind not in kinds and not (array.size == 0 and array.dtype.kind == "f"):
        wanted = "integers" if argument.dtype == "int64" else "real numbers"
        raise InputError(message(f"{argument.name}: wrong dtype", expected=wanted, found=_dtype_text(value, array)))
    return np.asarray(array, dtype=argument.dtype, order="C")


def _number(argument: Argument, value: Any) -> Any:
    """Return a scalar argument as a number of its dtype."""
    array = _array(argument, value)
    if array.ndim:
        raise InputError(message(f"{argument.name}: wrong shape", expected="a number", found=f"shape {array.shape}"))
    if argument.dtype == "float32":
        return array[()]
    return array.item()


def _dtype_text(value: Any, array: npt.NDArray[Any]) -> str:
    return f"{type(value).__name__} of {array.dtype}" if isinstance(value, np.ndarray | list | tuple) else repr(value)
