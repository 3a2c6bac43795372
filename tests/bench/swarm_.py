"""Submission to the first line of user code on a Swarm worker, against a bare service that prints one there.

The peer is a replicated-job service without a restart, pinned to the same node. Its line is read in the
fastest way there is: from the container's own output, by a connection to the worker's engine that waits for
the container's start. ``docker service logs`` from the manager, which is what a user has, takes longer.
The aim is a ratio of 1.15, 1.5 is acceptable.
"""

from __future__ import annotations

import time
import uuid

import docker
from docker.types import ContainerSpec, Placement, RestartPolicy, ServiceMode, TaskTemplate

from .measure import latency
from .outside import LINE, MINOR, SAY_LINE, client, defined, first_line_ms, image, swarm

ROUNDS, WARM_UP = 15, 2
WORKER = "worker1"


def bare_ms(manager: docker.DockerClient, worker: docker.DockerClient, node: str, image: str) -> float:
    """The peer's line, from the creation of its service to the byte here."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    container = ContainerSpec(image, command=["python3", "-c", f"print('{LINE}')"])
    task = TaskTemplate(
        container, restart_policy=RestartPolicy("none"), placement=Placement([f"node.id=={node}"])
    )
    started = worker.events(
        decode=True, filters={"event": "start", "label": f"com.docker.swarm.service.name={name}"}
    )
    begin = time.perf_counter()
    service = manager.api.create_service(task, name=name, mode=ServiceMode("replicated-job"))
    try:
        event = next(iter(started))
        logs = worker.containers.get(event["id"]).logs(stream=True, follow=True)
        line = next(iter(logs))
        seen_ms = (time.perf_counter() - begin) * 1e3
    finally:
        started.close()
        manager.api.remove_service(service["ID"])
    assert line.strip() == LINE.encode(), line
    return seen_ms


def main() -> None:
    """Both in turns on one worker: the other one is drained for as long."""
    name, say = image(), defined(SAY_LINE)
    with swarm(name) as rig:
        manager, worker = docker.DockerClient(rig.manager_host), docker.DockerClient(rig.engine(WORKER))
        nodes = {node.attrs["Description"]["Hostname"]: node for node in manager.nodes.list()}
        settings = {
            "executors": ["swarm"],
            "swarm_host": rig.manager_host,
            "runner_host": rig.runner_host,
            "job_images": {MINOR: name},
        }
        others = [nodes[other] for other in rig.workers if other != WORKER]
        ours: list[float] = []
        peer: list[float] = []
        try:
            for other in others:
                other.update({**other.attrs["Spec"], "Availability": "drain"})
            with client(**settings) as relay:
                for number in range(WARM_UP + ROUNDS):
                    samples = (bare_ms(manager, worker, nodes[WORKER].id, name), first_line_ms(relay, say))
                    if number >= WARM_UP:
                        peer.append(samples[0])
                        ours.append(samples[1])
                used = {job.view.worker for job in relay.jobs(limit=100)}
                assert used == {WORKER}, used
        finally:
            for other in others:
                other.reload()
                other.update({**other.attrs["Spec"], "Availability": "active"})
    print(latency("swarm", ours, peer, "bare service", aim=1.15, acceptable=1.5).line())


if __name__ == "__main__":
    main()
