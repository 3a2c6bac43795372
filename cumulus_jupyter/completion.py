"""Completions on the magics' lines: options, commands, settings, names of the notebook."""

from __future__ import annotations

import types
from typing import Any

from .options import NAME_OPTIONS, OPTIONS, USUAL_VALUES

#: The commands of ``%cumulus``.
COMMANDS = (
    "jobs", "job", "logs", "attach", "cancel", "result", "workers", "add-worker", "config", "connect"
)  # fmt: skip
_SETTINGS = (
    "autostart cpu duration env executor gpu image labels memory pickle quiet requirements retries "
    "output_kib output_lines simulated_gpus token url value_limit view"
).split()


def complete(shell: Any, event: Any) -> list[str]:
    """What may stand at the end of the line; IPython calls this with the line up to the cursor."""
    words = str(event.line).split()
    symbol = str(getattr(event, "symbol", ""))
    before = words[:-1] if words and words[-1].endswith(symbol) and symbol else words
    if words and words[0].startswith("%%"):
        if before and before[-1] in NAME_OPTIONS:
            return _names(shell)
        if before and before[-1] in USUAL_VALUES:
            return list(USUAL_VALUES[before[-1]])
        return [option.flag for option in OPTIONS]
    if len(before) <= 1:
        return list(COMMANDS)
    if before[1] == "config":
        if symbol.startswith("executor=") or (words and words[-1].startswith("executor=")):
            return [f"executor={name}" for name in USUAL_VALUES["--executor"]]
        return [f"{name}=" for name in _SETTINGS]
    return []


def _names(shell: Any) -> list[str]:
    hidden = getattr(shell, "user_ns_hidden", {})
    return [
        name
        for name, value in shell.user_ns.items()
        if not name.startswith("_") and name not in hidden and not isinstance(value, types.ModuleType)
    ]
