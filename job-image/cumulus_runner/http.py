"""One HTTP/1.1 connection on the runner's loop: requests one after another, nothing blocks.

Standard library's ``http.client`` would block the supervisor, which must keep reading what the job
writes while the relay is slow or away.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple, Type, Union

from .address import Address, host_header
from .connecting import Unconnected, connect, notice_death
from .loop import Future, Loop, Timer

_CHUNK_BYTES = 256 * 1024
_HEAD_LIMIT_BYTES = 64 * 1024


class Disconnected(Exception):
    """The request may or may not have reached the other side."""


class Unreachable(Disconnected):
    """The request can't have reached the other side: there was no connection."""


class FileBody:
    """A request body: all that is in a file now. Raises ``OSError``."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.size_bytes = os.path.getsize(path)


class Answer:
    """A response; ``body`` is empty where a sink took it."""

    def __init__(self, status: int, headers: Dict[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body


class Connection:
    """Connects when first used; a failed request leaves it closed, for the next one to reconnect."""

    def __init__(self, loop: Loop, address: Address, certificate: str = "") -> None:
        self._loop = loop
        self.address = address
        self._certificate = certificate
        # A TLS socket is one too; what differs is asked of ``address.secure``.
        self._socket: Any = None
        self._waits: Tuple[Type[OSError], ...] = (BlockingIOError,)
        self._asked = self._moved = self._hung_up = False
        self._timer: Optional[Timer] = None
        self._buffer = b""
        self._readable: Optional[Future[None]] = None
        self._writable: Optional[Future[None]] = None

    def adopt(self, fd: int) -> None:
        """Use a connection on which the next request has been sent already."""
        self._socket = socket.socket(fileno=fd)
        self._socket.setblocking(False)
        notice_death(self._socket)
        self._asked = True

    async def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: Union[bytes, FileBody] = b"",
        sink: Optional[Callable[[bytes], None]] = None,
        timeout_s: float = 30.0,
    ) -> Answer:
        """Send a request, wait for the answer.

        ``sink`` gets the body of a 200 in pieces as they come, instead of ``Answer.body``.
        ``timeout_s`` is how long nothing may move. Raises ``Disconnected``.
        """
        self._arm(timeout_s)
        try:
            if self._socket is None:
                await self._connect()
            if self._asked:
                self._asked = False
                self._loop.watch(self._socket.fileno(), self._on_readable)
            else:
                # It may have answered and hung up before all was sent, as where that is too much.
                with contextlib.suppress(ConnectionError):
                    await self._send_request(method, target, headers, body)
            return await self._answer(sink)
        except (OSError, ValueError, IndexError, EOFError) as error:
            self.close()
            raise Disconnected(str(error) or type(error).__name__) from error
        except BaseException:
            self.close()
            raise
        finally:
            self._disarm()

    async def _send_request(
        self, method: str, target: str, headers: Mapping[str, str], body: Union[bytes, FileBody]
    ) -> None:
        size = body.size_bytes if isinstance(body, FileBody) else len(body)
        lines = [f"{method} {self.address.path}{target} HTTP/1.1\r\nHost: {host_header(self.address)}\r\n"]
        lines.extend(f"{name}: {value}\r\n" for name, value in headers.items())
        lines.append(f"Content-Length: {size}\r\n\r\n")
        head = "".join(lines).encode("latin-1")
        if isinstance(body, FileBody):
            await self._send(head)
            await self._send_file(body)
        else:
            await self._send(head + body)

    def _arm(self, timeout_s: float) -> None:
        """Hang up once nothing has moved for so long."""
        self._disarm()
        self._moved = False

        def look() -> None:
            if self._moved:
                self._arm(timeout_s)
            else:
                self.close(f"nothing came for {timeout_s:g} s")

        self._timer = self._loop.after(timeout_s, look)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self, why: str = "connection closed") -> None:
        """Hang up; whoever waits for an answer gets ``Disconnected``."""
        if self._socket is not None:
            self._loop.forget(self._socket.fileno())
            self._socket.close()
            self._socket = None
        self._buffer, self._asked, self._hung_up = b"", False, True
        for waiting in (self._readable, self._writable):
            if waiting is not None:
                waiting.fail(EOFError(why))
        self._readable = self._writable = None

    async def _connect(self) -> None:
        """Raises ``Unreachable``."""
        self._hung_up = False
        try:
            made = await connect(self._loop, self.address, self._certificate)
        except Unconnected as problem:
            raise Unreachable(str(problem)) from problem
        if self._hung_up:
            made.close()
            raise EOFError("connection closed")
        if self.address.secure:
            from . import tls

            self._waits = (BlockingIOError, tls.WantRead, tls.WantWrite)
        self._socket = made
        self._loop.watch(made.fileno(), self._on_readable)

    def _on_readable(self) -> None:
        waiting, self._readable = self._readable, None
        if waiting is not None:
            waiting.set(None)
        elif self._writable is None and not self._is_chatter():
            self.close()  # Idle, so this is the other side hanging up.

    def _is_chatter(self) -> bool:
        """True: what came is TLS's own, such as a ticket for a later session."""
        if not self.address.secure:
            return False
        try:
            self._socket.recv(1)
        except self._waits:
            return True
        except OSError:
            pass
        return False

    def _on_writable(self) -> None:
        waiting, self._writable = self._writable, None
        if self._socket is not None:
            self._loop.watch(self._socket.fileno(), self._on_readable)
        if waiting is not None:
            waiting.set(None)

    async def _wait_writable(self) -> None:
        if self._socket is None:
            raise EOFError("connection closed")
        self._writable = Future()
        self._loop.watch(self._socket.fileno(), None, self._on_writable)
        await self._writable

    async def _send(self, data: Union[bytes, memoryview]) -> None:
        while True:
            if self._socket is None:
                raise EOFError("connection closed")
            try:
                sent = self._socket.send(data)
            except self._waits:
                sent = 0
            self._moved = True
            if sent == len(data):
                return
            data = memoryview(data)[sent:]
            await self._wait_writable()

    async def _send_file(self, body: FileBody) -> None:
        sent = 0
        fd = os.open(body.path, os.O_RDONLY)
        try:
            while sent < body.size_bytes:
                count = body.size_bytes - sent
                if self._socket is None:
                    raise EOFError("connection closed")
                if self.address.secure:
                    piece = os.pread(fd, min(count, _CHUNK_BYTES), sent)
                    await self._send(piece)
                    moved = len(piece)
                else:
                    try:
                        moved = os.sendfile(self._socket.fileno(), fd, sent, min(count, 2**24))
                    except BlockingIOError:
                        await self._wait_writable()
                        continue
                if not moved:
                    raise EOFError(f"{body.path} is shorter than it was")
                sent += moved
                self._moved = True
        finally:
            os.close(fd)

    async def _receive(self) -> bytes:
        while True:
            if self._socket is None:
                raise EOFError("connection closed")
            if not (self.address.secure and self._socket.pending()):
                self._readable = Future()
                await self._readable
            try:
                data = self._socket.recv(_CHUNK_BYTES)
            except self._waits:
                continue
            if not data:
                raise EOFError("connection closed")
            self._moved = True
            return bytes(data)

    async def _line(self) -> bytes:
        while b"\n" not in self._buffer:
            if len(self._buffer) > _HEAD_LIMIT_BYTES:
                raise ValueError("line too long")
            self._buffer += await self._receive()
        line, self._buffer = self._buffer.split(b"\n", 1)
        return line.rstrip(b"\r")

    async def _answer(self, sink: Optional[Callable[[bytes], None]]) -> Answer:
        status, headers = await self._head()
        while status == 100:
            status, headers = await self._head()
        pieces: Optional[List[bytes]] = [] if sink is None or status != 200 else None
        take = pieces.append if pieces is not None else sink
        assert take is not None
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while True:
                size = int((await self._line()).split(b";")[0], 16)
                await self._body(size, take)
                await self._line()
                if not size:
                    break
        elif status not in (204, 304):
            await self._body(int(headers.get("content-length") or 0), take)
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, headers, b"".join(pieces or ()))

    async def _head(self) -> Tuple[int, Dict[str, str]]:
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _HEAD_LIMIT_BYTES:
                raise ValueError("head too long")
            self._buffer += await self._receive()
        head, self._buffer = self._buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return int(lines[0].split(" ", 2)[1]), headers

    async def _body(self, size: int, take: Callable[[bytes], None]) -> None:
        while size:
            if not self._buffer:
                self._buffer = await self._receive()
            piece, self._buffer = self._buffer[:size], self._buffer[size:]
            size -= len(piece)
            take(piece)
