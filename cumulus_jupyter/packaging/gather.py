"""From the names a cell reads to the values, imports and definitions it needs, transitively."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Mapping
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from ..protocol.errors import InvalidArgument
from .definitions import FoundDefinition, NotebookDefinitions
from .findings import CERTAIN, READ, SOFT, Findings
from .modules import importable_as, module_statements

_NOTHING: frozenset[str] = frozenset()
#: Values of these types need nothing but themselves.
_PLAIN = frozenset({int, float, str, bool, bytes, complex, type(None), list, dict, tuple, set, frozenset})
#: The shell's own names: the job has its own.
SHELL_NAMES = frozenset(
    {"In", "_ih", "_dh", "_i", "_ii", "_iii", "_sh",
     "__name__", "__doc__", "__builtin__", "__builtins__", "__loader__", "__package__", "__spec__",
     "__file__", "__annotations__", "__session__", "__vsc_ipynb_file__"}
)  # fmt: skip
#: Names that are the shell's unless the user gave them another meaning.
_SHELL_FUNCTIONS = frozenset({"get_ipython", "exit", "quit", "display", "open"})


class Gatherer:
    """Collects what one program needs of ``namespace``; made by ``package`` for each program."""

    def __init__(
        self,
        namespace: Mapping[str, Any],
        definitions: NotebookDefinitions,
        inputs: Iterable[str] | None = None,
    ) -> None:
        self.namespace = namespace
        self.definitions = definitions
        #: Data comes from these names only; ``None`` for every name that is read.
        self.inputs = None if inputs is None else frozenset(inputs)
        self.roots: dict[str, Any] = {}
        #: ``from m import n`` statements.
        self.imports: dict[str, None] = {}
        #: Names that stand for a module.
        self.module_names: dict[str, ModuleType] = {}
        #: Modules that must be importable, by dotted name.
        self.modules: dict[str, None] = {}
        #: Roots the program can do without.
        self.soft: set[str] = set()
        #: Name -> the definition that reads it; names the cell itself reads are not here.
        self.via: dict[str, str] = {}
        #: Globals that shipped functions assign, and delete.
        self.assigned: dict[str, None] = {}
        self.deleted: dict[str, None] = {}
        #: Names that are assigned by the cell before any definition reads them.
        self.shadowed: set[str] = set()
        #: Names read that are nowhere, and are certain to be missed.
        self.unknown: list[str] = []
        self._attributes: dict[str, set[str]] = {}
        self._pending: list[tuple[str, int, frozenset[str], str]] = []
        self._seen: dict[str, tuple[int, frozenset[str]]] = {}
        self._followed: set[FoundDefinition] = set()

    def read(self, findings: Findings) -> None:
        """Follow every name that a cell reads, and every one the user asked for."""
        self._note_attributes(findings)
        self._pending.extend((name, READ, _NOTHING, "") for name in self.inputs or ())
        self.modules.update(findings.imports)
        for name, keys in findings.results.items():
            if name not in findings.reads:
                self._take_results(name, keys)
        for name, grade in reversed(findings.reads.items()):
            self._pending.append((name, grade, findings.assigned_before[name], ""))
        self._drain()

    def start_with(self, roots: Mapping[str, Any]) -> None:
        """Follow the definitions that a call's function and arguments are, or are made of."""
        for value in roots.values():
            parts = list(value) if isinstance(value, tuple) else [value]
            parts += list(value.values()) if isinstance(value, dict) else []
            for part in (*parts, *(getattr(part, "__self__", None) for part in parts)):
                for found in _definitions_of(part, self.definitions):
                    self._follow(found, found.definition.name, READ, _NOTHING)
        self.roots.update(roots)
        self._drain()

    def follow_found(self) -> None:
        """Follow what encoding has met inside other values."""
        for found in list(self.definitions.found):
            if found not in self._followed:
                self._follow(found, found.definition.name, READ, _NOTHING)
        self._drain()

    def hold_places(self, deletes: Iterable[str]) -> None:
        """Names that are only deleted must be there, whatever their value."""
        for name in (*deletes, *self.deleted):
            if name in self.namespace and name not in self.roots and name not in self.module_names:
                self.roots[name] = None
                self.soft.add(name)

    def import_statements(self) -> list[str]:
        """Import statements, now that all attribute paths are known."""
        statements = dict(self.imports)
        for name, module in self.module_names.items():
            statements.update(dict.fromkeys(module_statements(name, module, self._attributes.get(name, ()))))
        return list(statements)

    def _drain(self) -> None:
        while self._pending:
            name, grade, before, via = self._pending.pop()
            known = self._seen.get(name)
            if known is not None:
                if grade <= known[0] and known[1] <= before:
                    continue
                grade, before = max(grade, known[0]), known[1] & before
            self._seen[name] = (grade, before)
            if is_shell_name(name, self.namespace):
                continue
            if name in self.namespace:
                if via and known is None:
                    self.via[name] = via
                self._take(name, grade, before, via)
            elif grade == CERTAIN and not _is_built_in(name) and name not in self.unknown:
                self.unknown.append(name)

    def _take(self, name: str, grade: int, before: frozenset[str], via: str) -> None:
        value = self.namespace[name]
        found: list[FoundDefinition] = []
        if type(value) not in _PLAIN:
            if self._is_imported(name, value):
                return
            found = _definitions_of(value, self.definitions)
        is_definition = bool(found) and self.definitions.look_up(value) is not None
        if self.inputs is None or name in self.inputs or is_definition or via:
            self.roots[name] = value
        if grade == SOFT:
            self.soft.add(name)
        else:
            self.soft.discard(name)
        for each in found:
            self._follow(each, name, grade, before)

    def _follow(self, found: FoundDefinition, name: str, grade: int, before: frozenset[str]) -> None:
        """What a definition reads is needed too, unless the cell assigns it before it is used."""
        self._followed.add(found)
        for findings in (found.at_definition, *found.at_call):
            assigned = _NOTHING if findings is found.at_definition else before
            self.modules.update(findings.imports)
            self._note_attributes(findings)
            for read, own in findings.reads.items():
                if read in assigned:
                    self.shadowed.add(read)
                else:
                    self._pending.append((read, min(grade, READ, own), assigned, name))
        for findings in found.at_call:
            self.assigned.update(findings.globals)
            self.deleted.update(findings.deletes)

    def _take_results(self, name: str, keys: Iterable[int]) -> None:
        """Of ``Out``, the numbers that are read."""
        record = self.namespace.get(name)
        if isinstance(record, dict) and (self.inputs is None or name in self.inputs):
            self.roots[name] = {key: record[key] for key in keys if key in record}

    def _note_attributes(self, findings: Findings) -> None:
        for name, paths in findings.attributes.items():
            self._attributes.setdefault(name, set()).update(paths)

    def _is_imported(self, name: str, value: Any) -> bool:
        """True where an import statement gives the value."""
        if isinstance(value, ModuleType):
            if not module_statements(name, value, ()):
                return False
            self.modules[value.__name__] = None
            self.module_names[name] = value
            return True
        if isinstance(value, (type, FunctionType, BuiltinFunctionType)):
            place = importable_as(value)
            if place is not None:
                renamed = f" as {name}" if name != place[1] else ""
                self.imports[f"from {place[0]} import {place[1]}{renamed}"] = None
                self.modules[place[0]] = None
                return True
        return False


