"""One connection to the daemon: a JSON line asks, a JSON line answers, in that order."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from cumulus_worker.refusal import UNAVAILABLE, Refusal
from cumulus_worker.words import LONGEST_LINE_BYTES, invalid

#: At a time. What is open to a process besides is the ledger's.
_MOST = 200
_TOO_MANY = Refusal(
    UNAVAILABLE,
    f"chronosd has {_MOST} connections, and takes no more",
    next="End chronos_cli sessions that nobody needs: ps -C chronos_cli",
)


class Connection(asyncio.Protocol):
    """Answers whatever comes, without a task: no answer takes longer than a save of the ledger."""

    def __init__(self, answer: Callable[[Sequence[str]], dict[str, Any]], open_ones: set[Connection]) -> None:
        self._answer = answer
        self._open_ones = open_ones
        self._transport: asyncio.Transport | None = None
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Someone is there."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if len(self._open_ones) == _MOST:
            transport.write(json.dumps({"exit": 1, "answer": _TOO_MANY.answer()}).encode() + b"\n")
            transport.close()
            return
        self._open_ones.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """They are gone; what they booked stays."""
        self._open_ones.discard(self)

    def data_received(self, data: bytes) -> None:
        """Answer every whole line."""
        *lines, self._pending = (self._pending + data).split(b"\n")
        assert self._transport is not None
        for line in lines:
            self._transport.write(json.dumps(self._answered(line)).encode() + b"\n")
        if len(self._pending) > LONGEST_LINE_BYTES:
            self.close()

    def pause_writing(self) -> None:
        """They don't read: take nothing more from them."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        """They read again."""
        if self._transport is not None:
            self._transport.resume_reading()

    def close(self) -> None:
        """Hang up, once what was answered has gone out."""
        if self._transport is not None:
            self._transport.close()

    def _answered(self, line: bytes) -> dict[str, Any]:
        try:
            argv = json.loads(line)["argv"]
            if not (isinstance(argv, list) and all(isinstance(word, str) for word in argv)):
                raise TypeError("argv is not a list of strings")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            return {"exit": 1, "answer": invalid(f"This is no command line: {error}").answer()}
        return self._answer(argv)
