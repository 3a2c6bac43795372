"""What a partition needs of whoever reaches a node's command line, such as over SSH."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .base import PartitionAway

__all__ = ["Answer", "Remote", "Unreachable"]


class Unreachable(PartitionAway):
    """The node itself cannot be reached."""


@dataclass(frozen=True)
class Answer:
    """How one command ended."""

    exit: int
    #: What it said as JSON; ``None`` where the command line has words only.
    body: Mapping[str, Any] | None = None
    stdout: str = ""
    stderr: str = ""


class Remote(Protocol):
    """Runs ``chronos_cli`` on nodes."""

    async def run(self, node: str, words: Sequence[str], options: Sequence[str] = ()) -> Answer:
        """The answer to one command.

        ``options`` are those that only this project's ``chronos_cli`` knows; on a node with another one
        they are left out, and the answer has no body. Raises ``Unreachable``; the command may have run.
        """
