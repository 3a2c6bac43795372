"""Nodes of the rig as workers with GPUs: pretended devices, and the real chronosd and sshd around them."""

from __future__ import annotations

import json
import re
import secrets
import ssl
import urllib.request
from pathlib import Path
from typing import Any

from tests.homes import wait_for
from tests.patience import LIMIT_S
from tests.rig import Rig
from tests.rig.docker import DockerFailed, docker

from .relays import RelayProcess

_PACKAGE = Path(__file__).resolve().parents[2] / "worker-setup" / "cumulus_worker"
_THERE = "/opt/cumulus/worker"
_SET_UP = """
import json, sys
from cumulus_worker import launchers
from cumulus_worker.setup import account
account.make("/tmp/terms.json")
launchers.install(environment=json.load(open("/tmp/environment.json")))
"""
_LOG, _PID = "/var/log/chronosd.log", "/run/chronosd.pid"
_LIST = "exec chronos_cli --json list"


class GpuWorkers:
    """Makes workers of a rig into workers of one relay, and breaks what their bookings stand on."""

    def __init__(self, rig: Rig, relay: RelayProcess) -> None:
        self.rig, self.relay = rig, relay
        self._environments: dict[str, dict[str, str]] = {}

    def add(self, worker: str, devices: int, name: str = "Pretended", memory_mib: int = 8192) -> None:
        """Let a node offer so many devices, as ``setup-worker.sh`` does on a host of its own."""
        listed = [{"uuid": f"{worker}-{at}", "name": name, "memory_mib": memory_mib} for at in range(devices)]
        self._environments[worker] = {
            "CUMULUS_CHRONOS_DEVICES": json.dumps(listed),
            "CUMULUS_CHRONOS_BACKEND": "ledger",
        }
        line = self.relay.insist("POST", "workers/tokens").json
        found = re.search(r"--relay (\S+)", line["command"])
        assert found, line
        key = secrets.token_hex(32)
        self._base = found[1].rstrip("/")
        terms = self._ask("enrolment", line["token"], {"session_key": key, "hostname": worker})
        self.sh(worker, f"rm -rf {_THERE} /var/lib/cumulus/chronos; mkdir -p {_THERE}")
        docker("cp", str(_PACKAGE), f"{self._container(worker)}:{_THERE}/")
        self._write(worker, "/tmp/terms.json", terms)
        self._write(worker, "/tmp/environment.json", self._environments[worker])
        self.sh(worker, f"PYTHONPATH={_THERE} python3 - <<'END'\n{_SET_UP}\nEND")
        self.start_chronosd(worker)
        told = json.loads(self.sh(worker, f"{self._exported(worker)} cumulus-probe"))
        door = {"address": self.address(worker), "port": 22, "host_key": self._host_key(worker)}
        ready = {"node_id": told["docker"]["node_id"], "ssh": door, "probe": told}
        answer = self._ask("enrolment/ready", key, ready)
        assert (answer["worker"], answer["devices"]) == (worker, devices), answer

    def bookings(self, worker: str) -> list[dict[str, Any]]:
        """What a worker's chronosd holds."""
        listed: list[dict[str, Any]] = json.loads(self.sh(worker, _LIST))["partitions"]
        return listed

    def taken(self, worker: str) -> float:
        """How much of all its devices is booked."""
        return round(sum(booking["fraction"] for booking in self.bookings(worker)), 1)

    def book(self, worker: str, device: int, fraction: float) -> str:
        """Book a share past the relay; its id."""
        made = json.loads(self.sh(worker, f"exec chronos_cli --json create {device} {fraction} 3600"))
        return str(made["partition"])

    def release(self, worker: str, partition: str) -> None:
        """Give back what ``book`` has booked."""
        self.sh(worker, f"exec chronos_cli release {partition}")

    def stop_sshd(self, worker: str) -> None:
        """End sshd with all its connections."""
        self._end(worker, "sshd", "sshd-session", "sshd-auth")

    def start_sshd(self, worker: str) -> None:
        """Start it, if it does not run."""
        self.sh(worker, "mkdir -p /run/sshd; grep -qsx sshd /proc/[0-9]*/comm || /usr/sbin/sshd")

    def kill_chronosd(self, worker: str) -> None:
        """``kill -9``; its ledger stays."""
        self.sh(worker, f"kill -9 $(cat {_PID}) 2>/dev/null; rm -f {_PID}")

    def start_chronosd(self, worker: str) -> None:
        """Start it, if it does not run, and wait until it answers."""
        run = f"{self._exported(worker)} setsid {_THERE}/chronosd >>{_LOG} 2>&1 </dev/null & echo $! >{_PID}"
        self.sh(worker, f"mkdir -p /run/cumulus; [ -e {_PID} ] && kill -0 $(cat {_PID}) || {{ {run}; }}")
        assert wait_for(lambda: self._answers(worker), LIMIT_S, 0.05), self.sh(worker, f"cat {_LOG}")

    def whole(self) -> None:
        """Bring back whatever was stopped."""
        for worker in self._environments:
            self.start_sshd(worker)
            self.start_chronosd(worker)

    def forget(self) -> None:
        """Take the devices away again."""
        for worker in self._environments:
            self.kill_chronosd(worker)
            node = docker(
                "node", "inspect", worker, "--format", "{{json .Spec.Labels}}", host=self.rig.manager_host
            )
            removed = [word for label in json.loads(node) or {} for word in ("--label-rm", label)]
            if removed:
                docker("node", "update", *removed, worker, host=self.rig.manager_host)
        self._environments.clear()

    def address(self, worker: str) -> str:
        """A worker's address on the rig's network."""
        fields = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return docker("inspect", "--format", fields, self._container(worker))

    def sh(self, worker: str, script: str) -> str:
        """What a script prints on a worker."""
        return docker("exec", self._container(worker), "sh", "-c", script)

    def _end(self, worker: str, *names: str) -> None:
        """Kill every process of these names; those named first cannot start others meanwhile."""
        for name in names:
            self.sh(
                worker,
                f"for p in $(grep -lsx {name} /proc/[0-9]*/comm | cut -d/ -f3); do kill -9 $p; done; true",
            )

    def _answers(self, worker: str) -> bool:
        try:
            self.bookings(worker)
        except DockerFailed:
            return False
        return True

    def _exported(self, worker: str) -> str:
        return "env " + " ".join(f"{name}='{value}'" for name, value in self._environments[worker].items())

    def _container(self, worker: str) -> str:
        return f"{self.rig.name}-{worker}"

    def _host_key(self, worker: str) -> str:
        return " ".join(self.sh(worker, "cat /etc/ssh/ssh_host_ed25519_key.pub").split()[:2])

    def _write(self, worker: str, path: str, content: Any) -> None:
        self.sh(worker, f"cat >{path} <<'END'\n{json.dumps(content)}\nEND")

    def _ask(self, path: str, bearer: str, body: Any) -> Any:
        request = urllib.request.Request(
            f"{self._base}/cumulus/api/v1/{path}",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"},
        )
        # The line's pin stands for the certificate; here it is a connection within one machine.
        context = ssl._create_unverified_context()  # noqa: S323
        with urllib.request.urlopen(request, timeout=LIMIT_S, context=context) as answer:
            return json.load(answer)
