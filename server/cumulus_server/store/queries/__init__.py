"""The SQL of the store, read once from the .sql files beside this module.

A statement starts after a line ``-- name: NAME`` and is reached as ``sql.NAME``.
"""

from __future__ import annotations

import re
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


class Statements:
    """Every named statement as an attribute."""

    def __init__(self, texts: dict[str, str]) -> None:
        self._texts = texts

    def __getattr__(self, name: str) -> str:
        try:
            return self._texts[name]
        except KeyError:
            raise AttributeError(f"no statement is named {name!r}") from None


def _read() -> dict[str, str]:
    texts: dict[str, str] = {}
    for file in resources.files(__name__).iterdir():
        if file.name.endswith(".sql"):
            parts = _NAME.split(file.read_text("utf-8"))
            for name, text in zip(parts[1::2], parts[2::2], strict=True):
                if name in texts:
                    raise ValueError(f"two statements are named {name!r}")
                texts[name] = text.strip().rstrip(";")
    return texts


sql = Statements(_read())
