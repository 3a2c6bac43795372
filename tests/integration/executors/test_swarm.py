"""Jobs on a real Swarm: how they are started, what they can reach, and what is left of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cumulus_jupyter.protocol.resources import Resources
from cumulus_server.executors.base import StartFailed, StartRequest
from cumulus_server.executors.containers.plan import RELAY
from cumulus_server.executors.swarm import SwarmExecutor
from tests.contract.harness import Ends, until
from tests.contract.swarm_harness import SwarmHarness
from tests.contract.work import PATIENT, SHORT, STUBBORN
from tests.patience import LIMIT_S
from tests.rig import Rig


@pytest.fixture
async def swarm(rig: Rig, job_image: str, tmp_path: Path) -> AsyncIterator[SwarmHarness]:
    made = SwarmHarness(tmp_path, rig, job_image)
    yield made
    await asyncio.to_thread(made.close)


class Relay:
    """An open executor, what it tells, and how often it has told of a change."""

    def __init__(self, executor: SwarmExecutor) -> None:
        self.executor, self.ends, self.changes = executor, Ends(), 0

    async def open(self) -> None:
        await self.executor.open(self.ends, self._changed)
        await self.executor.settled.wait()

    def _changed(self) -> None:
        self.changes += 1

    async def run(self, request: StartRequest) -> dict[str, Any]:
        handle = self.executor.handle_for(request)
        await self.executor.prepare(request)
        await self.executor.start(request)
        return handle


@pytest.fixture
async def relay(swarm: SwarmHarness) -> AsyncIterator[Relay]:
    made = Relay(swarm.make())
    await made.open()
    yield made
    for owned in await made.executor.list_owned():
        await made.executor.destroy(owned.handle)
    await made.executor.close()


async def test_a_job_is_hardened_and_nothing_tells_its_token(swarm: SwarmHarness, relay: Relay) -> None:
    request = swarm.request(STUBBORN, resources=Resources(memory_mib=300, cpu=0.5))
    await relay.run(request)
    await swarm.running(request)

    (service,) = swarm.manager.api.services(filters={"label": [f"{RELAY}={swarm.relay_id}"]})
    assert service["Spec"]["Mode"]["ReplicatedJob"]["TotalCompletions"] == 1
    assert service["Spec"]["TaskTemplate"]["RestartPolicy"]["Condition"] == "none"
    assert not service["Endpoint"].get("VirtualIPs")

    (listed,) = swarm.containers(request.worker, request)
    engine = swarm.workers[request.worker].api
    found = engine.inspect_container(listed["Id"])
    host, config = found["HostConfig"], found["Config"]
    assert host["Memory"] == 300 * 2**20 and host["NanoCpus"] == 500_000_000 and host["PidsLimit"] == 4096
    assert [each.upper() for each in host["CapDrop"]] == ["ALL"] and not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges=true"] and not host["Privileged"]
    assert host["ReadonlyRootfs"] and host["Init"] and host["IpcMode"] == "private"
    assert not host["Binds"] and not host["Devices"] and host["NetworkMode"] == "bridge"
    assert host["LogConfig"]["Config"]["max-size"] and found["AppArmorProfile"] != "unconfined"
    assert config["User"] == "1000:1000"
    assert {mount["Destination"]: mount["RW"] for mount in found["Mounts"]}["/tmp"]
    assert request.claim_token not in json.dumps([found, service])
    told = json.dumps(engine.inspect_image(found["Image"])) + str(engine.top(listed["Id"]))
    assert request.claim_token not in told


async def test_what_a_job_may_do_inside(swarm: SwarmHarness, relay: Relay) -> None:
    source = """
import json, os, stat
lines = open("/proc/self/status").read().splitlines()
status = dict(line.split(":\\t", 1) for line in lines if ":\\t" in line)
told = {name: status[name].strip() for name in ("CapBnd", "CapEff", "NoNewPrivs", "Seccomp", "Uid")}
assignment = os.stat("/run/cumulus/assignment.json")
told["mode"], told["owner"] = stat.S_IMODE(assignment.st_mode), assignment.st_uid
try:
    open("/usr/here", "w")
except OSError as error:
    told["root"] = error.strerror
