"""The relay's push channel: a stream that says ``cancel``."""

from __future__ import annotations

from typing import Callable, Optional

from .channel import RelayChannel
from .http import Connection, Disconnected
from .loop import Loop, report_failure, spawn

_RETRY_S = 1.0
#: The relay says something each 15 s, so this much silence means that nothing comes through any more.
_SILENCE_S = 40.0


class ControlStream:
    """A connection of its own, opened for jobs that are not over at once."""

    def __init__(self, loop: Loop, channel: RelayChannel, on_cancel: Callable[[], None]) -> None:
        self._loop = loop
        self._channel = channel
        self._on_cancel = on_cancel
        self._connection: Optional[Connection] = None
        self._closed = False
        self._rest = b""

    def open(self) -> None:
        """Listen from now on."""
        if not self._closed:
            report_failure(spawn(self._listen()), "the control stream")

    def close(self) -> None:
        """Listen no more."""
        self._closed = True
        if self._connection is not None:
            self._connection.close()

    async def _listen(self) -> None:
        while not self._closed:
            self._rest = b""
            self._connection = self._channel.connection()
            try:
                await self._connection.request(
                    "GET", "control", self._channel.control_headers(), sink=self._take, timeout_s=_SILENCE_S
                )
            except Disconnected:
                pass
            self._connection.close()
            if not self._closed:
                await self._loop.sleep(_RETRY_S)

    def _take(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if any(line.strip() == b"event: cancel" for line in lines):
            self._on_cancel()
