"""The generated module as text: constants, helper functions, kernels, the public functions around them, a self-test.

The text is deterministic and needs NumPy and numba only (numba's matrix products need SciPy to be installed).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symbackprop.codegen import selftest
from symbackprop.codegen.checks import VECTOR, canonical, index_check, range_check, size_action
from symbackprop.codegen.expression import helper_source, numpy_type, target_text, tuple_text
from symbackprop.codegen.externals import Support, foreign, helper_names
from symbackprop.codegen.into import FITS, INTO, NAMES, SPAN, WORKSPACE, check_targets, find_targets
from symbackprop.codegen.kernel import KernelText, emit_kernel, is_long, loops_write
from symbackprop.codegen.names import Names
from symbackprop.codegen.scope import Helpers
from symbackprop.codegen.threads import HELPERS, RESERVED
from symbackprop.frontend.program import Program
from symbackprop.ir.dims import Dim
from symbackprop.ir.external import External
from symbackprop.ir.node import Input, Node
from symbackprop.ir.sizes import Action, Bind, Given
from symbackprop.plan.plan import CountCheck, IndexCheck, Plan, RangeCheck

__all__ = ["FUNCTIONS", "ModulePlan", "emit_module"]

#: Longest tuple that numba takes as one of two values of a variable; CPython builds longer ones from lists.
_MOST_IN_TUPLE = 29

#: Public functions of a generated module.
FUNCTIONS = ("value", "fprop", "bprop", "value_and_grad")


@dataclass(frozen=True)
class ModulePlan:
    """Everything the module's text is made from.

    Attributes:
        name: the module's title.
        program: arguments, outputs, sizes.
        real: "float64" or "float32".
        plans: one plan per public function. The outputs of `value` are the values; of `fprop` the values, then the
            computed residuals; of `bprop` the gradients; of `value_and_grad` the values, then the gradients.
        residuals: what fprop hands to bprop, in order: inputs by reference, computed values.
        upstream: the upstream inputs of bprop's graph, in output order.
        size_actions, index_checks, range_checks: what is read off and demanded of the arguments.
        summary: lines on cost for the module's docstring.
        support: the decorator that long straight-line kernels carry.
        special: the function that binds special functions of SciPy's C library.
        lapack: the function that binds routines of LAPACK.
        apart: the decorator of kernels that write to arrays.
        beyond: the function that binds the C library's functions in vectorised loops, for large arguments.
    """

    name: str
    program: Program
    real: str
    plans: Mapping[str, Plan]
    residuals: tuple[Node, ...]
    upstream: tuple[Input, ...]
    size_actions: tuple[Action, ...]
    index_checks: tuple[IndexCheck, ...]
    range_checks: tuple[RangeCheck | CountCheck, ...]
    summary: tuple[str, ...] = ()
    support: Support | None = None
    special: Support | None = None
    lapack: Support | None = None
    beyond: Support | None = None
    apart: Support | None = None


def emit_module(plan: ModulePlan) -> str:
    """Return the text of the module. Linear in the size of the plans."""
    return _ModuleWriter(plan).text()


class _ModuleWriter:
    """Writes the parts of one module."""

    def __init__(self, plan: ModulePlan) -> None:
        self.plan = plan
        self.arguments = plan.program.arguments
        self.helpers = Helpers(plan.apart.decorator if plan.apart else "jit")
        self.wrt = [a for a in self.arguments if a.name in plan.program.wrt]
        own = RESERVED if any(p.uses_threads for p in plan.plans.values()) else ()
        names = Names([*FUNCTIONS, *NAMES, "vector", *helper_names(), "scratch", "fresh", *own])
        self.variables = {a.identifier: names.fresh(a.identifier) for a in self.arguments}
        given = {a.symbol for a in plan.size_actions if isinstance(a, Given)}
        self.sizes = {s: self.variables[s] if s in given else names.fresh(s) for s in plan.program.sizes}
        columns = [a.identifier for a in self.wrt if a.unit_axes and a.core_shape]
        self.shapes = {identifier: names.fresh(f"{self.variables[identifier]}_shape") for identifier in columns}
        self.taken = names.taken
        self.needs_sizes = bool(plan.size_actions or plan.index_checks or plan.range_checks)
        bound = {a.symbol for a in plan.size_actions if isinstance(a, Bind)}
        self.bound = [s for s in sorted(plan.program.sizes) if s in bound]
        self.texts = {name: self._kernel_text(name) for name in FUNCTIONS if name in plan.plans}
        self.long = {name for name, text in self.texts.items() if plan.support and is_long(text, plan.plans[name])}

    def text(self) -> str:
        """Return the module."""
        functions = [self._function(name) for name in self.texts]
        parts = [self._head(), *self._helper_functions()]
        if self.plan.support and self.long:
            parts.append(self.plan.support.source)
        if self.plan.apart and self._apart():
            parts.append(self.plan.apart.source)
        if any(a.unit_axes and len(a.core_shape) == 1 for a in self.arguments):
            parts.append(VECTOR)
        if self.needs_sizes:
            parts.append(self._sizes_function())
        parts += functions
        if "value_and_grad" in self.texts:
            into = self._into()
            parts += [FITS, *([SPAN] if "if meet(" in into else []), into]
        if self._scratch("value_and_grad"):
            parts.append(self._workspace())
        parts.append(selftest.emit(self.plan, self.wrt))
        return "\n\n\n".join(part.strip("\n") for part in parts) + "\n"

    # -- head -------------------------------------------------------------------------------------------------------

    def _head(self) -> str:
        program = self.plan.program
        lines = [f'"""{_one_line(self.plan.name)}: value and gradients, generated by symbackprop.', ""]
        lines.append("Inputs, in calling order:")
        for a in self.arguments:
            kind = f"{a.dtype} {tuple_text(a.core_shape)}" if a.core_shape else a.dtype
            remark = "" if a in self.wrt else ", not differentiated"
            lines.append(f"    {self.variables[a.identifier]}: {kind}{remark}")
        lines += ["", "value(...) returns the value" + ("s, as a tuple." if len(program.outputs) > 1 else ".")]
        if "bprop" in self.plan.plans:
            lines += [
                "fprop(...) returns (value, residuals), bprop(residuals, upstream) the gradients in WRT order, and",
                "value_and_grad(...) returns (value, gradients) from one fused pass. A gradient has its input's shape.",
                f"{INTO}(...) takes arrays for the gradients after the inputs, and allocates nothing.",
            ]
        if any(text.workspace for text in self.texts.values()):
            lines.append(
                "The optional last argument `work` is a tuple of scratch arrays to be used again from call to call."
            )
        if self._scratch("value_and_grad"):
            lines.append(f"{WORKSPACE}(...) makes that of value_and_grad and {INTO}.")
        if self.plan.summary:
            lines += ["", *map(_one_line, self.plan.summary)]
        needed = [*(self.plan.support.imports if self.plan.support and self.long else ())]
        needed += self.plan.apart.imports if self._apart() and self.plan.apart else ()
        needed += [
            line
            for support, _ in foreign(self.helpers.functions, self.plan.special, self.plan.lapack, self.plan.beyond)
            for line in support.imports
        ]
        plain = sorted({line for line in needed if line.startswith("import ")})
        outside = [line for line in dict.fromkeys(needed) if line not in plain]
        lines += ['"""', "", *sorted(["import math", *plain]), "", "import numpy as np"]
        lines += [self.helpers.numba_import(), *outside, ""]
        lines += [f"{self.plan.real} = np.{self.plan.real}", *self.helpers.decorators(), ""]
        for title, records in (("INPUTS", self.arguments), ("WRT", self.wrt), ("OUTPUTS", program.outputs)):
            quoted = (f'"{r.identifier}"' for r in records)
            lines.append(f"{title} = {tuple_text(quoted)}")
        return "\n".join(lines)

    def _helper_functions(self) -> list[str]:
        taken = foreign(self.helpers.functions, self.plan.special, self.plan.lapack, self.plan.beyond)
        parts = [part for support, bound in taken for part in (support.source, bound)]
        own = [f for f in self.helpers.functions if not isinstance(f, External)]
        parts += [f"@{self.helpers.decorator(f)}\n{helper_source(f, self.plan.real)}" for f in own]
        if self.helpers.accumulate:
            parts.append(
                '@njit(fastmath={"reassoc", "nsz"})\ndef accumulate(total, term):\n'
                '    """Add a term to a running sum; only this addition may be reordered, so that it vectorises."""\n'
                "    return total + term"
            )
        return [*parts, HELPERS] if self.helpers.threads else parts

    # -- sizes and checks -------------------------------------------------------------------------------------------

    def _sizes_function(self) -> str:
        plan = self.plan
        names = ", ".join(self.sizes[s] for s in self.bound)
        noun = "sizes" if len(self.bound) > 1 else "size"
        doc = f"Return the {noun} {names}, read off the arguments and checked" if names else "Check the arguments"
        lines = [f'"""{doc}."""']
        for action in plan.size_actions:
            argument = self.arguments[action.argument].identifier
            lines += size_action(action, argument, self.variables[argument], self.sizes, self._size)
        for ranges in plan.range_checks:
            lines += range_check(ranges, self._size)
        for check in plan.index_checks:
            if isinstance(check.index, Input):
                variable = self.variables[check.index.name]
                lines += index_check(check, variable, variable, self._size)
        if self.bound:
            lines.append(f"return {tuple_text(self.sizes[s] for s in self.bound)}")
        head = ["@jit", f"def _sizes({', '.join(self._parameters())}):"]
        return "\n".join([*head, *(f"    {line}" for line in lines)])

    # -- public functions and kernels ---------------------------------------------------------------------------------

    def _kernel_text(self, name: str) -> KernelText:
        checks = () if name == "bprop" else self.plan.index_checks
        plan = self.plan.plans[name]
        return emit_kernel(plan, self.variables, self.sizes, self.helpers, taken=self.taken, checks=checks, title=name)

    def _function(self, name: str) -> str:
        text = self.texts[name]
        inner = self._has_kernel(name)
        lines = [*text.functions, *self._kernel(name, text), "", ""] if inner else []
        signature = self._signature(name, with_work=bool(text.workspace))
        lines += ["@jit", f"def {name}({signature}):", f'    """{self._summary(name)}"""']
        lines += self._bprop_prologue(text) if name == "bprop" else self._prologue(name)
        scalars = [r for r in text.results if r is not None]
        if inner:
            names = Names([*self.taken, *(v for _, v in (*text.inputs, *text.arrays))])
            scalars = [names.fresh(r if r.isidentifier() else "out") for r in scalars]
            lines += [f"    {v} = np.empty({self._shape(n.shape)}, {numpy_type(n.dtype)})" for n, v in text.arrays]
            lines += self._call_kernel(name, text, [v for _, v in text.arrays], scalars)
        else:
            lines += [f"    {line}" for line in text.body]
        lines += self._return(name, text, scalars)
        return "\n".join(lines)

    def _has_kernel(self, name: str) -> bool:
        """Whether the mathematics stands in a function of its own, apart from checks and allocation."""
        text = self.texts[name]
        return bool(text.arrays or text.workspace or text.sizes) or name in self.long

    def _apart(self) -> bool:
        """Whether some kernel is compiled as one whose arrays share no memory."""
        return any(loops_write(text) and name not in self.long for name, text in self.texts.items())

    def _kernel(self, name: str, text: KernelText) -> list[str]:
        parameters = [self.sizes[s] for s in text.sizes]
        parameters += [v for _, v in text.inputs]
        parameters += [v for _, v in text.arrays]
        parameters += [v for _, _, v in text.workspace]
        scalars = [r for r in text.results if r is not None]
        decorator = self.plan.apart.decorator if self.plan.apart and loops_write(text) else "jit"
        decorator = self.plan.support.decorator if self.plan.support and name in self.long else decorator
        lines = [f"@{decorator}", f"def _{name}({', '.join(parameters)}):"]
        lines.append(f'    """{_KERNEL_DOCS[name]}"""')
        lines += [f"    {line}" for line in text.body]
        if scalars:
            lines.append(f"    return {scalars[0] if len(scalars) == 1 else ', '.join(scalars)}")
        return lines

    def _call_kernel(self, name: str, text: KernelText, arrays: Sequence[str], scalars: Sequence[str]) -> list[str]:
        lines: list[str] = []
        if text.workspace:
            fresh = [f"        scratch = {self._scratch(name)}"]
            if len(text.workspace) > _MOST_IN_TUPLE:
                # numba refuses a variable that gets a tuple as long as this in one of two places.
                fresh = [f"        fresh = {self._scratch(name)}", "        scratch = fresh"]
            lines += ["    if work is None:", *fresh]
            lines += ["    else:", "        scratch = work"]
        values = [*(v for _, v in text.inputs), *arrays]
        called = [*(self.sizes[s] for s in text.sizes), *values, *(["*scratch"] if text.workspace else [])]
        target = f"{', '.join(scalars)} = " if scalars else ""
        return [*lines, f"    {target}_{name}({', '.join(called)})"]

    def _scratch(self, name: str) -> str:
        """Return the scratch arrays of a function as source text; "" if it needs none or does not exist."""
        memory = self.texts[name].workspace if name in self.texts else ()
        arrays = [f"np.empty({self._shape(shape)}, {numpy_type(dtype)})" for shape, dtype, _ in memory]
        return tuple_text(arrays) if arrays else ""

    def _workspace(self) -> str:
        """Return the function that makes the scratch arrays of value_and_grad."""
        doc = f"Return scratch arrays for value_and_grad and {INTO} with arguments of these shapes."
        head = ["@jit", f"def {WORKSPACE}({', '.join(self._parameters())}):", f'    """{doc}"""']
        return "\n".join([*head, *self._prologue("value"), f"    return {self._scratch('value_and_grad')}"])

    def _into(self) -> str:
        """Return the function that writes arrays where its caller wants them."""
        text, inner = self.texts["value_and_grad"], self._has_kernel("value_and_grad")
        n = len(self.plan.program.outputs)
        nodes = self.plan.plans["value_and_grad"].graph.outputs
        writing = find_targets(
            list(zip(self.plan.program.outputs, nodes[:n], strict=True)),
            list(zip(self.wrt, nodes[n:], strict=True)),
            variables=self.variables,
            passed=self.shapes,
            shape=self._shape,
            names=Names([*self.taken, *(v for _, v in text.inputs)]),
        )
        targets = [t.variable for t in writing.targets]
        parameters = [*self._parameters(), *targets, *(["work=None"] if text.workspace else [])]
        lines = ["@jit", f"def {INTO}({', '.join(parameters)}):", f'    """{writing.doc}"""']
        lines += self._prologue("value_and_grad") if inner else []
        read = [v for n, v in text.inputs if n.rank] if inner else []
        lines += [f"    {line}" for line in check_targets(writing.targets, read)]
        value = writing.values[0] if len(writing.values) == 1 else tuple_text(writing.values)
        if inner:
            scalars = [*writing.values, *writing.entries]
            lines += self._call_kernel("value_and_grad", text, writing.arrays, scalars)
        else:
            call = f"value_and_grad({', '.join(self._parameters())})"
            lines.append(f"    {value}, {tuple_text(writing.entries)} = {call}")
        return "\n".join([*lines, *([f"    return {value}"] if writing.values else [])])

    def _return(self, name: str, text: KernelText, scalars: Sequence[str]) -> list[str]:
        arrays = iter(v for _, v in text.arrays)
        numbers = iter(scalars)
        results = [next(arrays) if r is None else next(numbers) for r in text.results]
        n_values = 0 if name == "bprop" else len(self.plan.program.outputs)
        values = results[:n_values]
        value = values[0] if len(values) == 1 else tuple_text(values)
        rest = results[n_values:]
        if name == "value":
            return [f"    return {value}"]
        if name == "fprop":
            computed = iter(rest)
            kept = [self.variables[n.name] if isinstance(n, Input) else next(computed) for n in self.plan.residuals]
            kept += self.shapes.values()
            kept += [self.sizes[s] for s in self._bprop_sizes()]
            return [f"    return {value}, {tuple_text(kept)}"]
        shaped = [
            f"{g}.reshape({self.shapes[a.identifier]})" if a.identifier in self.shapes else g
            for g, a in zip(rest, self.wrt, strict=True)
        ]
        grads = tuple_text(shaped)
        return [f"    return {value}, {grads}" if name == "value_and_grad" else f"    return {grads}"]

    def _prologue(self, name: str) -> list[str]:
        lines: list[str] = []
        for a in self.arguments:
            shape = self.shapes.get(a.identifier) if name != "value" else None
            lines += canonical(self.variables[a.identifier], a, shape)
        if self.needs_sizes:
            call = f"_sizes({', '.join(self._parameters())})"
            target = target_text([self.sizes[s] for s in self.bound])
            lines.append(f"    {target} = {call}" if self.bound else f"    {call}")
        return lines

    def _bprop_prologue(self, text: KernelText) -> list[str]:
        plan = self.plan.plans["bprop"]
        bound = dict(text.inputs)
        inputs = plan.graph.inputs[: len(self.plan.residuals)]
        kept = [bound.get(n, f"_{n.name}") for n in inputs]
        kept += [*self.shapes.values(), *(self.sizes[s] for s in self._bprop_sizes())]
        lines = [f"    {target_text(kept)} = residuals"] if kept else []
        if self.plan.real == "float32":
            # A float32 number that has been in Python's hands comes back as a double.
            numbers = [bound[n] for n in inputs if n in bound and not n.rank and n.type.is_real]
            lines += [f"    {v} = float32({v})" for v in numbers]
        for k, node in enumerate(self.plan.upstream):
            if node not in bound:
                continue
            source = "upstream" if len(self.plan.upstream) == 1 else f"upstream[{k}]"
            cast = f"{node.dtype}({source})" if node.rank == 0 else f"np.ascontiguousarray({source})"
            lines.append(f"    {bound[node]} = {cast}")
        return lines

    def _bprop_sizes(self) -> list[str]:
        """Return the size symbols that the backward pass needs."""
        text = self.texts["bprop"]
        shapes = [n.shape for n, _ in text.arrays] + [shape for shape, _, _ in text.workspace]
        needed = {*text.sizes, *(s for shape in shapes for dim in shape for s in dim.symbols)}
        return sorted(needed)

    # -- small pieces -------------------------------------------------------------------------------------------------

    def _parameters(self) -> list[str]:
        return [self.variables[a.identifier] for a in self.arguments]

    def _signature(self, name: str, *, with_work: bool) -> str:
        if name == "bprop":
            scalar = len(self.plan.upstream) == 1 and not self.plan.upstream[0].rank
            parameters = ["residuals", "upstream=1.0" if scalar else "upstream"]
        else:
            parameters = self._parameters()
        return ", ".join([*parameters, *(["work=None"] if with_work else [])])

    def _summary(self, name: str) -> str:
        grads = tuple_text(f"ct_{a.identifier}" for a in self.wrt)
        return {
            "value": "Return the value.",
            "fprop": "Return (value, residuals): the forward pass, keeping what the backward pass needs.",
            "bprop": f"Return the gradients {grads} times the upstream gradient: the backward pass.",
            "value_and_grad": f"Return (value, {grads}) from one fused pass.",
        }[name]

    def _size(self, dim: Dim) -> str:
        return str(dim.substitute({s: Dim.of(v) for s, v in self.sizes.items()}))

    def _shape(self, dims: Sequence[Dim]) -> str:
        return tuple_text(self._size(d) for d in dims)


_KERNEL_DOCS = {
    "value": "Compute the value.",
    "fprop": "Compute the value and the residuals into the given arrays.",
    "bprop": "Compute the gradients into the given arrays.",
    "value_and_grad": "Compute the value, and the gradients into the given arrays.",
}


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() and c not in '"\\' else " " for c in text)
