"""Goes once through all that an ordinary job does, so that no job pays for imports and first times."""

from __future__ import annotations

import linecache
from typing import Any, Dict, Mapping

from cumulus_jupyter import values
from cumulus_jupyter.protocol.program import Program

from .failures import describe_error
from .leavings import Leavings, send_leavings
from .plain_shell import PlainShell
from .streams import Console

_DEFINITIONS = "def f(n):\n    return [n, {'a': (1, 2.5)}]\nclass C:\n    pass\n"
_CELL = "a = f(b)\nc = C()\nb.append(None)\na"


class _Nowhere(Console):
    """Takes events and forgets them."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Forget an event."""

    def event_text(self, kind: bytes, text: bytes) -> None:
        """Forget an event."""


def rehearse(shell: PlainShell) -> None:
    """Run a cell, encode what it leaves, format an error; leave no trace in the namespace."""
    known = dict(shell.namespace)
    nowhere = _Nowhere()
    shell.run(Program("cell", _DEFINITIONS, "Cell rehearsal"))
    shipped: Dict[str, object] = {"f": shell.namespace["f"], "C": shell.namespace["C"], "b": [1, "x", {}]}
    encoded = values.encode(shipped, values.EncodeOptions())
    cell = Program("cell", _CELL, "Cell rehearsed", graph=encoded.graph)
    leavings = Leavings(shell.namespace, cell)
    leavings.decode({}, lambda job_id, name: None)
    leavings.set_result(*shell.run(cell))
    shell.finish()
    send_leavings(leavings, nowhere, shell, "")
    try:
        shell.run(Program("cell", "1/0", "Cell failing"))
    except ZeroDivisionError as error:
        describe_error(error, shell)
    for title in ("rehearsal", "rehearsed", "failing"):
        linecache.cache.pop(f"<Cell {title}>", None)
    shell.namespace.clear()
    shell.namespace.update(known)
