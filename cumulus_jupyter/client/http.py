"""Requests to a relay: pooled connections, the token, retries, errors as exceptions.

Used by everything in ``client`` that talks to a relay. A request that met a dead connection is sent
again, to the relay's new address where it has moved; what it asks for must therefore be harmless to
ask twice (a submission is, by its ``Idempotency-Key``).
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from ..protocol import API_PATH, PROTOCOL_HEADER, PROTOCOL_VERSION
from ..protocol.errors import Unauthenticated
from .address import Address, parse_address
from .answers import away, error_of, no_relay
from .connection import Connection, Part, Wait, size_of, wait_readable
from .interrupts import InterruptGate, letting_through
from .response import PATIENCE_S, Response

#: How long a request keeps trying while the relay is away.
AWAY_LIMIT_S = 15.0
_IDLE_CONNECTIONS = 128
_FIRST_PAUSE_S = 0.05
_LONGEST_PAUSE_S = 1.0


class Endpoint:
    """One relay's address and token, with connections kept open to it."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token
        self.address: Address = parse_address(url)
        self._root = f"{self.address.base_path}{API_PATH}/"
        host = f"[{self.address.host}]" if ":" in self.address.host else self.address.host
        self._common = (
            f" HTTP/1.1\r\nHost: {host}:{self.address.port}\r\n"
            f"Authorization: Bearer {token}\r\n{PROTOCOL_HEADER}: {PROTOCOL_VERSION}\r\n"
        )
        self._idle: deque[Connection] = deque()
        self._pid = os.getpid()

    def head(self, method: str, path: str, body: Sequence[Part], headers: Mapping[str, str]) -> bytes:
        """The bytes of a request up to its body."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        if body or method in ("POST", "PUT"):
            lines += f"Content-Length: {sum(map(size_of, body))}\r\n"
        return f"{method} {self._root}{path}{self._common}{lines}\r\n".encode("latin-1")

    def take(self) -> tuple[Connection, bool]:
        """A connection, and whether it has been used before. Raises ``OSError``."""
        if self._pid != os.getpid():  # A fork shares the sockets of its parent: leave them alone.
            self._idle = deque()
            self._pid = os.getpid()
        while True:
            try:
                connection = self._idle.pop()
            except IndexError:
                return Connection(self.address), False
            if connection.is_reusable():
                return connection, True
            connection.close()

    def put_back(self, connection: Connection) -> None:
        """Keep a connection for the next request; its answer has been read as far as it matters."""
        connection.wait = wait_readable
        if len(self._idle) < _IDLE_CONNECTIONS:
            self._idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()

    def open(
        self,
        method: str,
        path: str,
        body: Sequence[Part] = (),
        headers: Mapping[str, str] | None = None,
        timeout_s: float = PATIENCE_S,
        gate: InterruptGate | None = None,
        wait: Wait = wait_readable,
    ) -> tuple[Connection, Response]:
        """Send one request; the caller reads the answer and gives the connection back or closes it.

        Raises ``OSError``. A kept connection that turns out to be dead is replaced at once.
        """
        head = self.head(method, path, body, headers or {})
        while True:
            with letting_through(gate):
                connection, used = self.take()
            connection.wait = wait
            try:
                check = gate.check if gate is not None else None
                return connection, connection.request(head, body, timeout_s, check)
            except OSError:
                connection.close()
                if not used:
                    raise
            except BaseException:
                connection.close()
                raise


class Http:
    """Requests to whatever relay ``locate`` finds.

    ``locate(lost)`` answers with the endpoint to use; ``lost`` is the one that went away, ``None`` at
    first. It raises ``CumulusError`` where there is no relay to be had.
    """

    def __init__(self, locate: Callable[[Endpoint | None], Endpoint]) -> None:
        self._locate = locate
        self._endpoint: Endpoint | None = None
        self._lock = threading.Lock()

    @property
    def endpoint(self) -> Endpoint:
        """The relay in use, found at the first call."""
        if self._endpoint is None:
            with self._lock:
                if self._endpoint is None:
                    self._endpoint = self._locate(None)
        return self._endpoint

    def close(self) -> None:
        """Close what is idle."""
        if self._endpoint is not None:
            self._endpoint.close()

    def relocate(self, lost: Endpoint) -> Endpoint:
        """The endpoint to use after ``lost`` went away; the same one where nothing else is known."""
        with self._lock:
            if self._endpoint is lost:
                lost.close()
                self._endpoint = self._locate(lost)
            return self._endpoint or lost

    def open(
        self,
        method: str,
        path: str,
        body: Sequence[Part] = (),
        headers: Mapping[str, str] | None = None,
        *,
        away_limit_s: float = AWAY_LIMIT_S,
        timeout_s: float = PATIENCE_S,
        gate: InterruptGate | None = None,
    ) -> tuple[Endpoint, Connection, Response]:
        """Send a request, again while the relay is away, and return its successful answer.

        Through ``gate`` it can be interrupted where nothing is lost by it. Raises the ``CumulusError`` the
        relay answered with, or ``Unavailable``.
        """
        endpoint = self.endpoint
        give_up = 0.0
        pause_s = _FIRST_PAUSE_S
        wait = gate.wait_for_answer if gate is not None else wait_readable
        while True:
            try:
                connection, response = endpoint.open(method, path, body, headers, timeout_s, gate, wait)
                return _checked(endpoint, connection, response)
            except Unauthenticated:
                # A relay that was started again has a new token, perhaps on the same port.
                moved = self.relocate(endpoint)
                if moved.token == endpoint.token:
                    raise
                endpoint = moved
            except OSError as error:
                now = time.monotonic()
                give_up = give_up or now + away_limit_s
                if now + pause_s > give_up:
                    raise away(endpoint.url, error) from None
                with letting_through(gate):
                    time.sleep(pause_s)
                    endpoint = self.relocate(endpoint)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def open_once(
        self,
        endpoint: Endpoint,
        method: str,
        path: str,
        headers: Mapping[str, str],
        gate: InterruptGate | None,
    ) -> tuple[Endpoint, Connection, Response]:
        """Like ``open``, to this endpoint and without trying again. Raises ``OSError`` too."""
        wait = gate.wait if gate is not None else wait_readable
        connection, response = endpoint.open(method, path, (), headers, gate=gate, wait=wait)
        return _checked(endpoint, connection, response)

    def call(
        self,
        method: str,
        path: str,
        payload: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        away_limit_s: float = AWAY_LIMIT_S,
        timeout_s: float = PATIENCE_S,
    ) -> Any:
        """A JSON request; the JSON it is answered with, ``None`` for an empty answer."""
        body = [] if payload is None else [json.dumps(payload).encode()]
        asked = {key: value for key, value in (query or {}).items() if value not in (None, "")}
        endpoint, connection, response = self.open(
            method,
            f"{path}?{urlencode(asked)}" if asked else path,
            body,
            {"Content-Type": "application/json"} if body else None,
            away_limit_s=away_limit_s,
            timeout_s=timeout_s,
        )
        try:
            data = response.read()
        except OSError as error:
            connection.close()
            raise away(endpoint.url, error) from None
        _settle(endpoint, connection, response)
        try:
            return json.loads(data) if data else None
        except ValueError:
            raise no_relay(endpoint.url) from None


def segment(text: str) -> str:
    """A name as one segment of a path."""
    return quote(text, safe="")


def _checked(
    endpoint: Endpoint, connection: Connection, response: Response
) -> tuple[Endpoint, Connection, Response]:
    if response.status < 300:
        return endpoint, connection, response
    try:
        raise error_of(response, endpoint.url)
    finally:
        _settle(endpoint, connection, response)


def _settle(endpoint: Endpoint, connection: Connection, response: Response) -> None:
    if response.finished and response.keeps:
        endpoint.put_back(connection)
    else:
        connection.close()
