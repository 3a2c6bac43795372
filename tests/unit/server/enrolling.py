"""A relay's enrolments by a fake clock and with a fake Swarm, on a store that outlives them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cumulus_jupyter.protocol.enrolment import Enrol, Leave, Ready, SshDoor
from cumulus_jupyter.protocol.errors import CumulusError
from cumulus_server.relay.enrolments import Enrolments
from cumulus_server.store import Store, workers
from cumulus_server.store.workers import EnrolledWorker
from tests.fakes.hosts import HOST_KEY, FakeHosts

KEY, OTHER_KEY = "5" * 64, "6" * 64
PEER = "192.0.2.7"


class Clock:
    """Milliseconds that the test moves."""

    def __init__(self) -> None:
        self.ms = 1_000_000_000_000

    def __call__(self) -> int:
        return self.ms


class Relay:
    """Enrolments on a store that outlives them."""

    def __init__(self, path: Path) -> None:
        self.path, self.hosts, self.clock = path, FakeHosts(), Clock()
        self.restart()

    def restart(self) -> None:
        """Build all anew on what is on the disk."""
        if hasattr(self, "store"):
            self.store.close()
        self.store = Store(self.path)
        self.store.open()
        self.enrolments = Enrolments(self.store, self.hosts, self.clock)

    async def token(self) -> str:
        """A new one-time token."""
        return (await self.enrolments.new_token()).token

    async def enrolled(self, key: str = KEY, hostname: str = "gpu1") -> str:
        """A host that has used a token; the token."""
        token = await self.token()
        await self.enrolments.enrol(token, Enrol(key, hostname))
        return token

    async def ready(
        self, node_id: str, key: str = KEY, host_key: str = HOST_KEY, hostname: str = "gpu1"
    ) -> str:
        """The host says that it is ready; what the worker is called."""
        session = await self.enrolments.session(key)
        ready = Ready(node_id, SshDoor(host_key), {"hostname": hostname})
        answer = await self.enrolments.ready(session, ready, PEER)
        return answer.worker

    async def leave(self, key: str = KEY, node_id: str = "") -> str:
        """The host leaves; what the worker was called."""
        session = await self.enrolments.session(key, left=True)
        return (await self.enrolments.leave(session, Leave(node_id))).worker

    async def rows(self) -> list[EnrolledWorker]:
        """Who is enrolled."""
        return await self.store.run(workers.load_enrolled)


async def refused(relay: Relay, token: str, key: str = KEY, hostname: str = "gpu1") -> CumulusError:
    """What a host is told instead of the terms."""
    with pytest.raises(CumulusError) as raised:
        await relay.enrolments.enrol(token, Enrol(key, hostname))
    assert raised.value.next
    return raised.value
