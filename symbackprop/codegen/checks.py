"""The form of arguments and what they must satisfy, as statements: sizes, ranges, entries of indices."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from symbackprop.codegen.expression import tuple_text
from symbackprop.frontend.program import Argument
from symbackprop.ir.dims import Dim, never_negative
from symbackprop.ir.node import Input
from symbackprop.ir.sizes import Action, Bind, Given
from symbackprop.plan.plan import CountCheck, IndexCheck, RangeCheck

__all__ = ["VECTOR", "canonical", "index_check", "range_check", "size_action"]


#: Numba leaves out the branch that does not fit the argument; a reshape costs as much as a short kernel.
VECTOR = '''@jit
def vector(array):
    """A vector as an array of one axis; a view unless its entries have gaps between them."""
    if array.ndim == 1:
        return np.ascontiguousarray(array)
    return np.ascontiguousarray(array).reshape(array.size)'''


def size_action(
    action: Action, argument: str, variable: str, names: Mapping[str, str], size: Callable[[Dim], str]
) -> list[str]:
    """Return the statements that read a size off an argument or check one.

    Args:
        action: what to read or check.
        argument: what messages call the argument.
        variable: the argument.
        names: the variables of size symbols.
        size: size polynomials as source text.
    """
    if isinstance(action, Given):
        message = f"{argument}: a size must not be negative"
        return [f"if {names[action.symbol]} < 0:", f'    raise ValueError("{message}")']
    extent = f"{variable}.shape[{action.axis}]"
    if isinstance(action, Bind):
        rest = f"{extent} + ({size(-action.rest)})" if action.rest.terms else extent
        return [f"{names[action.symbol]} = {rest if action.factor == 1 else f'({rest}) // {action.factor}'}"]
    wanted = size(action.dim)
    test = f"{extent} != {wanted}"
    if action.least is not None:
        test = f"not {size(action.least)} <= {extent} <= {wanted}"
        wanted = f"{size(action.least)} to {wanted}"
    return [f"if {test}:", f'    raise ValueError("{argument}: axis {action.axis} must have size {wanted}")']


def range_check(check: RangeCheck | CountCheck, size: Callable[[Dim], str]) -> list[str]:
    """Return the statements that refuse an index that leaves its axis, or takes fewer values than none."""
    if isinstance(check, CountCheck):
        count = size(check.count)
        return [f"if {count} < 0:", f'    raise ValueError("an index takes {count} values, fewer than none")']
    first, last, extent = map(size, (check.first, check.last, check.size))
    name = check.source.name if isinstance(check.source, Input) else "an indexed value"
    message = f"{name}: an index runs from {first} to {last} on an axis of size {extent}"
    wrong = [] if never_negative(check.first, 0) else [f"{first} < 0"]
    wrong += [] if never_negative(check.size - 1 - check.last, 0) else [f"{last} >= {extent}"]
    condition = " or ".join(wrong)
    if check.counts:
        condition = f"({condition})" if len(wrong) > 1 else condition
        condition = f"{' and '.join(f'{size(count)} > 0' for count in check.counts)} and {condition}"
    return [f"if {condition}:", f'    raise IndexError("{message}")']


def index_check(
    check: IndexCheck, variable: str, what: str, size: Callable[[Dim], str], *, entry: bool = False
) -> list[str]:
    """Return the statements that refuse an index outside its axis.

    Args:
        check: what must hold.
        variable: the index, or with `entry` one entry of it.
        what: what the message calls it.
        size: size polynomials as source text.
        entry: whether `variable` is a number although the index is an array.
    """
    low, high = size(-check.offset), size(check.size - check.offset)
    if entry or check.index.rank == 0:
        condition = f"not {low} <= {variable} < {high}"
    else:
        condition = f"{variable}.size > 0 and ({variable}.min() < {low} or {variable}.max() >= {high})"
    return [f"if {condition}:", f'    raise IndexError("{what} lies outside {low} ... {high} - 1")']


def canonical(variable: str, argument: Argument, keep_shape: str | None) -> list[str]:
    """Return the statements that bring an argument into the form the kernels take, its shape kept in `keep_shape`."""
    core = argument.core_shape
    if not core:
        cast = argument.dtype if argument.dtype != "int64" else "np.int64"
        return [f"    {variable} = {cast}({variable})"]
    if not argument.unit_axes:
        return [f"    {variable} = np.ascontiguousarray({variable})"]
    lines = [f"    {keep_shape} = {variable}.shape"] if keep_shape else []
    kept = [k for k in range(len(argument.shape)) if k not in argument.unit_axes]
    if len(core) == 1:
        return [*lines, f"    {variable} = vector({variable})"]
    # An axis before the unit axes is counted from the front, one behind them from the back: both forms then agree.
    at = [k if k < argument.unit_axes[0] else k - len(argument.shape) for k in kept]
    shape = tuple_text(f"{variable}.shape[{k}]" for k in at)
    return [*lines, f"    {variable} = np.ascontiguousarray({variable}).reshape({shape})"]
