"""The story of a compilation, told once: SymPy in, kernel out.

    translate      SymPy -> Graph                                         frontend
    simplify       algebra, stable forms                                  rewrite
    choose_paths   order of products                                      plan
    build_bprop    Graph -> Graph of the gradients                        autodiff
    simplify       again: the derivative shows new patterns               rewrite
    certify        cost polynomials; refuse a backward pass of larger O   cost
    make_plan      fusion, residuals, memory                              plan
    Kernel         source text, loaded                                    codegen, runtime
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

import symbackprop.ops  # noqa: F401 - fills the registry
from symbackprop.codegen.module import ModulePlan
from symbackprop.cost import Count, count, dominating, ratio_bound
from symbackprop.errors import CostError, message
from symbackprop.frontend.program import Program
from symbackprop.frontend.translate import translate
from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph, substitute, toposort
from symbackprop.ir.node import Const, Input, Node
from symbackprop.ir.types import TensorType
from symbackprop.options import Options
from symbackprop.autodiff.bprop import build_bprop
from symbackprop.plan.plan import Plan, index_checks, make_plan, range_checks
from symbackprop.plan.products import choose_paths
from symbackprop.plan.residuals import split_bprop
from symbackprop.plan.sizes import read_sizes
from symbackprop.plan.traffic import traffic
from symbackprop.rewrite.engine import expand_reductions, simplify
from symbackprop.runtime.kernel import Kernel, Record

__all__ = ["Certificate", "compile"]


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

    def __str__(self) -> str:
        return (
            f"fprop: {self.fprop} operations ({self.fprop_calls} library calls), {self.fprop_bytes} bytes\n"
            f"bprop: {self.bprop} operations ({self.bprop_calls} library calls), {self.bprop_bytes} bytes\n"
            f"bprop / fprop <= {self.ratio_bound:.3g} for all sizes >= 1"
        )


def compile(  # noqa: A001 - the verb users expect
    expr: Any,
    wrt: Any = None,
    *,
    inputs: Any = None,
    names: Mapping[str, Any] | None = None,
    batch: Mapping[Any, Any] | None = None,
    dtype: str = "float64",
    name: str = "kernel",
) -> Kernel:
    """Return the kernel that computes `expr` and its gradients.

    Args:
        expr: scalar `Expr`, `MatrixExpr`, `Matrix`, `NDimArray`, or a sequence or dict of these.
        wrt: symbol(s) or input name(s) to differentiate for; default every real-valued input that occurs.
        inputs: calling order, a sequence or a dict name -> entry; default all free symbols by name. An entry may be a
            list, tuple or Matrix of scalar symbols: one array argument.
        names: labels for intermediates, kept in every listing: label -> expression.
        batch: inputs that carry a leading axis: input -> size symbol of that axis.
        dtype: "float64" or "float32".
        name: title of the generated module.

    Raises:
        UnsupportedExpressionError: a construct without translation, named with where it stands.
        ShapeError: symbolic shapes that cannot agree.
        InputError: wrong names, wrt, inputs or batch.
        CostError: the backward pass would have a larger big-O than the forward pass.

    Cost: linear in the nodes of the expression's graph; numba compiles each kernel function at its first call.
    """
    options = Options(dtype=dtype, name=name)
    program = translate(expr, wrt=wrt, inputs=inputs, names=names, batch=batch, options=options)
    forward = choose_paths(simplify(program.graph, warrant=options.warrant))
    upstream = _upstream_inputs(forward, program, options)
    wrt_nodes = [n for n, a in zip(forward.inputs, program.arguments, strict=True) if a.name in program.wrt]
    grads = build_bprop(forward, wrt_nodes, upstream)
    joint = _finish(Graph((*forward.inputs, *upstream), (*forward.outputs, *grads), forward.names), options)
    ones = {u: Const(1.0, u.type) for u in upstream if u.type.is_real}
    new = substitute(joint.roots, ones)
    fused = _finish(Graph(forward.inputs, tuple(new[n] for n in joint.outputs), _renamed(joint.names, new)), options)
    plans, residuals = _plans(joint, fused, forward, upstream, program)
    actions, _ = read_sizes(forward.inputs)
    certificate = _certify(joint, len(forward.outputs), plans, program)
    module = ModulePlan(
        name=options.name,
        program=program,
        real=options.dtype,
        plans=plans,
        residuals=residuals,
        upstream=upstream,
        size_actions=tuple(actions),
        index_checks=tuple(index_checks(Graph(forward.inputs, joint.outputs[: len(forward.outputs)]))),
        range_checks=tuple(range_checks(program.graph)),
        summary=tuple(str(certificate).splitlines()) if program.wrt else (),
    )
    return Kernel(module, _records(program.arguments, program), _records(program.outputs, program), certificate)


def _finish(graph: Graph, options: Options) -> Graph:
    """Return the graph simplified once more, products in order, reductions in terms of what loops can do."""
    simplified = choose_paths(simplify(graph, warrant=options.warrant))
    return simplify(expand_reductions(simplified), warrant=options.warrant)


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


def _renamed(names: Mapping[str, Node], new: Mapping[Node, Node]) -> dict[str, Node]:
    return {label: new[node] for label, node in names.items()}


def _plans(
    joint: Graph, fused: Graph, forward: Graph, upstream: tuple[Input, ...], program: Program
) -> tuple[dict[str, Plan], tuple[Node, ...]]:
    """Return the plan of each public function, and the residuals."""
    n = len(forward.outputs)
    values, grads = joint.outputs[:n], joint.outputs[n:]
    labels = {node: label for label, node in joint.names.items()}
    value_labels = {**_labelled(values, [o.identifier for o in program.outputs]), **labels}
    plans = {"value": make_plan(Graph(forward.inputs, values, joint.names), value_labels)}
    if not program.wrt:
        return plans, ()
    grad_names = [f"ct_{a.identifier}" for a in program.arguments if a.name in program.wrt]
    split = split_bprop(values, grads, upstream)
    computed = tuple(r for r in split.residuals if not isinstance(r, Input))
    plans["fprop"] = make_plan(Graph(forward.inputs, (*values, *computed), joint.names), value_labels)
    names_of = dict(zip(split.graph.inputs, split.residuals, strict=False))
    kept = {new: value_labels[old] for new, old in names_of.items() if old in value_labels}
    plans["bprop"] = make_plan(split.graph, {**_labelled(split.graph.outputs, grad_names), **kept})
    fused_labels = _labelled(fused.outputs, [o.identifier for o in program.outputs] + grad_names)
    fused_labels.update({node: label for label, node in fused.names.items()})
    plans["value_and_grad"] = make_plan(fused, fused_labels)
    return plans, split.residuals


def _labelled(nodes: Sequence[Node], names: Sequence[str]) -> dict[Node, str]:
    """Return node -> name, the first name for a node that occurs twice."""
    out: dict[Node, str] = {}
    for node, name in zip(nodes, names, strict=True):
        if not isinstance(node, Input | Const):
            out.setdefault(node, name)
    return out


def _certify(joint: Graph, n_values: int, plans: Mapping[str, Plan], program: Program) -> Certificate:
    """Return the cost certificate.

    Raises:
        CostError: a term of the backward cost is not bounded by any term of the forward cost.
    """
    values, grads = joint.outputs[:n_values], joint.outputs[n_values:]
    forward_nodes = toposort(values)
    seen = set(forward_nodes)
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

    def polynomial(dim: Dim) -> sp.Expr:
        return as_sympy(dim, program)

    return Certificate(
        polynomial(fprop.flops),
        polynomial(bprop.flops),
        bound,
        polynomial(fprop.calls),
        polynomial(bprop.calls),
        polynomial(traffic(plans["value"])),
        polynomial(backward_bytes),
    )


def as_sympy(dim: Dim, program: Program) -> sp.Expr:
    """Return a size polynomial in the user's own size symbols."""
    return sp.Add(*(c * sp.Mul(*(program.symbols[s] ** e for s, e in m)) for m, c in dim.terms))


def _records(items: Sequence[Any], program: Program) -> list[Record]:
    """Return the public records of arguments or outputs."""
    return [Record(i.name, tuple(as_sympy(d, program) for d in i.shape), i.dtype) for i in items]
