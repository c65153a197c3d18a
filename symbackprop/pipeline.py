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
from dataclasses import dataclass, replace
from typing import Any

import sympy as sp

import symbackprop.ops  # noqa: F401 - fills the registry
from symbackprop.autodiff.bprop import build_bprop
from symbackprop.codegen.externals import Support
from symbackprop.codegen.module import ModulePlan
from symbackprop.cost import Count, count, dominating, ratio_bound
from symbackprop.errors import CostError, InputError, message
from symbackprop.frontend.program import Program
from symbackprop.frontend.translate import translate
from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import Graph, substitute, toposort
from symbackprop.ir.node import Const, Input, Node
from symbackprop.ir.sizes import read_sizes
from symbackprop.ir.types import TensorType
from symbackprop.options import Options
from symbackprop.plan.plan import Plan, index_checks, make_plan, range_checks
from symbackprop.plan.products import choose_paths
from symbackprop.plan.residuals import split_bprop
from symbackprop.plan.traffic import traffic
from symbackprop.rewrite.engine import expand_reductions, simplify
from symbackprop.rewrite.rules import RULES_LOWERED
from symbackprop.runtime import apart, beyond, lapack, special
from symbackprop.runtime.kernel import Kernel, Record
from symbackprop.runtime.straightline import IMPORTS
from symbackprop.runtime.straightline import source as straight_line_source

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
        expr: scalar `Expr`, `MatrixExpr`, `Matrix`, `NDimArray`, array expression, or lists, tuples or dicts of these,
            nested as the results shall be; a dict's keys are strings or symbols. Or a program, see below.
        wrt: symbol(s) or input name(s) to differentiate for; default every real-valued input that occurs.
        inputs: calling order, a sequence or a dict name -> entry; default all free symbols by name. An entry may be a
            list, tuple or Matrix of scalar symbols: one array argument. Symbols of one name become x, x_1, x_2 ... in
            the order of the sequence.
        names: labels for intermediates, kept in every listing: label -> expression.
        batch: inputs that carry a leading axis: input -> size symbol of that axis.
        dtype: "float64" or "float32".
        name: title of the generated module.

    Raises:
        UnsupportedExpressionError: a construct without translation, named with where it stands.
        ShapeError: symbolic shapes that cannot agree.
        InputError: wrong names, wrt, inputs or batch.
        CostError: the backward pass would have a larger big-O than the forward pass.

    Free indices: an integer symbol that only indexes arrays, is in no sum over it and not in `inputs`, makes an axis of
    the output; several are ordered by name. `A[j, i]` is the transpose of A. In `inputs` it is a number to be passed.

    Programs: an item `Eq(lhs, rhs)` or `Assignment(lhs, rhs)` of a list defines a named intermediate for the items
    behind it, and any other item is an output:

        sbp.compile([Eq(z, W*x + b), Eq(h, z.applyfunc(tanh)), u.T*h])

    `lhs` is a symbol, a `MatrixSymbol` or `ArraySymbol` of the right shape, or `y[i]` over free indices, read later at
    any index. Definitions hold in order; one may be replaced by another or by `x += ...` (`AugmentedAssignment`), and
    outputs see the last. Without outputs the names that nothing reads afterwards are the outputs, in a dict if they are
    several. A `CodeBlock` and the pair that `sympy.cse` returns are programs too. A list of one output returns it as it
    is. `Derivative(expr, x)` as output or inside an expression shares its graph with `expr`.

    Cost: linear in the nodes of the expression's graph; numba compiles each kernel function at its first call.
    """
    options = Options(dtype=dtype, name=name)
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
    plans, residuals = _plans(joint, fused, forward, upstream, program)
    actions, _ = read_sizes(forward.inputs, program.sizes, program.spans)
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
        range_checks=tuple(range_checks(program.graph, program.spans)),
        support=Support("straight_line", IMPORTS, straight_line_source()),
        special=Support("scipy_function", special.IMPORTS, special.source()),
        lapack=Support("lapack_routine", lapack.IMPORTS, lapack.source()),
        apart=Support(apart.DECORATOR, apart.IMPORTS, apart.source()),
        beyond=Support("beyond", beyond.IMPORTS, beyond.source()),
        summary=tuple(str(certificate).splitlines()) if program.wrt else (),
    )
    return Kernel(module, _records(program.arguments, program), _records(program.outputs, program), certificate)


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
    """Return the graph simplified, products in order."""
    return choose_paths(simplify(graph, warrant=options.warrant))


def _lower(graph: Graph, options: Options) -> Graph:
    """Return the graph with its reductions in terms of what loops can do."""
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
    joint: Graph, fused: Graph, forward: Graph, upstream: tuple[Input, ...], program: Program
) -> tuple[dict[str, Plan], tuple[Node, ...]]:
    """Return the plan of each public function, and the residuals."""
    n = len(forward.outputs)
    values = joint.outputs[:n]
    value_names = [o.identifier for o in program.outputs]
    plans = {"value": make_plan(replace(joint, inputs=forward.inputs, outputs=values), value_names)}
    if not program.wrt:
        return plans, ()
    grad_names = [f"ct_{a.identifier}" for a in program.arguments if a.name in program.wrt]
    split = split_bprop(joint, n, upstream)
    computed = [(r, i.name) for r, i in zip(split.residuals, split.graph.inputs, strict=False) if r is not i]
    kept = tuple(r for r, _ in computed)
    names = [*value_names, *(name for _, name in computed)]
    plans["fprop"] = make_plan(replace(joint, inputs=forward.inputs, outputs=(*values, *kept)), names)
    plans["bprop"] = make_plan(split.graph, grad_names)
    plans["value_and_grad"] = make_plan(fused, [*value_names, *grad_names])
    return plans, split.residuals


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
