"""The story of a compilation, told once: SymPy in, source text out.

translate      SymPy -> Graph                                         frontend
simplify       algebra, stable forms                                  rewrite
choose_paths   order of products                                      plan
build_bprop    Graph -> Graph of the gradients                        autodiff
simplify       again: the derivative shows new patterns               rewrite
certify        cost polynomials; refuse a backward pass of larger O   cost
make_plan      fusion, residuals, memory                              plan
emit_module    source text                                            codegen

`symbackprop.compiler` loads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import symbackprop.ops  # noqa: F401 - fills the registry
from symbackprop.autodiff.bprop import build_bprop
from symbackprop.certificate import Certificate, described
from symbackprop.codegen.externals import Support
from symbackprop.codegen.module import ModulePlan, emit_module
from symbackprop.cost import Count, count, dominating, ratio_bound
from symbackprop.errors import CostError, InputError, message
from symbackprop.frontend.program import Program
from symbackprop.frontend.translate import translate
from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph, substitute, toposort
from symbackprop.ir.node import Const, Input, Node
from symbackprop.ir.recurrence import made_along
from symbackprop.ir.sizes import read_sizes
from symbackprop.ir.types import TensorType
from symbackprop.options import Options
from symbackprop.plan.plan import CountCheck, Plan, RangeCheck, index_checks, make_plan, range_checks
from symbackprop.plan.products import choose_paths
from symbackprop.plan.residuals import split_bprop
from symbackprop.plan.traffic import traffic
from symbackprop.rewrite.engine import expand_reductions, simplify
from symbackprop.rewrite.recurrences import rework_scans
from symbackprop.rewrite.rules import RULES_LOWERED
from symbackprop.runtime import apart, beyond, lapack, special
from symbackprop.runtime.interface import Costs, CountRange, IndexRange, Interface, PositionRange
from symbackprop.runtime.straightline import IMPORTS
from symbackprop.runtime.straightline import source as straight_line_source

__all__ = ["Built", "build"]


@dataclass(frozen=True)
class Built:
    """A compiled program.

    Attributes:
        source: the generated module's text.
        interface: its arguments and results.
        plan: what the text was made from.
        certificate: what it costs.
    """

    source: str
    interface: Interface
    plan: ModulePlan
    certificate: Certificate


def build(
    expr: Any,
    wrt: Any = None,
    *,
    inputs: Any = None,
    names: Mapping[str, Any] | None = None,
    batch: Mapping[Any, Any] | None = None,
    options: Options,
) -> Built:
    """Return the generated module of an expression; arguments and errors are those of `symbackprop.compile`."""
    program = translate(
        expr, wrt=wrt, inputs=inputs, names=names, batch=batch, options=options, differentiate=_gradient
    )
    forward = _settle_labels(_tidy(program.graph, options), program)
    upstream = _upstream_inputs(forward, program, options)
    wrt_nodes = [n for n, a in zip(forward.inputs, program.arguments, strict=True) if a.name in program.wrt]
    derived = _tidy(_with_gradients(forward, wrt_nodes, upstream), options)
    joint = _lower(derived, options)
    ones = substitute(derived.roots, {u: Const(1.0, u.type) for u in upstream})
    fused = _lower(_tidy(replace(derived, inputs=forward.inputs).replace(ones), options), options)
    plans, residuals = _plans(joint, fused, forward, upstream, program, parallel=options.parallel)
    actions, _ = read_sizes(forward.inputs, program.sizes, program.spans)
    costs = _certify(joint, len(forward.outputs), plans, program)
    certificate = Certificate.of(costs, program.symbols)
    module = ModulePlan(
        name=options.name,
        program=program,
        real=options.dtype,
        plans=plans,
        residuals=residuals,
        upstream=upstream,
        size_actions=tuple(actions),
        index_checks=tuple(index_checks(Graph(forward.inputs, joint.outputs[: len(forward.outputs)]))),
        range_checks=tuple(range_checks(program.graph, program.spans)),
        support=Support("straight_line", IMPORTS, straight_line_source()),
        special=Support("scipy_function", special.IMPORTS, special.source()),
        lapack=Support("lapack_routine", lapack.IMPORTS, lapack.source()),
        apart=Support(apart.DECORATOR, apart.IMPORTS, apart.source()),
        beyond=Support("beyond", beyond.IMPORTS, beyond.source()),
        summary=tuple(str(certificate).splitlines()) if program.wrt else (),
    )
    return Built(emit_module(module), _interface(module, costs), module, certificate)


def _gradient(output: Node, node: Node, upstream: Node) -> Node:
    """Return the gradient for a node of `output`'s graph."""
    return build_bprop(Graph((), (output,)), [node], [upstream])[0]


def _settle_labels(graph: Graph, program: Program) -> Graph:
    """Return the graph without labels of values that simplification did away with.

    Raises:
        InputError: a label whose value the outputs never contained.
    """
    used = set(toposort(graph.outputs))
    names = {label: n for label, n in graph.names.items() if n in used}
    for label, error in program.unmatched.items():
        if label not in names:
            raise InputError(error)
    return Graph(graph.inputs, graph.outputs, names, {n: label for label, n in names.items()})


def _with_gradients(forward: Graph, wrt: Sequence[Node], upstream: tuple[Input, ...]) -> Graph:
    """Return the forward program with the gradients as further outputs; cotangents of labelled values get names too."""
    labelled = [(f"ct_{label}", node) for label, node in forward.names.items()]
    cotangents = build_bprop(forward, [*wrt, *(node for _, node in labelled)], upstream)
    hints = dict(forward.hints)
    for (hint, _), ct in zip(labelled, cotangents[len(wrt) :], strict=True):
        if ct.args:
            hints.setdefault(ct, hint)
    return Graph((*forward.inputs, *upstream), (*forward.outputs, *cotangents[: len(wrt)]), forward.names, hints)


