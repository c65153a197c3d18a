"""The Python side of a call, written out for one kernel: what a person who knows its arguments would write.

A method that serves every kernel loops over arguments, looks up what each must be and collects results into containers;
for a function of three numbers that takes five times as long as the compiled function. The text made here tests the
arguments one by one, looks up that their shapes were checked before, calls, and names the gradients in a dict display.
Measured against the bare compiled function with the same arguments: 2.2 times its time for three numbers, 1.5 times for
two short arrays. Whatever is not as it should be goes to the kernel's general method, which converts or refuses.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symbackprop.frontend.program import Argument, Layout, Output

__all__ = ["make_caller"]

#: Stands for an argument that was not given by position.
_MISSING = object()

#: Types of numbers that compiled code takes as a double as they are.
_REALS = frozenset({float, np.float64})

#: Types of numbers that may stand for a number of a dtype, and what makes it; the rest is `Signature`'s to judge.
_WHOLES = frozenset({int, np.int64, np.int32})
_EXACT = {
    "float64": _WHOLES | {np.float32},
    "float32": _WHOLES | {np.float64},
    "int64": _WHOLES - {int},
}
_TAKEN = {"float64": "float", "float32": "single", "int64": "int"}

#: Up to this many numbers are looked at one by one, which is the quicker way where they are few.
_FEW = 8

#: Whole numbers below this are doubles without rounding.
_WHOLE = 2**53


def make_caller(
    function: str,
    *,
    arguments: Sequence[Argument],
    keyed: Sequence[int],
    outputs: Sequence[Output],
    layout: Layout,
    wrt: Sequence[int],
    columns: bool,
    scratch: bool,
    compiled: Callable[..., Any],
    general: Callable[..., Any],
    ready: threading.local,
) -> Callable[..., Any]:
    """Return a function that calls `compiled` where all arguments are as they should be, and `general` otherwise.

    Args:
        function: "value" or "value_and_grad": what `compiled` is; the attribute of `ready` that belongs to it.
        arguments: the kernel's arguments.
        keyed: positions of the arguments whose shape (or value, of a size given as a number) must be known.
        outputs: the kernel's results.
        layout: the containers of the results, with positions of outputs in them.
        wrt: positions of the arguments that have a gradient.
        columns: whether vectors among the results are columns where no argument has a unit axis.
        scratch: whether `compiled` takes scratch memory as its last argument.
        compiled: the compiled function.
        general: the method that takes any arguments.
        ready: for each thread, under the function's name, key -> scratch memory.
    """
    names: dict[str, Any] = {
        "missing": _MISSING,
        "reals": _REALS,
        "ndarray": np.ndarray,
        "single": np.float32,
        **{f"is_{dtype}": np.dtype(dtype) for dtype in ("float64", "float32", "int64")},
        **{f"name{k}": a.name for k, a in enumerate(arguments)},
        "compiled": compiled,
        "general": general,
        "whole": _WHOLE,
        **{f"exact_{dtype}": types for dtype, types in _EXACT.items()},
        "ready": ready,
    }
    values = [f"o{k}" for k in range(len(outputs))]
    grads = [f"g{k}" for k in wrt]
    targets = values[0] if len(values) == 1 else _tuple(values)
    result = _container(layout, [_value(v, o, columns) for v, o in zip(values, outputs, strict=True)], names)
    if function == "value_and_grad":
        targets = f"{targets}, {_tuple(grads)}"
        named = [f"name{k}: {_number(g, arguments[k])}" for k, g in zip(wrt, grads, strict=True)]
        result = f"{result}, {{{', '.join(named)}}}"
    lookup = f"ready.{function}[{_tuple([_key(k, arguments[k]) for k in keyed])}]"
    numbers = all(not a.core_shape and a.dtype == "float64" for a in arguments) and not keyed and not scratch
    if numbers and len(arguments) > _FEW:
        text = _text_of_numbers(len(arguments), targets, result)
    else:
        text = _text(arguments, targets, result, lookup if keyed or scratch else None, scratch)
    exec(compile(text, f"<symbackprop call of {function}>", "exec"), names)  # noqa: S102 - no user's text in it
    caller: Callable[..., Any] = names["call"]
    return caller


def _text(arguments: Sequence[Argument], targets: str, result: str, lookup: str | None, scratch: bool) -> str:
    """Return the caller's text, positions in place of all names."""
    parameters = [f"a{k}" for k in range(len(arguments))]
    signature = [*(f"{p}=missing" for p in parameters), *("/" * bool(parameters)), "*more", "upstream=None", "**named"]
    tests = [test for p, a in zip(parameters, arguments, strict=True) for test in _tests(p, a)]
    lines = [f"def call({', '.join(signature)}):"]
    scalars = [(p, a.dtype) for p, a in zip(parameters, arguments, strict=True) if not a.core_shape]
    for p, dtype in scalars:
        # The numbers that people write.
        if dtype == "float64":
            lines.append(f"    if type({p}) is int and {-_WHOLE} < {p} < {_WHOLE}: {p} = {p} + 0.0")
        if dtype == "float32":
            lines.append(f"    if type({p}) is float: {p} = single({p})")
    lines += [f"    if {' and '.join([*tests, 'not more', 'upstream is None', 'not named'])}:", "        try:"]
    if lookup and not scratch:
        lines.append(f"            {lookup}")
    called = [*parameters, lookup] if lookup and scratch else parameters
    lines += [
        f"            {targets} = compiled({', '.join(called)})",
        "        except (AttributeError, KeyError, IndexError):",
        "            pass  # shapes not seen before, or an index to be refused",
        "        else:",
        f"            return {result}",
        "    again = False",
    ]
    for p, dtype in scalars:
        lines.append(
            f"    if type({p}) in exact_{dtype} and -whole < {p} < whole: {p}, again = {_TAKEN[dtype]}({p}), True"
        )
    lines += [
        "    if upstream is not None:",
        "        named['upstream'] = upstream",
        "    if again:",
        f"        return call({', '.join([*parameters, '*more', '**named'])})",
        f"    return general(*(a for a in {_tuple(parameters)} if a is not missing), *more, **named)",
    ]
    return "\n".join(lines)


