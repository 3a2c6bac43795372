"""Packages a notebook's cell, or a function call, with everything it needs to run elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .bundle import bundle_parts, bundle_size, needs_bundle, write_bundle
    from .cell_names import CellNames, is_empty, read_cell
    from .definitions import NotebookDefinitions
    from .notebook import notebook_of
    from .options import PYTHON, Notebook, Packaged, PackageOptions
    from .package import package_call, package_cell
    from .report import DryRun, dry_run_report

_HOME = {
    "bundle": ("bundle_parts", "bundle_size", "needs_bundle", "write_bundle"),
    "cell_names": ("CellNames", "is_empty", "read_cell"),
    "definitions": ("NotebookDefinitions",),
    "notebook": ("notebook_of",),
    "options": ("PYTHON", "Notebook", "PackageOptions", "Packaged"),
    "package": ("package_call", "package_cell"),
    "report": ("DryRun", "dry_run_report"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "PYTHON",
    "CellNames",
    "DryRun",
    "Notebook",
    "NotebookDefinitions",
    "PackageOptions",
    "Packaged",
    "bundle_parts",
    "bundle_size",
    "dry_run_report",
    "is_empty",
    "needs_bundle",
    "notebook_of",
    "package_call",
    "package_cell",
    "read_cell",
    "write_bundle",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value
