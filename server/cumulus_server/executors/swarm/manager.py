"""What is asked of a Swarm manager, each in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..base import ExecutorUnavailable
from ..containers.engine import CALL_S, Engine
from ..containers.environments import BUILDER
from ..containers.failures import Conflict, EngineRefused, Missing
from ..containers.plan import JOB, RELAY, ROLE, attempt_of
from . import services, tasks
from .services import File
from .tasks import Key, Task

T = TypeVar("T")

#: The oldest API that knows ``NoNewPrivileges`` of a service: that of Docker 25.
OLDEST_API = (1, 44)
#: What a manager says, in parts, while it cannot do its work.
_AWAY = ("not a swarm manager", "leader", "encrypted", "rpc error: code = deadlineexceeded", "unavailable",
         "context deadline exceeded")  # fmt: skip


class SwarmAway(ExecutorUnavailable):
    """The Swarm cannot be used now."""


@dataclass(frozen=True)
class Left:
    """What there is of a relay's attempts."""

    services: frozenset[Key]
    secrets: frozenset[Key]
    tasks: Mapping[Key, Task]
    #: Names of the services and secrets of builders of environments.
    builders: frozenset[str]


#: What a manager writes into a service's logs where it cannot get at them.
_NO_LOGS = "Error grabbing logs: "