def _definitions_of(value: Any, definitions: NotebookDefinitions) -> list[FoundDefinition]:
    """The definitions of a notebook's function, class, or the class of an instance, with its bases."""
    own = definitions.look_up(value)
    if own is not None:
        return [own]
    if isinstance(value, type):
        return []
    return [found for cls in type(value).__mro__ if cls.__module__ == "__main__"
            if (found := definitions.look_up(cls)) is not None]  # fmt: skip


def is_shell_name(name: str, namespace: Mapping[str, Any]) -> bool:
    """True for what the shell itself keeps in the namespace."""
    if name in SHELL_NAMES:
        return True
    if name in _SHELL_FUNCTIONS and name in namespace:
        value = namespace[name]
        makers = (getattr(value, "__module__", None), type(value).__module__)
        return any(str(maker).partition(".")[0] in ("IPython", "ipykernel", "io", "_io") for maker in makers)
    return False


def _is_built_in(name: str) -> bool:
    return hasattr(builtins, name) or name in _SHELL_FUNCTIONS


def unknown_name(name: str, namespace: Mapping[str, Any], others: Iterable[str]) -> InvalidArgument:
    """The error for a name that is nowhere, with the nearest one that exists."""
    import difflib

    candidates = [each for each in (*namespace, *others, *vars(builtins)) if not each.startswith("_")]
    near = difflib.get_close_matches(name, candidates, n=1, cutoff=0.7)
    hint = f"Did you mean {near[0]!r}?" if near else "Define it in an earlier cell, or in this one."
    return InvalidArgument(f"name {name!r} is not defined", next=hint)
