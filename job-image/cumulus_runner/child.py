"""The supervisor's end of a child: the process that waits for a job, runs it, and ends."""

from __future__ import annotations

import contextlib
import json
import os
import struct
from typing import TYPE_CHECKING, Any, Mapping, Tuple

if TYPE_CHECKING:
    from typing import Protocol

    class Pipe(Protocol):
        """What commands go through."""

        def sendall(self, data: bytes, /) -> Any:
            """Send all of it. Raises ``OSError``."""

        def close(self) -> None:
            """Hang up."""


HEAD = struct.Struct("<cI")
#: Kinds of command: what is known before the claim, the relay's answer to it, what has been fetched
#: since, and the answer to a note.
PLACE, CLAIMED, GO, REPLY = b"p", b"c", b"g", b"r"


class Child:
    """A process that was forked ahead, and the ends of the pipes to it.

    ``frames``, ``stdout`` and ``stderr`` are read from.
    """

    def __init__(self, pid: int, commands: Pipe, frames: int, stdout: int, stderr: int) -> None:
        self.pid = pid
        self._commands = commands
        self.frames, self.stdout, self.stderr = frames, stdout, stderr
        #: True: the supervisor has let go of it.
        self.closed = False

    def send(self, kind: bytes, payload: bytes) -> None:
        """Send a command. The child may be dead already, which is found out otherwise."""
        with contextlib.suppress(OSError):
            self._commands.sendall(HEAD.pack(kind, len(payload)) + payload)

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
            self._commands.close()
            for fd in (self.frames, self.stdout, self.stderr):
                os.close(fd)


class Commands:
    """A child's end: reads commands one at a time."""

    def __init__(self, receive: Any) -> None:
        #: Reads at most so many bytes; none when the supervisor is gone.
        self._read = receive

    def receive(self) -> Tuple[bytes, bytes]:
        """The next command. Raises ``EOFError`` when the supervisor is gone."""
        kind, size = HEAD.unpack(self._exactly(HEAD.size))
        return kind, self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        data: bytes = self._read(size)
        if len(data) == size:
            return data
        pieces = [data]
        size -= len(data)
        while size:
            if not pieces[-1]:
                raise EOFError
            pieces.append(self._read(min(size, 1 << 20)))
            size -= len(pieces[-1])
        return b"".join(pieces)

    def expect(self, kind: bytes) -> Any:
        """The JSON of the next command, which must be of this kind."""
        found, payload = self.receive()
        if found != kind:
            raise EOFError(f"expected command {kind!r}, got {found!r}")
        return json.loads(payload)
