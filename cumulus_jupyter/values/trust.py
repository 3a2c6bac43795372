"""What a graph may do where it is decoded.

A job trusts the client that submitted it. A client does not trust the worker that answers: with
``Trust.of_worker``

- no pickle is loaded unless the user asked for it;
- source is run only if the very same definition stands in the cell that was submitted;
- a module is used only if the cell or the notebook imports its top-level package itself, or the
  notebook already holds that module;
- containers and partials that call something later (a defaultdict's factory) may only call the
  notebook's own functions and classes, or a plain built-in type.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, FrozenSet, Mapping

#: Packages that a worker may always name: their data types are harmless, and the encodings need them.
_PLAIN_PACKAGES = frozenset({"builtins", "collections", "datetime", "decimal", "fractions", "math", "numpy"})
#: Built-ins that run code, or reach the system, when they are called.
_SHARP_BUILTINS = frozenset(
    {"eval", "exec", "compile", "open", "__import__", "input", "breakpoint", "getattr", "setattr",
     "delattr", "globals", "locals", "vars", "exit", "quit", "memoryview"}
)  # fmt: skip
_PLAIN_TYPES = (bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset)


class Unresolved(Exception):
    """Raised by a kind for a well-formed node that cannot, or may not, be rebuilt here."""


@dataclass(frozen=True)
class Trust:
    """The rules of one decoding; made by ``of_client`` or ``of_worker``."""

    allow_pickle: bool
    #: True: any source and any import. False: as this module says.
    full: bool = True
    #: True: roots that cannot be rebuilt are left out, rather than refusing the graph.
    tolerant: bool = False
    #: The cell that was submitted, as plain Python.
    known_source: str = ""
    packages: FrozenSet[str] = field(default_factory=frozenset)

    @staticmethod
    def of_client(allow_pickle: bool) -> Trust:
        """The job's trust in its program."""
        return Trust(allow_pickle)

    @staticmethod
    def of_worker(
        allow_pickle: bool, known_source: str = "", namespace: Mapping[str, Any] | None = None
    ) -> Trust:
        """The notebook's trust in what a worker sent."""
        packages = set(_PLAIN_PACKAGES)
        for value in list((namespace or {}).values()):
            if isinstance(value, ModuleType):
                packages.add(value.__name__.partition(".")[0])
            elif isinstance(value, type):
                packages.add(value.__module__.partition(".")[0])
        if known_source:
            from .definitions import imported_packages

            packages.update(imported_packages(known_source))
        packages.discard("__main__")
        return Trust(allow_pickle, False, True, known_source, frozenset(packages))

    def module(self, name: Any) -> ModuleType:
        """The module of this name, imported where that is allowed."""
        from importlib import import_module

        if type(name) is not str or not name or not all(part.isidentifier() for part in name.split(".")):
            raise ValueError(f"not a module's name: {name!r}")
        if not self.full and name.partition(".")[0] not in self.packages:
            raise Unresolved(f"it names the module {name}, which this notebook does not import")
        found = sys.modules.get(name)
        if found is not None:
            return found
        try:
            return import_module(name)
        except Exception as error:
            raise Unresolved(f"the module {name} cannot be imported here: {error}") from error

    def attribute(self, module: Any, qualname: Any) -> Any:
        """What ``module:qualname`` names."""
        found: Any = self.module(module)
        if not self.full and module == "builtins" and qualname in _SHARP_BUILTINS:
            raise Unresolved(f"it names the built-in {qualname}")
        for part in str(qualname).split("."):
            try:
                found = getattr(found, part)
            except AttributeError:
                raise Unresolved(f"{module} has no {qualname} here") from None
            if not self.full and isinstance(found, ModuleType):
                raise Unresolved(f"{module}:{qualname} is not what the module defines itself")
        return found

    def may_be_called(self, value: Any, own: bool) -> bool:
        """Whether a decoded object may call this one by itself later."""
        return self.full or own or value in _PLAIN_TYPES
