"""Does something once one of some modules has been imported, if that ever happens."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec


def after_import(then: Mapping[str, Callable[[], None]]) -> None:
    """Call ``then[name]`` after the module of that name has been loaded; at once where it has been.

    What is called may not raise: it would look as if the import had failed.
    """
    waiting = dict(then)
    for name in then:
        if name in sys.modules:  # imported before this process was forked
            waiting.pop(name)()
    sys.meta_path.insert(0, _AfterImport(waiting))


class _AfterImport:
    """The import hook."""

    def __init__(self, then: Dict[str, Callable[[], None]]) -> None:
        self._then = then

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        """As the finders behind this one find it, with a loader that tells of its end."""
        if name not in self._then:
            return None
        finders = sys.meta_path[:]
        for finder in finders[finders.index(self) + 1 :] if self in finders else ():
            find: Any = getattr(finder, "find_spec", None)
            spec = find and find(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Told(spec.loader, self._then[name])
                return spec
        return None


class _Told:
    """A loader that does something after it has loaded; the module never sees it."""

    def __init__(self, loader: Any, then: Callable[[], None]) -> None:
        self._loader, self._then = loader, then

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> Any:
        """The loader's own."""
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        """Load it, and then."""
        module.__spec__.loader = self._loader
        if getattr(module, "__loader__", None) is self:
            module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._then()
