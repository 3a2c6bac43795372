"""What a graph may do where it is decoded.

A job trusts the client that submitted it. A client does not trust the worker that answers: with
``Trust.of_worker``

- no pickle is loaded unless the user asked for it;
- source is run only if the very same definition stands in the cell that was submitted;
- a module is used only if the cell imports its top-level package, or the notebook holds a module, a
  class, a function or an object of that package; of other modules only what such a module has of them,
  as ``os.path`` has ``join`` of ``posixpath``;
- containers and partials that call something later (a defaultdict's factory) may only call the
  notebook's own functions and classes, or a plain built-in type.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any, Iterator, Mapping

#: Packages that a worker may always name: their data types are harmless, and the encodings need them.
_PLAIN_PACKAGES = frozenset(
    {"builtins", "collections", "datetime", "decimal", "fractions", "math", "numpy", "scipy"}
)
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
    #: The notebook's names.
    namespace: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @staticmethod
    def of_client(allow_pickle: bool) -> Trust:
        """The job's trust in its program."""
        return Trust(allow_pickle)

    @staticmethod
    def of_worker(
        allow_pickle: bool, known_source: str = "", namespace: Mapping[str, Any] | None = None
    ) -> Trust:
        """The notebook's trust in what a worker sent."""
        return Trust(allow_pickle, False, True, known_source, namespace or {})

    def _may_import(self, package: str) -> bool:
        """Whether the notebook itself uses this top-level package. Asked only when a graph names one."""
        if self.full or package in _PLAIN_PACKAGES:
            return True
        for value in list(self.namespace.values()):
            named = value if isinstance(value, (type, FunctionType)) else type(value)
            owner = value.__name__ if isinstance(value, ModuleType) else named.__module__
            if package == str(owner).partition(".")[0] != "__main__":
                return True
        if not self.known_source:
            return False
        from .sources import imported_packages

        return package in imported_packages(self.known_source)

    def _known_modules(self) -> Iterator[ModuleType]:
        """Modules that the cell imports or the notebook holds; of those not loaded yet, Python's own."""
        from importlib import import_module

        from .sources import imported_modules

        yield from (value for value in list(self.namespace.values()) if isinstance(value, ModuleType))
        for name in sorted(imported_modules(self.known_source)):
            module = sys.modules.get(name)
            if module is None and name in getattr(sys, "stdlib_module_names", ()):
                with suppress(Exception):
                    module = import_module(name)
            if module is not None:
                yield module

    def module(self, name: Any) -> ModuleType:
        """The module of this name, imported where that is allowed."""
        from importlib import import_module

        if type(name) is not str or not name or not all(part.isidentifier() for part in name.split(".")):
            raise ValueError(f"not a module's name: {name!r}")
        if not self._may_import(name.partition(".")[0]):
            for known in self._known_modules():
                if known.__name__ == name:
                    return known
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
        found: Any
        if not self._may_import(str(module).partition(".")[0]):
            for known in self._known_modules():
                found = vars(known).get(qualname)
                own = (getattr(found, "__module__", None), getattr(found, "__qualname__", None))
                if own == (module, qualname):
                    return found
        found = self.module(module)
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
