"""The supervisor's side of the nursery: the process that forks the jobs' processes ahead of time.

A process of its own (see ``zygote``), because after each fork both sides pay for every page they
write to: the nursery does next to nothing, so it writes to few.
"""

from __future__ import annotations

import array
import contextlib
import os
import signal
import socket
import struct
from collections import deque
from typing import Callable, Deque, Dict

from .child import Child
from .loop import Future, Loop

#: What the nursery says: a child was born (with descriptors), a child has died.
BORN, DIED = b"b", b"d"
REPORT = struct.Struct("<cii")
ENDS = 4


class NurseryLost(Exception):
    """The process that forks the jobs' processes is gone."""


class Nursery:
    """Has children born, one at a time and ahead of need; tells of their deaths.

    ``on_lost`` is called when the process that does so is gone: no job can be run any more.
    """

    def __init__(self, loop: Loop, connection: socket.socket, on_lost: Callable[[], None]) -> None:
        self._loop = loop
        self._on_lost = on_lost
        self._connection = connection
        self._ready: Deque[Child] = deque()
        self._expected = 0
        self._awaited: Future[None] = Future()
        self._mourners: Dict[int, Callable[[int], None]] = {}
        self._lost = False
        loop.watch(connection.fileno(), self._readable)

    def prepare(self) -> None:
        """Have a child ready; harmless if one is."""
        if not self._ready and not self._expected and not self._lost:
            self._expected += 1
            with contextlib.suppress(OSError):
                self._connection.send(BORN)

    async def ready(self) -> None:
        """Wait until a child is ready. Raises ``NurseryLost``."""
        while not self._ready:
            if self._lost:
                raise NurseryLost("the process that starts jobs is gone")
            self.prepare()
            await self._awaited

    async def take(self) -> Child:
        """The child that is ready, or the next one. Raises ``NurseryLost``."""
        await self.ready()
        return self._ready.popleft()

    def on_death(self, child: Child, told: Callable[[int], None]) -> None:
        """Call ``told`` with the wait status once the child is dead and all it left is killed."""
        self._mourners[child.pid] = told

    def _readable(self) -> None:
        data, ancillary, _, _ = self._connection.recvmsg(REPORT.size, socket.CMSG_SPACE(4 * ENDS))
        if not data:
            self._lose()
            return
        kind, pid, status = REPORT.unpack(data)
        if kind == BORN:
            fds = array.array("i", ancillary[0][2])
            child = Child(pid, socket.socket(fileno=fds[0]), fds[1], fds[2], fds[3])
            self._expected -= 1
            self._ready.append(child)
            self._tell()
            return
        told = self._mourners.pop(pid, None)
        if told is not None:
            told(status)
            return
        for child in [child for child in self._ready if child.pid == pid]:
            self._ready.remove(child)
            child.close()

    def _tell(self) -> None:
        awaited, self._awaited = self._awaited, Future()
        awaited.set(None)

    def _lose(self) -> None:
        self._lost = True
        self._loop.forget(self._connection.fileno())
        self._tell()
        mourners, self._mourners = self._mourners, {}
        for pid, told in mourners.items():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)  # Nobody is left to tell of its end.
            told(int(signal.SIGKILL))
        self._on_lost()

    def close(self) -> None:
        """Let the nursery and its children end."""
        self._lost = True
        self._loop.forget(self._connection.fileno())
        self._connection.close()
        while self._ready:
            self._ready.popleft().close()
