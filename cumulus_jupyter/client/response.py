"""An HTTP answer whose body is handed on as it arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .connection import Connection

#: How long a send may stall, and how long an answer's head may take.
PATIENCE_S = 60.0


class ConnectionLost(ConnectionError):
    """The other side closed the connection, or what it said is not HTTP."""


class TimedOut(ConnectionLost):
    """Nothing came for longer than allowed."""


class Response:
    """An answer whose body is read as it comes."""

    def __init__(self, connection: Connection, status: int, headers: dict[str, str]) -> None:
        self.status = status
        self.headers = headers
        self._connection = connection
        self._buffer = connection._buffer
        self._chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        #: Bytes of the body, or of the current chunk, that are still to come; None: until the end.
        self._left: int | None = 0 if self._chunked else None
        length = headers.get("content-length", "")
        if not self._chunked and length.isdigit():
            self._left = int(length)
        self.finished = status in (204, 304) or (not self._chunked and self._left == 0)
        self.keeps = headers.get("connection", "").lower() != "close" and (
            self.finished or self._left is not None
        )

    @property
    def length_bytes(self) -> int | None:
        """Size of the body that is still to come, where it was announced."""
        return None if self._chunked else self._left

    def read_some(self, timeout_s: float | None) -> bytes:
        """What has arrived of the body; ``b""`` when it ended, or when nothing came in time
        (``finished`` tells which)."""
        while not self.finished:
            data = self._take()
            if data or self.finished:
                return data
            try:
                if not self._connection.receive(timeout_s):
                    return b""
            except ConnectionLost:
                if self._chunked or self._left is not None:
                    raise
                self.finished = True
        return b""

    def read(self, timeout_s: float = PATIENCE_S) -> bytes:
        """The whole body."""
        parts = []
        while True:
            data = self.read_some(timeout_s)
            if data:
                parts.append(data)
            elif self.finished:
                return b"".join(parts)
            else:
                raise TimedOut("the relay stopped sending")

    def read_into(self, view: memoryview) -> None:
        """Fill ``view`` with the body; it must be ``length_bytes`` long."""
        done = 0
        while done < view.nbytes:
            done += self._connection.receive_into(view[done:], PATIENCE_S)
        self._left = 0
        self.finished = True

    def drain_tail(self) -> bool:
        """Read the last few bytes of a body whose content is known to be complete."""
        if not self.keeps:
            return False
        try:
            while not self.finished:
                if not self._take() and not self.finished and not self._connection.receive(0.05):
                    return False
        except OSError:
            return False
        return True

    def _take(self) -> bytes:
        """Body bytes from the buffer; ``b""`` where more must be received first."""
        buffer = self._buffer
        if not self._chunked:
            data = bytes(buffer if self._left is None else buffer[: self._left])
            del buffer[: len(data)]
            if self._left is not None:
                self._left -= len(data)
                self.finished = self._left == 0
            return data
        return self._take_chunks()

    def _take_chunks(self) -> bytes:
        buffer = self._buffer
        parts = []
        while buffer:
            if not self._left:
                line_end = buffer.find(b"\r\n", 2 if buffer.startswith(b"\r\n") else 0)
                if line_end < 0:
                    break
                size = int(bytes(buffer[:line_end]).split(b";")[0], 16)
                if size == 0:
                    if buffer.find(b"\r\n\r\n") < 0:
                        break
                    buffer.clear()
                    self.finished = True
                    break
                del buffer[: line_end + 2]
                self._left = size
            data = bytes(buffer[: self._left])
            del buffer[: len(data)]
            self._left = (self._left or 0) - len(data)
            parts.append(data)
        return b"".join(parts)