def _text_of_numbers(count: int, targets: str, result: str) -> str:
    """Return the text of a caller that takes many doubles and nothing else: their types are looked at together."""
    return f"""
def call(*args, upstream=None, **named):
    if len(args) == {count} and reals.issuperset(map(type, args)) and upstream is None and not named:
        try:
            {targets} = compiled(*args)
        except IndexError:
            pass
        else:
            return {result}
    if upstream is not None:
        named['upstream'] = upstream
    exact = [float(a) if type(a) in exact_float64 and -whole < a < whole else a for a in args]
    if any(a is not b for a, b in zip(args, exact)):
        return call(*exact, **named)
    return general(*args, **named)
"""


def _key(k: int, argument: Argument) -> str:
    """Return an argument's part of the key, as `Signature.bind` makes it."""
    return f"a{k}.shape" if argument.core_shape else f"(a{k},)"


def _tests(parameter: str, argument: Argument) -> list[str]:
    """Return what makes an argument ready for compiled code; a rank is known with the shape."""
    if argument.core_shape:
        return [
            f"type({parameter}) is ndarray",
            f"{parameter}.dtype is is_{argument.dtype}",
            f"{parameter}.flags.c_contiguous",
        ]
    if argument.dtype == "float64":
        return [f"type({parameter}) in reals"]
    return [f"type({parameter}) is {'single' if argument.dtype == 'float32' else 'int'}"]


def _single(argument: Argument) -> bool:
    return not argument.core_shape and argument.dtype == "float32"


def _value(variable: str, output: Output, columns: bool) -> str:
    """Return a result in the form the user wrote it."""
    if len(output.unit_axes) < len(output.shape):
        if not columns or not output.unit_axes:
            return variable
        axes = ", ".join("None" if k in output.unit_axes else ":" for k in range(len(output.shape)))
        return f"{variable}[{axes}]"
    return f"single({variable})" if output.dtype == "float32" else variable


def _number(variable: str, argument: Argument) -> str:
    return f"single({variable})" if _single(argument) else variable


def _container(layout: Layout, values: Sequence[str], names: dict[str, Any]) -> str:
    """Return the display of a container of results."""
    match layout:
        case int():
            return values[layout]
        case Mapping():
            items = []
            for key, part in layout.items():
                names[f"key{len(names)}"] = key
                items.append(f"key{len(names) - 1}: {_container(part, values, names)}")
            return f"{{{', '.join(items)}}}"
        case list():
            return f"[{', '.join(_container(part, values, names) for part in layout)}]"
        case _:
            return _tuple([_container(part, values, names) for part in layout])


def _tuple(items: Sequence[str]) -> str:
    """Return the display of a tuple."""
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
