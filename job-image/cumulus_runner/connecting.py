"""Makes a connection to the relay, on the runner's loop."""

from __future__ import annotations

import os
import socket
from typing import Any

from .address import Address
from .loop import Future, Loop

_TIMEOUT_S = 3.0
#: A network that takes nothing for so long is given up: the next connection may find it mended. A relay
#: that is slow, or stopped, acknowledges what it gets all the same.
_DEAD_AFTER_S = 5


class Unconnected(OSError):
    """There is no connection; says why in words that fit behind a colon."""


async def connect(loop: Loop, address: Address, certificate: str) -> Any:
    """A socket, or a TLS socket, that does not block. Raises ``Unconnected``."""
    attempt = _Attempt(loop)
    timer = loop.after(_TIMEOUT_S, attempt.expire)
    try:
        return await attempt.make(address, certificate)
    except OSError as problem:
        attempt.close()
        raise Unconnected(_in_words(problem, address)) from problem
    except BaseException:
        attempt.close()
        raise
    finally:
        timer.cancel()


class _Attempt:
    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._socket: Any = None
        self._waiting: Future[None] = Future()

    async def make(self, address: Address, certificate: str) -> Any:
        family, kind, protocol, _, where = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM
        )[0]
        plain = self._socket = socket.socket(family, kind, protocol)
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        notice_death(plain)
        try:
            plain.connect(where)
        except BlockingIOError:
            await self._wait(writable=True)
            error = plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise OSError(error, os.strerror(error)) from None
        if address.secure:
            await self._handshake(address, certificate)
        return self._socket

    async def _handshake(self, address: Address, certificate: str) -> None:
        from . import tls

        wrapped = self._socket = tls.context(certificate).wrap_socket(
            self._socket, server_hostname=address.host, do_handshake_on_connect=False
        )
        while True:
            try:
                wrapped.do_handshake()
                return
            except tls.WantRead:
                await self._wait(writable=False)
            except tls.WantWrite:
                await self._wait(writable=True)

    async def _wait(self, writable: bool) -> None:
        waiting: Future[None] = Future()
        self._waiting = waiting
        fd = self._socket.fileno()

        def ready() -> None:
            self._loop.forget(fd)
            waiting.set(None)

        self._loop.watch(fd, None if writable else ready, ready if writable else None)
        await waiting

    def expire(self) -> None:
        self._waiting.fail(TimeoutError("no answer"))

    def close(self) -> None:
        if self._socket is not None and self._socket.fileno() >= 0:
            self._loop.forget(self._socket.fileno())
            self._socket.close()


def notice_death(connection: socket.socket) -> None:
    """Have the kernel find out when the other side has become unreachable without a word."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", _DEAD_AFTER_S),
        ("TCP_KEEPINTVL", 2),
        ("TCP_KEEPCNT", 3),
        ("TCP_USER_TIMEOUT", _DEAD_AFTER_S * 1000),
    ):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _in_words(problem: OSError, address: Address) -> str:
    if address.secure:
        from . import tls

        words = tls.describe(problem)
    else:
        words = problem.strerror or str(problem)
    return words[:1].lower() + words[1:]
