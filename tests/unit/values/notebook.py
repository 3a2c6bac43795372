"""A notebook's namespace for tests: ``__main__``, with cells known to linecache as IPython's are."""

from __future__ import annotations

import itertools
import linecache
import sys
from typing import Any

_numbers = itertools.count(1)


class Notebook:
    """Runs cells in ``__main__``, and forgets what they bound."""

    def __init__(self) -> None:
        self.space = vars(sys.modules["__main__"])
        self._before = dict(self.space)

    def run(self, source: str) -> dict[str, Any]:
        """Runs one cell; returns the namespace."""
        filename = f"<test-cell-{next(_numbers)}>"
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        exec(compile(source, filename, "exec"), self.space)
        return self.space

    def forget(self) -> None:
        """Unbinds what the cells bound."""
        for name in set(self.space) - set(self._before):
            del self.space[name]
