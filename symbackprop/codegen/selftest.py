"""The self-test of a generated module: random arguments, analytic against numerical gradient, a printed verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from symbackprop.codegen.expression import tuple_text
from symbackprop.codegen.names import Names
from symbackprop.frontend.program import Argument
from symbackprop.ir.dims import Dim
from symbackprop.ir.graph import toposort
from symbackprop.ir.node import Elementwise, Input, Library
from symbackprop.plan.plan import RangeCheck

if TYPE_CHECKING:
    from symbackprop.codegen.module import ModulePlan

__all__ = ["emit"]

_CHECK = '''
def self_test(seed=0):
    """Compare every gradient with central differences at random arguments; print and return whether all agree."""
    rng = np.random.default_rng(seed)
    worst = dict.fromkeys(WRT, 0.0)
    for _ in range(ROUNDS):
        arguments = sample(rng)
        if arguments is None:
            print("self-test FAILED: no arguments with finite results found")
            return False
        result, fused = value_and_grad(*arguments)
        _, residuals = fprop(*arguments)
        ones = tuple(np.ones(np.shape(r), REAL)[()] for r in results(result))
        split = bprop(residuals, ones if isinstance(result, tuple) else ones[0])
        for name, gradient, other in zip(WRT, fused, split):
            numeric = differences(arguments, INPUTS.index(name))
            scale = max(1.0, abs(total(result)), np.max(np.abs(numeric), initial=0.0))
            error = np.max(np.abs([numeric - gradient, numeric - other]), initial=0.0) / scale
            worst[name] = np.maximum(worst[name], error)
    for name, gradient in zip(WRT, fused):
        verdict = "ok" if worst[name] < TOLERANCE else "WRONG"
        print(f"  gradient of {name}, shape {np.shape(gradient)}: relative difference {worst[name]:.1e}  {verdict}")
    passed = all(error < TOLERANCE for error in worst.values())
    print("self-test passed" if passed else "self-test FAILED")
    return passed


def sample(rng):
    """Return random arguments at which all results and gradients are finite, None if none are found."""
    for low, high in RANGES * 20:
        arguments = example(rng, low, high)
        try:
            result, gradients = value_and_grad(*arguments)
        except IndexError:  # computed from other indices, it may lie outside its axis
            continue
        if all(np.all(np.isfinite(g)) for g in results(result) + gradients):
            return arguments
    return None


def differences(arguments, k):
    """Return the central differences of the sum of all results with respect to argument k."""
    point = np.array(arguments[k], dtype=np.float64)
    numeric = np.empty(point.shape)
    for at in np.ndindex(point.shape):
        h = STEP * max(1.0, abs(point[at]))
        sides = []
        for side in (h, -h):
            moved = point.copy()
            moved[at] += side
            moved = moved.astype(REAL) if moved.ndim else REAL(moved)
            sides.append(total(value(*arguments[:k], moved, *arguments[k + 1:])))
        numeric[at] = (sides[0] - sides[1]) / (2 * h)
    return numeric


def results(result):
    """Return one or several results as a tuple."""
    return result if isinstance(result, tuple) else (result,)


def total(result):
    """Return the sum of all entries of all results: what value_and_grad differentiates."""
    return sum(float(np.sum(r)) for r in results(result))


if __name__ == "__main__":
    raise SystemExit(0 if self_test() else 1)
'''


#: What the check does differently for the arguments in DECLARED.
_COMPARISON = "            numeric = differences(arguments, INPUTS.index(name))\n"
_DECLARED_COMPARISON = (
    "            numeric = other if name in DECLARED else differences(arguments, INPUTS.index(name))\n"
)
_VERDICT = '        verdict = "ok" if worst[name] < TOLERANCE else "WRONG"\n'
_DECLARED_REMARK = (
    "        if name in DECLARED:\n"
    '            verdict += " (a derivative was declared: bprop against value_and_grad)"\n'
)

#: Intervals that real arguments are drawn from, in turn, until the results are finite.
RANGES = ((0.2, 0.9), (1.1, 1.9), (-0.9, 0.9), (2.0, 9.0))


def emit(plan: ModulePlan, wrt: Sequence[Argument]) -> str:
    """Return the text of the self-test, or of the example arguments alone when nothing is differentiated."""
    example = _example(plan)
    if not wrt:
        return example
    step, tolerance = ("1e-6", "1e-6") if plan.real == "float64" else ("1e-2", "2e-2")
    check = _CHECK
    inside = _declared(plan)
    names = tuple(a.identifier for a in wrt if a.identifier in inside)
    if names:
        check = check.replace(_COMPARISON, _DECLARED_COMPARISON).replace(_VERDICT, _VERDICT + _DECLARED_REMARK)
        remark = "#: Their gradients follow a declared derivative, which need not be the slope."
        example = f"{remark}\nDECLARED = {names!r}\n\n\n{example}"
    constants = f"REAL = {plan.real}\nSTEP = {step}\nTOLERANCE = {tolerance}\nROUNDS = 3\nRANGES = {RANGES}"
    return f"{constants}\n\n\n{example}\n\n{check}"


def _declared(plan: ModulePlan) -> set[str]:
    """Return the names of the inputs that a function with a declared derivative depends on."""
    marked = [n for n in plan.program.graph.nodes() if isinstance(n, Elementwise) and n.op.expand is not None]
    return {n.name for n in toposort(marked) if isinstance(n, Input)}


def _example(plan: ModulePlan) -> str:
    """Return the function that draws arguments of small, different sizes; index arguments stay in range.

    If there is an inverse or a determinant, square matrices keep well away from singular ones.
    """
    doc = "Return random arguments of small sizes, real ones between low and high."
    lines = ["def example(rng, low, high):", f'    """{doc}"""']
    names = Names(["rng", "low", "high"])
    sizes = {symbol: names.fresh(symbol) for symbol in plan.program.sizes}
    lines += [f"    {sizes[symbol]} = {size}" for symbol, size in _sizes(plan).items()]
    renamed = {symbol: Dim.of(variable) for symbol, variable in sizes.items()}
    routines = any(isinstance(n, Library) for p in plan.plans.values() for n in p.graph.nodes())
    drawn = []
    for argument in plan.program.arguments:
        shape = tuple(d.substitute(renamed) for d in argument.core_shape)
        size = tuple_text(shape)
        if argument.identifier in sizes and not shape:
            drawn.append(sizes[argument.identifier])
        elif argument.dtype == "int64":
            low, high = (text.substitute(renamed) for text in _bounds(plan, argument))
            value = f"rng.integers({low}, {high}, {size})"
            drawn.append(value if shape else f"int({value})")
        else:
            value = f"rng.uniform(low, high, {size})"
            if routines and len(shape) > 1 and shape[-1] == shape[-2]:
                value = f"({value} + {shape[-1]} * np.eye({shape[-1]}))"
            drawn.append(f"{value}.astype({plan.real})" if shape else f"{plan.real}({value})")
    body = "".join(f"        {d},\n" for d in drawn)
    lines.append(f"    return (\n{body}    )")
    return "\n".join(lines)


def _sizes(plan: ModulePlan) -> dict[str, int]:
    """Return a small value for each size symbol, different ones where the index ranges of the program allow it."""
    sizes = {symbol: 3 + k for k, symbol in enumerate(plan.program.sizes)}
    slacks: list[Dim] = []
    for c in plan.range_checks:
        slacks += (c.first, c.size - 1 - c.last) if isinstance(c, RangeCheck) else (c.count,)
    slacks += [end for s, ends in plan.program.spans.items() for end in (Dim.of(s) - ends[0], ends[1] - Dim.of(s))]
    for _ in range(10 * len(slacks)):
        short = next((s for s in slacks if s.evaluate(sizes) < 0), None)
        if short is None:
            break
        larger = [s for s in short.symbols if short.evaluate({**sizes, s: sizes[s] + 1}) > short.evaluate(sizes)]
        for symbol in larger[:1]:
            sizes[symbol] += 1
    return sizes


def _bounds(plan: ModulePlan, argument: Argument) -> tuple[Dim, Dim]:
    """Return the first entry that an integer argument may hold, and the first that it may not: by one of its checks."""
    for check in plan.index_checks:
        if isinstance(check.index, Input) and check.index.name == argument.identifier:
            return -check.offset, check.size - check.offset
    return Dim.of(0), Dim.of(3)
