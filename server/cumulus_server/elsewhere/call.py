"""One call to a relay elsewhere, streamed both ways: no more than a piece of it is held in each direction."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from urllib.parse import urlsplit

from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine
from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpclient import TCPClient

from cumulus_jupyter.protocol.errors import CumulusError, Unavailable

from ..supervisor import Supervisor
from .target import Target

CONNECT_LIMIT_S = 10.0
#: A relay that has said nothing for so long is gone: it sends signs of life on quiet streams.
QUIET_LIMIT_S = 120.0
#: The relay elsewhere knows its own limits.
_NO_LIMIT_BYTES = 1 << 50

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Head:
    """The beginning of an answer."""

    status: int
    reason: str
    headers: HTTPHeaders


class _End:
    """The answer is complete."""


class _Lost:
    """The connection ended before the answer did."""


class Call(HTTPMessageDelegate):
    """One request and its answer. Whoever makes one closes it, which ends it at the relay too."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._connection: HTTP1Connection | None = None
        self._arrived: asyncio.Queue[Head | bytes | type[_End] | type[_Lost]] = asyncio.Queue()
        self._taken: asyncio.Future[None] | None = None
        self._closed = False

    async def open(self, supervisor: Supervisor, method: str, path: str, headers: HTTPHeaders) -> None:
        """Connect and send the head. Raises ``Unavailable``."""
        stream = await self._connect()
        if self._closed:
            stream.close()
            return
        stream.set_nodelay(True)
        limits = HTTP1ConnectionParameters(no_keep_alive=True, max_body_size=_NO_LIMIT_BYTES)
        self._connection = HTTP1Connection(stream, True, limits)
        try:
            with contextlib.suppress(StreamClosedError):
                await self._connection.write_headers(RequestStartLine(method, path, "HTTP/1.1"), headers)
        except BaseException:
            self.close()
            raise
        supervisor.start(f"passing-{next(_numbers)}", self._read)

    async def _connect(self) -> IOStream:
        parts, tls = urlsplit(self.target.url), self.target.tls
        assert parts.hostname is not None, "checked with the settings"
        port = parts.port or (443 if tls else 80)
        try:
            return await TCPClient().connect(parts.hostname, port, ssl_options=tls, timeout=CONNECT_LIMIT_S)
        except (OSError, StreamClosedError) as error:
            raise self._away(getattr(error, "real_error", None) or error) from None

    def _away(self, error: BaseException | None = None) -> CumulusError:
        if isinstance(error, ssl.SSLCertVerificationError):
            return Unavailable(
                f"This server does not trust the certificate of the relay at {self.target.url}:"
                f" {error.verify_message}",
                next="Name the file of the authority that signed it in Cumulus.relay_ca_bundle.",
            )
        why = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
        return Unavailable(
            f"The relay at {self.target.url} does not answer{why}",
            next="See whether it runs, and can be reached from the Jupyter server.",
        )

    async def send(self, data: bytes) -> None:
        """Send a piece of the body, waiting while the relay is slow."""
        if self._connection is None:
            return
        try:
            async with asyncio.timeout(QUIET_LIMIT_S):
                await self._connection.write(data)
        except StreamClosedError:
            return  # It may have answered already, and then reads no more.
        except TimeoutError:
            self.close()

    def sent(self) -> None:
        """The body is complete."""
        if self._connection is not None and not self._closed:
            self._connection.finish()

    async def head(self) -> Head:
        """The beginning of the answer. Raises ``Unavailable``."""
        arrived = await self._next()
        if not isinstance(arrived, Head):
            raise self._away()
        return arrived

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it arrives; no more is read before a piece is done with. Raises ``Unavailable``."""
        while (arrived := await self._next()) is not _End:
            if not isinstance(arrived, bytes):
                raise self._away()
            yield arrived
            if self._taken is not None and not self._taken.done():
                self._taken.set_result(None)

    async def _next(self) -> Head | bytes | type[_End] | type[_Lost]:
        try:
            async with asyncio.timeout(QUIET_LIMIT_S):
                return await self._arrived.get()
        except TimeoutError:
            self.close()
            return _Lost

    def close(self) -> None:
        """End the call, complete or not. Idempotent."""
        self._closed = True
        if self._connection is not None:
            self._connection.close()
        if self._taken is not None and not self._taken.done():
            self._taken.set_result(None)
        self._arrived.put_nowait(_Lost)

    async def _read(self) -> None:
        assert self._connection is not None
        try:
            # Tornado raises where the connection ends within a body, and returns where it ends elsewhere.
            with contextlib.suppress(StreamClosedError):
                await self._connection.read_response(self)
        finally:
            self._arrived.put_nowait(_Lost)

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Called by tornado."""
        if isinstance(start_line, ResponseStartLine) and start_line.code >= 200:
            self._arrived.put_nowait(Head(start_line.code, start_line.reason, headers))
        return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Called by tornado, which reads on once this piece has been taken."""
        if self._closed:
            return None
        self._taken = asyncio.get_running_loop().create_future()
        self._arrived.put_nowait(chunk)
        return self._taken

    def finish(self) -> None:
        """Called by tornado."""
        self._arrived.put_nowait(_End)

    def on_connection_close(self) -> None:
        """Called by tornado where the connection ends too early."""
        self._arrived.put_nowait(_Lost)
