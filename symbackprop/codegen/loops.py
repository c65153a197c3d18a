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
from symbackprop.codegen.positions import Index, Where, axis_position, leaf_entry
from symbackprop.codegen.scope import Scope
from symbackprop.ir.node import Broadcast, Contraction, Elementwise, Gather, Input, Node, Reduction, Scatter
from symbackprop.ir.types import ScatterPiece
from symbackprop.plan.access import domain_of, is_access, is_leaf, result_positions
from symbackprop.plan.fusion import is_accumulated
from symbackprop.plan.steps import Loop

__all__ = ["emit_loop", "emit_piece"]

#: A value used once is written into its user's expression up to this length.
INLINE = 64

#: Inner loops of fewer entries call the library: a vector of numbers would stay partly empty.
SHORT = 4


def emit_loop(loop: Loop, scope: Scope) -> list[str]:
    """Return the lines of one loop nest, comments included."""
    return _LoopWriter(loop, scope).lines()


def emit_piece(node: Scatter, k: int, members: list[Node], sign: str, scope: Scope) -> list[str]:
    """Return the loop nest that computes piece `k` of a scatter from `members` and puts each entry in place."""
    piece = node.pieces[k]
    value = node.args[piece.value]
    writer = _LoopWriter(Loop(value.shape, members), scope)
    writer.uses[value] = 1
    return writer.lines(lambda: writer.put(node, piece, sign))


class _LoopWriter:
    """The lines of a nest under construction: `body[level]` before, `after[level]` behind the next inner loop."""

    def __init__(self, loop: Loop, scope: Scope) -> None:
        self.loop = loop
        self.scope = scope
        self.depth = len(loop.domain)
        #: Whether the inner loop may run long enough for vectors to pay.
        self.wide = self.depth > 0 and not (loop.domain[-1].is_const and loop.domain[-1].value < SHORT)
        self.variables = [scope.names.loop_variable() for _ in loop.domain]
        self.here: Where = tuple(Index(v, k + 1) for k, v in enumerate(self.variables))
        self.body: list[list[str]] = [[] for _ in range(self.depth + 1)]
        self.after: list[list[str]] = [[] for _ in range(self.depth + 1)]
        self.local: dict[Node, ast.expr] = {}
        self.loaded: dict[tuple[Node, Where], ast.expr] = {}
        self.owned: list[str] = list(self.variables)
        self.members = set(loop.members)
        self.uses = self._count_uses()

    def lines(self, finish: Callable[[], None] = lambda: None) -> list[str]:
        """Return the finished nest; `finish` adds to it once every member is written."""
        comments = []
        for node in self.loop.members:
            if is_accumulated(node):
                self._accumulate(node)
            else:
                self._compute(node)
            if self.depth and (node in self.scope.plan.stored or node in self.scope.plan.graph.hints):
                comments.append(f"# {formula(node, self.scope)}")
        finish()
        out = comments + self.body[0]
        for level in range(1, self.depth + 1):
            indent = "    " * (level - 1)
            extent = self.scope.size(self.loop.domain[level - 1])
            out.append(f"{indent}for {self.variables[level - 1]} in range({extent}):")
            out += [f"{indent}    {line}" for line in self.body[level]]
        for level in range(self.depth, -1, -1):
            out += ["    " * level + line for line in self.after[level]]
        self.scope.names.release(self.owned)
        return out

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
        if self.depth == 0:
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
            array = self.scope.variable(node)
            target = ex.text(ex.subscript(array, [i.text for i in self.here]))
            if not self.uses[node]:
                body.append(f"{target} = {ex.text(expr)}")
                return
            entry = self._own(f"{array}_{''.join(self.variables)}")
            body += [f"{entry} = {ex.text(expr)}", f"{target} = {entry}"]
            self._check(node, entry)
        else:
            entry = self._own(f"{self.scope.variable(node)}_{''.join(self.variables)}") if named else self._temporary()
            body.append(f"{entry} = {ex.text(expr)}")
        self.local[node] = ex.name(entry)

    def _add_to_sum(self, node: Node, expr: ast.expr) -> None:
        """Add an entry to the sum over the steps of a recurrence, and keep it for other members."""
        total = self.scope.sums[node]
        target = ex.text(ex.subscript(total, [i.text for i in self.here])) if self.depth else total
        if self.uses[node]:
            entry = self._temporary()
            self.body[self.depth].append(f"{entry} = {ex.text(expr)}")
            self.local[node] = expr = ex.name(entry)
        self.body[self.depth].append(f"{target} += {ex.text(expr)}")

    def _check(self, node: Node, entry: str) -> None:
        """Write the checks of an index that is used in the loop that makes it."""
        for check in self.scope.checks.pop(node, ()):
            self.body[self.depth] += index_check(check, entry, "index", self.scope.size, entry=True)

    def _accumulate(self, node: Node) -> None:
        """Add a term to the sum (or fold it into the maximum ...) that `node` is."""
        term = self._entry(node)
        kept = result_positions(node)
        dtype = node.dtype
        start = ex.text(ex.literal(node.op.initial if isinstance(node, Reduction) else 0.0, dtype))
        target = self.scope.variable(node)
        prefix = kept == tuple(range(len(kept)))
        if not prefix:
            self.body[0].append(f"{target}[...] = {start}")
            entry = ex.subscript(target, [self.variables[k] for k in kept])
            self.body[self.depth].append(self._fold(node, entry, term, in_memory=True))
            return
        if kept:
            total = self._own(f"{target}_{''.join(self.variables[k] for k in kept)}")
            index = [self.variables[k] for k in kept]
            self.after[len(kept)].append(f"{ex.text(ex.subscript(target, index))} = {total}")
        else:
            total = target
        self.body[len(kept)].append(f"{total} = {start}")
        self.body[self.depth].append(self._fold(node, ex.name(total), term, in_memory=False))

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
        array = self.scope.variable(node)
        if not where:
            return ex.name(array)
        return self._load(node, array, where)

    def _load(self, node: Node, array: str, where: Where) -> ast.expr:
        """Return an array entry: hoisted into a variable when the innermost loop does not change its index."""
        entry = ex.subscript(array, [i.text for i in where])
        level = max(i.level for i in where)
        if level == self.depth:
            return entry
        key = (node, where)
        if key not in self.loaded:
            suffix = "".join(i.text if i.text.isalnum() else "" for i in where)
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
