"""Forks the next job's process ahead of time, and holds the supervisor's ends of it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, List, Mapping, NoReturn, Tuple

if TYPE_CHECKING:
    from .interpreter import Interpreter

_PIPE_BYTES = 1024 * 1024
_HEAD = struct.Struct("<cI")
#: Kinds of command: what is known before the claim, the relay's answer to it, what has been fetched
#: since, and the answer to a note.
PLACE, CLAIMED, GO, REPLY = b"p", b"c", b"g", b"r"


@dataclass
class Child:
    """A process that waits for a job, runs it, and ends."""

    pid: int
    commands: socket.socket
    frames: int
    stdout: int
    stderr: int
    closed: bool = field(default=False, repr=False)

    def send(self, kind: bytes, payload: bytes) -> None:
        """Send a command. The child may be dead already, which is found out otherwise."""
        with contextlib.suppress(OSError):
            self.commands.sendall(_HEAD.pack(kind, len(payload)) + payload)

    def send_json(self, kind: bytes, body: Mapping[str, Any]) -> None:
        """Send a command as JSON."""
        self.send(kind, json.dumps(body).encode())

    def signal_group(self, number: int) -> None:
        """Signal the child and everything in its session's first group."""
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:  # It has not made its group yet, or nothing of it is left.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def close(self) -> None:
        """Close the supervisor's ends."""
        if not self.closed:
            self.closed = True
            self.commands.close()
            for fd in (self.frames, self.stdout, self.stderr):
                os.close(fd)


class Commands:
    """The child's end: reads commands one at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def receive(self) -> Tuple[bytes, bytes]:
        """The next command. Raises ``EOFError`` when the supervisor is gone."""
        kind, size = _HEAD.unpack(self._exactly(_HEAD.size))
        return kind, self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        pieces: List[bytes] = []
        while size:
            piece = self._connection.recv(min(size, 1 << 20))
            if not piece:
                raise EOFError
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def expect(self, kind: bytes) -> Any:
        """The JSON of the next command, which must be of this kind."""
        found, payload = self.receive()
        if found != kind:
            raise EOFError(f"expected command {kind!r}, got {found!r}")
        return json.loads(payload)


def fork(interpreter: Interpreter) -> Child:
    """Fork a child that waits for its job."""
    ours, theirs = socket.socketpair()
    frames, stdout, stderr = os.pipe(), os.pipe(), os.pipe()
    for _, writing in (frames, stdout, stderr):
        with contextlib.suppress(OSError):  # More than this user may have; the default serves too.
            fcntl.fcntl(writing, 1031, _PIPE_BYTES)  # F_SETPIPE_SZ, which Python names since 3.10.
    pid = os.fork()
    if pid == 0:
        _be_child(interpreter, theirs, (frames[1], stdout[1], stderr[1]))
    theirs.close()
    for reading, writing in (frames, stdout, stderr):
        os.close(writing)
        os.set_blocking(reading, False)
    return Child(pid, ours, frames[0], stdout[0], stderr[0])


def _be_child(interpreter: Interpreter, theirs: socket.socket, writing: Tuple[int, int, int]) -> NoReturn:
    status = 70
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(writing[1], 1)
        os.dup2(writing[2], 2)
        keep = {theirs.fileno(), writing[0]}
        low = 3
        for fd in sorted(keep):
            os.closerange(low, fd)
            low = fd + 1
        os.closerange(low, _descriptor_limit())
        status = interpreter.live(Commands(theirs), writing[0])
    except EOFError:
        status = 0
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(status)


def _descriptor_limit() -> int:
    try:
        return max(map(int, os.listdir("/proc/self/fd"))) + 1
    except OSError:
        import resource

        return min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 65536)
