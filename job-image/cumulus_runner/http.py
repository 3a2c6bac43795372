"""One HTTP/1.1 connection on the runner's loop: requests one after another, nothing blocks.

Standard library's ``http.client`` would block the supervisor, which must keep reading what the job
writes while the relay is slow or away.
"""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping, Optional, Tuple, Union
from urllib.parse import urlsplit

from .loop import Future, Loop

_CHUNK_BYTES = 256 * 1024
_HEAD_LIMIT_BYTES = 64 * 1024


class Disconnected(Exception):
    """The request may or may not have reached the other side."""


@dataclass(frozen=True)
class Address:
    """Where an HTTP server is: parsed from a URL."""

    host: str
    port: int
    path: str
    secure: bool

    @property
    def host_header(self) -> str:
        """Value of the ``Host`` header."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_url(url: str) -> Address:
    """The address a URL stands for. Raises ``ValueError``."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"not an http or https address: {url!r}")
    secure = parts.scheme == "https"
    path = parts.path if parts.path.endswith("/") else parts.path + "/"
    return Address(parts.hostname, parts.port or (443 if secure else 80), path, secure)


@dataclass(frozen=True)
class FileBody:
    """A request body that is read from a file."""

    path: str
    size_bytes: int


def file_body(path: str) -> FileBody:
    """A body of all that is in the file now. Raises ``OSError``."""
    return FileBody(path, os.path.getsize(path))


@dataclass(frozen=True)
class Answer:
    """A response; ``body`` is empty where a sink took it."""

    status: int
    headers: Dict[str, str]
    body: bytes


class Connection:
    """Connects when first used; a failed request leaves it closed, for the next one to reconnect."""

    def __init__(self, loop: Loop, address: Address) -> None:
        self._loop = loop
        self.address = address
        self._socket: Optional[socket.socket] = None
        self._buffer = b""
        self._readable: Optional[Future[None]] = None
        self._writable: Optional[Future[None]] = None

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
        fresh = self._socket is None
        timer = self._loop.after(timeout_s, self._expired) if timeout_s else None
        try:
            if fresh:
                await self._connect()
            size = body.size_bytes if isinstance(body, FileBody) else len(body)
            lines = [f"{method} {self.address.path}{target} HTTP/1.1\r\nHost: {self.address.host_header}\r\n"]
            lines.extend(f"{name}: {value}\r\n" for name, value in headers.items())
            lines.append(f"Content-Length: {size}\r\n\r\n")
            head = "".join(lines).encode("latin-1")
            if isinstance(body, FileBody):
                await self._send(head)
                await self._send_file(body)
            else:
                await self._send(head + body)
            return await self._answer(sink)
        except (OSError, ValueError, IndexError, EOFError) as error:
            self.close()
            raise Disconnected(str(error) or type(error).__name__) from error
        except BaseException:
            self.close()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def close(self) -> None:
        """Hang up; whoever waits for an answer gets ``Disconnected``."""
        if self._socket is not None:
            self._loop.forget(self._socket.fileno())
            self._socket.close()
            self._socket = None
        self._buffer = b""
        for waiting in (self._readable, self._writable):
            if waiting is not None:
                waiting.fail(EOFError("connection closed"))
        self._readable = self._writable = None

    def _expired(self) -> None:
        self.close()

    async def _connect(self) -> None:
        family, kind, protocol, _, where = socket.getaddrinfo(
            self.address.host, self.address.port, type=socket.SOCK_STREAM
        )[0]
        plain = socket.socket(family, kind, protocol)
        plain.setblocking(False)
        self._socket = plain
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            plain.connect(where)
        except BlockingIOError:
            await self._wait_writable()
            error = plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error)) from None
        if self.address.secure:
            await self._handshake(plain)
        self._loop.watch(self._socket.fileno(), self._on_readable)

    async def _handshake(self, plain: socket.socket) -> None:
        wrapped = ssl.create_default_context().wrap_socket(
            plain, server_hostname=self.address.host, do_handshake_on_connect=False
        )
        self._socket = wrapped
        while True:
            try:
                wrapped.do_handshake()
                return
            except ssl.SSLWantReadError:
                self._loop.watch(wrapped.fileno(), self._on_readable)
                await self._wait_readable()
            except ssl.SSLWantWriteError:
                await self._wait_writable()

    def _on_readable(self) -> None:
        waiting, self._readable = self._readable, None
        if waiting is not None:
            waiting.set(None)
        elif self._writable is None:
            self.close()  # Idle, so this is the other side hanging up.

    def _on_writable(self) -> None:
        waiting, self._writable = self._writable, None
        if self._socket is not None:
            self._loop.watch(self._socket.fileno(), self._on_readable)
        if waiting is not None:
            waiting.set(None)

    async def _wait_readable(self) -> None:
        self._readable = Future()
        await self._readable

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
            except (BlockingIOError, ssl.SSLWantWriteError):
                sent = 0
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
                if isinstance(self._socket, ssl.SSLSocket):
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
        finally:
            os.close(fd)

    async def _receive(self) -> bytes:
        while True:
            if self._socket is None:
                raise EOFError("connection closed")
            if not (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
                await self._wait_readable()
            try:
                data = self._socket.recv(_CHUNK_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                continue
            if not data:
                raise EOFError("connection closed")
            return data

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
