"""The library's functions in vectorised loops, for rare arguments: a few lines that generated modules carry on demand.

A formula for sin(x) that holds up to a bound vectorises; a branch to the library for larger arguments would keep LLVM
from vectorising the loop. So the branch stands in a function which LLVM may not inline, and whose attribute names its
variants on vectors: the vectoriser calls these. A variant looks at all entries at once and is done unless one is large.
The text of `beyond` is copied into generated modules.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.core.typing import signature
from numba.extending import intrinsic

from symbackprop.runtime.straightline import bare

__all__ = ["IMPORTS", "beyond", "source"]

#: The imports that the copied text needs.
IMPORTS = (
    "from llvmlite import ir",
    "from numba.core import cgutils",
    "from numba.core.typing import signature",
    "from numba.extending import intrinsic",
)


def beyond(symbol: str, bound: float) -> Any:
    """Return far(x, value) for compiled code: `value`, and the C function `symbol` of x where abs(x) > bound.

    The bound is whole. LLVM vectorises loops that call it: it finds variants for vectors by the function's attribute.
    """
    double, lengths = ir.DoubleType(), (2, 4, 8, 16)

    def variant(module: Any, name: str, kind: Any, count: int, scalar: Any) -> Any:
        """Write the function on vectors of `count` entries, on numbers where `scalar` is None."""
        function = ir.Function(module, ir.FunctionType(kind, [kind, kind]), name)
        function.linkage = "linkonce_odr"
        for attribute in ("noinline", "nounwind", "readnone"):
            function.attributes.add(attribute)
        x, value = function.args
        builder = ir.IRBuilder(function.append_basic_block())
        limit = ir.Constant(kind, [bound] * count if scalar else bound)
        low = ir.Constant(kind, [-bound] * count if scalar else -bound)
        far = builder.or_(builder.fcmp_ordered(">", x, limit), builder.fcmp_ordered("<", x, low))
        lanes = ir.IntType(count)
        any_far = builder.icmp_unsigned("!=", builder.bitcast(far, lanes), lanes(0)) if scalar else far
        with builder.if_then(any_far, likely=False):
            if scalar:
                for k in range(count):
                    at = ir.IntType(32)(k)
                    entries = [builder.extract_element(v, at) for v in (x, value)]
                    value = builder.insert_element(value, builder.call(scalar, entries), at)
                builder.ret(value)
            else:
                library = cgutils.get_or_insert_function(module, ir.FunctionType(double, [double]), symbol)
                wide = x if kind == double else builder.fpext(x, double)
                exact = builder.call(library, [wide])
                builder.ret(exact if kind == double else builder.fptrunc(exact, kind))
        builder.ret(function.args[1])
        return function

    def define(_: Any, x: Any, value: Any) -> Any:
        def generate(_: Any, builder: Any, __: Any, args: Any) -> Any:
            module, kind = builder.module, args[0].type
            name = f"symbackprop_{symbol}_beyond_{bound:.0f}_{kind}"
            if name not in module.globals:
                scalar = variant(module, name, kind, 1, None)
                found = [variant(module, f"{name}_{k}", ir.VectorType(kind, k), k, scalar) for k in lengths]
                names = ",".join(f"_ZGV_LLVM_N{k}vv_{name}({name}_{k})" for k in lengths)
                # llvmlite knows no attributes of this form, but writes out what its set of them holds.
                set.add(scalar.attributes, f'"vector-function-abi-variant"="{names}"')
                keep(module, found)
            return builder.call(module.globals[name], args)

        return signature(value, x, value), generate

    def keep(module: Any, functions: Any) -> None:
        """Have LLVM keep functions that nothing calls yet."""
        used = module.globals.get("llvm.compiler.used")
        pointer = ir.IntType(8).as_pointer()
        parts = [*(used.initializer.constant if used else ()), *(f.bitcast(pointer) for f in functions)]
        kind = ir.ArrayType(pointer, len(parts))
        if used is None:
            used = ir.GlobalVariable(module, kind, "llvm.compiler.used")
            used.linkage, used.section = "appending", "llvm.metadata"
        used.value_type, used.type, used.initializer = kind, kind.as_pointer(), ir.Constant(kind, parts)

    return intrinsic(define)


def source() -> str:
    """Return the text that generated modules carry."""
    return bare(beyond)
