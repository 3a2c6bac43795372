"""The outside of enrolments: a Swarm and hosts that are as the test says. See ``relay.contract.Hosts``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cumulus_jupyter.protocol.enrolment import Enrolled, JobImage, Ready, SshAccess, SwarmOrder
from cumulus_jupyter.protocol.errors import CumulusError, NotFound
from cumulus_server.relay.contract import Admitted, Entrance, Nodes

SCRIPT = b"#!/bin/sh\n"
PACKAGE = b"a zip"
IMAGE = "cumulus-job:py3.11"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"


@dataclass
class FakeHosts:
    """Everything is well, unless told otherwise."""

    #: Raised instead of anything that asks the Swarm.
    trouble: CumulusError | None = None
    #: Raised where the relay would look at the host.
    refuse: CumulusError | None = None
    pin: str = "sha256//AAAA"
    swarm_id: str = "swarm1"
    #: Hostname by id, of the nodes there are.
    up: dict[str, str] = field(default_factory=dict)
    down: dict[str, str] = field(default_factory=dict)
    dismissed: list[str] = field(default_factory=list)
    peers: list[str] = field(default_factory=list)
    changes: int = 0
    pieces: list[bytes] = field(default_factory=lambda: [b"a" * 1000, b"b" * 1000])
    #: Raised after the last piece of an image.
    broken: Exception | None = None
    devices: list[dict[str, Any]] = field(default_factory=lambda: [{"uuid": "GPU-1"}])

    def _ask(self) -> None:
        if self.trouble is not None:
            raise self.trouble

    async def entrance(self) -> Entrance:
        """A door."""
        self._ask()
        return Entrance("https://192.0.2.1:20000/", self.pin)

    async def script(self) -> bytes:
        """A script."""
        return SCRIPT

    async def package(self) -> bytes:
        """A package."""
        return PACKAGE

    async def terms(self) -> Enrolled:
        """The terms."""
        self._ask()
        ssh, swarm = SshAccess("cumulus", "ssh-ed25519 AAAA"), SwarmOrder("192.0.2.1:2377", "SWMTKN-1")
        return Enrolled("relay1", ssh, swarm, [JobImage(IMAGE, "sha256:1", 2000)], "00")

    @asynccontextmanager
    async def image(self, name: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """The image's pieces."""
        if name != IMAGE:
            raise NotFound(f"no image {name}")
        yield self._pieces()

    async def _pieces(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.broken is not None:
            raise self.broken

    async def admit(self, ready: Ready, peer: str) -> Admitted:
        """As the host says of itself."""
        self._ask()
        self.peers.append(peer)
        if self.refuse is not None:
            raise self.refuse
        name = self.up[ready.node_id]
        probe = {**ready.probe, "devices": self.devices}
        return Admitted(name, ready.ssh.address or peer, "cumulus", probe)

    async def dismiss(self, node_id: str) -> None:
        """Remove the node."""
        self._ask()
        self.dismissed.append(node_id)
        self.up.pop(node_id, None)
        self.down.pop(node_id, None)

    async def nodes(self) -> Nodes:
        """Those there are."""
        self._ask()
        return Nodes(self.swarm_id, frozenset(self.up) | frozenset(self.down), frozenset(self.down))

    async def is_called(self, node_id: str, hostname: str) -> bool:
        """By its name."""
        return {**self.up, **self.down}.get(node_id) == hostname

    async def changed(self) -> None:
        """Count."""
        self.changes += 1
