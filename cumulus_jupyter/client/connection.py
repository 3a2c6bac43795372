"""One keep-alive HTTP/1.1 connection, made for event streams.

``http.client`` parses headers with the mail parser and reads through two buffers; a cell pays for
that on every run. This reads what has arrived and hands it on at once, and it waits in one place
only, so that an interrupt can be let in exactly there (see ``client.interrupts``).

Raises ``OSError`` (``ConnectionLost`` among them) for everything the network does.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Union

from ..protocol.errors import FailedPrecondition, InvalidArgument
from .address import Address
from .response import PATIENCE_S, ConnectionLost, Response, TimedOut

CONNECT_TIMEOUT_S = 5.0
_HEAD_LIMIT_BYTES = 256 * 1024
_RECEIVE_BYTES = 256 * 1024
#: Bodies up to this go out together with their head, in one segment where possible.
_JOIN_BYTES = 64 * 1024
_SLICE_BYTES = 1024 * 1024

#: ``wait(poll, timeout_s)`` -> ready; where a thread waits for the network.
Wait = Callable[["select.poll", "float | None"], bool]
Part = Union[bytes, bytearray, memoryview, "FilePart"]


@dataclass(frozen=True)
class FilePart:
    """A file as part of a request body; opened anew for each attempt."""

    path: str
    size_bytes: int


def wait_readable(poll: select.poll, timeout_s: float | None) -> bool:
    """Wait until there is something to read. The plain ``Wait``."""
    return bool(poll.poll(None if timeout_s is None else max(0.0, timeout_s * 1000)))


def size_of(part: Part) -> int:
    """Bytes a body part takes on the wire."""
    if isinstance(part, FilePart):
        return part.size_bytes
    return part.nbytes if isinstance(part, memoryview) else len(part)


def _trust() -> ssl.SSLContext:
    """Whose certificates are believed. Raises ``InvalidArgument`` where the user's own file is none."""
    context = ssl.create_default_context()
    bundle = os.environ.get("CUMULUS_CA_BUNDLE")
    try:
        if bundle:
            context.load_verify_locations(cafile=bundle)
    except OSError as error:
        raise InvalidArgument(
            f"CUMULUS_CA_BUNDLE names {bundle}, which cannot be used: {error.strerror or error}",
            next="Name a PEM file with the certificates of those to trust.",
        ) from None
    return context


def _secured(raw: socket.socket, context: ssl.SSLContext, address: Address) -> socket.socket:
    """TLS over a connected socket. Raises ``FailedPrecondition``: to ask again would change nothing."""
    try:
        return context.wrap_socket(raw, server_hostname=address.host)
    except ssl.SSLCertVerificationError as error:
        raise FailedPrecondition(
            f"The certificate of {address.host}:{address.port} is not trusted: {error.verify_message}",
            next="Name the file of its authority's certificate in CUMULUS_CA_BUNDLE.",
        ) from None


class Connection:
    """A socket to one relay; used by one thread at a time."""

    def __init__(self, address: Address, wait: Wait = wait_readable) -> None:
        self.address = address
        self.wait = wait
        self._buffer = bytearray()
        self._open_response: Response | None = None
        context = _trust() if address.tls else None
        raw = socket.create_connection((address.host, address.port), timeout=CONNECT_TIMEOUT_S)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket: socket.socket = raw
        if context is not None:
            self._socket = _secured(raw, context, address)
        self._socket.settimeout(PATIENCE_S)
        self._poll = select.poll()
        self._poll.register(self._socket.fileno(), select.POLLIN)

    def close(self) -> None:
        """Give the connection up. A response on it ends."""
        self._open_response = None
        self._socket.close()

    def __del__(self) -> None:
        opened = getattr(self, "_socket", None)
        if opened is not None:
            opened.close()

    def is_reusable(self) -> bool:
        """True: the last answer has been read to its end and the relay has not hung up."""
        response = self._open_response
        if response is not None and not response.drain_tail():
            return False
        # Between two requests the relay has nothing to say: whatever can be read is its farewell.
        return not self._buffer and not wait_readable(self._poll, 0)

    def request(
        self,
        head: bytes,
        body: Sequence[Part] = (),
        timeout_s: float = PATIENCE_S,
        checkpoint: Callable[[], None] | None = None,
    ) -> Response:
        """Send a request and read the head of its answer.

        ``checkpoint`` is called between the pieces of a long body; what it raises ends the request.
        """
        lost: OSError | None = None
        try:
            self._send(head, body, checkpoint)
        except OSError as error:
            # A relay that refuses a body answers and hangs up while it is still being sent.
            lost = error
        try:
            response = self._read_head(2.0 if lost else timeout_s)
        except OSError as error:
            raise (lost or error) from None
        self._open_response = response
        return response

    def _send(self, head: bytes, body: Sequence[Part], checkpoint: Callable[[], None] | None) -> None:
        if not body:
            self._socket.sendall(head)
            return
        in_memory = [part for part in body if not isinstance(part, FilePart)]
        if len(in_memory) == len(body) and sum(map(size_of, body)) <= _JOIN_BYTES:
            self._socket.sendall(b"".join([head, *in_memory]))
            return
        self._socket.sendall(head)
        for part in body:
            if isinstance(part, FilePart):
                with open(part.path, "rb") as file:
                    self._send_file(file, part.size_bytes, checkpoint)
                continue
            view = memoryview(part).cast("B")
            for start in range(0, view.nbytes, _SLICE_BYTES):
                if checkpoint:
                    checkpoint()
                self._socket.sendall(view[start : start + _SLICE_BYTES])

    def _send_file(self, file: BinaryIO, size_bytes: int, checkpoint: Callable[[], None] | None) -> None:
        sent = 0
        while sent < size_bytes:
            if checkpoint:
                checkpoint()
            count = self._socket.sendfile(file, sent, min(4 * _SLICE_BYTES, size_bytes - sent))
            if not count:
                raise ConnectionLost("a file of the bundle became shorter while it was sent")
            sent += count

    def receive(self, timeout_s: float | None) -> bool:
        """Take what has arrived into the buffer. False: nothing came in time."""
        pending = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0
        if not pending and not self.wait(self._poll, timeout_s):
            return False
        data = self._socket.recv(_RECEIVE_BYTES)
        if not data:
            raise ConnectionLost("the relay closed the connection")
        self._buffer += data
        return True

    def receive_into(self, view: memoryview, timeout_s: float) -> int:
        """Take up to ``len(view)`` bytes straight into ``view``; what was buffered first."""
        if self._buffer:
            count = min(len(self._buffer), view.nbytes)
            view[:count] = self._buffer[:count]
            del self._buffer[:count]
            return count
        pending = isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0
        if not pending and not self.wait(self._poll, timeout_s):
            raise TimedOut("the relay stopped sending")
        count = self._socket.recv_into(view)
        if not count:
            raise ConnectionLost("the relay closed the connection")
        return count

    def _read_head(self, timeout_s: float) -> Response:
        buffer = self._buffer
        while True:
            end = buffer.find(b"\r\n\r\n")
            if end >= 0:
                break
            if len(buffer) > _HEAD_LIMIT_BYTES:
                raise ConnectionLost("the answer's head has no end")
            if not self.receive(timeout_s):
                raise TimedOut("the relay did not answer in time")
        lines = bytes(buffer[:end]).decode("latin-1").split("\r\n")
        del buffer[: end + 4]
        status = lines[0].split(" ", 2)
        if len(status) < 2 or not status[0].startswith("HTTP/1.") or not status[1].isdigit():
            raise ConnectionLost("the answer is not HTTP")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return Response(self, int(status[1]), headers)
