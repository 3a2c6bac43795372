"""The contract suite's world of containers: a real engine, a real image, a relay they can reach."""

from __future__ import annotations

import asyncio
import ipaddress
import os
from pathlib import Path
from typing import Any

import docker

from cumulus_server.executors.base import StartRequest
from cumulus_server.executors.containers.plan import RELAY, container_name
from cumulus_server.executors.containers.settings import ContainerConfig
from cumulus_server.executors.docker import DockerExecutor
from cumulus_server.supervisor import Supervisor
from tests.fakes.runner_relay import FakeJob, FakeRelay
from tests.rig.provision import job_images

from .work import PATIENT, WORK

#: What tests run jobs in; ``make image`` builds it.
IMAGE = job_images().slim


class DockerHarness:
    """See ``harness.Harness``. Removes whatever of its own is left on the engine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.client = docker.DockerClient()
        self.client.api.trust_env = False
        (addresses,) = self.client.api.inspect_network("bridge")["IPAM"]["Config"]
        gateway = addresses.get("Gateway") or ipaddress.ip_network(addresses["Subnet"])[1]
        self.relay = FakeRelay(host=str(gateway))
        self.relay_id = os.urandom(8).hex()

    def config(self, **settings: Any) -> ContainerConfig:
        """What its executors are set to."""
        given = {"images": {"3.11": IMAGE}, "slots": 4, "grace_s": 1.0, **settings}
        return ContainerConfig(self.relay_id, self.folder / "docker", **given)

    def make(self, **settings: Any) -> DockerExecutor:
        return DockerExecutor(self.config(**settings), Supervisor())

    def request(
        self, kind: str = PATIENT, *, job_id: str = "", attempt: int = 1, source: str = "", **asked: Any
    ) -> StartRequest:
        more: dict[str, Any] = {"job_id": job_id} if job_id else {}
        if "requirements" in asked:
            more["requirements"] = list(asked["requirements"])
        job = self.relay.add(FakeJob({"source": source or WORK[kind]}, attempt=attempt, **more))
        return StartRequest(job.id, attempt, job.claim_token, self.relay.url, "", "docker", **asked)

    def job(self, request: StartRequest) -> FakeJob:
        """The job as the relay sees it."""
        return self.relay.jobs[request.job_id]

    def impossible(self) -> tuple[DockerExecutor, StartRequest]:
        return self.make(), self.request(python="2.7")

    async def running(self, request: StartRequest) -> None:
        await asyncio.to_thread(self.job(request).wait_for_text, "begun")

    async def kill(self, request: StartRequest) -> None:
        name = container_name(request.job_id, request.attempt)
        await asyncio.to_thread(self.client.api.kill, name, "SIGKILL")

    def left(self) -> list[str]:
        """Names of all containers of this relay."""
        found = self.client.api.containers(all=True, filters={"label": f"{RELAY}={self.relay_id}"})
        return [container["Names"][0].lstrip("/") for container in found]

    def close(self) -> None:
        self.relay.stop()
        for name in self.left():
            self.client.api.remove_container(name, v=True, force=True)
        for volume in self.client.volumes.list(filters={"label": f"{RELAY}={self.relay_id}"}):
            volume.remove(force=True)
        self.client.close()
