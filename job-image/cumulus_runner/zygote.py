"""The nursery process: holds a prepared interpreter and forks it, one child for each job."""

from __future__ import annotations

import array
import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import struct
import sys
import traceback
from typing import Any, Dict, List, NoReturn, Tuple

from . import native
from .interpreter import Interpreter
from .nursery import BORN, DIED, REPORT
from .processes import end_strays

_PIPE_BYTES = 1024 * 1024
_F_SETPIPE_SZ = 1031  # fcntl names it since Python 3.10.
_HEAD = struct.Struct("<cI")


class Commands:
    """A child's end of its command socket: reads commands one at a time."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def receive(self) -> Tuple[bytes, bytes]:
        """The next command. Raises ``EOFError`` when the supervisor is gone."""
        kind, size = _HEAD.unpack(self._exactly(_HEAD.size))
        return kind, self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        data = self._connection.recv(size)
        if len(data) == size:
            return data
        pieces: List[bytes] = [data]
        size -= len(data)
        while size:
            if not pieces[-1]:
                raise EOFError
            pieces.append(self._connection.recv(min(size, 1 << 20)))
            size -= len(pieces[-1])
        return b"".join(pieces)

    def expect(self, kind: bytes) -> Any:
        """The JSON of the next command, which must be of this kind."""
        found, payload = self.receive()
        if found != kind:
            raise EOFError(f"expected command {kind!r}, got {found!r}")
        return json.loads(payload)


def start() -> socket.socket:
    """Fork the nursery off this process, which must be small yet. Returns the socket to it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork():
        theirs.close()
        return ours
    status = 70
    try:
        ours.close()
        native.load()
        native.die_with_parent()
        status = _live(theirs)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _live(connection: socket.socket) -> int:
    """Fork when asked, reap, until the supervisor is gone."""
    os.setpgid(0, 0)  # What interrupts the supervisor is the supervisor's to handle.
    native.adopt_orphans()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.signal(signal.SIGCHLD, _noted)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    interpreter = Interpreter()
    children: Dict[int, bool] = {}
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    poll.register(wake_read, select.POLLIN)
    interpreter.settle()
    while True:
        for fd, _ in poll.poll():
            if fd == wake_read:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_read, 4096)
                _reap(connection, children)
            elif connection.recv(1):
                pid = _fork(interpreter, connection)
                children[pid] = True
            else:
                for pid in children:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                children.clear()
                end_strays(())
                return 0


def _reap(connection: socket.socket, children: Dict[int, bool]) -> None:
    """Tell of the dead. Whatever a dead child has left running is killed first."""
    dead: List[Tuple[int, int]] = []
    strays = False
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if not pid:
            break
        if children.pop(pid, False):
            dead.append((pid, status))
        else:
            strays = True
    if dead or strays:
        end_strays(children)
    for pid, status in dead:
        connection.send(REPORT.pack(DIED, pid, status))


def _fork(interpreter: Interpreter, connection: socket.socket) -> int:
    ours, theirs = socket.socketpair()
    frames, stdout, stderr = os.pipe(), os.pipe(), os.pipe()
    for _, writing in (frames, stdout, stderr):
        with contextlib.suppress(OSError):  # More than this user may have; the default serves too.
            fcntl.fcntl(writing, _F_SETPIPE_SZ, _PIPE_BYTES)
    pid = os.fork()
    if pid == 0:
        _be_child(interpreter, theirs, (frames[1], stdout[1], stderr[1]))
    reading = (frames[0], stdout[0], stderr[0])
    for fd in reading:
        os.set_blocking(fd, False)
    fds = array.array("i", (ours.fileno(), *reading))
    connection.sendmsg([REPORT.pack(BORN, pid, 0)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    ours.close()
    theirs.close()
    for fd in (*reading, frames[1], stdout[1], stderr[1]):
        os.close(fd)
    return pid


def _be_child(interpreter: Interpreter, theirs: socket.socket, writing: Tuple[int, int, int]) -> NoReturn:
    status = 70
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(writing[1], 1)
        os.dup2(writing[2], 2)
        low = 3
        for fd in sorted((theirs.fileno(), writing[0])):
            os.closerange(low, fd)
            low = fd + 1
        os.closerange(low, _DESCRIPTORS)
        status = interpreter.live(Commands(theirs), writing[0])
    except EOFError:
        status = 0
    except BaseException:
        traceback.print_exc(file=sys.__stderr__)
    finally:
        os._exit(status)


#: No descriptor of the nursery is higher.
_DESCRIPTORS = 256


def _noted(number: int, frame: object) -> None:
    """The wake-up descriptor has the signal already."""
