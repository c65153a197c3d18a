"""The compiled kernel as a Python object."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from symbackprop.errors import InputError, message
from symbackprop.frontend.program import Argument, Layout, Output, arrange, flatten
from symbackprop.runtime import machine_code
from symbackprop.runtime.arguments import KEPT_SHAPES, Arguments, Signature, as_array
from symbackprop.runtime.calls import make_caller
from symbackprop.runtime.interface import Interface
from symbackprop.runtime.load import load_module
from symbackprop.runtime.threads import in_turn

__all__ = ["Kernel", "Record", "Residuals"]

#: Workspaces kept per thread and compiled function; one per combination of shapes.
KEPT_WORKSPACES = 8


@dataclass(frozen=True)
class Record:
    """One input or output of a kernel: its name, its symbolic shape (SymPy), its dtype."""

    name: str
    shape: tuple[Any, ...]
    dtype: str


@dataclass(frozen=True)
class Residuals:
    """What one forward pass left for the backward pass. Inputs are held by reference: do not change them in between."""

    kernel: Kernel
    arrays: tuple[Any, ...]
    arguments: Arguments


class Kernel:
    """A compiled forward pass with its backward pass.

    Calling it returns the value. Arguments go by position, in the order of `inputs`, or by name. Numbers may be Python
    or NumPy numbers, arrays anything `np.asarray` takes; they are converted to the kernel's dtype and never changed.
    Results are new arrays that belong to the caller. A kernel may be called from several threads at once.
    """

    def __init__(
        self,
        source: str,
        interface: Interface,
        *,
        inputs: Sequence[Record],
        outputs: Sequence[Record],
        cost: Callable[[], Any],
        plan: Callable[[], Any],
        folder: Path | None = None,
    ) -> None:
        """Load a generated module.

        Args:
            source: its text.
            interface: its arguments and results.
            inputs: the public records of its arguments.
            outputs: those of its results.
            cost: makes the certificate.
            plan: makes the plan that the text came from, with its graphs; for a kernel from the cache it compiles.
            folder: where compiled functions are kept, if they are to be.
        """
        self.name = interface.name
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.source = source
        self._program = interface
        self._make_cost, self._make_plan = cost, plan
        self._signature = Signature(interface)
        self._outputs = interface.outputs
        self._wrt = tuple((k, a) for k, a in enumerate(interface.arguments) if a.name in interface.wrt)
        self._module = load_module(source, "".join(c if c.isalnum() else "_" for c in interface.name))
        if folder is not None:
            machine_code.attach(folder, source, self._module, interface.workspaces)
        self._functions = {f: getattr(self._module, f) for f in interface.workspaces}
        if interface.parallel:
            self._functions = {f: in_turn(function) for f, function in self._functions.items()}
        self._ready = threading.local()
        self._vectors = tuple(k for k, a in enumerate(interface.arguments) if a.unit_axes and a.core_shape)
        self._layout = _layout(interface.container, interface.layout, self._outputs)
        self._call = self._caller("value", self._value_of_any)
        if self._wrt:
            # Found before the method of the class, which takes what this one leaves.
            general = self.value_and_grad
            caller = self._caller("value_and_grad", general)
            vars(self)["value_and_grad"] = functools.update_wrapper(caller, general)

    def _caller(self, function: str, general: Callable[..., Any]) -> Callable[..., Any]:
        """Return the short way of a call to a compiled function, for arguments that need no conversion."""
        return make_caller(
            function,
            arguments=self._signature.arguments,
            keyed=self._signature.keyed,
            outputs=self._outputs,
            layout=self._layout,
            wrt=[k for k, _ in self._wrt],
            columns=not self._vectors,
            scratch=bool(self._program.workspaces[function]),
            compiled=self._functions[function],
            general=general,
            ready=self._ready,
        )

    @functools.cached_property
    def _cost(self) -> Any:
        return self._make_cost()

    @functools.cached_property
    def _plans(self) -> Mapping[str, Any]:
        """The plan of each function."""
        plans: Mapping[str, Any] = self._make_plan().plans
        return plans

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return the value: a number, an array, or the container of these that was compiled.

        Raises:
            InputError: arguments that do not fit.
        """
        return self._value_of_any(*args, **kwargs) if kwargs else self._call(*args)

    def fprop(self, /, *args: Any, **kwargs: Any) -> tuple[Any, Residuals]:
        """Return (value, residuals): the forward pass, keeping what `bprop` needs.

        Raises:
            InputError: arguments that do not fit.
        """
        self._need_gradients()
        arguments = self._signature.bind(args, kwargs)
        value, residuals = self._run("fprop", arguments)
        return self._values(value, arguments), Residuals(self, residuals, arguments)

    def bprop(self, residuals: Residuals, upstream: Any = 1.0) -> dict[str, Any]:
        """Return the gradients, input name -> array of the input's shape: the backward pass.

        Args:
            residuals: from `fprop` of this kernel.
            upstream: the gradient arriving at the value, of its shape; a number is repeated to that shape. For several
                outputs a container like the value's, or one number for all.

        Raises:
            InputError: residuals of another kernel, an upstream of the wrong shape, dtype or container.
        """
        self._need_gradients()
        if not isinstance(residuals, Residuals):
            found = type(residuals).__name__
            raise InputError(message("residuals: wrong type", expected="what fprop returned", found=found))
        if residuals.kernel is not self:
            raise InputError(message("residuals: of another kernel", expected=repr(self), found=repr(residuals.kernel)))
        arguments = residuals.arguments
        parts = self._upstream(upstream, arguments)
        given = parts[0] if len(parts) == 1 else tuple(parts)
        work = self._workspace("bprop", arguments)
        grads = self._functions["bprop"](residuals.arrays, given, *work)
        return self._gradients(grads, arguments)

    def value_and_grad(self, /, *args: Any, upstream: Any = None, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Return (value, gradients) from one fused kernel; gradients are input name -> array of the input's shape.

        Args:
            *args: the inputs, by position.
            upstream: the gradient arriving at the value; ones when omitted, so that the gradient of a non-scalar value
                is that of its sum.
            **kwargs: the inputs, by name. An input that is itself called `upstream` takes that keyword unless it is
                given by position; the gradient can then be passed to `bprop`.

        Raises:
            InputError: arguments that do not fit.
        """
        if upstream is not None and any(a.name == "upstream" for a in self._program.arguments[len(args) :]):
            kwargs["upstream"], upstream = upstream, None
        if upstream is not None:
            value, residuals = self.fprop(*args, **kwargs)
            return value, self.bprop(residuals, upstream)
        self._need_gradients()
        arguments = self._signature.bind(args, kwargs)
        value, grads = self._run("value_and_grad", arguments)
        return self._values(value, arguments), self._gradients(grads, arguments)

    @property
    def value_and_grad_into(self) -> Any:
        """The compiled function that writes gradients into the caller's arrays, for tight loops and from `@njit` code.

        It takes the inputs by position, numbers and C-contiguous arrays of the kernel's dtype. Behind them it takes
        the arrays to be written, which share no memory with each other or an input: one for each value that is an
        array (a vector has one axis), one of the input's shape for each gradient of an array, and one with an entry
        for each gradient of a number. It returns the values that are numbers, and allocates nothing if it is given
        `work=workspace(...)` where the kernel needs scratch memory: `help` of it shows the names. A saved module has
        the same function.

        Raises:
            ValueError: on a call, sizes that disagree, an array that does not fit, or arrays that overlap.
            IndexError: on a call, an index outside its axis.
        """
        self._need_gradients()
        return self._module.value_and_grad_into

    @property
    def workspace(self) -> Any:
        """The compiled function that makes scratch memory for `value_and_grad_into`, from the inputs.

        Each thread needs its own. A saved module has it.

        Raises:
            InputError: this kernel needs none.
        """
        if not hasattr(self._module, "workspace"):
            raise InputError(message("this kernel needs no scratch memory", hint="leave work= out"))
        return self._module.workspace

    def save(self, path: str | Path) -> Path:
        """Write the generated module to `path` and return it.

        The module needs NumPy and numba (with SciPy for matrix products) and neither SymPy nor this package; run as a
        script it checks its gradients numerically. An existing file is replaced at once or not at all.
        """
        target = Path(path)
        partial = target.with_name(f".{target.name}.partial")
        partial.write_text(self.source, encoding="utf-8")
        partial.replace(target)
        return target

    def cost(self) -> Any:
        """Return the cost certificate; see `symbackprop.certificate.Certificate`."""
        return self._cost

    def __repr__(self) -> str:
        inputs = ", ".join(f"{r.name}{list(r.shape) or ''}" for r in self.inputs)
        outputs = ", ".join(f"{r.name}{list(r.shape) or ''}" for r in self.outputs)
        return f"<kernel {self.name}: ({inputs}) -> ({outputs}), {self._program.outputs[0].dtype}>"

    # -- one call ---------------------------------------------------------------------------------------------------

    def _value_of_any(self, /, *args: Any, **kwargs: Any) -> Any:
        """Return the value for arguments of any kind."""
        arguments = self._signature.bind(args, kwargs)
        return self._values(self._run("value", arguments), arguments)

    def _need_gradients(self) -> None:
        if not self._wrt:
            raise InputError(message("this kernel has no gradients", hint="give wrt= to compile"))

    def _run(self, function: str, arguments: Arguments) -> Any:
        try:
            return self._functions[function](*arguments.values, *self._workspace(function, arguments))
        except IndexError as caught:
            computed = InputError(message("an index computed from others is out of range", found=caught))
            raise (self._signature.refuse_indices(arguments) or computed) from None

    def _workspace(self, function: str, arguments: Arguments) -> tuple[Any, ...]:
        """Return a function's scratch memory as its extra argument: this thread's own arrays for these shapes."""
        slots = self._program.workspaces[function]
        ready: dict[Any, Any] = vars(self._ready).setdefault(function, {})
        if arguments.key not in ready:
            if len(ready) >= (KEPT_WORKSPACES if slots else KEPT_SHAPES):
                ready.clear()
            sizes = arguments.sizes
            arrays = tuple(np.empty([d.evaluate(sizes) for d in t.shape], t.dtype) for t in slots)
            ready[arguments.key] = arrays
            return (arrays,) if slots else ()
        return (ready[arguments.key],) if slots else ()

    def _values(self, result: Any, arguments: Arguments) -> Any:
        """Return the values as the user wrote them: shapes, dtype, container."""
        parts = result if len(self._outputs) > 1 else (result,)
        return arrange(self._layout, [self._value(o, v, arguments) for o, v in zip(self._outputs, parts, strict=True)])

    def _value(self, output: Output, value: Any, arguments: Arguments) -> Any:
        if not isinstance(value, np.ndarray):
            return np.float32(value) if output.dtype == "float32" else value
        if output.unit_axes and self._as_columns(arguments):
            return value.reshape([d.evaluate(arguments.sizes) for d in output.shape])
        return value

    def _as_columns(self, arguments: Arguments) -> bool:
        """Whether vector results are columns: as in NumPy, unless the vectors that went in were one-dimensional."""
        vectors = self._vectors
        return not vectors or any(len(arguments.shapes[k]) == len(self._program.arguments[k].shape) for k in vectors)

    def _gradients(self, grads: tuple[Any, ...], arguments: Arguments) -> dict[str, Any]:
        shapes = arguments.shapes
        return {
            a.name: g if type(g) is np.ndarray and g.shape == shapes[k] else self._gradient(a, g, shapes[k])
            for (k, a), g in zip(self._wrt, grads, strict=True)
        }

    def _gradient(self, argument: Argument, gradient: Any, shape: tuple[int, ...]) -> Any:
        if isinstance(gradient, np.ndarray):
            return gradient.reshape(shape)
        if shape:
            return np.full(shape, gradient, dtype=argument.dtype)
        return np.float32(gradient) if argument.dtype == "float32" else gradient

    def _upstream(self, upstream: Any, arguments: Arguments) -> list[Any]:
        """Return the upstream gradients of the real outputs in order, each of its output's shape."""
        outputs = self._program.outputs
        number = isinstance(upstream, int | float | np.number) or (
            isinstance(upstream, np.ndarray) and not upstream.ndim
        )
        if self._program.container == "single" or number:
            parts = [upstream] * len(outputs)
        elif self._program.container == "nested":
            parts = flatten(self._program.layout, upstream, "upstream")
        elif isinstance(upstream, Mapping):
            missing = [o.name for o in outputs if o.name not in upstream]
            if missing or len(upstream) != len(outputs):
                expected = ", ".join(o.name for o in outputs)
                raise InputError(
                    message("upstream: wrong keys", expected=expected, found=", ".join(map(str, upstream)))
                )
            parts = [upstream[o.name] for o in outputs]
        elif isinstance(upstream, Sequence | np.ndarray):
            parts = list(upstream)
            if len(parts) != len(outputs):
                raise InputError(message("upstream: wrong length", expected=len(outputs), found=len(parts)))
        else:
            expected = f"a number, or one gradient for each of {', '.join(o.name for o in outputs)}"
            raise InputError(message("upstream: wrong type", expected=expected, found=repr(upstream)))
        return [self._upstream_part(o, p, arguments) for o, p in zip(outputs, parts, strict=True)]

    def _upstream_part(self, output: Output, part: Any, arguments: Arguments) -> Any:
        full = tuple(d.evaluate(arguments.sizes) for d in output.shape)
        core = tuple(s for k, s in enumerate(full) if k not in output.unit_axes)
        array = as_array(part)
        if array.dtype.kind not in "fiub":
            raise InputError(message("upstream: wrong dtype", expected="real numbers", found=repr(part)))
        if array.shape not in {(), core, full}:
            raise InputError(message(f"upstream of {output.name}: wrong shape", expected=core, found=array.shape))
        if not core:
            return array.astype(output.dtype).reshape(-1)[0]
        if array.ndim:
            array = array.reshape(core)
        return np.ascontiguousarray(np.broadcast_to(array, core), dtype=output.dtype)


def _layout(container: str, nested: Layout, outputs: Sequence[Output]) -> Layout:
    """Return the containers of the results with the positions of the outputs in them."""
    positions = range(len(outputs))
    match container:
        case "single":
            return 0
        case "tuple":
            return tuple(positions)
        case "list":
            return list(positions)
        case "nested":
            return nested
        case _:
            return {o.name: k for k, o in enumerate(outputs)}
