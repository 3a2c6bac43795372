"""Who is in the Swarm: how a host joins, what its node is labelled with, how it is put out again."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cumulus_jupyter.protocol.errors import FailedPrecondition, NotFound

from ..containers.failures import EngineRefused, Missing
from . import nodes
from .manager import Manager
from .nodes import Node
from .supplies import Supplies
from .watch import Watch

#: Seconds that an engine may take before the first byte of an image, which it may write to its disk as a
#: whole first; and until each further piece.
_EXPORT_S, _PIECE_S = 900.0, 120.0
_PIECE_BYTES = 1 << 20
#: Images sent at once; who comes later waits.
_EXPORTS = 3
#: Tries to change a node that somebody else is changing as well.
_TRIES = 5
_OUT_OF_SEQUENCE = "out of sequence"
_SWARM_PORT = 2377


@dataclass(frozen=True)
class JoinOrder:
    """What a host needs to join."""

    #: "IP:PORT" of a manager.
    address: str
    token: str


@dataclass(frozen=True)
class SwarmImage:
    """A job image of the manager's engine."""

    name: str
    id: str
    bytes: int


class Membership:
    """Asks one manager. All raise ``ExecutorUnavailable`` where it can't be reached or is no manager."""

    def __init__(self, manager: Manager, supplies: Supplies, watch: Watch) -> None:
        self._manager, self._supplies, self._watch = manager, supplies, watch
        self._exports = asyncio.Semaphore(_EXPORTS)

    async def join_order(self, address: str = "") -> JoinOrder:
        """How to join; ``address`` goes before what the manager says of itself.

        Raises ``FailedPrecondition`` where other hosts cannot reach that.
        """
        info, swarm = await self._manager.call(lambda api: (api.info(), api.inspect_swarm()))
        found = address or _address(info.get("Swarm") or {})
        if not found or _is_local(found):
            raise FailedPrecondition(
                f"Other hosts cannot reach the Swarm's manager at {found or 'an unknown address'}",
                next="Set Cumulus.swarm_address to an address of it that they reach, or make the Swarm anew:"
                " `docker swarm leave --force`, then `docker swarm init --advertise-addr ADDRESS`.",
            )
        return JoinOrder(_with_port(found), str(swarm["JoinTokens"]["Worker"]))

    async def swarm_id(self) -> str:
        """Tells this Swarm from one that was made anew."""
        return str((await self._manager.call(lambda api: api.inspect_swarm()))["ID"])

    async def nodes(self) -> dict[str, Node]:
        """The nodes by id, as they are now."""
        return nodes.parse(await self._manager.nodes())

    async def look(self) -> None:
        """Have the executor know the nodes as they are now. Who calls this tells that they have changed."""
        await self._watch.look_at_nodes()

    async def label(
        self, node_id: str, labels: Mapping[str, str], replaces: Callable[[str], bool] = lambda name: False
    ) -> None:
        """Give a node these labels, in the place of those whose names ``replaces`` says. Idempotent.

        Raises ``NotFound`` where there is no such node.
        """

        def change(spec: dict[str, Any]) -> None:
            kept = {name: value for name, value in (spec.get("Labels") or {}).items() if not replaces(name)}
            spec["Labels"] = {**kept, **labels}

        await self._update(node_id, change)

    async def forget(self, node_id: str, replaces: Callable[[str], bool] = lambda name: False) -> None:
        """Drain a node and remove it. Idempotent. A manager is kept, and loses its labels instead."""

        def drain(spec: dict[str, Any]) -> None:
            if spec.get("Role") == "manager":
                labels = spec.get("Labels") or {}
                spec["Labels"] = {name: value for name, value in labels.items() if not replaces(name)}
            else:
                spec["Availability"] = "drain"

        try:
            spec = await self._update(node_id, drain)
            if spec.get("Role") != "manager":
                await self._manager.call(lambda api: api.remove_node(node_id, force=True))
        except (Missing, NotFound):
            return

    async def _update(self, node_id: str, change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        """The specification after ``change``, which is made again where somebody else was faster."""

        def ask(api: Any) -> dict[str, Any]:
            node = api.inspect_node(node_id)
            spec: dict[str, Any] = node["Spec"]
            before = {**spec, "Labels": dict(spec.get("Labels") or {})}
            change(spec)
            if spec != before:
                api.update_node(node["ID"], node["Version"]["Index"], spec)
            return spec

        for left in reversed(range(_TRIES)):
            try:
                return await self._manager.call(ask)
            except Missing:
                raise NotFound(
                    f"There is no node {node_id} in the Swarm", next="`docker node ls` tells which there are."
                ) from None
            except EngineRefused as error:
                if not left or _OUT_OF_SEQUENCE not in error.message:
                    raise
        raise AssertionError("the last try returns or raises")

    async def images(self) -> list[SwarmImage]:
        """The job images that the manager's own engine has; others a worker gets from its registry."""
        await self._supplies.look_at_images()
        listed = await self._manager.images()
        wanted = set(self._supplies.images.values())
        return [
            SwarmImage(name, str(image["Id"]), int(image.get("Size") or 0))
            for image in listed
            for name in image.get("RepoTags") or ()
            if name in wanted
        ]

    @contextlib.asynccontextmanager
    async def image_tar(self, name: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """What ``docker save`` gives of a job image, piece by piece; the next is read when it is asked for.

        Raises ``NotFound`` for anything that is not in ``images``.
        """
        offered = {image.name for image in await self.images()}
        if name not in offered:
            raise NotFound(
                f"The manager's engine has no job image {name}",
                next=f"It has: {', '.join(sorted(offered)) or 'none; build one with `make image`'}.",
            )
        async with self._exports:
            # Not docker-py's own: that gives the pieces alone, and no way to hang up.
            response = await self._manager.call(lambda api: _export(api, name), _EXPORT_S)
            try:
                yield self._pieces(response)
            finally:
                # In a thread, since what is under way there must end first; that is soon, by the hanging up.
                await asyncio.shield(asyncio.to_thread(_hang_up, response))

    async def _pieces(self, response: Any) -> AsyncIterator[bytes]:
        limit_s = _EXPORT_S
        while piece := await self._manager.engine.call(lambda client: _read(response), limit_s):
            limit_s = _PIECE_S
            yield piece


def _export(api: Any, name: str) -> Any:
    response = api._get(api._url("/images/get"), params={"names": name}, stream=True, timeout=_EXPORT_S)
    api._raise_for_status(response)
    return response


def _read(response: Any) -> bytes:
    piece: bytes = response.raw.read(_PIECE_BYTES)
    return piece


def _hang_up(response: Any) -> None:
    with contextlib.suppress(Exception):  # whatever it says: nobody wants more of it
        response.close()


def _address(swarm: Mapping[str, Any]) -> str:
    """Where this manager can be joined, by what its engine says of the Swarm."""
    managers = swarm.get("RemoteManagers") or ()
    own = [each for each in managers if each.get("NodeID") == swarm.get("NodeID")]
    found = [str(each.get("Addr") or "") for each in (*own, *managers)]
    return next(filter(None, found), "") or str(swarm.get("NodeAddr") or "")


def _with_port(address: str) -> str:
    try:
        plain = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        return address if ":" in address else f"{address}:{_SWARM_PORT}"
    return f"[{plain}]:{_SWARM_PORT}" if plain.version == 6 else f"{plain}:{_SWARM_PORT}"


def _is_local(address: str) -> bool:
    host = address if address.count(":") > 1 and not address.startswith("[") else address.rpartition(":")[0]
    with contextlib.suppress(ValueError):
        found = ipaddress.ip_address((host or address).strip("[]"))
        return found.is_loopback or found.is_unspecified
    return (host or address) == "localhost"
