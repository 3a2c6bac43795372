"""Containers on the engine: made, looked at, removed. These functions block; a client comes first."""

from __future__ import annotations

import time
from collections.abc import Mapping
from threading import Event
from typing import Any

from ..base import InstanceStatus
from ..containers import words

#: Lines of a container's output that are looked at.
TAIL = 20
_REMOVAL_S, _LOOK_EVERY_S = 30.0, 0.05
#: States of containers whose processes are there.
RUNNING = ("running", "paused", "restarting")
GONE = InstanceStatus(False, message="the container is not there any more")


class Abandoned(Exception):
    """Whoever wanted the container has gone."""


def start(client: Any, name: str, body: Mapping[str, Any], abandoned: Event) -> bool:
    """Make the container and start it; whether it runs.

    One of this name that an earlier attempt at this has left is started too, but never a second time.
    """
    import docker.errors

    if abandoned.is_set():
        raise Abandoned
    try:
        client.api.create_container_from_config(dict(body), name)
    except docker.errors.APIError as error:
        if error.status_code != 409:
            raise
        found = client.api.inspect_container(name)
        if not (found["Config"].get("Labels") or {}).items() >= body["Labels"].items():
            raise
        if found["State"]["Status"] != "created":
            return found["State"]["Status"] in RUNNING
    if abandoned.is_set():
        raise Abandoned
    client.api.start(name)
    return True


def status(client: Any, name: str) -> InstanceStatus:
    """How a container is."""
    import docker.errors

    try:
        found = client.api.inspect_container(name)
    except docker.errors.NotFound:
        return GONE
    state = found["State"]
    if state["Status"] in RUNNING:
        return InstanceStatus(True)
    if state["Status"] == "created":
        return InstanceStatus(False, message=state.get("Error") or "the container was never started")
    code = int(state.get("ExitCode", 0))
    output = tail(client, name) if code in (1, words.TOO_OLD) else ""
    memory_mib = int(found["HostConfig"].get("Memory", 0)) // 2**20
    oom = bool(state.get("OOMKilled")) and code != 0
    message = words.of_end(
        code, oom=oom, image=found["Config"].get("Image", ""), memory_mib=memory_mib, output=output
    )
    return InstanceStatus(False, code, message, words.advice(code, oom=oom))


def tail(client: Any, name: str) -> str:
    """The last lines of what it wrote; empty where there are none."""
    import docker.errors

    try:
        text: bytes = client.api.logs(name, stdout=True, stderr=True, tail=TAIL)
    except docker.errors.APIError:
        return ""
    return text.decode("utf-8", "replace").strip()


def terminate(client: Any, name: str) -> None:
    """SIGTERM, where it runs."""
    import docker.errors

    try:
        client.api.kill(name, signal="SIGTERM")
    except docker.errors.APIError as error:
        if error.status_code not in (404, 409):
            raise


def remove(client: Any, name: str) -> None:
    """End the container at once, and remove it with its volumes; returns when it is gone."""
    import docker.errors

    until = time.monotonic() + _REMOVAL_S
    while True:
        try:
            client.api.remove_container(name, v=True, force=True)
        except docker.errors.NotFound:
            return
        except docker.errors.APIError as error:
            # 409: somebody is removing it; 500: its processes or mounts are still being put away
            if error.status_code not in (409, 500) or time.monotonic() > until:
                raise
            time.sleep(_LOOK_EVERY_S)
        else:
            return
