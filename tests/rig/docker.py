"""Docker's command line, as the rig and the images use it."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
from collections.abc import Sequence

_PIECE_BYTES = 1 << 20
#: Seconds after which an engine that takes no image any more is given up.
_COPY_S = 1200.0


class DockerFailed(Exception):
    """A command of Docker's that failed, with what it said."""

    def __init__(self, command: Sequence[str], said: str) -> None:
        super().__init__(f"{' '.join(command)}: {said.strip() or 'failed without a word'}")
        self.said = said


def docker(*arguments: str, host: str = "", timeout_s: float = 120.0) -> str:
    """What ``docker ARGUMENTS`` prints, asked of the engine at ``host`` ("" = the machine's own)."""
    command = _command(*arguments, host=host)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        raise DockerFailed(command, f"no answer within {timeout_s:.0f} s") from None
    except FileNotFoundError:
        raise DockerFailed(command, "there is no docker command here. Install it: scripts/engine") from None
    if done.returncode:
        raise DockerFailed(command, done.stderr or done.stdout)
    return done.stdout.strip()


def lines(*arguments: str, host: str = "") -> list[str]:
    """The lines that ``docker ARGUMENTS`` prints."""
    return docker(*arguments, host=host).splitlines()


def answers(host: str = "") -> bool:
    """Whether an engine answers at ``host``."""
    with contextlib.suppress(DockerFailed):
        return bool(docker("version", "--format", "{{.Server.Version}}", host=host, timeout_s=60.0))
    return False


def image_id(image: str, host: str = "") -> str:
    """The id of an image that the engine at ``host`` has, "" if it has none of that name."""
    with contextlib.suppress(DockerFailed):
        return docker("image", "inspect", "--format", "{{.Id}}", image, host=host)
    return ""


def copy_image(image: str, hosts: Sequence[str]) -> None:
    """Bring an image of this machine's engine to those at ``hosts``, reading it once for all of them."""
    wanted = image_id(image)
    if not wanted:
        raise DockerFailed(["docker", "save", image], "there is no such image here. Make it: make image")
    lacking = [host for host in hosts if image_id(image, host) != wanted]
    if not lacking:
        return
    with contextlib.ExitStack() as stack:
        loads = [stack.enter_context(_piped("load", "--quiet", host=host)) for host in lacking]
        save = stack.enter_context(_piped("save", image))
        guard = threading.Timer(_COPY_S, lambda: [process.kill() for process in (save, *loads)])
        guard.start()
        stack.callback(guard.cancel)
        _pour(save, loads)
        failed = [_complaint(process) for process in (save, *loads) if process.wait()]
    if failed:
        raise DockerFailed(["docker", "load", image], "; ".join(failed))


def _pour(save: subprocess.Popen[bytes], loads: Sequence[subprocess.Popen[bytes]]) -> None:
    """Hand what ``save`` writes to all of ``loads``."""
    assert save.stdout is not None
    while piece := save.stdout.read(_PIECE_BYTES):
        for load in loads:
            assert load.stdin is not None
            # One that has ended says itself why.
            with contextlib.suppress(BrokenPipeError):
                load.stdin.write(piece)
    for load in loads:
        assert load.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            load.stdin.close()


def _piped(*arguments: str, host: str = "") -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(_command(*arguments, host=host), stdin=pipe, stdout=pipe, stderr=pipe)


def _complaint(process: subprocess.Popen[bytes]) -> str:
    assert process.stderr is not None
    return f"{process.args!r}: {process.stderr.read().decode(errors='replace').strip()}"


def _command(*arguments: str, host: str) -> list[str]:
    return [shutil.which("docker") or "docker", *(["--host", host] if host else []), *arguments]
