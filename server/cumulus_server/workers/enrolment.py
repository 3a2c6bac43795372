"""Takes hosts into the Swarm: looks at them by SSH, labels their nodes, and puts them out again.

Implements ``relay.contract.Hosts``.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from cumulus_jupyter.protocol.enrolment import Enrolled, JobImage, Ready, SshAccess, SwarmOrder
from cumulus_jupyter.protocol.errors import CumulusError, FailedPrecondition

from ..config import RelayConfig
from ..door.certificate import pin_of
from ..partitions.remote import Unreachable
from ..reconcile.launch import Address
from ..relay.contract import Admitted, Entrance, Nodes
from ..scheduling.labels import CHRONOS, SSH_ADDRESS, is_ours, labels_of
from . import package, ssh
from .ssh import Host

if TYPE_CHECKING:
    from ..executors.swarm.membership import Membership
    from ..executors.swarm.nodes import Node

#: The user that the relay comes to a worker as.
SSH_USER = "cumulus"
#: Seconds that a submission of a node to the Swarm's list may take after the host has joined.
_APPEAR_S, _LOOK_S = 45.0, 0.5
#: Seconds that ``probe`` may take there: it may have to wake GPUs up.
_PROBE_S = 60.0
#: Seconds that a Swarm is waited for that has not been looked at yet.
_SETTLE_S = 10.0
_INIT = (
    "Run `docker swarm init --advertise-addr ADDRESS` with an address of this machine that other hosts reach"
    " (or name another Swarm's manager in Cumulus.swarm_host), then try again."
)


class Joined(Protocol):
    """The executor whose Swarm is joined."""

    membership: Membership
    settled: asyncio.Event

    @property
    def trouble(self) -> str:
        """Why its Swarm cannot be used now, with what to do; empty where it can."""


class SwarmHosts:
    """See ``relay.contract.Hosts`` for the methods."""

    def __init__(
        self,
        config: RelayConfig,
        relay_id: str,
        swarm: Joined | None,
        address: Callable[[], Awaitable[Address]],
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        """``swarm`` is ``None`` where the executor is not among the configured ones. ``address`` tells
        how hosts reach the relay, and ``changed`` has the workers looked at."""
        self._config, self._relay_id, self._swarm = config, relay_id, swarm
        self._address, self._changed = address, changed

    async def entrance(self) -> Entrance:
        """Where a new host reaches the relay."""
        await self._membership()
        address = await self._address()
        return Entrance(address.url, pin_of(address.certificate) if address.certificate else "")

    async def script(self) -> bytes:
        """The script."""
        return await asyncio.to_thread(package.script)

    async def package(self) -> bytes:
        """The package."""
        return await asyncio.to_thread(package.package)

    async def terms(self) -> Enrolled:
        """What an enrolled host shall do."""
        membership = await self._membership()
        order = await membership.join_order(self._config.swarm_address)
        _, public_key = await asyncio.to_thread(ssh.ensure_key, self._config)
        return Enrolled(
            relay_id=self._relay_id,
            ssh=SshAccess(SSH_USER, public_key),
            swarm=SwarmOrder(order.address, order.token),
            images=[JobImage(image.name, image.id, image.bytes) for image in await membership.images()],
            package_sha256=hashlib.sha256(await self.package()).hexdigest(),
        )

    def image(self, name: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """A job image, in pieces."""
        return self._image(name)

    @asynccontextmanager
    async def _image(self, name: str) -> AsyncIterator[AsyncIterator[bytes]]:
        membership = await self._membership()
        async with membership.image_tar(name) as pieces:
            yield pieces

    async def admit(self, ready: Ready, peer: str) -> Admitted:
        """Look at the host, compare, and label its node."""
        membership = await self._membership()
        node = await _appeared(membership, ready.node_id)
        host = Host(ready.ssh.address or peer, ready.ssh.port, SSH_USER, ready.ssh.host_key)
        probe = await self._probe(host)
        _compare(ready, probe, node, host)
        labels = labels_of(probe) | {SSH_ADDRESS: host.where}
        if (probe.get("chronos") or {}).get("running"):
            labels[CHRONOS] = "true"
        await membership.label(node.id, labels, is_ours)
        return Admitted(node.name, host.address, SSH_USER, dict(probe), _advice(probe))

    async def _probe(self, host: Host) -> Mapping[str, Any]:
        key, _ = await asyncio.to_thread(ssh.ensure_key, self._config)
        try:
            return await ssh.probe(host, key, max(_PROBE_S, self._config.ssh_timeout_s))
        except Unreachable as error:
            raise FailedPrecondition(
                f"The relay cannot reach this host's SSH at {host.where}: {error.message}",
                next=f"{error.next} Then run setup-worker.sh again; with --ssh-address HOST:PORT where the"
                " relay must dial another address.",
            ) from None

    async def dismiss(self, node_id: str) -> None:
        """Put a node out of the Swarm."""
        await (await self._membership()).forget(node_id, is_ours)

    async def nodes(self) -> Nodes:
        """The nodes as they are now."""
        membership = await self._membership()
        swarm_id, found = await membership.swarm_id(), await membership.nodes()
        down = frozenset(node.id for node in found.values() if node.down)
        return Nodes(swarm_id, frozenset(found), down)

    async def is_called(self, node_id: str, hostname: str) -> bool:
        """Whether there is such a node, that is no manager, of a host of this name."""
        node = (await (await self._membership()).nodes()).get(node_id)
        names = (hostname, f"{hostname}-{node_id[:6]}")
        return node is not None and not node.manager and node.name in names

    async def changed(self) -> None:
        """Have the workers looked at."""
        with contextlib.suppress(CumulusError):  # it is seen a little later
            await (await self._membership()).look()
        await self._changed()

    async def _membership(self) -> Membership:
        """The Swarm's. Raises ``FailedPrecondition`` where there is none."""
        if self._swarm is None:
            raise FailedPrecondition(
                "Workers join this relay by a Docker Swarm, which its settings leave out",
                next='Add "swarm" to Cumulus.executors.',
            )
        try:
            async with asyncio.timeout(_SETTLE_S):
                await self._swarm.settled.wait()
        except TimeoutError:
            pass  # its trouble says that nothing is known
        # What to do about the usual trouble is told at more length here.
        trouble = self._swarm.trouble.partition(" Run `docker swarm init`")[0]
        if trouble:
            raise FailedPrecondition(
                f"Workers join by a Docker Swarm, and none can be used. {trouble}", next=_INIT
            )
        return self._swarm.membership


