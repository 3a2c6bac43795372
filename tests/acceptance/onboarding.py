"""A fresh host of the rig that becomes a worker by the line that the relay gives, and stops being one."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from tests.homes import Home
from tests.rig import Rig
from tests.rig.docker import DockerFailed, docker
from tests.rig.host import Ended, Host

from .containers import settle, swarm_settings
from .kernels import Kernel
from .notebooks import ROOT
from .relays import RelayProcess

SCRIPT = ROOT / "worker-setup" / "setup-worker.sh"
#: Seconds that the line may take on a machine that has much else to do.
LINE_S = 900.0
#: What a fresh host may listen on, besides what only itself can reach.
PORTS = {22, 7946}
CELL = """%%cumulus --gpu 0.5
import os
sum(range(10))"""


class Onboarding:
    """A notebook whose relay is the rig's, and one fresh host."""

    def __init__(self, home: Home, rig: Rig, host: Host, image: str) -> None:
        settle(home, **swarm_settings(rig, image))
        self.host = host
        self.relay = RelayProcess(home)
        self.kernel = Kernel(home)
        shown = self.kernel.run("%load_ext cumulus_jupyter")
        assert not shown.error, shown.traceback

    def line(self, *options: str) -> str:
        """A new line to run on the host, as a notebook's user is shown it."""
        shown = self.kernel.run("%cumulus add-worker")
        assert not shown.error, shown.traceback
        text = "\n".join([shown.stdout, shown.result, *shown.displays])
        line = next(line.strip() for line in text.splitlines() if "setup-worker.sh" in line)
        return " ".join([line, *options])

    def run(self, line: str) -> Ended:
        """Run a line as root on the host."""
        return self.host.ssh(line, LINE_S)

    def leave(self) -> Ended:
        """Let the host be no worker any more, by the script that it keeps."""
        return self.run("bash /opt/cumulus/worker/setup-worker.sh --leave")

    def workers(self) -> dict[str, Any]:
        """The relay's workers by name."""
        listed = self.relay.request("GET", "workers").json["workers"]
        return {worker["id"]: worker for worker in listed}

    def bookings(self) -> list[dict[str, Any]]:
        """What the host's chronosd holds."""
        listed = self.host.ssh("chronos_cli list --json")
        assert listed.status == 0, listed.output
        partitions: list[dict[str, Any]] = json.loads(listed.output)["partitions"]
        return partitions

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs of the notebook."""
        listed: list[dict[str, Any]] = self.relay.request("GET", "jobs").json["jobs"]
        return listed

    def packages(self) -> set[str]:
        """What is installed on the host."""
        listed = self.host.ssh("dpkg-query -W -f '${db:Status-Abbrev}${Package}\\n'").output
        return {line[3:] for line in listed.splitlines() if line.startswith("ii ")}

    def open_ports(self) -> set[int]:
        """TCP ports of the host that others can reach."""
        listening = set()
        for line in self.host.ssh("cat /proc/net/tcp /proc/net/tcp6").output.splitlines():
            fields = line.split()
            address, _, port = fields[1].partition(":")
            if fields[3] == "0A" and not (len(address) == 8 and address.endswith("7F")):
                listening.add(int(port, 16))
        return listening


@contextlib.contextmanager
def onboarding(home: Home, rig: Rig, image: str, name: str) -> Iterator[Onboarding]:
    """Everything that is needed to make the host ``name`` a worker; nothing of it stays."""
    host = rig.add_host(name)
    try:
        opened = Onboarding(home, rig, host, image)
        try:
            yield opened
        finally:
            opened.kernel.close()
    finally:
        rig.remove_host(name)
        with contextlib.suppress(DockerFailed):
            docker("node", "rm", "--force", name, host=rig.manager_host)