class Manager:
    """A manager's API. All raise ``ExecutorUnavailable`` where it can't be reached or is no manager."""

    def __init__(self, host: str, relay_id: str) -> None:
        self.engine = Engine(host, setting="swarm_host")
        self._relay_id = relay_id
        self._mine = {"label": [f"{RELAY}={relay_id}"]}

    async def call(self, fn: Callable[[Any], T], timeout_s: float = CALL_S) -> T:
        """``fn`` of the low-level client."""
        try:
            return await self.engine.call(lambda client: fn(client.api), timeout_s)
        except EngineRefused as error:
            if any(part in error.message.lower() for part in _AWAY):
                raise await self._why(error) from error
            raise

    async def nodes(self) -> list[dict[str, Any]]:
        """The Swarm's nodes."""

        def ask(api: Any) -> list[dict[str, Any]]:
            listed = list(api.nodes())
            if tuple(map(int, str(api.api_version).split("."))) < OLDEST_API:
                raise SwarmAway(
                    f"The Swarm manager at {self.engine.host} is too old (API {api.api_version})",
                    next="Docker 25 or newer is needed (API 1.44).",
                )
            return listed

        return await self.call(ask, 20.0)

    async def images(self) -> list[dict[str, Any]]:
        """The images of the manager's own engine."""
        return await self.call(lambda api: list(api.images()))

    async def tasks(self) -> dict[Key, Task]:
        """The newest task of each of the relay's attempts."""
        listed = await self.call(lambda api: list(api.tasks(filters=self._mine)), 20.0)
        return tasks.parse(listed)

    async def left(self) -> Left:
        """All there is of the relay's attempts."""

        def ask(api: Any) -> tuple[list[Any], list[Any], list[Any]]:
            mine = self._mine
            return api.services(filters=mine), api.secrets(filters=mine), api.tasks(filters=mine)

        there, secrets, running = await self.call(ask)
        builders = frozenset(_builders([*there, *secrets]))
        return Left(_keys(there), _keys(secrets), tasks.parse(running), builders)

    async def address(self) -> str:
        """The address under which the Swarm knows this manager."""
        info = await self.call(lambda api: api.info())
        return str((info.get("Swarm") or {}).get("NodeAddr") or "")

    async def make_secret(self, name: str, data: bytes, labels: Mapping[str, str]) -> File:
        """Keep ``data`` as a secret; one of that name that was left over gives way."""
        made = lambda api: str(api.create_secret(name, data, labels=dict(labels))["ID"])  # noqa: E731
        try:
            return File(await self.call(made), name)
        except Conflict:
            try:
                await self.call(lambda api: api.remove_secret(name))
            except EngineRefused:  # in use: the service is there as well
                return File((await self.call(lambda api: api.inspect_secret(name)))["ID"], name)
            return File(await self.call(made), name)

    async def make_config(self, name: str, data: bytes, role: str) -> File:
        """Keep ``data`` as a config, once; what the relay has of older ones goes where nothing uses it."""
        labels = {RELAY: self._relay_id, ROLE: role}
        wanted = {"label": [f"{key}={value}" for key, value in labels.items()]}
        listed = await self.call(lambda api: list(api.configs(filters=wanted)))
        known = {config["Spec"]["Name"]: config["ID"] for config in listed}
        if name not in known:
            try:
                made = await self.call(lambda api: api.create_config(name, data, labels=labels))
                known[name] = made["ID"]
            except Conflict:
                found = await self.call(lambda api: api.inspect_config(name))
                known[name] = found["ID"]
        for other in [each for each in known if each != name]:
            try:
                # mypy cannot infer a lambda with a default, which binds this round's name.
                await self.call(lambda api, other=other: api.remove_config(other))  # type: ignore[misc]
            except EngineRefused:
                continue  # in use by what runs
        return File(known[name], name)

    async def create(self, spec: Mapping[str, Any], called: str) -> None:
        """Make a service; one of that name is it already. ``called`` is its image."""

        def ask(api: Any) -> None:
            if called.startswith(tasks.BY_ID):
                api._result(api._post_json(api._url("/services/create"), data=dict(spec)))
            else:  # with what the user's login knows of the registry
                given = {"name": spec["Name"], "labels": spec["Labels"], "mode": spec["Mode"]}
                api.create_service(spec["TaskTemplate"], **given)

        try:
            await self.call(ask)
        except Conflict:
            return

    async def use_name(self, name: str) -> None:
        """Start a service again with its image by name instead of by id."""

        def ask(api: Any) -> None:
            found = api.inspect_service(name)
            spec = services.by_name(found["Spec"])
            if spec is not None:
                given = {key.lower(): spec[key] for key in ("Name", "Labels", "Mode")}
                version = found["Version"]["Index"]
                api.update_service(found["ID"], version, task_template=spec["TaskTemplate"], **given)

        await self.call(ask)

    async def remove(self, name: str, *, secret: bool = True) -> bool:
        """Remove a service and its secret; whether the service was there. Its task ends by that."""
        there = await self._removed(lambda api: api.remove_service(name))
        if secret:
            try:
                await self._removed(lambda api: api.remove_secret(name))
            except EngineRefused:  # in use: the service was made again meanwhile
                await self._removed(lambda api: api.remove_service(name))
                await self._removed(lambda api: api.remove_secret(name))
        return there

    async def has_service(self, name: str) -> bool:
        """Whether there is a service of this name."""
        try:
            await self.call(lambda api: api.inspect_service(name))
        except Missing:
            return False
        return True

    async def output(self, name: str, lines: int, timeout_s: float) -> str:
        """The last lines that a service's container has written; empty where the manager cannot get at them.

        After a worker was cut off, a manager may have lost its way to that worker's logs for good.
        """

        def ask(api: Any) -> bytes:
            api.inspect_service(name)  # docker-py leaves a connection open where there is none
            return b"".join(api.service_logs(name, stdout=True, stderr=True, tail=lines))

        written = (await self.call(ask, timeout_s)).decode("utf-8", "replace")
        return written.partition(_NO_LOGS)[0]

    async def _removed(self, fn: Callable[[Any], object]) -> bool:
        try:
            await self.call(fn)
        except Missing:
            return False
        return True

    async def _why(self, error: EngineRefused) -> SwarmAway:
        """Why this engine does not answer as a manager."""
        host = self.engine.host
        try:
            info = await self.engine.call(lambda client: client.info(), 20.0)
        except EngineRefused:
            info = {}
        state = info.get("Swarm") or {}
        local = state.get("LocalNodeState", "")
        if local == "locked":
            what, to_do = f"The Swarm manager at {host} is locked", "Run `docker swarm unlock` there."
        elif local == "active" and not state.get("ControlAvailable"):
            what = f"The engine at {host} is a worker of a Swarm, not a manager"
            to_do = "Name a manager in the setting swarm_host, or promote it (docker node promote)."
        elif local == "active":
            what = f"The Swarm of the manager at {host} has no leader: too few of its managers are up"
            to_do = "Bring the other managers back (docker node ls tells which)."
        elif local == "inactive":
            what = f"The engine at {host} is not a Swarm manager"
            to_do = "Run `docker swarm init` there, or set swarm_host."
        else:
            what = f"The Swarm manager at {host} does not answer: {error.message}"
            to_do = "See its log (journalctl -u docker)."
        return SwarmAway(what, next=to_do)


def config_name(role: str, relay_id: str, version: str) -> str:
    """The name of a config, which has at most 64 characters."""
    return f"cumulus-{role}-{relay_id[:16]}-{version[:16]}"


def _builders(listed: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for each in listed:
        name = ((each.get("Spec") or {}).get("Labels") or {}).get(BUILDER)
        if name:
            yield name


def _keys(listed: Sequence[Mapping[str, Any]]) -> frozenset[Key]:
    labels = ((each.get("Spec") or {}).get("Labels") or {} for each in listed)
    found = (attempt_of(each) for each in labels if JOB in each)
    return frozenset(key for key in found if key is not None)


async def settle(seconds: float, event: asyncio.Event) -> None:
    """Wait for the event, or so long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
