"""The command lines of all workers that were added, by node. Implements ``partitions.remote.Remote``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..partitions.remote import Answer, Unreachable
from .command_line import CommandLine
from .ssh import Host

if TYPE_CHECKING:
    import asyncssh

__all__ = ["Remotes"]


class Remotes:
    """One connection for each node, opened when something is first asked there, and kept."""

    def __init__(self, key: Callable[[], Path], timeout_s: float) -> None:
        """``key`` gives the file of the relay's private key, and makes it where it is not there."""
        self._key = key
        self._timeout_s = timeout_s
        self._lines: dict[str, CommandLine] = {}
        #: Called with a node whose connection was lost.
        self.on_lost: Callable[[str], None] = lambda node: None

    def know(self, hosts: Mapping[str, Host]) -> None:
        """These are the nodes; connections to others, or to where one was before, are closed."""
        for node, line in list(self._lines.items()):
            if hosts.get(node) != line.host:
                del self._lines[node]
                line.close()
        for node, host in hosts.items():
            if node not in self._lines:
                lost = partial(self._lost, node)
                self._lines[node] = CommandLine(host, self._key(), self._timeout_s, lost)

    async def run(self, node: str, words: Sequence[str], options: Sequence[str] = ()) -> Answer:
        """See ``Remote``."""
        line = self._lines.get(node)
        if line is None:
            raise Unreachable(
                "it was not added to this relay, which so cannot reach it by SSH",
                next="Run the line that %cumulus add-worker prints on that host.",
            )
        return await line.run(words, options)

    def connection(self, node: str) -> asyncssh.SSHClientConnection | None:
        """The open connection to a node, for commands of other kinds."""
        line = self._lines.get(node)
        return None if line is None else line.connection

    def close(self) -> None:
        """Close all connections. Idempotent."""
        self.know({})

    def _lost(self, node: str) -> None:
        self.on_lost(node)
