"""What goes wrong between here and an engine, as errors that say what to do."""

from __future__ import annotations

import errno
import getpass
from collections.abc import Iterator

from cumulus_jupyter.protocol.errors import Unavailable

from ..base import ExecutorUnavailable

_START = "Start it (systemctl start docker, or dockerd)"


class EngineGone(ExecutorUnavailable):
    """The engine cannot be reached now."""


class EngineRefused(Unavailable):
    """The engine has refused what was asked."""


class Missing(EngineRefused):
    """The engine has no such thing."""


class Conflict(EngineRefused):
    """There is one already, or its state forbids this."""


def told(error: Exception, host: str, setting: str) -> Exception:
    """The error of ours for one that a call of docker-py has raised; others as they are."""
    if isinstance(error, EngineGone | EngineRefused):
        return error
    if type(error).__module__ == "builtins" and isinstance(error, OSError):
        return _gone(error, host, setting)  # without docker-py, which is not loaded where no engine is
    import docker.errors
    import requests.exceptions

    if isinstance(error, docker.errors.APIError):
        return _refused(error)
    if isinstance(error, docker.errors.InvalidVersion):
        return too_old(host, "")
    if isinstance(error, requests.exceptions.Timeout):
        return silence(host)
    if isinstance(error, docker.errors.DockerException | requests.exceptions.RequestException | OSError):
        return _gone(error, host, setting)
    return error


def silence(host: str, seconds: float = 60.0) -> EngineGone:
    """It did not answer in time."""
    return EngineGone(
        f"The Docker Engine at {host} did not answer within {seconds:g} s",
        next="See whether it hangs: its log says more (journalctl -u docker).",
    )


def too_old(host: str, version: str) -> EngineGone:
    """Its API lacks what is needed."""
    has = f" (API {version})" if version else ""
    return EngineGone(
        f"The Docker Engine at {host} is too old{has}", next="Docker 20.10 or newer is needed (API 1.41)."
    )


def wrong_os(host: str, os_type: str) -> EngineGone:
    """It runs containers of another system."""
    return EngineGone(
        f"The Docker Engine at {host} runs {os_type} containers", next="Switch it to Linux containers."
    )


def _refused(error: Exception) -> EngineRefused:
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    message = str(getattr(error, "explanation", "") or error)
    if status == 404:
        return Missing(message)
    return Conflict(message) if status in (304, 409) else EngineRefused(message)


def _gone(error: Exception, host: str, setting: str) -> EngineGone:
    where = f"{setting} or DOCKER_HOST"
    causes = list(_causes(error))
    number = next((cause.errno for cause in causes if isinstance(cause, OSError) and cause.errno), None)
    if number == errno.ENOENT:
        return EngineGone(
            f"There is no Docker Engine at {host}", next=f"{_START}, or name its address in {where}."
        )
    if number == errno.ECONNREFUSED:
        return EngineGone(f"No Docker Engine answers at {host}", next=f"{_START}: it seems to have stopped.")
    if number in (errno.EACCES, errno.EPERM):
        return EngineGone(
            f"No permission to use the Docker Engine at {host}",
            next=f"Add yourself to the group docker (sudo usermod -aG docker {_user()}), log in again and "
            "restart Jupyter; or use an engine of your own (rootless Docker).",
        )
    words = " ".join(map(str, causes))
    if "Invalid bind address" in words or "fd protocol" in words or "port" in words and number is None:
        return EngineGone(
            f"This is no address of a Docker Engine: {host}",
            next=f"Write one such as unix:///var/run/docker.sock or tcp://HOST:2376 into {where}.",
        )
    last = str(causes[-1]).strip() or type(causes[-1]).__name__
    return EngineGone(
        f"The Docker Engine at {host} cannot be reached: {last}",
        next=f"See that it runs and that {where} is right.",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what has led to it; urllib3 and requests keep that among the arguments."""
    seen: set[int] = set()
    waiting: list[BaseException] = [error]
    while waiting:
        found = waiting.pop(0)
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        more = [found.__cause__, found.__context__, getattr(found, "reason", None), *found.args]
        waiting += [each for each in more if isinstance(each, BaseException)]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "$USER"
