"""What tests need beyond Python: an engine and images, a browser and the built pages.

All of it: ``python -m tests.rig.provision``. What browser tests need alone: ``... provision browser``.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.rig import host, node
from tests.rig.docker import DockerFailed, answers
from tests.rig.rig import ROOT, sockets

#: The pip settings and the certificates of whoever called, before a test was given a home of its own.
_ENVIRONMENT = dict(os.environ)
#: Minors whose base can be made of Debian's packages.
_DEBIAN_MINORS = ("3.11", "3.13")
#: What to do where there is no engine.
HOW_TO = "start a Docker Engine that you may use (sudo apt-get install docker.io), or be root on Debian"
#: What to do where there is no browser.
HOW_TO_BROWSE = "install Chromium (sudo apt-get install chromium), or be root on Debian"
#: Guards against hanging, for slow mirrors of packages too.
_ENGINE_S = _BROWSER_S = _PAGES_S = 1200.0
_IMAGE_S = 1800.0
_TAIL_LINES = 15


class Lacking(Exception):
    """Something cannot be had on this machine; the message ends with the last lines of what was tried."""


@dataclass(frozen=True)
class JobImages:
    """Names of the images that tests run jobs in."""

    #: This interpreter's minor, without the data libraries.
    slim: str
    #: This interpreter's minor, with everything.
    full: str
    #: Another minor, without the data libraries.
    other: str


def job_images() -> JobImages:
    """The images for the interpreter that runs the tests."""
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    other = next(candidate for candidate in _DEBIAN_MINORS if candidate != minor)
    return JobImages(f"cumulus-job:py{minor}-slim", f"cumulus-job:py{minor}", f"cumulus-job:py{other}-slim")


def can_be_had() -> bool:
    """Whether this machine has an engine, or can be given one."""
    return answers() or (os.getuid() == 0 and shutil.which("apt-get") is not None)


def can_browse() -> bool:
    """Whether this machine has a browser, or can be given one."""
    return shutil.which("chromium") is not None or (os.getuid() == 0 and shutil.which("apt-get") is not None)


def browser() -> None:
    """See to it that there is a Chromium."""
    with _one_at_a_time("browser"):
        _run([str(ROOT / "scripts" / "browser")], _BROWSER_S)


def pages() -> None:
    """Build what JupyterLab shows of this working tree; a moment where nothing has changed."""
    with _one_at_a_time("pages"):
        _run([str(ROOT / "scripts" / "lab")], _PAGES_S)


def engine() -> None:
    """See to it that an engine answers."""
    with _one_at_a_time():
        _run([str(ROOT / "scripts" / "engine")], _ENGINE_S)


def build(image: str) -> None:
    """Build a job image by its name; a moment where nothing has changed."""
    minor, _, variant = image.partition(":py")[2].partition("-")
    options = ["--python", minor, *([f"--{variant}"] if variant else []), "--tag", image]
    if os.getuid() and minor in _DEBIAN_MINORS:
        # Debian's packages can only be unpacked by root.
        options += ["--base", f"python:{minor}-slim"]
    with _one_at_a_time():
        _run([str(ROOT / "job-image" / "build"), *options], _IMAGE_S)


def node_images() -> None:
    """Build the images of the rig's nodes, of hosts that are none yet, and of a worker's host."""
    from tests.integration.worker import hosts

    with _one_at_a_time():
        try:
            node.image()
            host.image()
            hosts.image()
        except DockerFailed as error:
            raise Lacking(str(error)) from None


def main(*wanted: str) -> int:
    """Provide everything, or the browser's part alone, a line each; 1 as soon as something fails."""
    steps: list[tuple[str, Callable[[], None]]] = []
    if os.environ.get("CI") or can_browse():
        steps += [("browser", browser), ("pages", pages)]
    else:
        print(f"provision: no browser here: {HOW_TO_BROWSE}")
    if "browser" in wanted:
        return _provide(steps)
    if os.environ.get("CI") or can_be_had():
        images = job_images()
        names = (images.slim, images.full, images.other)
        steps += [("engine", engine), *((name, functools.partial(build, name)) for name in names)]
        steps += [("rig's hosts", node_images)]
    else:
        print(f"provision: no containers here: {HOW_TO}")
    return _provide(steps)


def _provide(steps: Sequence[tuple[str, Callable[[], None]]]) -> int:
    for name, step in steps:
        began = time.monotonic()
        try:
            step()
        except Lacking as lacking:
            print(f"provision: {name}: {lacking}", file=sys.stderr)
            return 1
        print(f"provision: {name}, {time.monotonic() - began:.1f} s", flush=True)
    return 0


def _run(command: Sequence[str], timeout_s: float) -> None:
    try:
        done = subprocess.run(
            command,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as slow:
        raise Lacking(f"{command[0]} took more than {timeout_s:.0f} s\n{_tail(slow.stdout)}") from None
    if done.returncode:
        raise Lacking(f"{Path(command[0]).name} failed\n{_tail(done.stdout)}")


def _tail(output: str | bytes | None) -> str:
    text = output.decode(errors="replace") if isinstance(output, bytes) else output or ""
    return "\n".join(text.strip().splitlines()[-_TAIL_LINES:])


@contextlib.contextmanager
def _one_at_a_time(what: str = "images") -> Iterator[None]:
    """Two test runs on one machine don't build the same thing at the same time."""
    folder = sockets()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
