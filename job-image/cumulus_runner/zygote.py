"""The nursery process: holds a prepared interpreter and forks it, one child for each job."""

from __future__ import annotations

# What ``signal`` wraps: the wrapper would touch much memory in each child.
import _signal  # type: ignore[import-not-found]
import array
import contextlib
import json
import os
import select
import signal
import socket
import tempfile
import traceback
from typing import Any, Dict, List, NoReturn, Tuple

from . import native
from .child import CLAIMED, GO, PLACE, Commands
from .descriptors import Ends, close_all_but, pipes, take_places
from .interpreter import Interpreter
from .limits import keep_own_variables
from .nursery import BORN, DIED, REPORT
from .prefault import HotPages, find_hot_pages
from .processes import end_strays


class _Rehearsed(Commands):
    """The commands of a job that was never asked for."""

    def __init__(self, folder: str) -> None:
        super().__init__(None)
        program = {"kind": "cell", "source": "x = 1\nprint(x)\nx", "title": "Cell rehearsed"}
        commands: List[Tuple[bytes, Any]] = [
            (PLACE, {"workdir": folder, "env": {"A": "1"}}),
            (CLAIMED, {"program": program, "env": {}, "requirements": []}),
            (GO, {"scratch": folder, "bundle": "", "environment": ""}),
        ]
        self._commands = [(kind, json.dumps(body).encode()) for kind, body in commands]

    def receive(self) -> Tuple[bytes, bytes]:
        """The next command."""
        return self._commands.pop(0)


def _hot_pages(interpreter: Interpreter) -> HotPages:
    """What a child writes to, found by living as one does in a forked process."""
    with tempfile.TemporaryDirectory() as folder:
        commands = _Rehearsed(folder)
        reading, nowhere = os.pipe()

        def rehearse() -> None:
            take_places(nowhere, nowhere)
            interpreter.live(commands, nowhere)

        found = find_hot_pages(rehearse)
        os.close(reading)
        os.close(nowhere)
        return found


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
        status = _live(theirs)
    except BaseException:
        _log_exception()
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
    keep_own_variables()
    interpreter = Interpreter()
    children: Dict[int, bool] = {}
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    poll.register(wake_read, select.POLLIN)
    interpreter.settle()
    hot_pages = _hot_pages(interpreter)
    while True:
        for fd, _ in poll.poll():
            if fd == wake_read:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_read, 4096)
                _reap(connection, children)
            elif _asked(connection):
                pid = _fork(interpreter, hot_pages, connection)
                children[pid] = True
            else:
                for pid in children:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                children.clear()
                end_strays(())
                return 0


def _asked(connection: socket.socket) -> bool:
    """Whether a child is wanted; False: the supervisor has hung up, maybe with a report left unread."""
    try:
        return bool(connection.recv(1))
    except ConnectionResetError:
        return False


def _reap(connection: socket.socket, children: Dict[int, bool]) -> None:
    """Tell of the dead. Whatever a dead child has left running is killed first.

    While its child runs, an orphan that ends is one of many things that a job may have in the background.
    """
    dead: List[Tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if not pid:
            break
        if children.pop(pid, False):
            dead.append((pid, status))
    if dead:
        end_strays(children)
    for pid, status in dead:
        with contextlib.suppress(BrokenPipeError):  # Nobody wants to know, which is found out next.
            connection.send(REPORT.pack(DIED, pid, status))


def _fork(interpreter: Interpreter, hot_pages: HotPages, connection: socket.socket) -> int:
    ours, theirs = socket.socketpair()
    reading, writing = pipes()
    pid = os.fork()
    if pid == 0:
        hot_pages.copy()
        _be_child(interpreter, theirs, writing)
    fds = array.array("i", (ours.fileno(), *reading))
    connection.sendmsg([REPORT.pack(BORN, pid, 0)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
    ours.close()
    theirs.close()
    for fd in (*reading, *writing):
        os.close(fd)
    return pid


def _be_child(interpreter: Interpreter, theirs: socket.socket, writing: Ends) -> NoReturn:
    status = 70
    try:
        os.setsid()
        _signal.set_wakeup_fd(-1)
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)
        frames, stdout, stderr = writing
        take_places(stdout, stderr)
        close_all_but((theirs.fileno(), frames))
        status = interpreter.live(Commands(theirs.recv), frames)
    except EOFError:
        status = 0
    except BaseException:
        _log_exception()
    finally:
        os._exit(status)


def _log_exception() -> None:
    """To the executor's log, or in a child to its own standard error."""
    os.write(2, traceback.format_exc().encode("utf-8", "replace"))


def _noted(number: int, frame: object) -> None:
    """The wake-up descriptor has the signal already."""