async def _appeared(membership: Membership, node_id: str) -> Node:
    """The node, once it is up in the Swarm."""
    node: Node | None = None
    try:
        async with asyncio.timeout(_APPEAR_S):
            while True:
                node = (await membership.nodes()).get(node_id)
                if node is not None and node.state == "ready":
                    return node
                await asyncio.sleep(_LOOK_S)
    except TimeoutError:
        pass
    if node is None:
        raise FailedPrecondition(
            f"The Swarm has no node {node_id}: this host is in another Swarm, or was removed from this one",
            next="Run `docker swarm leave` there (with --force for a manager), then setup-worker.sh again.",
        )
    raise FailedPrecondition(
        f"The node {node.name} is {node.state} in the Swarm: {node.trouble or 'it does not report'}",
        next="See that it reaches the manager: TCP 2377 and 7946, UDP 7946 and 4789; then run setup-worker.sh"
        " again.",
    )


def _compare(ready: Ready, probe: Mapping[str, Any], node: Node, host: Host) -> None:
    """Raise ``FailedPrecondition`` where whoever answers by SSH is not the host that has asked."""
    told = str((probe.get("docker") or {}).get("node_id") or "")
    if told != node.id:
        named = f"is the node {told}" if told else "is in no Swarm"
        raise FailedPrecondition(
            f"The host that answers SSH at {host.where} is not this one: it {named}, not {node.id}",
            next="Run setup-worker.sh again with --ssh-address HOST:PORT, an address that leads the relay to"
            " this host.",
        )
    here, there = _devices(ready.probe), _devices(probe)
    if here != there:
        raise FailedPrecondition(
            f"By SSH the probe finds other GPUs than on the host: {_named(there)} instead of {_named(here)}",
            next=f"See that the user {host.user} may use the GPUs there: `sudo -u {host.user} nvidia-smi -L`;"
            " then run setup-worker.sh again.",
        )


def _devices(probe: Mapping[str, Any]) -> list[str]:
    return sorted(str(device.get("uuid") or "") for device in probe.get("devices") or ())


def _named(devices: list[str]) -> str:
    return ", ".join(devices) or "none"


def _advice(probe: Mapping[str, Any]) -> str:
    """What the host lacks for sharing its GPUs, with what to do."""
    if probe.get("devices") and not (probe.get("chronos") or {}).get("running"):
        return (
            "Its GPUs are not partitioned, because chronosd does not run there: run setup-worker.sh on it"
            " again."
        )
    return ""
