"""The executor's socket, where the runner is on the relay's own machine.

Assignments come by it, and the two requests that every job makes, its claim and a small batch of
events, may go by it: they are the same requests as over HTTP, with the same tokens, and cost a fraction.
A message is a JSON object on a line; one with ``bytes`` has a body of so many bytes behind it.
"""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any, Callable, Dict, Mapping

from cumulus_jupyter.protocol.channel import BY_LINE

from .http import Answer, Disconnected
from .loop import Future, Loop

#: A larger body goes over HTTP: one that is read slowly must not hold up the supervisor.
BODY_LIMIT_BYTES = 64 * 1024
_TIMEOUT_S = 30.0


class Line:
    """``on_message`` gets what is no answer; ``on_hangup`` is called once the other side has hung up."""

    def __init__(
        self,
        fd: int,
        loop: Loop,
        on_message: Callable[[Mapping[str, Any]], None],
        on_hangup: Callable[[], None],
    ) -> None:
        self._socket = socket.socket(fileno=fd)
        self._socket.set_inheritable(False)
        self._socket.setblocking(True)
        self._loop = loop
        self._on_message, self._on_hangup = on_message, on_hangup
        self._rest = b""
        self._asked = 0
        self._waiting: Dict[int, Future[Answer]] = {}
        #: False once the other side has hung up.
        self.open = True

    def listen(self) -> None:
        """Begin to read."""
        self._loop.watch(self._socket.fileno(), self._readable)

    def tell(self, message: Mapping[str, Any], body: bytes = b"") -> None:
        """Send a message; nobody may be there to hear it, which is found out otherwise."""
        if body:
            message = {**message, "bytes": len(body)}
        with contextlib.suppress(OSError):
            self._socket.sendall(json.dumps(message).encode() + b"\n" + body)

    def may_take(self, route: str) -> bool:
        """True: requests to this route may come by here now."""
        return self.open and route in BY_LINE

    def takes(self, body: bytes) -> bool:
        """True: small enough to come by here."""
        return len(body) <= BODY_LIMIT_BYTES

    async def ask(self, route: str, token: str, body: bytes) -> Answer:
        """Make a request of ``protocol.channel``. Raises ``Disconnected``."""
        if not self.open:
            raise Disconnected("the relay has hung up")
        self._asked += 1
        number = self._asked
        answer: Future[Answer] = Future()
        self._waiting[number] = answer
        timer = self._loop.after(_TIMEOUT_S, lambda: answer.fail(Disconnected("the relay does not answer")))
        try:
            self.tell({"ask": number, "route": route, "token": token}, body)
            return await answer
        finally:
            timer.cancel()
            del self._waiting[number]

    def _readable(self) -> None:
        try:
            data = self._socket.recv(1 << 20)
        except ConnectionError:
            data = b""
        if not data:
            self._hung_up()
            return
        self._rest += data
        while True:
            line, found, rest = self._rest.partition(b"\n")
            if not found:
                return
            message = json.loads(line)
            size = int(message.get("bytes", 0))
            if len(rest) < size:
                return
            self._rest = rest[size:]
            self._take(message, rest[:size])

    def _take(self, message: Mapping[str, Any], body: bytes) -> None:
        if "answer" not in message:
            self._on_message(message)
            return
        waiting = self._waiting.get(message["answer"])
        if waiting is not None:  # else it came too late, and has been asked again
            waiting.set(Answer(int(message["status"]), dict(message["headers"]), body))

    def _hung_up(self) -> None:
        self.open = False
        self._loop.forget(self._socket.fileno())
        self._socket.close()
        for waiting in list(self._waiting.values()):
            waiting.fail(Disconnected("the relay has hung up"))
        self._on_hangup()