open("/tmp/here", "w").write("x")
told["shm"] = os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize >> 20
print(json.dumps(told))
"""
    request = swarm.request(source=source)
    await relay.run(request)
    await relay.ends.of(request)
    told = json.loads(swarm.job(request).text("stdout"))
    assert told == {
        "CapBnd": "0000000000000000", "CapEff": "0000000000000000", "NoNewPrivs": "1", "Seccomp": "2",
        "Uid": "1000\t1000\t1000\t1000", "mode": 0o400, "owner": 1000, "root": "Read-only file system",
        "shm": 1024,
    }  # fmt: skip


async def test_thirty_jobs_at_once_leave_nothing(swarm: SwarmHarness, relay: Relay) -> None:
    requests = [swarm.request(SHORT) for _ in range(30)]
    handles = await asyncio.gather(*(relay.run(request) for request in requests))
    await asyncio.gather(*(relay.ends.of(request, 4 * LIMIT_S) for request in requests))
    assert [swarm.job(request).outcome is not None for request in requests] == [True] * 30
    assert len(relay.ends.told) == 30
    await asyncio.gather(*(relay.executor.destroy(handle, ended=True) for handle in handles))
    assert await relay.executor.list_owned() == []
    await swarm.nothing_left()


async def test_an_image_that_no_worker_has_is_told(swarm: SwarmHarness, relay: Relay) -> None:
    request = swarm.request(image="nowhere.invalid/nothing:1")
    with pytest.raises(StartFailed) as caught:
        await relay.executor.prepare(request)
    assert f"The worker {request.worker} has no image nowhere.invalid/nothing:1" in caught.value.message
    assert caught.value.permanent and not relay.ends.told
    await relay.executor.destroy(relay.executor.handle_for(request))
    assert await relay.executor.list_owned() == []


async def test_what_the_worker_prepares_is_waited_for(swarm: SwarmHarness, relay: Relay) -> None:
    """An image that the manager does not know: the worker might have to pull it."""
    name = f"cumulus-test-{swarm.relay_id}:1"
    worker = swarm.workers["worker1"].api
    worker.tag(swarm.image, *name.split(":"))
    request = swarm.request(SHORT, worker="worker1", image=name)
    try:
        handle = await relay.run(request)
        assert (await relay.ends.of(request)).status.exit_code == 0
        await relay.executor.destroy(handle, ended=True)
    finally:
        await swarm.nothing_left()
        worker.remove_image(name)


async def test_an_image_that_is_another_on_the_worker_is_used_by_its_name(
    swarm: SwarmHarness, relay: Relay
) -> None:
    """The manager's own image of that name has an id that no worker knows."""
    name = f"cumulus-test-{swarm.relay_id}:1"
    for api, mark in ((swarm.manager.api, "manager"), (swarm.workers["worker1"].api, "worker")):
        made = api.create_container(swarm.image, ["true"])["Id"]
        repository, tag = name.split(":")
        api.commit(made, repository, tag, changes=[f"LABEL mark={mark}"])
        api.remove_container(made)
    try:
        await until(lambda: relay.executor._supplies.called(name) != name)
        for _ in range(2):
            request = swarm.request(SHORT, worker="worker1", image=name)
            handle = await relay.run(request)
            ended = await relay.ends.of(request)
            assert ended.status.exit_code == 0, ended
            await relay.executor.destroy(handle, ended=True)
        assert len(relay.ends.told) == 2
    finally:
        await swarm.nothing_left()
        for api in (swarm.manager.api, swarm.workers["worker1"].api):
            api.remove_image(name)


async def test_a_job_that_takes_too_much_memory_says_so(swarm: SwarmHarness, relay: Relay) -> None:
    source = "x = bytearray(2**30)\nfor at in range(0, len(x), 4096): x[at] = 1"
    request = swarm.request(source=source, resources=Resources(memory_mib=150))
    await relay.run(request)
    await relay.ends.of(request)
    outcome = swarm.job(request).outcome
    assert outcome is not None and "out of memory" in outcome["message"], outcome


