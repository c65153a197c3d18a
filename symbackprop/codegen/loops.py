"""One fused loop nest as text.

Every value a loop needs is written where its index is complete: loads that the inner axis does not change are hoisted,
a value used once goes into the expression that uses it, an accumulator over the innermost axes is a scalar variable.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable

from symbackprop.codegen import expression as ex
from symbackprop.codegen.checks import index_check
from symbackprop.codegen.formulas import formula
from symbackprop.codegen.positions import Around, Index, Where, axis_position, leaf_entry
from symbackprop.codegen.scope import Scope
from symbackprop.ir.dims import ONE, ZERO, Dim, never_negative
from symbackprop.ir.node import Broadcast, Contraction, Elementwise, Gather, Input, Node, Reduction, Scatter
from symbackprop.ir.types import AxisMap, ScatterPiece
from symbackprop.ops.positional import Form
from symbackprop.plan.access import domain_of, is_access, is_leaf, result_positions
from symbackprop.plan.fusion import is_accumulated
from symbackprop.plan.steps import Loop
from symbackprop.plan.triangles import find_triangle

__all__ = ["emit_loop", "emit_part", "emit_piece"]

#: A value used once is written into its user's expression up to this length.
INLINE = 64

#: Inner loops of fewer entries call the library: a vector of numbers would stay partly empty.
SHORT = 4


def emit_loop(loop: Loop, scope: Scope, around: Around | None = None) -> list[str]:
    """Return the lines of one loop nest, comments included."""
    return _LoopWriter(loop, scope, around).lines()


def emit_part(loop: Loop, around: Around, scope: Scope) -> tuple[list[str], list[tuple[int, str]]]:
    """Return the lines of a nest within strips, and what must be done before: (in front of which strip, statement)."""
    writer = _LoopWriter(loop, scope, around)
    lines = writer.lines()
    return lines, writer.starts


def emit_piece(node: Scatter, k: int, members: list[Node], sign: str, scope: Scope) -> list[str]:
    """Return the loop nest that computes piece `k` of a scatter from `members` and puts each entry in place."""
    piece = node.pieces[k]
    value = node.args[piece.value]
    writer = _LoopWriter(Loop(value.shape, members), scope)
    writer.uses[value] = 1
    return writer.lines(lambda: writer.put(node, piece, sign))


class _LoopWriter:
    """The lines of a nest under construction: `body[level]` before, `after[level]` behind the next inner loop.

    Loops of the strips around the nest have level 0: what depends on nothing else is written in front of the nest.
    """

    def __init__(self, loop: Loop, scope: Scope, around: Around | None = None) -> None:
        self.loop = loop
        self.scope = scope
        self.around = around or Around()
        self.part = None if loop.along else self.around.part
        self.order = loop.order
        self.depth = len(self.order)
        self.lane = loop.along[0] if loop.block > 1 else None
        bounded = self.order[:-1] if self.lane is not None else self.order
        self.triangle = find_triangle(loop, bounded, scope.plan.stored)
        #: Whether the inner loop may run long enough for vectors to pay.
        inner = loop.domain[self.order[-1]] if self.order else ONE
        self.wide = self.depth > 0 and not (inner.is_const and inner.value < SHORT)
        self.variables = [scope.names.loop_variable() for _ in self.order]
        text = dict(zip(loop.along, self.around.fixed, strict=True))
        text.update(zip(self.order, self.variables, strict=True))
        level = {axis: k + 1 for k, axis in enumerate(self.order)}
        #: The entry of a block that the innermost loop is at.
        self.entry = Index(self.variables[-1], self.depth) if self.lane is not None else None
        if self.lane is not None:
            text[self.lane] = f"{self.around.first} + {self.variables[-1]}"
        self.here: Where = tuple(Index(text[axis], level.get(axis, 0)) for axis in range(len(loop.domain)))
        self.body: list[list[str]] = [[] for _ in range(self.depth + 1)]
        self.after: list[list[str]] = [[] for _ in range(self.depth + 1)]
        self.starts: list[tuple[int, str]] = []
        self.local: dict[Node, ast.expr] = {}
        self.loaded: dict[tuple[Node, Where], ast.expr] = {}
        self.owned: list[str] = list(self.variables)
        self.members = set(loop.members)
        self.uses = self._count_uses()

    def lines(self, finish: Callable[[], None] = lambda: None) -> list[str]:
        """Return the finished nest; `finish` adds to it once every member is written."""
        comments = []
        filled = dict(self.triangle.filled)
        for node, value in filled.items():
            self._start(node, value)
        for node in self.loop.members:
            if is_accumulated(node):
                self._accumulate(node, started=node in filled)
            else:
                self._compute(node)
            if self.here and (node in self.scope.plan.stored or node in self.scope.plan.graph.hints):
                comments.append(f"# {formula(node, self.scope)}")
        finish()
        out = comments + self.body[0]
        for level in range(1, self.depth + 1):
            indent = "    " * (level - 1)
            out.append(f"{indent}for {self.variables[level - 1]} in range({self._range(level)}):")
            out += [f"{indent}    {line}" for line in self.body[level]]
        for level in range(self.depth, -1, -1):
            out += ["    " * level + line for line in self.after[level]]
        self.scope.names.release(self.owned)
        return out

    def _range(self, level: int) -> str:
        """Return where a loop starts and ends."""
        axis = self.order[level - 1]
        if axis == self.lane:
            return self.around.width
        if level == 1 and self.part:
            return ", ".join(self.part)
        extent = self.loop.domain[axis]
        bound = self.triangle.bounds.get(axis)
        if bound is None:
            return self.scope.size(extent)
        first = [self._form(form) for form in bound.first]
        stop = [self._form(form) for form in bound.stop]
        if not any(never_negative(form.reach(self.loop.domain)[0], 0) for form in bound.first):
            first.append("0")
        if not any(never_negative(extent - form.reach(self.loop.domain)[1], 0) for form in bound.stop):
            stop.append(self.scope.size(extent))
        start = first[0] if len(first) == 1 else f"max({', '.join(first)})"
        end = stop[0] if len(stop) == 1 else f"min({', '.join(stop)})"
        return end if start == "0" else f"{start}, {end}"

    def _form(self, form: Form) -> str:
        """Return an affine function of the loops around as text."""
        m = AxisMap(tuple(a for a, _ in form.strides), tuple(Dim.of(s) for _, s in form.strides), form.offset)
        return axis_position(
            m, ZERO, self.loop.domain, self.here, entry=lambda _k, _at: ex.name(""), scope=self.scope
        ).text

    def put(self, node: Scatter, piece: ScatterPiece, sign: str) -> None:
        """Write or add the entry of a scatter's piece, by `sign`, where it belongs."""
        value = node.args[piece.value]

        def entry(j: int, at: Where) -> ast.expr:
            return self._value(node.args[piece.indices[j]], at)

        at = [
            axis_position(m, size, value.shape, self.here, entry=entry, scope=self.scope)
            for m, size in zip(piece.spec, node.shape, strict=True)
        ]
        target = ex.text(ex.subscript(self.scope.variable(node), [i.text for i in at]))
        self.body[self.depth].append(f"{target} {sign} {ex.text(self._value(value, self.here))}")

    def _count_uses(self) -> dict[Node, int]:
        """Return how often each member is used at its own point by other members."""
        uses = dict.fromkeys(self.loop.members, 0)
        for node in self.loop.members:
            stack = list(node.args)
            while stack:
                arg = stack.pop()
                if arg in self.members:
                    uses[arg] += 1
                elif is_access(arg) and arg not in self.scope.plan.stored:
                    stack.extend(arg.args)
        return uses

    def _compute(self, node: Node) -> None:
        """Write one entry of `node`, or keep its expression for its only user."""
        expr = self._entry(node)
        stored = node in self.scope.plan.stored
        named = node in self.scope.plan.graph.hints
        if node in self.scope.sums:
            self._add_to_sum(node, expr)
            return
        if not self.here:
            if stored or named or self.uses[node] > 1 or len(ex.text(expr)) > INLINE:
                target = self.scope.variable(node)
                self.body[0].append(f"{target} = {ex.text(expr)}")
                self._check(node, target)
                self.local[node] = ex.name(target)
            else:
                self.local[node] = expr
            return
        body = self.body[self.depth]
        if not stored and not named and self.uses[node] == 1 and len(ex.text(expr)) <= INLINE:
            self.local[node] = expr
            return
        if stored:
            place = self._place(node, self.here)
            target = ex.text(place)
            if not self.uses[node] or isinstance(place, ast.Name):
                body.append(f"{target} = {ex.text(expr)}")
                self.local[node] = place
                if node in self.scope.plan.local:  # gone when the strip is done
                    self._check(node, target)
                return
            entry = self._own(f"{self.scope.variable(node)}_{''.join(self.variables)}")
            body += [f"{entry} = {ex.text(expr)}", f"{target} = {entry}"]
            self._check(node, entry)
        else:
            entry = self._own(f"{self.scope.variable(node)}_{''.join(self.variables)}") if named else self._temporary()
            body.append(f"{entry} = {ex.text(expr)}")
        self.local[node] = ex.name(entry)

    def _add_to_sum(self, node: Node, expr: ast.expr) -> None:
        """Add an entry to the sum over the steps of a recurrence, and keep it for other members."""
        total = self.scope.sums[node]
        target = ex.text(ex.subscript(total, [i.text for i in self.here])) if self.here else total
        if self.uses[node]:
            entry = self._temporary()
            self.body[self.depth].append(f"{entry} = {ex.text(expr)}")
            self.local[node] = expr = ex.name(entry)
        self.body[self.depth].append(f"{target} += {ex.text(expr)}")

    def _place(self, node: Node, where: Where) -> ast.expr:
        """Return the place in memory of an entry of a stored value, or the variable that it is in."""
        array = self.scope.variable(node)
        at = self._within(node, where)
        return ex.subscript(array, [i.text for i in at]) if at else ex.name(array)

    def _within(self, node: Node, where: Where) -> Where:
        """Return the index of an entry in the place that the value has, which may be one for a block."""
        local = self.scope.plan.local.get(node)
        if local is None:
            return where
        kept = tuple(where[axis] for axis in local.kept)
        return kept if local.lane is None or self.entry is None else (*kept, self.entry)

    def _check(self, node: Node, entry: str) -> None:
        """Write the checks of an index that is used in the loop that makes it."""
        for check in self.scope.checks.pop(node, ()):
            self.body[self.depth] += index_check(check, entry, "index", self.scope.size, entry=True)

    def _accumulate(self, node: Node, *, started: bool) -> None:
        """Add a term to the sum (or fold it into the maximum ...) that `node` is.

        The innermost loops that are summed over are added up in a variable. Where loops further out are summed over
        too, that goes into memory, which starts off in front of them.
        """
        term = self._entry(node)
        result = result_positions(node)
        summed = [axis not in result for axis in self.order]
        cut = self.depth
        while cut and summed[cut - 1]:
            cut -= 1
        initial = node.op.initial if isinstance(node, Reduction) else 0.0
        outside = any(axis not in result for axis in self.loop.along)
        again = outside or any(summed[:cut])
        if again and not started:
            self._start(node, initial)
        place = self._place(node, tuple(self.here[axis] for axis in result))
        if cut == self.depth or (again and isinstance(place, ast.Name)):
            in_memory = not isinstance(place, ast.Name)
            self.body[self.depth].append(self._fold(node, place, term, in_memory=in_memory))
            return
        if isinstance(place, ast.Name):
            total = place.id
        else:
            letters = "".join(self.here[axis].text for axis in result if self.here[axis].text.isalnum())
            total = self._own(f"{self.scope.variable(node)}_{letters}")
            update = self._fold(node, place, ex.name(total), in_memory=True)
            self.after[cut].append(update if again else f"{ex.text(place)} = {total}")
        self.body[cut].append(f"{total} = {ex.text(ex.literal(initial, node.dtype))}")
        self.body[self.depth].append(self._fold(node, ex.name(total), term, in_memory=False))

    def _start(self, node: Node, value: float) -> None:
        """Let all entries of `node` be a number, in front of the outermost loop it is summed over, else of the nest."""
        result = result_positions(node)
        strip = next((q for q, axis in enumerate(self.loop.along) if axis not in result), None)
        level = next((k for k, axis in enumerate(self.order) if axis not in result), 0)
        fixed = set(self.loop.along if strip is None else self.loop.along[:strip])
        if strip is None:
            fixed.update(self.order[:level])
        fixed.discard(-1 if self.lane is None else self.lane)
        local = self.scope.plan.local.get(node)
        axes = range(node.rank) if local is None else local.kept
        at = [self.here[result[a]].text if result[a] in fixed else ":" for a in axes]
        if local is None and strip != 0 and self.lane in result:
            at[result.index(self.lane)] = f"{self.around.first}:{self.around.first} + {self.around.width}"
        if local is not None and local.lane is not None:
            at.append(":")
        if self.part and not level and self.order[0] in result:
            at[result.index(self.order[0])] = ":".join(self.part)
        array = self.scope.variable(node)
        index = ", ".join(at) if any(i != ":" for i in at) else "..."
        target = f"{array}[{index}]" if at else array
        statement = f"{target} = {ex.text(ex.literal(value, node.dtype))}"
        if strip is None:
            self.body[level].append(statement)
        else:
            self.starts.append((strip, statement))

    def _fold(self, node: Node, total: ast.expr, term: ast.expr, *, in_memory: bool) -> str:
        """Return the statement that takes `term` into `total`."""
        if isinstance(node, Reduction):
            assert node.op.combine is not None
            folded = self.scope.write(node.op.combine, [total, term], (), node.dtype, in_loop=self.wide)
            return f"{ex.text(total)} = {ex.text(folded)}"
        if in_memory:
            return f"{ex.text(total)} += {ex.text(term)}"
        self.scope.require_accumulate()
        return f"{ex.text(total)} = {ex.text(ex.call('accumulate', [total, term]))}"

    def _entry(self, node: Node) -> ast.expr:
        """Return the expression of one entry of `node` (or of one term of it) at the loop's point."""
        if is_access(node):
            return self._read_through(node, self.here)
        operands = [
            self._value(arg, tuple(self.here[p] for p in where))
            for arg, where in zip(node.args, domain_of(node), strict=True)
        ]
        match node:
            case Elementwise() if node in self.triangle.settled:
                return operands[1]
            case Elementwise():
                return self.scope.write(node.op, operands, node.attr, node.dtype, in_loop=self.wide)
            case Contraction():
                total = operands[0]
                for factor in operands[1:]:
                    total = ex.operator("*", total, factor)
                return total
            case _:
                return operands[0]

    def _value(self, node: Node, where: Where) -> ast.expr:
        """Return the expression of `node` at index `where`."""
        if where == self.here and node in self.local:
            return self.local[node]
        if is_leaf(node) and not isinstance(node, Input):
            return leaf_entry(node, where, self.scope)
        if is_access(node) and node not in self.scope.plan.stored:
            return self._read_through(node, where)
        return self._load(node, where)

    def _load(self, node: Node, where: Where) -> ast.expr:
        """Return an array entry: hoisted into a variable when the innermost loop does not change its index."""
        at = self._within(node, where)
        packed = self.around.packed.get(node)
        if packed is not None and self.entry is not None and where[packed.axis] == self.here[self.loop.along[0]]:
            node = packed.copy
            at = (*where[: packed.axis], *where[packed.axis + 1 :], self.entry)
        array = self.scope.variable(node)
        if not at:
            return ex.name(array)
        entry = ex.subscript(array, [i.text for i in at])
        level = max(i.level for i in at)
        if level == self.depth:
            return entry
        key = (node, at)
        if key not in self.loaded:
            suffix = "".join(i.text if i.text.isalnum() else "" for i in at)
            variable = self._own(f"{array}_{suffix}") if suffix else self.scope.names.temporary()
            self.body[level].append(f"{variable} = {ex.text(entry)}")
            self.loaded[key] = ex.name(variable)
        return self.loaded[key]

    def _read_through(self, node: Node, where: Where) -> ast.expr:
        """Return the expression of a re-indexing node at `where`, following chains without recursion."""
        while True:
            match node:
                case Broadcast():
                    source, where = node.args[0], tuple(where[a] for a in node.axes)
                case Gather():
                    source, where = node.args[0], self._mapped(node, where)
                case Contraction():
                    at = dict(zip(node.spec.out, where, strict=True))
                    source, where = node.args[0], tuple(at[label] for label in node.spec.ins[0])
                case _:
                    raise TypeError(f"{node.kind} does not re-index")
            if not is_access(source) or source in self.scope.plan.stored:
                return self._value(source, where)
            node = source

    def _mapped(self, node: Gather, where: Where) -> Where:
        """Return where a gather reads its source."""

        def entry(k: int, at: Where) -> ast.expr:
            return self._value(node.args[1 + k], at)

        return tuple(
            axis_position(m, size, node.shape, where, entry=entry, scope=self.scope)
            for m, size in zip(node.spec, node.args[0].shape, strict=True)
        )

    def _temporary(self) -> str:
        return self.scope.names.temporary()

    def _own(self, base: str) -> str:
        """Return a fresh variable that ends with the loop."""
        variable = self.scope.names.fresh(re.sub(r"\W+", "_", base))
        self.owned.append(variable)
        return variable
