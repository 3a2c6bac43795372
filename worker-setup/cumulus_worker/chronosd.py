"""The daemon that holds a worker's bookings: ``python3 -m cumulus_worker.chronosd`` in the foreground.

SIGTERM ends it; the bookings stay in the ledger, and are taken up by the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import grp
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cumulus_worker import devices, holders, settings
from cumulus_worker.clock import Clock
from cumulus_worker.connection import Connection
from cumulus_worker.devices import Device
from cumulus_worker.ledger import Ledger
from cumulus_worker.ledger_file import LedgerFile
from cumulus_worker.service import Service

log = logging.getLogger("chronosd")

#: How often what is left of the bookings' time is written down, for a host that goes down without a word.
_KEEP_EVERY_S = 60.0
_PROBE_S = 30.0


class CannotStart(Exception):
    """The message says why, and what to do."""


def main() -> int:
    """Run until SIGTERM or SIGINT; the exit status."""
    logging.basicConfig(level=logging.INFO, format="chronosd: %(message)s", stream=sys.stderr)
    os.umask(0o077)
    try:
        asyncio.run(serve())
    except CannotStart as error:
        log.error("%s", error)
        return 1
    return 0


async def serve() -> None:
    """Open the ledger, listen, and end at the first signal. Raises ``CannotStart``."""
    path = Path(settings.ledger_path())
    loop = asyncio.get_running_loop()
    ended, stirred = asyncio.Event(), asyncio.Event()

    def end() -> None:
        ended.set()
        stirred.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    with _only_one(path), _listening(Path(settings.socket_path())) as listener:
        found, exclusive = await _found()
        holder = holders.best(found, wanted=settings.wanted_backend(), exclusive=exclusive)
        ledger = Ledger(LedgerFile(path), Clock(), holder)
        try:
            ledger.open(found)
        except OSError as error:
            raise CannotStart(
                f"the ledger {path} cannot be used: {error}. Mend its disk or its rights"
            ) from None
        service = Service(ledger, holder.name)
        connections: set[Connection] = set()

        def answer(argv: Sequence[str]) -> dict[str, Any]:
            # What was booked may end before anything else does.
            stirred.set()
            return service.answer(argv)

        server = await loop.create_unix_server(lambda: Connection(answer, connections), sock=listener)
        _say_ready()
        log.info(
            "%d devices, %d bookings, backend %s", len(ledger.devices), len(ledger.bookings()), holder.name
        )
        try:
            await _until(ended, stirred, ledger)
        finally:
            server.close()
            for connection in list(connections):
                connection.close()
            ledger.close()


async def _until(ended: asyncio.Event, stirred: asyncio.Event, ledger: Ledger) -> None:
    """Let bookings end in time, and keep what is left of them, until the end."""
    now_s = asyncio.get_running_loop().time
    kept_s = now_s()
    while not ended.is_set():
        stirred.clear()
        wait_s = max(0.0, min(ledger.next_deadline_s(), kept_s + _KEEP_EVERY_S - now_s()))
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stirred.wait(), wait_s)
        ledger.expire()
        if now_s() < kept_s + _KEEP_EVERY_S:
            continue
        kept_s = now_s()
        ledger.keep()
        if not ledger.devices:
            # The driver may be ready later than this was.
            ledger.use((await _found())[0])


async def _found() -> tuple[tuple[Device, ...], bool]:
    """The devices, and whether this process must not open them.

    Asked in a process of its own: a driver that hangs does not take the bookings along.
    """
    command = (sys.executable, "-m", "cumulus_worker.probe", "--devices")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, cwd=Path(__file__).parents[1], stdout=pipe, stderr=pipe
    )
    try:
        told, complaint = await asyncio.wait_for(process.communicate(), _PROBE_S)
    except asyncio.TimeoutError:
        process.kill()
        log.error("the GPUs did not answer within %.0f s: no device can be booked", _PROBE_S)
        return (), True
    if process.returncode:
        raise CannotStart(complaint.decode(errors="replace").strip() or "the devices cannot be told")
    answer = json.loads(told)
    return devices.listed(answer["devices"]), answer["exclusive"]


@contextlib.contextmanager
def _only_one(ledger: Path) -> Iterator[None]:
    """Two daemons on one ledger would book the same share twice."""
    try:
        _folder(ledger.parent, 0o700)
        lock = ledger.with_name(ledger.name + ".lock").open("w")
    except OSError as error:
        raise CannotStart(f"{error}. Run it as root, or set CUMULUS_CHRONOS_LEDGER") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotStart(f"another chronosd has the ledger {ledger}. Stop it first") from None
        yield


def _folder(path: Path, mode: int) -> None:
    """Make a folder where there is none; those above it are for everyone, whatever the umask."""
    if path.is_dir():
        return
    if not path.parent.is_dir():
        _folder(path.parent, 0o755)
    path.mkdir(exist_ok=True)
    path.chmod(mode)


@contextlib.contextmanager
def _listening(path: Path) -> Iterator[socket.socket]:
    """The socket that only root and the group may use. What one that was killed left is replaced."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _folder(path.parent, 0o755)
        path.unlink(missing_ok=True)
        # Under the umask nobody else can connect before the group is set.
        listener.bind(str(path))
        _give_to_group(path)
    except OSError as error:
        listener.close()
        raise CannotStart(
            f"cannot listen at {path}: {error}. Run it as root, or set CUMULUS_CHRONOS_SOCKET"
        ) from None
    try:
        yield listener
    finally:
        listener.close()
        path.unlink(missing_ok=True)


def _give_to_group(path: Path) -> None:
    name = settings.group()
    try:
        os.chown(path, -1, grp.getgrnam(name).gr_gid)
        path.chmod(0o660)
    except KeyError:
        log.warning("there is no group %s here: only this user may use %s", name, path)
    except PermissionError:
        log.warning("%s cannot be given to the group %s: only this user may use it", path, name)


def _say_ready() -> None:
    """Tell systemd, where it waits for that."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.connect(address.replace("@", "\0", 1) if address.startswith("@") else address)
        notify.sendall(b"READY=1")


if __name__ == "__main__":
    sys.exit(main())