async def test_a_reservation_that_no_worker_has_left_is_told(
    swarm: SwarmHarness, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    (worker, *_) = await relay.executor.fingerprint()
    request = swarm.request(worker=worker.id, resources=Resources(memory_mib=worker.memory_mib))
    greedy = swarm.request(STUBBORN, worker=worker.id, resources=Resources(memory_mib=worker.memory_mib // 2))
    await relay.run(greedy)
    await swarm.running(greedy)
    monkeypatch.setattr("cumulus_server.executors.swarm.watch._PLACE_S", 1.0)
    await relay.run(request)
    ended = await relay.ends.of(request)
    assert f"Swarm did not place it on the worker {worker.id}" in ended.status.message


async def test_a_service_that_somebody_else_removes_is_told(swarm: SwarmHarness, relay: Relay) -> None:
    request = swarm.request(PATIENT)
    await relay.run(request)
    await swarm.running(request)
    swarm.manager.api.remove_service(f"cumulus-{request.job_id}-1")
    ended = await relay.ends.of(request)
    assert not ended.status.alive and ended.status.message
    await relay.executor.destroy(relay.executor.handle_for(request))


async def test_what_others_have_in_the_swarm_stays(swarm: SwarmHarness, relay: Relay) -> None:
    other = SwarmHarness(swarm.folder / "other", swarm.rig, swarm.image)
    theirs = Relay(other.make())
    try:
        await theirs.open()
        request = other.request(STUBBORN)
        await theirs.run(request)
        await other.running(request)
        assert await relay.executor.list_owned() == []
        assert len(await theirs.executor.list_owned()) == 1
        assert (await theirs.executor.inspect(theirs.executor.handle_for(request))).alive
        await theirs.executor.destroy(theirs.executor.handle_for(request))
        await theirs.executor.close()
    finally:
        await asyncio.to_thread(other.close)


async def test_secrets_that_a_broken_off_start_has_left_are_owned(swarm: SwarmHarness, relay: Relay) -> None:
    request = swarm.request()
    labels = {RELAY: swarm.relay_id, "io.cumulus.job": request.job_id, "io.cumulus.attempt": "1"}
    swarm.manager.api.create_secret(f"cumulus-{request.job_id}-1", b"old", labels=labels)
    (owned,) = await relay.executor.list_owned()
    assert (owned.job_id, owned.alive) == (request.job_id, False)
    await relay.executor.destroy(owned.handle)
    assert await relay.executor.list_owned() == []


async def test_a_cancelled_start_leaves_nothing(swarm: SwarmHarness, relay: Relay) -> None:
    request = swarm.request(STUBBORN)
    await relay.executor.prepare(request)
    starting = asyncio.ensure_future(relay.executor.start(request))
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait([starting])
    await relay.executor.destroy(relay.executor.handle_for(request))
    assert await relay.executor.list_owned() == []
    await swarm.nothing_left()


async def test_what_the_container_wrote_is_told(swarm: SwarmHarness, relay: Relay) -> None:
    request = swarm.request(STUBBORN, worker="worker1")
    handle = await relay.run(request)
    await swarm.running(request)
    assert isinstance(await relay.executor.explain(handle), str)
    (container,) = swarm.containers("worker1", request)
    api = swarm.workers["worker1"].api
    said = api.exec_create(container["Id"], ["sh", "-c", "echo what it said > /proc/1/fd/2"])
    api.exec_start(said["Id"])
    async with asyncio.timeout(LIMIT_S):
        while (explained := await relay.executor.explain(handle)) != "what it said":
            # A worker that was cut off before, by another test, may have lost its way to the manager.
            if b"is not available" in swarm.logs(request):
                assert explained == ""
                break
            await asyncio.sleep(0.2)


async def test_simulated_devices_are_told_and_change(swarm: SwarmHarness, relay: Relay) -> None:
    relay.executor.simulate(2)
    assert relay.changes >= 1
    workers = await relay.executor.fingerprint()
    assert [len(worker.devices) for worker in workers] == [2, 2]


async def test_a_label_is_a_capability_at_once(swarm: SwarmHarness, relay: Relay) -> None:
    changes = relay.changes
    before = await asyncio.to_thread(swarm.change, "worker2", Labels={"rack": "r7"})
    try:
        found: set[str] = set()
        async with asyncio.timeout(LIMIT_S):
            while not {"rack", "rack:r7"} <= found:
                await asyncio.sleep(0.05)
                workers = {worker.id: worker for worker in await relay.executor.fingerprint()}
                found = set(workers["worker2"].capabilities)
        await until(lambda: relay.changes > changes)
    finally:
        await asyncio.to_thread(swarm.change, "worker2", Labels=before.get("Labels") or {})


async def test_an_engine_that_is_no_manager_says_what_to_do(swarm: SwarmHarness, engine: str) -> None:
    plain = Relay(swarm.make(host=engine))
    await plain.open()
    assert "is not a Swarm manager" in plain.executor.trouble
    assert "docker swarm init" in plain.executor.trouble and await plain.executor.fingerprint() == []
    await plain.executor.close()


async def test_a_worker_of_the_swarm_is_no_manager(swarm: SwarmHarness) -> None:
    worker = Relay(swarm.make(host=swarm.rig.engine("worker1")))
    await worker.open()
    assert "is a worker of a Swarm, not a manager" in worker.executor.trouble
    await worker.executor.close()
