"""Where a module comes from: Python itself, an installed distribution, or the user's own folders."""

from __future__ import annotations

import builtins
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

STANDARD, INSTALLED, LOCAL, MEMORY, UNKNOWN = "standard", "installed", "local", "memory", "unknown"
#: What every runner carries already, however it is installed here.
_OURS = frozenset({"cumulus_jupyter", "cumulus_runner", "cumulus_server", "IPython", "ipykernel", "__main__"})


@dataclass(frozen=True)
class Origin:
    """Where a top-level module is."""

    kind: str
    #: The file of a local module, or the folders of a local package.
    paths: tuple[Path, ...] = ()
    is_package: bool = False


def origin_of(name: str, folder: Path | None = None) -> Origin:
    """The origin of the top-level module ``name``; ``folder`` (the notebook's) is looked in first.

    Nothing is imported.
    """
    if name in sys.stdlib_module_names or name in sys.builtin_module_names:
        return Origin(STANDARD)
    if name in _OURS:
        return Origin(INSTALLED)
    module = sys.modules.get(name)
    if module is not None and getattr(module, "__spec__", None) is None and not hasattr(module, "__file__"):
        return Origin(MEMORY)
    spec = _spec(name, module, folder)
    if spec is None:
        return Origin(MEMORY if module is not None else UNKNOWN)
    if spec.submodule_search_locations is not None:
        paths = [Path(os.path.abspath(path)) for path in spec.submodule_search_locations]
        paths = [path for path in paths if path.is_dir()]
        if any(map(is_installed, paths)) or not paths:
            return Origin(INSTALLED)
        return Origin(LOCAL, tuple(paths), is_package=True)
    if not spec.origin or not spec.has_location:
        return Origin(MEMORY if module is not None else UNKNOWN)
    path = Path(os.path.abspath(spec.origin))
    if is_installed(path):
        return Origin(INSTALLED)
    return Origin(LOCAL, (path,)) if path.is_file() else Origin(UNKNOWN)


def _spec(name: str, module: ModuleType | None, folder: Path | None) -> ModuleSpec | None:
    spec = getattr(module, "__spec__", None)
    if isinstance(spec, ModuleSpec):
        return spec
    import importlib.util

    try:
        if module is None:
            found = importlib.util.find_spec(name)
            if found is None and folder is not None:
                from importlib.machinery import PathFinder

                found = PathFinder.find_spec(name, [str(folder)])
            return found
        path = getattr(module, "__file__", None)
        return importlib.util.spec_from_file_location(name, path) if path else None
    except (ImportError, ValueError, AttributeError):
        return None


@lru_cache(maxsize=1)
def _installed_roots() -> tuple[str, ...]:
    import site
    import sysconfig

    roots = {sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib")}
    roots.update(site.getsitepackages() if hasattr(site, "getsitepackages") else ())
    roots.add(site.getusersitepackages())
    return tuple(os.path.realpath(root) + os.sep for root in roots if root)


def is_installed(path: Path) -> bool:
    """True for a file of Python itself or of an installed distribution."""
    real = os.path.realpath(path)
    parts = Path(real).parts
    return "site-packages" in parts or "dist-packages" in parts or real.startswith(_installed_roots())


def importable_as(obj: object) -> tuple[str, str] | None:
    """``(module, name)`` that imports this very function, class or built-in; ``None`` if nothing does."""
    module, name = getattr(obj, "__module__", None), getattr(obj, "__qualname__", None)
    if not isinstance(name, str) or "." in name or module == "__main__":
        return None
    if module is None or not isinstance(module, str):
        return None
    holder = sys.modules.get(module)
    if holder is None or holder is builtins or getattr(holder, name, None) is not obj:
        return None
    return module, name


def module_statements(name: str, module: ModuleType, attributes: Iterable[str]) -> list[str]:
    """Imports after which ``name`` is ``module``, with the submodules that its attribute paths go through.

    Empty where no import gives this module.
    """
    path = module.__name__
    if path == "__main__" or sys.modules.get(path) is not module:
        return []
    statements: dict[str, None] = {}
    for attribute in sorted(attributes):
        parts = attribute.split(".")
        for count in range(len(parts), 0, -1):
            submodule = ".".join([path, *parts[:count]])
            if isinstance(sys.modules.get(submodule), ModuleType):
                statements[f"import {submodule}"] = None
                break
    statements[f"import {path}" if path == name else f"import {path} as {name}"] = None
    return list(statements)
