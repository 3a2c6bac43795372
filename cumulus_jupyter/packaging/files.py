"""The user's own modules as files, with the modules that these import in turn."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .modules import INSTALLED, LOCAL, MEMORY, Origin, origin_of

_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages", "venv", "env"})
_SKIPPED_SUFFIXES = (".pyc", ".pyo", ".ipynb", "~", ".swp", ".tmp")
#: Data files of a package above this size stay behind, and are named in the report.
DATA_FILE_LIMIT_BYTES = 16 * 2**20


@dataclass
class ModuleFiles:
    """What imports need beside what is installed."""

    #: Archive path -> file.
    files: dict[str, Path] = field(default_factory=dict)
    #: Top-level modules of installed distributions.
    installed: dict[str, None] = field(default_factory=dict)
    #: Modules that exist only in memory.
    in_memory: dict[str, None] = field(default_factory=dict)
    #: What was left out, in words.
    notes: list[str] = field(default_factory=list)


def collect(modules: Iterable[str], folder: Path | None = None) -> ModuleFiles:
    """Files of the local modules among ``modules`` (dotted names), transitively."""
    result = ModuleFiles()
    pending = [name for name in modules if not name.startswith(".")]
    seen: set[str] = set()
    while pending:
        top = pending.pop().partition(".")[0]
        if top in seen or not top:
            continue
        seen.add(top)
        origin = origin_of(top, folder)
        if origin.kind == INSTALLED:
            result.installed[top] = None
        elif origin.kind == MEMORY:
            result.in_memory[top] = None
        elif origin.kind == LOCAL:
            for archive_path, path in _files_of(top, origin, result.notes):
                result.files[archive_path] = path
                if path.suffix == ".py":
                    pending.extend(imports_of(path))
    result.files = dict(sorted(result.files.items()))
    return result


def _files_of(top: str, origin: Origin, notes: list[str]) -> Iterator[tuple[str, Path]]:
    if not origin.is_package:
        path = origin.paths[0]
        yield path.name, path
        return
    for root in origin.paths:
        is_namespace = not (root / "__init__.py").exists()
        for folder, subfolders, names in os.walk(root):
            subfolders[:] = sorted(
                name for name in subfolders if name not in _SKIPPED_FOLDERS and not name.startswith(".")
                and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
            )  # fmt: skip
            for name in sorted(names):
                path = Path(folder, name)
                if name.startswith(".") or name.endswith(_SKIPPED_SUFFIXES) or not path.is_file():
                    continue
                is_code = name.endswith((".py", ".so", ".pyd"))
                if is_namespace and not is_code:
                    continue
                if not is_code and path.stat().st_size > DATA_FILE_LIMIT_BYTES:
                    notes.append(f"{path} ({path.stat().st_size / 2**20:.0f} MiB) is left out")
                    continue
                yield f"{top}/{path.relative_to(root).as_posix()}", path


_imports: dict[Path, tuple[int, tuple[str, ...]]] = {}


def imports_of(path: Path) -> tuple[str, ...]:
    """Absolute modules that a source file imports, anywhere in it; kept until the file changes."""
    try:
        changed = path.stat().st_mtime_ns
        known = _imports.get(path)
        if known is not None and known[0] == changed:
            return known[1]
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ()
    names: dict[str, None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(dict.fromkeys(alias.name for alias in node.names))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names[node.module] = None
    _imports[path] = (changed, tuple(names))
    return tuple(names)
