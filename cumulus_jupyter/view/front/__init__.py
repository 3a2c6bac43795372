"""The card's own files, for pages: plain ES modules and a style sheet, without a build step."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import resources

#: What anywidget loads; the others are found by what it imports.
ENTRY = "widget.js"
STYLE = "card.css"
_OWN_IMPORT = re.compile(r"^import\b[^;]*?\bfrom\s*[\"']\./([\w.]+)[\"'];[ \t]*\n?", re.MULTILINE)
_EXPORT = re.compile(r"^export\s+(?=(?:async\s+)?(?:function|class|const|let|var)\b)", re.MULTILINE)
_EXPORT_LIST = re.compile(r"^export\s*\{[^}]*\}\s*;?[ \t]*\n?", re.MULTILINE)


def joined(entry: str, read: Callable[[str], str]) -> str:
    """A module and all it imports from beside it, as one module; only its own exports stay.

    Each comes after those it needs. Names must differ between them.
    """
    texts: dict[str, str] = {}
    seen: set[str] = set()

    def add(name: str) -> None:
        if name in seen:
            return
        seen.add(name)
        text = read(name)
        for found in _OWN_IMPORT.finditer(text):
            add(found[1])
        texts[name] = _OWN_IMPORT.sub("", text)

    add(entry)
    last = texts.pop(entry)
    inner = [_EXPORT_LIST.sub("", _EXPORT.sub("", text)) for text in texts.values()]
    return "\n".join([*inner, last])


@cache
def script() -> str:
    """All modules as one; the module that anywidget loads."""
    return joined(ENTRY, _read)


@cache
def style() -> str:
    """The style sheet."""
    return _read(STYLE)


def _read(name: str) -> str:
    return (resources.files(__name__) / name).read_text("utf-8")
