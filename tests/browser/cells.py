"""Cells that scenarios run."""

from __future__ import annotations

from tests.acceptance.containers import Gate


def held(gate: Gate, name: str, options: str = "", after: str = "") -> str:
    """A job that prints "begun", waits for the gate, prints "went on", and leaves ``answer`` and a result."""
    return (
        f"%%cumulus --name {name} {options}\n"
        f"print('begun', flush=True)\n{gate.question.strip()}\n"
        f"print('went on')\nanswer = 6 * 7\n{after or 'answer'}"
    )
