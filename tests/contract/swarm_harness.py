"""The contract suite's Swarm: a manager and two workers, each with an engine of its own."""

from __future__ import annotations

import asyncio
import itertools
import os
from pathlib import Path
from typing import Any

import docker
import docker.errors

from cumulus_server.executors.base import StartRequest
from cumulus_server.executors.containers.environments import volume_name
from cumulus_server.executors.containers.plan import RELAY, container_name
from cumulus_server.executors.containers.settings import ContainerConfig
from cumulus_server.executors.swarm import SwarmExecutor
from tests.fakes.runner_relay import FakeJob, FakeRelay
from tests.patience import LIMIT_S
from tests.rig import Rig

from .work import PATIENT, WORK


class SwarmHarness:
    """See ``harness.Harness``. Removes whatever of its own is left in the Swarm."""

    def __init__(self, folder: Path, rig: Rig, image: str) -> None:
        self.folder, self.rig, self.image = folder, rig, image
        self.manager = client(rig.manager_host)
        self.workers = {name: client(rig.engine(name)) for name in rig.workers}
        self.relay = FakeRelay(host=rig.runner_host)
        self.relay_id = os.urandom(8).hex()
        self._next = itertools.cycle(rig.workers)

    def config(self, **settings: Any) -> ContainerConfig:
        """What its executors are set to."""
        given = {"images": {"3.11": self.image}, "slots": 30, "grace_s": 1.0, "host": self.rig.manager_host}
        return ContainerConfig(self.relay_id, self.folder / "swarm", **{**given, **settings})

    def make(self, **settings: Any) -> SwarmExecutor:
        return SwarmExecutor(self.config(**settings))

    def request(
        self,
        kind: str = PATIENT,
        *,
        job_id: str = "",
        attempt: int = 1,
        source: str = "",
        worker: str = "",
        **asked: Any,
    ) -> StartRequest:
        more: dict[str, Any] = {"job_id": job_id} if job_id else {}
        if "requirements" in asked:
            more["requirements"] = list(asked["requirements"])
        job = self.relay.add(FakeJob({"source": source or WORK[kind]}, attempt=attempt, **more))
        worker = worker or next(self._next)
        return StartRequest(job.id, attempt, job.claim_token, self.relay.url, "", worker, **asked)

    def job(self, request: StartRequest) -> FakeJob:
        """The job as the relay sees it."""
        return self.relay.jobs[request.job_id]

    def impossible(self) -> tuple[SwarmExecutor, StartRequest]:
        return self.make(), self.request(python="2.7")

    async def running(self, request: StartRequest) -> None:
        await asyncio.to_thread(self.job(request).wait_for_text, "begun")

    async def kill(self, request: StartRequest) -> None:
        (container,) = await asyncio.to_thread(self.containers, request.worker, request)
        await asyncio.to_thread(self.workers[request.worker].api.kill, container["Id"], "SIGKILL")

    def containers(self, worker: str, request: StartRequest | None = None) -> list[dict[str, Any]]:
        """The containers of this relay, or of one attempt, on a worker's own engine."""
        filters = {"label": f"{RELAY}={self.relay_id}"}
        if request is not None:
            filters["name"] = container_name(request.job_id, request.attempt)
        found: list[dict[str, Any]] = self.workers[worker].api.containers(all=True, filters=filters)
        return found

    def change(self, worker: str, **wanted: Any) -> dict[str, Any]:
        """Change what the Swarm is told of a worker, such as its ``Labels``; what it was told before."""
        api = self.manager.api
        while True:
            (node,) = [each for each in api.nodes() if each["Description"]["Hostname"] == worker]
            before: dict[str, Any] = node["Spec"]
            try:
                api.update_node(node["ID"], node["Version"]["Index"], {**before, **wanted})
            except docker.errors.APIError as error:
                if "out of sequence" in str(error):  # what Swarm itself knows of it has changed meanwhile
                    continue
                raise
            return before

    def logs(self, request: StartRequest) -> bytes:
        """What the manager itself answers for the output of an attempt."""
        name = container_name(request.job_id, request.attempt)
        return b"".join(self.manager.api.service_logs(name, stdout=True, stderr=True))

    def left(self) -> list[str]:
        """Everything there is of this relay's attempts, wherever it is."""
        mine = {"label": [f"{RELAY}={self.relay_id}"]}
        api = self.manager.api
        left = [f"service {each['Spec']['Name']}" for each in api.services(filters=mine)]
        left += [f"secret {each['Spec']['Name']}" for each in api.secrets(filters=mine)]
        left += [f"task {each['ID']}" for each in api.tasks(filters=mine)]
        for worker, engine in self.workers.items():
            left += [f"container {each['Names'][0]} on {worker}" for each in self.containers(worker)]
            volumes = engine.api.volumes(filters=mine)["Volumes"] or []
            names = [each["Name"] for each in volumes]
            left += [f"volume {name} on {worker}" for name in names if name != volume_name(self.relay_id)]
        return left

    async def nothing_left(self, timeout_s: float = LIMIT_S) -> None:
        """Wait until all is gone."""
        end = asyncio.get_running_loop().time() + timeout_s
        while left := await asyncio.to_thread(self.left):
            assert asyncio.get_running_loop().time() < end, left
            await asyncio.sleep(0.2)

    def close(self) -> None:
        self.relay.stop()
        mine = {"label": [f"{RELAY}={self.relay_id}"]}
        api = self.manager.api
        for service in api.services(filters=mine):
            api.remove_service(service["ID"])
        for secret in api.secrets(filters=mine):
            api.remove_secret(secret["ID"])
        for config in api.configs(filters=mine):
            api.remove_config(config["ID"])
        for worker in self.workers.values():
            shared = {**mine, "name": volume_name(self.relay_id)}
            for volume in worker.volumes.list(filters=shared):
                volume.remove(force=True)
        for each in (self.manager, *self.workers.values()):
            each.close()


def client(host: str) -> docker.DockerClient:
    """The client of one engine."""
    made = docker.DockerClient(base_url=host, version="1.45", timeout=int(LIMIT_S))
    made.api.trust_env = False
    return made
