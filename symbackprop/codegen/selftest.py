"""The self-test of a generated module: random arguments, analytic against numerical gradient, a printed verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from symbackprop.frontend.program import Argument
from symbackprop.ir.dims import Dim
from symbackprop.ir.node import Input

if TYPE_CHECKING:
    from symbackprop.codegen.module import ModulePlan

__all__ = ["emit"]

_CHECK = '''
def self_test(seed=0):
    """Compare every gradient with central differences at random arguments; print and return whether all agree."""
    rng = np.random.default_rng(seed)
    for low, high in ((0.2, 0.9), (1.1, 1.9), (-0.9, 0.9)):
        arguments = example(rng, low, high)
        result, gradients = value_and_grad(*arguments)
        finite = [np.all(np.isfinite(g)) for g in (result if isinstance(result, tuple) else (result, )) + gradients]
        if all(finite):
            break
    passed = True
    for name, gradient in zip(WRT, gradients):
        k = INPUTS.index(name)
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
        error = np.max(np.abs(numeric - gradient), initial=0.0) / max(1.0, np.max(np.abs(numeric), initial=0.0))
        agrees = bool(error < TOLERANCE)
        passed = passed and agrees
        verdict = "ok" if agrees else "WRONG"
        print(f"  gradient of {name}, shape {np.shape(gradient)}: relative difference {error:.1e}  {verdict}")
    print("self-test passed" if passed else "self-test FAILED")
    return passed


def total(result):
    """Return the sum of all entries of all results, whose gradient value_and_grad returns."""
    return sum(float(np.sum(r)) for r in (result if isinstance(result, tuple) else (result, )))


if __name__ == "__main__":
    raise SystemExit(0 if self_test() else 1)
'''


def emit(plan: ModulePlan, sizes: Mapping[str, str], wrt: Sequence[Argument]) -> str:
    """Return the text of the self-test, or of the example arguments alone when nothing is differentiated."""
    example = _example(plan, sizes)
    if not wrt:
        return example
    step, tolerance = ("1e-6", "1e-6") if plan.real == "float64" else ("1e-2", "2e-2")
    constants = f"REAL = {plan.real}\nSTEP = {step}\nTOLERANCE = {tolerance}"
    return f"{constants}\n\n\n{example}\n\n{_CHECK}"


def _example(plan: ModulePlan, sizes: Mapping[str, str]) -> str:
    """Return the function that draws arguments of small, different sizes; index arguments stay in range."""
    doc = "Return random arguments of small sizes, real ones between low and high."
    lines = ["def example(rng, low, high):", f'    """{doc}"""']
    lines += [f"    {variable} = {3 + k}" for k, variable in enumerate(sizes.values())]
    renamed = {symbol: Dim.of(variable) for symbol, variable in sizes.items()}
    limits: dict[str, str] = {}
    for check in plan.index_checks:
        if isinstance(check.index, Input):
            limits.setdefault(check.index.name, str((check.size - check.offset).substitute(renamed)))
    drawn = []
    for argument in plan.program.arguments:
        shape = tuple(d.substitute(renamed) for d in argument.core_shape)
        size = f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
        if argument.dtype == "int64":
            value = f"rng.integers(0, {limits.get(argument.identifier, '3')}, {size})"
            drawn.append(value if shape else f"int({value})")
        else:
            value = f"rng.uniform(low, high, {size})"
            drawn.append(f"{value}.astype({plan.real})" if shape else f"{plan.real}({value})")
    body = "".join(f"        {d},\n" for d in drawn)
    lines.append(f"    return (\n{body}    )")
    return "\n".join(lines)
