"""Start a headless relay for this user, once.

The relay belongs to the user, not to the process that happened to start it: it has its own session,
and goes on when that process ends. A lock keeps two kernels from starting one each.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..protocol.errors import CumulusError, Unavailable
from .discovery import Candidate, local_candidate
from .http import Endpoint, Http

#: How long a relay may take to come up.
START_LIMIT_S = 60.0
#: A relay that nobody has used for this long ends itself; the next cell starts another on the same state.
IDLE_LIMIT_S = 8 * 3600
_POLL_S = 0.05
_LOG_TAIL_LINES = 12
#: What a relay must not inherit from the kernel that starts it.
_PRIVATE = ("JPY_", "JUPYTERHUB_", "CUMULUS_URL", "CUMULUS_TOKEN")


def start_relay(folder: Path) -> Candidate:
    """The user's relay: one that has come up meanwhile, or a new one.

    Raises ``Unavailable`` with the end of its log where it does not come up.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _only_one_at_a_time(folder):
        running = local_candidate(folder)
        if running is not None and _answers(running):
            return running
        if not _is_installed():
            raise Unavailable(
                "No relay was found, and there is none installed here to start",
                next="Install cumulus-jupyter here, or name a relay with: %cumulus connect URL",
            )
        return _launch(folder, running)


def start_relay_if_dead(folder: Path) -> Candidate | None:
    """Start the user's relay again where it died, or ended and is wanted; ``None`` where it did not."""
    try:
        import json

        pid = int(json.loads((folder / "relay.json").read_text())["pid"])
        os.kill(pid, 0)
    except ProcessLookupError:
        return start_relay(folder)
    except FileNotFoundError:
        # It ended in order, perhaps because nobody used it. What only follows a job does not call it back.
        wanted = threading.current_thread() is threading.main_thread()
        return start_relay(folder) if wanted and _is_installed() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None


def _is_installed() -> bool:
    return importlib.util.find_spec("cumulus_server") is not None


def _launch(folder: Path, stale: Candidate | None) -> Candidate:
    log = folder / "relay.log"
    env = {key: value for key, value in os.environ.items() if not key.startswith(_PRIVATE)}
    with open(log, "ab") as out:
        begin = out.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "cumulus_server", f"--Cumulus.idle_shutdown_s={IDLE_LIMIT_S}"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=Path.home(),
            env=env,
            start_new_session=True,
        )
    give_up = time.monotonic() + START_LIMIT_S
    while time.monotonic() < give_up:
        now = local_candidate(folder)
        if now is not None and now != stale and _answers(now):
            # It outlives this process, and that is no accident to be warned of.
            process.returncode = 0
            threading.Thread(target=_reap, args=(process.pid,), name="cumulus-relay", daemon=True).start()
            return now
        if process.poll() is not None:
            raise Unavailable(
                f"The relay ended as it started (status {process.returncode}):\n{_tail(log, begin)}",
                next=f"Its log is {log}.",
            )
        time.sleep(_POLL_S)
    process.terminate()
    raise Unavailable(
        f"The relay did not come up within {START_LIMIT_S:.0f} s:\n{_tail(log, begin)}",
        next=f"Its log is {log}.",
    )


def _reap(pid: int) -> None:
    """Wait for the relay's end: unreaped, it would look alive to the other kernels of this user."""
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _answers(candidate: Candidate) -> bool:
    endpoint = Endpoint(candidate.url, candidate.token)
    try:
        Http(lambda _: endpoint).call("GET", "health", away_limit_s=0, timeout_s=2.0)
    except CumulusError:
        return False
    finally:
        endpoint.close()
    return True


def _tail(log: Path, begin: int) -> str:
    with open(log, "rb") as file:
        file.seek(begin)
        return "\n".join(file.read().decode(errors="replace").splitlines()[-_LOG_TAIL_LINES:])


@contextmanager
def _only_one_at_a_time(folder: Path) -> Iterator[None]:
    with open(folder / "start.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
