"""What the suite of partitions is run against: a fake, and the worker's own daemon behind a real sshd."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import asyncssh

from cumulus_server.partitions.remote import Remote
from cumulus_server.workers.remotes import Remotes
from cumulus_server.workers.ssh import Host as SshHost
from tests.fakes.chronos import FakeChronos, FakeNode, FakeRemote
from tests.integration.worker.hosts import Host
from tests.patience import LIMIT_S
from tests.rig.docker import docker

NODE, NOWHERE = "node", "nowhere"
DEVICES = [{"uuid": "GPU-a", "name": "Simulated", "memory_mib": 1000}, {"uuid": "GPU-b"}]


class PartitionHarness(Protocol):
    """A node with two devices, and another that cannot be reached."""

    remote: Remote

    def kill(self) -> None:
        """End the node's daemon as by a crash."""

    def start(self) -> None:
        """Start it again, with what it had."""

    def clear(self) -> None:
        """Let go of the node."""


class FakePartitionHarness:
    """In memory."""

    def __init__(self) -> None:
        nodes = {NODE: FakeNode("w", devices=2), NOWHERE: FakeNode("x", sshd=False)}
        self._node = nodes[NODE]
        self.remote: Remote = FakeRemote(FakeChronos(nodes))

    def kill(self) -> None:
        self._node.chronosd = False

    def start(self) -> None:
        self._node.chronosd = True

    def clear(self) -> None:
        """Nothing is left."""


class HostHarness:
    """A container with sshd, the user whose key may do nothing else, and chronosd.

    The container serves many tests; each begins with nothing booked, and with a connection of its own.
    """

    def __init__(self, key: Path | None = None) -> None:
        """``key`` is the file of the relay's private key; one is made where there is none."""
        self._folder = tempfile.TemporaryDirectory()
        self.key = key or Path(self._folder.name, "key")
        if key is None:
            asyncssh.generate_private_key("ssh-ed25519").write_private_key(self.key)
        public = asyncssh.read_private_key(self.key).export_public_key().decode().strip()
        self.host = Host()
        self.host.authorize(public)
        self.there = SshHost(self.host.address, 22, "cumulus", self.host.host_key)
        self.start()
        self.connect()

    def connect(self) -> None:
        """Begin anew, on the event loop that runs now."""
        self.remotes = Remotes(lambda: self.key, timeout_s=LIMIT_S)
        self.remotes.know({NODE: self.there, NOWHERE: replace(self.there, port=1)})
        self.remote: Remote = self.remotes

    def clear(self) -> None:
        """Release all that is booked, and hang up."""
        self.remotes.close()
        for entry in self.host.cli("list")["partitions"]:
            self.host.cli(f"release {entry['partition']}")

    def kill(self) -> None:
        self.host.kill_daemon()

    def start(self) -> None:
        told = [
            "--env",
            f"CUMULUS_CHRONOS_DEVICES={json.dumps(DEVICES)}",
            "--env",
            "CUMULUS_CHRONOS_BACKEND=ledger",
        ]
        run = "exec /opt/cumulus/worker/chronosd >>/tmp/log 2>&1"
        docker("exec", "--detach", *told, self.host.name, "sh", "-c", run)
        self.host.sh("until chronos_cli version >/dev/null 2>&1; do sleep 0.1; done")

    def close(self) -> None:
        self.host.remove()
        self._folder.cleanup()
