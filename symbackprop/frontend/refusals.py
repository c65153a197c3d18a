"""What to write instead of a construct that has no translation, by class and by the package it comes from."""

from __future__ import annotations

__all__ = ["hint_for", "is_foreign"]

#: Packages whose classes stand for something else than real numbers and arrays, also where they derive from `Add`,
#: `Mul` or `Symbol`: the beginning of the module's name -> what to write instead.
_FOREIGN = {
    "sympy.vector": "write the components: vector.to_matrix(frame)",
    "sympy.physics.vector": "write the components: vector.to_matrix(frame)",
    "sympy.physics.units": "strip the units: divide by the unit, or use convert_to and as_coeff_Mul",
    "sympy.physics.quantum": "write the components as a Matrix of real expressions",
    "sympy.physics.secondquant": "write the components as a Matrix of real expressions",
    "sympy.physics.paulialgebra": "write the components as a Matrix of real expressions",
    "sympy.physics.mechanics": "pass an expression: a Lagrangian, an equation of motion, or a matrix of these",
    "sympy.physics.control": "pass the expression: system.to_expr()",
    "sympy.physics.optics": "pass an expression of the quantity, not the object",
    "sympy.stats": "pass the density or the moment as an expression: density(X)(x), E(X).doit()",
    "sympy.tensor.tensor": "write indices with IndexedBase, or arrays with ArraySymbol",
    "sympy.tensor.functions": "give the shape: use ArraySymbol or MatrixSymbol",
    "sympy.tensor.toperators": "write indices with IndexedBase, or arrays with ArraySymbol",
    "sympy.diffgeom": "write the components as an Array of expressions in the coordinates",
    "sympy.algebras": "write the components: q.to_Matrix(), or q.a, q.b, q.c, q.d",
    "sympy.geometry": "pass the expression it gives: a coordinate, distance(...), equation(...)",
    "sympy.polys": "pass an expression: .as_expr()",
    "sympy.sets": "write a condition on a symbol: set.as_relational(x)",
    "sympy.holonomic": "pass an expression: .to_expr()",
    "sympy.liealgebras": None,
    "sympy.combinatorics": None,
    "sympy.categories": None,
    "sympy.crypto": None,
    "sympy.parsing": None,
    "sympy.plotting": None,
    "sympy.series.formal": "pass a finite sum: .truncate(n).removeO()",
    "sympy.series.fourier": "pass a finite sum: .truncate(n)",
    "sympy.series.sequences": "write its terms as a Sum over an index",
}

#: Class name -> what to write instead; looked up along the MRO.
_HINTS = {
    "ImaginaryUnit": "every value is real; write real and imaginary parts apart",
    "conjugate": "every symbol is real: leave it out",
    "re": "every symbol is real: leave it out",
    "im": "every symbol is real: write 0",
    "arg": "every symbol is real: write pi*Heaviside(-x), or atan2(y, x) of two parts",
    "polar_lift": "every symbol is real: leave it out",
    "ComplexInfinity": "a division by zero was evaluated while the expression was built",
    "NaN": "an undefined operation was evaluated while the expression was built",
    "Order": "pass the expression without its error term: .removeO()",
    "AccumBounds": "a limit or a range was evaluated; pass one value",
    "AccumulationBounds": "a limit or a range was evaluated; pass one value",
    "ArrayDerivative": "differentiate in the kernel: wrt=, value_and_grad, bprop",
    "LaplaceTransform": "call .doit() first; the result must be free of transforms",
    "harmonic": "write the sum: Sum(1/k, (k, 1, n)); n may depend on indices around it",
    "IntegralTransform": "call .doit() first; the result must be free of transforms",
    "RootSum": "call .doit() first, or write the sum over the roots you need",
    "CRootOf": "use its value: .evalf()",
    "ComplexRootOf": "use its value: .evalf()",
    "Function": "declare its forward and derivative: @symbackprop.function",
    "Relational": "compare inside Piecewise: Piecewise((a, condition), (b, True))",
    "IndexedBase": "index it, as in x[i]",
    "Str": "pass a SymPy expression, not text",
    "str": "pass a SymPy expression, not text",
    "bytes": "pass a SymPy expression, not text",
    "ndarray": "pass sympy.Matrix(a) or sympy.Array(a), or make it an argument: a MatrixSymbol or IndexedBase",
    "set": "use a list, a tuple or a dict: the outputs need an order",
    "frozenset": "use a list, a tuple or a dict: the outputs need an order",
    "generator": "pass a list, a tuple or a dict",
    "map": "pass a list, a tuple or a dict",
    "filter": "pass a list, a tuple or a dict",
    "zip": "pass a list, a tuple or a dict",
    "range": "pass a list, a tuple or a dict",
    "iterator": "pass a list, a tuple or a dict",
    "function": "call it on symbols and pass the expression that it returns",
    "builtin_function_or_method": "call it on symbols and pass the expression that it returns",
    "UndefinedFunction": "apply it; and declare its forward and derivative: @symbackprop.function",
    "FunctionClass": "apply it to an argument, as in sin(x)",
    "ManagedProperties": "apply it to an argument, as in sin(x)",
    "type": "pass an expression, not its class",
    "NoneType": "pass a SymPy expression; a function that builds one may have returned nothing",
    "bool": "pass a SymPy expression; a comparison may have been evaluated",
    "complex": "every value is real; write real and imaginary parts apart",
    "Decimal": "use sympy.Float or a Python float",
    "Kernel": "a kernel is compiled already; build on the expression",
    "Dict": "pass a Python dict",
    "DeferredVector": "use IndexedBase or MatrixSymbol",
}


def is_foreign(cls: type) -> bool:
    """Whether instances of a SymPy class stand for something else than its base classes say."""
    return str(cls.__module__).startswith(tuple(_FOREIGN))


def hint_for(cls: type) -> str | None:
    """Return what to write instead of an instance of `cls`, None if nothing is known."""
    for prefix, hint in _FOREIGN.items():
        if str(cls.__module__).startswith(prefix):
            return hint
    return next((_HINTS[base.__name__] for base in cls.__mro__ if base.__name__ in _HINTS), None)
