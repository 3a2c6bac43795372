"""What users are told of containers: how they ended, and why they could not start. Pure."""

from __future__ import annotations

import re
import signal
from collections.abc import Collection

from ..base import StartFailed

#: How a runner exits in an interpreter that is too old; it has said so on its standard error.
TOO_OLD = 78
_SIGKILL = 128 + signal.SIGKILL
_NOT_EXECUTABLE, _NOT_FOUND = 126, 127
_ANOTHER_IMAGE = "Choose an image with Python 3.9 or newer, or add it to this one."
_NO_FOLDER = re.compile(r"bind source path does not exist: (\S+)")
_OLD_PYTHON = re.compile(r"cumulus: (this image has Python [\d.]+)")


def of_end(exit_code: int | None, *, oom: bool, image: str, memory_mib: int, output: str = "") -> str:
    """How a container ended. ``output`` is what it wrote, where that is known."""
    if oom:
        return f"the container was killed: out of memory (limit {memory_mib} MiB)"
    if exit_code in (None, 0):
        return "the container has ended"
    if exit_code == TOO_OLD:
        return old_python(image, output)
    if exit_code in (_NOT_EXECUTABLE, _NOT_FOUND):
        return no_python(image)
    if exit_code == _SIGKILL:
        return "the container was killed (SIGKILL), by hand or because the machine ran out of memory"
    assert exit_code is not None
    if exit_code > 128:
        how = f"the container was ended by signal {exit_code - 128}"
    else:
        how = f"the container exited with status {exit_code}"
    lines = output.strip().splitlines()
    return f"{how}: {lines[-1]}" if lines else how


def advice(exit_code: int | None, *, oom: bool = False) -> str:
    """What to do about a container that ended so; empty where another try may help."""
    if oom:
        return "Ask for more with --memory, or use less."
    return _ANOTHER_IMAGE if exit_code in (TOO_OLD, _NOT_EXECUTABLE, _NOT_FOUND) else ""


def no_python(image: str) -> str:
    """There is nothing in it that could run the runner."""
    return f"The image {image} has no python3 on its PATH"


def old_python(image: str, output: str = "") -> str:
    """The image's Python can't run the runner."""
    found = _OLD_PYTHON.search(output)
    has = f"has {found[1].removeprefix('this image has ')}" if found else "has an old Python"
    return f"The image {image} {has}; jobs need 3.9 or newer"


def missing_folder(message: str) -> str:
    """The folder of the machine that a container was to see and that is not there; empty where none is."""
    found = _NO_FOLDER.search(message)
    return found[1] if found else ""


def no_daemon(folder: str, worker: str) -> StartFailed:
    """What holds a share on a worker has gone from there."""
    return StartFailed(
        f"The folder {folder} of the MPS daemon is not there any more on the worker {worker}",
        next="Start the daemon again there (nvidia-cuda-mps-control -d); without it, take the node's label "
        "mps.pipe away.",
    )


def of_start_error(message: str, image: str, folders: Collection[str] = ()) -> StartFailed:
    """Why an engine could not make or start the container, from its own message.

    ``folders`` are those of the machine that it was to see beside the relay's files.
    """
    said = message.lower()
    if missing_folder(message) in folders:
        return no_daemon(missing_folder(message), "docker")
    if "executable file not found" in said or ("exec:" in said and "no such file" in said):
        return StartFailed(no_python(image), next=_ANOTHER_IMAGE, permanent=True)
    if "no such image" in said:
        return missing_image(image)
    if "bind source path does not exist" in said:
        return StartFailed(
            f"The Docker Engine does not see the relay's files: {message}",
            next="It must run on the relay's machine; a relay in a container needs its state folder mounted "
            "from the host at the same path.",
            permanent=True,
        )
    if "could not select device driver" in said or "nvidia" in said:
        return StartFailed(
            f"The GPU could not be given to the container: {message}",
            next="Install the NVIDIA Container Toolkit on that machine and restart its Docker Engine.",
            permanent=True,
        )
    if "no space left" in said:
        return StartFailed(
            f"The disk of the Docker Engine is full: {message}", next="Make room there (docker system df)."
        )
    return StartFailed(f"The Docker Engine could not start the container: {message}")


def missing_image(image: str) -> StartFailed:
    """It is not on the engine, and nobody pulls it."""
    return StartFailed(
        f"The image {image} is not there",
        next=f"Check its name (docker image ls), or bring it with `docker pull {image}` or `make image`.",
        permanent=True,
    )


def of_pull_error(message: str, image: str) -> StartFailed:
    """Why an image could not be pulled, from the engine's message."""
    said = message.lower()
    if any(word in said for word in ("not found", "manifest unknown", "does not exist", "name unknown")):
        what = f"The image {image} does not exist, or its registry does not show it"
        return StartFailed(
            f"{what}: {message}",
            next="Check its name and tag; for a private one, log the worker in (docker login).",
            permanent=True,
        )
    if any(word in said for word in ("denied", "unauthorized", "authentication required", "forbidden")):
        return StartFailed(
            f"The registry refuses the image {image}: {message}",
            next="Log the worker in to that registry (docker login), or choose another image.",
            permanent=True,
        )
    if "invalid reference" in said or "invalid tag" in said:
        return StartFailed(
            f"This is no name of an image: {image}", next="Write NAME:TAG, such as python:3.12-slim.",
            permanent=True,
        )  # fmt: skip
    if "no space left" in said:
        return StartFailed(
            f"No room for the image {image}: the disk is full", next="Make room on the worker."
        )
    return StartFailed(
        f"The image {image} could not be pulled: {message}",
        next="It is not on the worker, and its registry cannot be reached from there: see that the worker "
        f"has a way to it, or bring the image there by hand (docker load, docker build -t {image}).",
    )