def _tidy(graph: Graph, options: Options) -> Graph:
    """Return the graph simplified, products in order, and recurrences without what need not be inside of them."""
    before, graph = None, choose_paths(simplify(graph, warrant=options.warrant))
    while graph.roots != before:
        before = graph.roots
        moved = rework_scans(graph, lambda step: _tidy(step, options), settle=True)
        if moved.roots != before:
            graph = choose_paths(simplify(moved, warrant=options.warrant))
    return graph


def _lower(graph: Graph, options: Options) -> Graph:
    """Return the graph with its reductions in terms of what loops can do."""
    graph = rework_scans(graph, lambda step: _lower(step, options))
    return simplify(expand_reductions(graph), RULES_LOWERED, warrant=options.warrant)


def _upstream_inputs(forward: Graph, program: Program, options: Options) -> tuple[Input, ...]:
    """Return one input per output for the gradient arriving there."""
    taken = {n.name for n in forward.inputs}
    made = []
    for out, record in zip(forward.outputs, program.outputs, strict=True):
        name = f"ct_{record.identifier}"
        while name in taken:
            name += "_"
        taken.add(name)
        made.append(Input(name, TensorType(out.shape, options.dtype)))
    return tuple(made)


def _plans(
    joint: Graph, fused: Graph, forward: Graph, upstream: tuple[Input, ...], program: Program, *, parallel: bool
) -> tuple[dict[str, Plan], tuple[Node, ...]]:
    """Return the plan of each public function, and the residuals."""
    batches = {a.batch for a in program.arguments if a.batch is not None}
    threads_over = batches if parallel else None
    n = len(forward.outputs)
    values = joint.outputs[:n]
    value_names = [o.identifier for o in program.outputs]
    plans = {"value": make_plan(replace(joint, inputs=forward.inputs, outputs=values), value_names, threads_over)}
    if not program.wrt:
        return plans, ()
    grad_names = [f"ct_{a.identifier}" for a in program.arguments if a.name in program.wrt]
    split = split_bprop(joint, n, upstream)
    computed = [(r, i.name) for r, i in zip(split.residuals, split.graph.inputs, strict=False) if r is not i]
    kept = tuple(r for r, _ in computed)
    names = [*value_names, *(name for _, name in computed)]
    plans["fprop"] = make_plan(replace(joint, inputs=forward.inputs, outputs=(*values, *kept)), names, threads_over)
    plans["bprop"] = make_plan(split.graph, grad_names, threads_over)
    plans["value_and_grad"] = make_plan(fused, [*value_names, *grad_names], threads_over)
    return plans, split.residuals


def _certify(joint: Graph, n_values: int, plans: Mapping[str, Plan], program: Program) -> Costs:
    """Return what the kernel costs.

    Raises:
        CostError: a term of the backward cost is not bounded by any term of the forward cost.
    """
    values, grads = joint.outputs[:n_values], joint.outputs[n_values:]
    forward_nodes = toposort(values)
    seen = {*forward_nodes, *made_along(forward_nodes, toposort(grads))}
    fprop = count(forward_nodes, values)
    bprop = count([n for n in toposort(grads) if n not in seen], grads) if program.wrt else Count(Dim.of(0), Dim.of(0))
    bound = ratio_bound(bprop.flops, fprop.flops)
    if bound is None:
        loose = [m for m, c in bprop.flops.terms if c > 0 and not dominating(m, fprop.flops)]
        raise CostError(
            message(
                "the backward pass has a larger big-O than the forward pass",
                expected=f"at most a constant times {fprop.flops}",
                found=" + ".join(str(Dim({m: 1})) for m in loose),
            )
        )
    backward_bytes = traffic(plans["bprop"]) if "bprop" in plans else Dim.of(0)
    return Costs(
        fprop=fprop.flops,
        bprop=bprop.flops,
        ratio_bound=bound,
        fprop_calls=fprop.calls,
        bprop_calls=bprop.calls,
        fprop_bytes=traffic(plans["value"]),
        bprop_bytes=backward_bytes,
    )


def _interface(plan: ModulePlan, costs: Costs) -> Interface:
    """Return the interface of the module that is made from `plan`."""
    program = plan.program
    position = {a.identifier: k for k, a in enumerate(program.arguments)}
    return Interface(
        name=plan.name,
        arguments=program.arguments,
        outputs=program.outputs,
        container=program.container,
        layout=program.layout,
        wrt=program.wrt,
        free=program.free,
        sizes=dict(program.sizes),
        symbols={identifier: described(symbol) for identifier, symbol in program.symbols.items()},
        size_actions=plan.size_actions,
        index_checks=tuple(
            IndexRange(position[c.index.name], c.offset, c.size)
            for c in plan.index_checks
            if isinstance(c.index, Input)
        ),
        range_checks=tuple(map(_range, plan.range_checks)),
        workspaces={name: p.workspace.slots for name, p in plan.plans.items()},
        costs=costs,
        parallel=any(p.uses_threads for p in plan.plans.values()),
    )


def _range(check: RangeCheck | CountCheck) -> PositionRange | CountRange:
    """Return a check without the graph it refers to."""
    if isinstance(check, CountCheck):
        return CountRange(check.count)
    source = check.source.name if isinstance(check.source, Input) else "an indexed value"
    return PositionRange(source, check.axis, check.first, check.last, check.size, check.counts)
