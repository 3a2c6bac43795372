"""What earlier cells imported, and what pickles will import."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..values.model import Encoded


@dataclass(frozen=True)
class ImportedName:
    """A name that ``from module import attribute`` bound."""

    module: str
    attribute: str
    name: str

    @property
    def statement(self) -> str:
        """The import, as a statement of its own."""
        renamed = f" as {self.name}" if self.name != self.attribute else ""
        return f"from {self.module} import {self.attribute}{renamed}"

    def gives(self, value: object) -> bool:
        """True where the import still gives this very object."""
        module = sys.modules.get(self.module)
        return module is not None and getattr(module, self.attribute, _MISSING) is value


_MISSING = object()


def imported_names(cells: Iterable[str]) -> dict[str, ImportedName]:
    """Names that ``from`` imports of these cells bound; the last one wins."""
    names: dict[str, ImportedName] = {}
    for cell in cells:
        if "import" in cell:
            names.update((each.name, each) for each in _from_imports(cell))
    return names


@lru_cache(maxsize=512)
def _from_imports(cell: str) -> tuple[ImportedName, ...]:
    try:
        tree = ast.parse(cell)
    except (SyntaxError, ValueError):
        return ()
    return tuple(
        ImportedName(node.module, alias.name, alias.asname or alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
        for alias in node.names
        if alias.name != "*"
    )


def modules_in_pickles(encoded: Encoded) -> set[str]:
    """Modules that loading the graph's pickles imports: every string in them that names one."""
    import pickletools

    names: set[str] = set()
    for node in encoded.graph["nodes"]:
        if not isinstance(node, dict) or node.get("t") != "pickle" or node.get("b") not in encoded.blobs:
            continue
        data: Any = encoded.blobs[node["b"]]
        for _, argument, _ in pickletools.genops(bytes(data)):
            if isinstance(argument, str) and len(argument) < 256:
                # GLOBAL has "module name" in one string, STACK_GLOBAL has them apart.
                word = argument.partition(" ")[0]
                if word in sys.modules and word != "__main__":
                    names.add(word)
    return names
