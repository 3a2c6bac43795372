"""Our end of a runner's socket: messages both ways, and nothing blocks.

A message is a JSON object on a line; one with ``bytes`` has a body of so many bytes behind it.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Mapping
from typing import Any

_READ_BYTES = 256 * 1024
#: One message with its body; a runner sends less.
_MESSAGE_LIMIT_BYTES = 1 << 20

#: What came: the message, and its body or nothing.
Take = Callable[[Mapping[str, Any], bytes], None]


class Line:
    """Reads as soon as it is made. After a hang-up, ours or theirs, it is ``closed``."""

    def __init__(self, end: socket.socket, take: Take) -> None:
        end.setblocking(False)
        self._socket = end
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._arrived = bytearray()
        self._unsent = bytearray()
        self._loop.add_reader(end.fileno(), self.read)

    @property
    def closed(self) -> bool:
        """True once nothing more comes or goes."""
        return self._socket.fileno() < 0

    @property
    def stuck(self) -> bool:
        """True: the other side has not read yet what it was sent."""
        return bool(self._unsent)

    def close(self) -> None:
        """Hang up. Idempotent."""
        if not self.closed:
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
            self._socket.close()

    def send(self, message: Mapping[str, Any], body: bytes = b"") -> None:
        """Send a message. Raises ``OSError`` where the other side is gone."""
        if body:
            message = {**message, "bytes": len(body)}
        data = json.dumps(message).encode() + b"\n" + body
        if self._unsent:
            self._unsent += data
            return
        sent = self._send(data)
        if sent < len(data):
            self._unsent += memoryview(data)[sent:]
            self._loop.add_writer(self._socket.fileno(), self._write)

    def _send(self, data: bytes | bytearray) -> int:
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0

    def _write(self) -> None:
        try:
            del self._unsent[: self._send(self._unsent)]
        except OSError:
            self.close()
            return
        if not self._unsent:
            self._loop.remove_writer(self._socket.fileno())

    def read(self) -> None:
        """Take what has arrived."""
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._arrived += data
        if not data or not self._take_messages() or len(self._arrived) > _MESSAGE_LIMIT_BYTES:
            self.close()

    def _take_messages(self) -> bool:
        """False where it is not to be understood."""
        while (end := self._arrived.find(b"\n")) >= 0:
            try:
                message = json.loads(self._arrived[:end])
                behind = end + 1 + int(message.get("bytes", 0))
            except (ValueError, AttributeError, TypeError):
                return False
            if len(self._arrived) < behind:
                return True
            body = bytes(self._arrived[end + 1 : behind])
            del self._arrived[:behind]
            self._take(message, body)
        return True
