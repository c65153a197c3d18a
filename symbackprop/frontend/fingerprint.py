"""What identifies a request to the compiler in every process: a hash of its structure.

Expressions are graphs, whose text can be exponentially longer than they are. So each object is visited once and becomes
a record: its class, its own content, and the numbers of its parts. Equal records are one number, which makes the hash
independent of how much the user's objects share.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from typing import Any, TypeAlias

import sympy as sp
from sympy.core.basic import Basic
from sympy.core.function import UndefinedFunction
from sympy.core.symbol import Str

__all__ = ["fingerprint"]

#: Packages whose classes are known by their names: their behaviour changes with the versions only.
_KNOWN = ("sympy", "symbackprop")

#: What classes say that equality looks at, where `args` hold it all.
_ALL_IN_ARGS = frozenset(cls._hashable_content for cls in (Basic, sp.Expr, sp.Subs))

#: What an object is made of: a record of its own, and the parts whose numbers complete it.
_Parts: TypeAlias = tuple[tuple[Any, ...], tuple[Any, ...]]


class _Unknown(Exception):  # noqa: N818 - says that there is no fingerprint; never leaves this file
    """An object whose content nothing describes."""


def fingerprint(request: Any) -> str | None:
    """Return a hash of nested tuples, lists and dicts of SymPy objects, texts and numbers.

    None if there is an object whose behaviour is not known from its class and parts, such as one of a class that the
    user wrote. Dummies count by order of occurrence; other symbols by name and assumptions. Linear and iterative.
    """
    try:
        records = [sp.__version__, *_Walk().run(request)]
    except _Unknown:
        return None
    return hashlib.sha256("\n".join(records).encode("utf-8", "surrogatepass")).hexdigest()


class _Walk:
    """Numbers objects, parts first."""

    def __init__(self) -> None:
        self.records: dict[str, int] = {}
        self.number: dict[int, int] = {}
        self.alive: list[Any] = []
        self.dummies: dict[Any, int] = {}
        self.plain: dict[type, tuple[Any, ...]] = {}

    def run(self, root: Any) -> list[str]:
        """Return the distinct records below `root`, its own last.

        Raises:
            _Unknown: there is no record for an object.
        """
        open_: set[int] = set()
        stack: list[tuple[Any, _Parts | None]] = [(root, None)]
        while stack:
            item, ready = stack.pop()
            at = id(item)
            if ready is not None:
                own, parts = ready
                record = repr((*own, *[self.number[id(p)] for p in parts]))
                self.number[at] = self.records.setdefault(record, len(self.records))
                open_.discard(at)
                continue
            if at in self.number:
                continue
            if at in open_:
                raise _Unknown  # A container that holds itself.
            open_.add(at)
            own, parts = self._parts(item)
            # Parts may be made for the occasion: while they live, no other object has their identity.
            self.alive.append((item, parts))
            stack.append((item, (own, parts)))
            stack += [(p, None) for p in reversed(parts)]
        # The root's record may equal an earlier one; its number closes the list.
        return [*self.records, str(self.number[id(root)])]

    def _parts(self, item: Any) -> _Parts:
        known = self.plain.get(type(item))
        if known is not None:
            return known, item.args
        if item is None or type(item) in (bool, int, float, str):
            return (type(item).__name__, item), ()
        if isinstance(item, Mapping):
            return ("dict",), tuple(part for pair in item.items() for part in pair)
        if isinstance(item, (list, tuple)):
            return ("list" if isinstance(item, list) else "tuple",), tuple(item)
        if isinstance(item, type):
            return self._function_class(item)
        if isinstance(item, sp.MatrixBase):
            return (*_class_name(type(item)), *map(int, item.shape)), tuple(item.flat())
        if isinstance(item, sp.NDimArray):
            entries = sp.flatten(item.tolist()) if item.shape else [item[()]]
            return (*_class_name(type(item)), *map(int, item.shape)), tuple(entries)
        if isinstance(item, Basic):
            return self._basic(item)
        raise _Unknown

    def _basic(self, item: Any) -> _Parts:
        """Return the parts of a SymPy object; atoms have their content in the record."""
        cls = type(item)
        if isinstance(cls, UndefinedFunction) or _is_declared(cls):
            return ("call",), (cls, *item.args)
        own = _class_name(cls)
        if isinstance(item, (sp.Integer, sp.Rational)):
            return (*own, item.p, item.q), ()
        if isinstance(item, sp.Float):
            return (*own, *item._mpf_, item._prec), ()  # noqa: SLF001 - its exact content
        if isinstance(item, Str):
            return (*own, item.name), ()
        if isinstance(item, sp.Dummy):
            return (*own, item.name, self.dummies.setdefault(item, len(self.dummies)), *_facts(item)), ()
        if cls is sp.Symbol:
            return (*own, item.name, *_facts(item)), ()
        if isinstance(item, (sp.Idx, sp.Indexed)):
            return (*own, *_facts(item)), item.args
        if isinstance(item, sp.IndexedBase):
            return (*own, *_facts(item)), (*item.args, item.offset, item.strides)
        if own == ("sympy.combinatorics.permutations", "Permutation"):
            return (*own, *item.array_form), ()
        if cls._hashable_content not in _ALL_IN_ARGS:
            raise _Unknown
        self.plain[cls] = own
        return own, item.args

    def _function_class(self, cls: Any) -> _Parts:
        """Return the parts of a function that is applied to nothing."""
        if _is_declared(cls) and "declaration" in cls.__dict__:
            declared = cls.declaration
            partials = [p.body for p in declared.partials or ()]
            own = ("declared", declared.name, declared.partials is None)
            return own, (*declared.formals, declared.result, declared.forward.body, *partials)
        if isinstance(cls, UndefinedFunction):
            return ("function", cls.__name__, repr(sorted(cls._kwargs.items()))), ()
        return ("class", *_class_name(cls)), ()


def _is_declared(cls: type) -> bool:
    """Whether a function was made by `symbackprop.function`; asked by name, for its file is not needed here."""
    return any(base.__module__ == "symbackprop.frontend.declared" for base in cls.__mro__)


def _class_name(cls: type) -> tuple[str, str]:
    """Return the name of a class of SymPy or this package.

    Raises:
        _Unknown: it is another's, or its name does not lead to it.
    """
    module = cls.__module__ or ""
    if module.partition(".")[0] in _KNOWN and getattr(sys.modules.get(module), cls.__qualname__, None) is cls:
        return module, cls.__qualname__
    raise _Unknown


def _facts(item: Any) -> tuple[tuple[str, bool], ...]:
    """Return what is assumed about a symbol."""
    return tuple(sorted(item.assumptions0.items()))
