"""The public functions for callers with memory of their own: results into their arrays, scratch made once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from symbackprop.codegen.expression import numpy_type, tuple_text
from symbackprop.codegen.names import Names
from symbackprop.frontend.program import Argument, Output
from symbackprop.ir.dims import Dim
from symbackprop.ir.node import Node

__all__ = ["FITS", "INTO", "NAMES", "SPAN", "WORKSPACE", "Target", "Writing", "check_targets", "find_targets"]

#: Names of public functions beside the passes.
INTO = "value_and_grad_into"
WORKSPACE = "workspace"

#: Names of all functions that may come along.
NAMES = (INTO, WORKSPACE, "fits", "span", "meet")

#: The function that looks at the arrays to be written. A view with gaps would be copied on the way to a matrix product,
#: and the copy written instead of the array.
FITS = '''@jit
def fits(array, shape, dtype):
    """Whether an array can take results of this shape and dtype: no conversion, no gaps between its rows."""
    return array.shape == shape and array.dtype == np.dtype(dtype) and array.flags.c_contiguous'''

#: The functions that tell whether arrays overlap. The kernel is compiled as one whose arrays do not.
SPAN = '''@jit
def span(array):
    """Where an array without gaps begins and ends in memory."""
    start = array.ctypes.data
    return start, start + array.size * array.itemsize


@jit
def meet(spans, count):
    """Whether one of the first `count` arrays shares memory with another array."""
    for i in range(count):
        for j in range(i + 1, len(spans)):
            if spans[i][0] < spans[j][1] and spans[j][0] < spans[i][1]:
                return True
    return False'''


@dataclass(frozen=True)
class Target:
    """An array that results are written into.

    Attributes:
        variable: the parameter.
        shape: the shape it must have, as source text.
        dtype: its dtype, as source text.
        described: what messages say of its shape.
        inside: what the kernel takes in its place, as source text, where its shape may be another one.
    """

    variable: str
    shape: str
    dtype: str
    described: str
    inside: str | None = None


@dataclass(frozen=True)
class Writing:
    """How the function that writes into arrays is called.

    Attributes:
        targets: its array parameters, behind the inputs.
        arrays: those for the results that are arrays, in order of the results.
        entries: where the gradients of numbers go.
        values: variables of the values that are numbers, which it returns.
        doc: its docstring.
    """

    targets: tuple[Target, ...]
    arrays: tuple[str, ...]
    entries: tuple[str, ...]
    values: tuple[str, ...]
    doc: str


def find_targets(
    outputs: Sequence[tuple[Output, Node]],
    gradients: Sequence[tuple[Argument, Node]],
    *,
    variables: Mapping[str, str],
    passed: Mapping[str, str],
    shape: Callable[[Sequence[Dim]], str],
    names: Names,
) -> Writing:
    """Return where each result goes: arrays into arrays of their own, gradients of numbers together into one more.

    Args:
        outputs: the values with their nodes.
        gradients: the arguments that have one, with the nodes of the gradients.
        variables: identifier of an argument -> variable.
        passed: identifier of an argument -> variable with the shape it was passed in, where that may be another one.
        shape: shapes as source text.
        names: allocates variables.
    """
    targets: list[Target] = []
    values = [names.fresh(o.identifier) for o, _ in outputs]
    for variable, (_, node) in zip(values, outputs, strict=True):
        if node.rank:
            text = shape(node.shape)
            targets.append(Target(variable, text, numpy_type(node.dtype), f"shape {text}"))
    for argument, node in gradients:
        if node.rank:
            source = variables[argument.identifier]
            given = passed.get(argument.identifier)
            variable = names.fresh(f"ct_{argument.identifier}")
            inside = f"vector({variable})" if node.rank == 1 else f"{variable}.reshape({source}.shape)"
            described = f"of {source}'s shape"
            shape_text = given or f"{source}.shape"
            targets.append(Target(variable, shape_text, node.dtype, described, inside if given else None))
    arrays = [t.variable for t in targets]
    numbers = [(f"ct_{a.identifier}", n.dtype) for a, n in gradients if not n.rank]
    together = names.fresh("ct")
    if numbers:
        targets.append(Target(together, f"({len(numbers)},)", numbers[0][1], f"shape ({len(numbers)},)"))
    written = [v for v, (_, n) in zip(values, outputs, strict=True) if n.rank]
    returned = [v for v, (_, n) in zip(values, outputs, strict=True) if not n.rank]
    said = [", ".join(arrays[len(written) :])] if len(arrays) > len(written) else []
    said += [f"{tuple_text(n for n, _ in numbers)} into {together}"] if numbers else []
    values_too = f"the values {', '.join(written)}, " if written else ""
    sentence = f"rite {values_too}the gradients {' and '.join(said)}."
    doc = f"Return the value{'s' * (len(returned) > 1)}; w{sentence}" if returned else f"W{sentence}"
    entries = [f"{together}[{k}]" for k in range(len(numbers))]
    return Writing(tuple(targets), tuple(arrays), tuple(entries), tuple(returned), doc)


def check_targets(targets: Sequence[Target], read: Sequence[str]) -> list[str]:
    """Return the statements that refuse arrays that do not fit or overlap, and bring them into the kernel's form.

    Args:
        targets: the arrays to be written.
        read: variables of the arrays that the kernel reads.
    """
    lines: list[str] = []
    for target in targets:
        v, kind = target.variable, target.dtype.removeprefix("np.")
        lines += [
            f"if not fits({v}, {target.shape}, {target.dtype}):",
            f'    raise ValueError("{v}: must be a C-contiguous array of {kind}, {target.described}")',
        ]
        lines += [f"{v} = {target.inside}"] if target.inside else []
    arrays = [*(t.variable for t in targets), *read]
    if len(arrays) > 1:
        spans = tuple_text(f"span({v})" for v in arrays)
        lines += [f"if meet({spans}, {len(targets)}):"]
        named = ", ".join(t.variable for t in targets)
        lines += [f'    raise ValueError("{named}: must share no memory with another array")']
    return lines
