"""From a user's expression to a kernel: from the cache if it is there, else compiled and put there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from symbackprop.certificate import Certificate, records, restored
from symbackprop.deferred import Deferred
from symbackprop.errors import InputError, message
from symbackprop.frontend.fingerprint import fingerprint
from symbackprop.options import Options
from symbackprop.runtime import cache
from symbackprop.runtime.interface import Interface
from symbackprop.runtime.kernel import Kernel

pipeline = Deferred("symbackprop.pipeline")

__all__ = ["compile"]


def compile(  # noqa: A001 - the verb users expect
    expr: Any,
    wrt: Any = None,
    *,
    inputs: Any = None,
    names: Mapping[str, Any] | None = None,
    batch: Mapping[Any, Any] | None = None,
    dtype: str = "float64",
    name: str = "kernel",
    parallel: bool = False,
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
        parallel: whether long loops over the batch (or over what the deepest loops run over) use numba's threads.

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

    Threads: with `parallel=True` such loops run in 32 blocks, whose sums are added up in order: results are the same,
    bit for bit, on every run and for every number of threads (`numba.set_num_threads`, `NUMBA_NUM_THREADS`). As in
    serial kernels, sums may round otherwise in machine code from the cache than in code just compiled. Matrix
    products are left to BLAS, recurrences are serial in time. Whether a loop is long enough depends on the sizes alone.
    Scratch memory holds 32 of each sum over the batch. A kernel may be called from several Python threads: where
    numba's threading layer is "workqueue", which cannot take two calls at once, its methods take turns; its raw
    functions and saved modules, which do not, then need the caller's own lock, and cannot be called inside `prange`.
    Compiling takes longer, so try it where a call takes a millisecond or more.

    Cost: linear in the nodes of the expression's graph; numba compiles each kernel function at its first call.
    """
    options = Options(dtype=dtype, name=name, parallel=parallel)

    def build() -> Any:
        return pipeline.build(expr, wrt, inputs=inputs, names=names, batch=batch, options=options)

    folder = cache.folder()
    request = (expr, wrt, inputs, names, batch, options.dtype, options.name, options.parallel)
    key = fingerprint(request) if folder else None
    found = cache.find(folder, key) if folder and key else None
    if found is not None:

        def again() -> Any:
            if fingerprint(request) != key:
                raise InputError(message(f"the expression of {options.name!r} was changed after it was compiled"))
            return build()

        return _from_cache(*found, again, folder)
    built = build()
    if folder:
        unnamed = None in built.interface.symbols.values()
        cache.keep(folder, None if unnamed else key, built.source, built.interface)
    symbols = built.plan.program.symbols
    return Kernel(
        built.source,
        built.interface,
        inputs=records(built.interface.arguments, symbols),
        outputs=records(built.interface.outputs, symbols),
        cost=lambda: built.certificate,
        plan=lambda: built.plan,
        folder=folder,
    )


def _from_cache(source: str, interface: Interface, build: Callable[[], Any], folder: Path | None) -> Kernel:
    """Return a kernel that was compiled before; `build` compiles it again when its graphs are asked for."""
    symbols = restored(interface.symbols)
    return Kernel(
        source,
        interface,
        inputs=records(interface.arguments, symbols),
        outputs=records(interface.outputs, symbols),
        cost=lambda: Certificate.of(interface.costs, symbols),
        plan=lambda: build().plan,
        folder=folder,
    )
