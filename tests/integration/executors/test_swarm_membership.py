"""Hosts join a real Swarm, are labelled, get its images, leave and come back as another node."""

from __future__ import annotations

import asyncio
import hashlib
import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import docker
import pytest

from cumulus_jupyter.protocol.enrolment import Ready, SshDoor
from cumulus_jupyter.protocol.errors import FailedPrecondition, NotFound
from cumulus_server.config import RelayConfig
from cumulus_server.executors.swarm import SwarmExecutor
from cumulus_server.partitions.remote import Unreachable
from cumulus_server.reconcile.launch import Address
from cumulus_server.scheduling.labels import is_ours
from cumulus_server.workers import enrolment
from cumulus_server.workers.enrolment import SwarmHosts
from tests.contract.swarm_harness import SwarmHarness
from tests.fakes.hosts import HOST_KEY
from tests.patience import LIMIT_S
from tests.rig import Rig

WORKER = "worker2"
GPU = {
    "index": 0,
    "uuid": "GPU-1",
    "name": "NVIDIA H100",
    "memory_mib": 81559,
    "compute": "9.0",
    "kind": "nvidia",
}


class Joined:
    """An open executor on the rig's Swarm, and a worker that leaves it and joins it."""

    def __init__(self, rig: Rig, harness: SwarmHarness) -> None:
        self.rig, self.harness, self.executor = rig, harness, harness.make()
        self.membership = self.executor.membership
        self.engine: docker.DockerClient = harness.workers[WORKER]

    async def open(self) -> None:
        await self.executor.open(lambda ended: None, lambda: None)
        await self.executor.settled.wait()

    async def node_id(self) -> str:
        """The worker's node."""
        info = await asyncio.to_thread(self.engine.info)
        return str(info["Swarm"]["NodeID"])

    async def leave(self) -> None:
        """The worker leaves, without telling anybody."""
        await asyncio.to_thread(self.engine.swarm.leave, force=True)

    async def join(self, address: str, token: str) -> str:
        """The worker joins as its order says; its node."""
        await asyncio.to_thread(self.engine.swarm.join, [address], token)
        node_id = await self.node_id()
        async with asyncio.timeout(LIMIT_S):
            while (node := (await self.membership.nodes()).get(node_id)) is None or node.state != "ready":  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        return node_id


@pytest.fixture
async def joined(rig: Rig, job_image: str, tmp_path: Path) -> AsyncIterator[Joined]:
    harness = SwarmHarness(tmp_path, rig, job_image)
    made = Joined(rig, harness)
    await made.open()
    try:
        yield made
    finally:
        await made.membership.label(await made.node_id(), {}, is_ours)
        await made.executor.close()
        await asyncio.to_thread(harness.close)
        await asyncio.to_thread(rig.up)  # whatever has become of the worker


def hosts(joined: Joined, tmp_path: Path, executor: SwarmExecutor | None = None) -> SwarmHosts:
    """What takes hosts in, for this Swarm."""

    async def address() -> Address:
        return Address("https://192.0.2.1:20000/")

    async def changed() -> None:
        pass

    return SwarmHosts(RelayConfig(tmp_path), "relay1", executor or joined.executor, address, changed)


async def test_the_order_is_what_the_manager_itself_would_say(joined: Joined) -> None:
    order = await joined.membership.join_order()
    swarm = await asyncio.to_thread(joined.harness.manager.api.inspect_swarm)
    assert order.token == swarm["JoinTokens"]["Worker"]
    info = await asyncio.to_thread(joined.harness.manager.info)
    assert order.address == f"{info['Swarm']['NodeAddr']}:2377"
    assert (await joined.membership.join_order("192.0.2.9")).address == "192.0.2.9:2377"
    assert (await joined.membership.join_order("vpn.example:12377")).address == "vpn.example:12377"
    assert (await joined.membership.join_order("fd00::1")).address == "[fd00::1]:2377"
    for nowhere in ("127.0.0.1", "localhost:2377", "[::1]:2377", "0.0.0.0:2377"):
        with pytest.raises(FailedPrecondition, match="cannot reach") as raised:
            await joined.membership.join_order(nowhere)
        assert "swarm_address" in raised.value.next


async def test_labels_are_put_in_the_place_of_our_own_and_others_stay(joined: Joined) -> None:
    node_id, label = await joined.node_id(), joined.membership.label
    await label(node_id, {"zone": "b", "gpu.count": "2", "gpu.1.uuid": "GPU-2"})
    await label(node_id, {"gpu.count": "1", "gpu.0.uuid": "GPU-1"}, is_ours)
    found = dict((await joined.membership.nodes())[node_id].labels)
    assert found == {"zone": "b", "gpu.count": "1", "gpu.0.uuid": "GPU-1"}
    # Many at once: each is made on what the others have left.
    await asyncio.gather(*(label(node_id, {f"mark{number}": "1"}) for number in range(3)))
    assert {f"mark{number}" for number in range(3)} < set(
        dict((await joined.membership.nodes())[node_id].labels)
    )
    await label(node_id, {}, lambda name: True)
    with pytest.raises(NotFound, match="no node"):
        await label("nothing", {"a": "b"})


async def test_an_image_comes_as_docker_save_gives_it(joined: Joined, job_image: str) -> None:
    (offered,) = [image for image in await joined.membership.images() if image.name == job_image]
    assert offered.bytes > 10 << 20
    packed, digest = io.BytesIO(), hashlib.sha256()
    async with joined.membership.image_tar(job_image) as pieces:
        async for piece in pieces:
            packed.write(piece)
            digest.update(piece)
    packed.seek(0)
    with tarfile.open(fileobj=packed) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None and job_image.encode() in manifest.read()
    with pytest.raises(NotFound, match="no job image"):
        async with joined.membership.image_tar("busybox"):
            pass
    # Who hangs up in the middle leaves nothing behind, however often.
    for _ in range(12):
        async with joined.membership.image_tar(job_image) as pieces:
            assert await anext(pieces)
    assert await joined.membership.nodes()


async def test_a_host_is_looked_at_labelled_and_has_devices(
    joined: Joined, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node_id = await joined.node_id()
    probe: dict[str, Any] = {"devices": [GPU], "docker": {"node_id": node_id}, "chronos": {"running": True}}
    asked = []

    async def told(host: Any, key: Path, timeout_s: float) -> dict[str, Any]:
        asked.append(host)
        return probe

    monkeypatch.setattr(enrolment.ssh, "probe", told)
    taken = hosts(joined, tmp_path)
    admitted = await taken.admit(Ready(node_id, SshDoor(HOST_KEY), {"devices": [GPU]}), "192.0.2.7")
    assert (admitted.name, admitted.ssh_address, admitted.devices, admitted.advice) == (
        WORKER,
        "192.0.2.7",
        1,
        "",
    )
    assert (asked[0].user, asked[0].host_key, asked[0].where) == ("cumulus", HOST_KEY, "192.0.2.7:22")
    await taken.changed()
    (worker,) = [each for each in await joined.executor.fingerprint() if each.id == WORKER]
    assert [(each.id, each.memory_mib) for each in worker.devices] == [("GPU-1", 81559)]
    labels = dict(worker.labels)
    assert labels["chronos.installed"] == "true" and labels["ssh.address"] == "192.0.2.7:22"

    probe["chronos"] = {"running": False}
    admitted = await taken.admit(Ready(node_id, SshDoor(HOST_KEY, "h", 222), {"devices": [GPU]}), "192.0.2.7")
    assert "chronosd" in admitted.advice
    labels = dict((await joined.membership.nodes())[node_id].labels)
    assert "chronos.installed" not in labels and labels["ssh.address"] == "h:222"

    for told_there, here, words in (
        ({**probe, "docker": {"node_id": "other"}}, [GPU], "is not this one"),
        ({**probe, "docker": {}}, [GPU], "in no Swarm"),
        (probe, [], "other GPUs"),
    ):
        probe = told_there
        with pytest.raises(FailedPrecondition, match=words) as raised:
            await taken.admit(Ready(node_id, SshDoor(HOST_KEY), {"devices": here}), "192.0.2.7")
        assert "setup-worker.sh" in raised.value.next


async def test_an_ssh_that_cannot_be_reached_and_a_node_that_is_not_there_are_told(
    joined: Joined, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(host: Any, key: Path, timeout_s: float) -> dict[str, Any]:
        raise Unreachable("it does not answer", next="Open it.")

    monkeypatch.setattr(enrolment.ssh, "probe", away)
    monkeypatch.setattr(enrolment, "_APPEAR_S", 1.0)
    taken = hosts(joined, tmp_path)
    with pytest.raises(FailedPrecondition, match="cannot reach this host's SSH at 192.0.2.7:22") as raised:
        await taken.admit(Ready(await joined.node_id(), SshDoor(HOST_KEY)), "192.0.2.7")
    assert "--ssh-address" in raised.value.next
    with pytest.raises(FailedPrecondition, match="has no node nothing") as raised:
        await taken.admit(Ready("nothing", SshDoor(HOST_KEY)), "192.0.2.7")
    assert "docker swarm leave" in raised.value.next


async def test_a_host_leaves_and_comes_back_as_another_node(joined: Joined, tmp_path: Path) -> None:
    taken, before = hosts(joined, tmp_path), await joined.node_id()
    terms = await taken.terms()
    assert terms.ssh.public_key.startswith("ssh-ed25519 ")
    await taken.dismiss(before)
    assert before not in (await taken.nodes()).all
    await taken.dismiss(before)
    await joined.leave()
    after = await joined.join(terms.swarm.address, terms.swarm.join_token)
    assert after != before
    assert (await joined.membership.nodes())[after].name == WORKER
    assert await taken.is_called(after, WORKER)
    # It goes without a word: down, and still there until somebody removes it.
    await joined.leave()
    async with asyncio.timeout(LIMIT_S):
        while after not in (await taken.nodes()).down:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    again = await joined.join(terms.swarm.address, terms.swarm.join_token)
    nodes = await joined.membership.nodes()
    assert nodes[again].name == WORKER and nodes[after].name == f"{WORKER}-{after[:6]}"
    await taken.dismiss(after)
    assert set(await joined.membership.nodes()) >= {again}


async def test_a_manager_is_not_put_out(joined: Joined, tmp_path: Path) -> None:
    manager = str((await asyncio.to_thread(joined.harness.manager.info))["Swarm"]["NodeID"])
    await joined.membership.label(manager, {"gpu.count": "1", "zone": "a"})
    await hosts(joined, tmp_path).dismiss(manager)
    node = (await joined.membership.nodes())[manager]
    assert dict(node.labels) == {"zone": "a"}
    await joined.membership.label(manager, {}, lambda name: True)
    assert not await hosts(joined, tmp_path).is_called(manager, node.name)


async def test_without_a_swarm_it_is_said_how_to_make_one(
    engine: str, joined: Joined, tmp_path: Path
) -> None:
    alone = SwarmExecutor(joined.harness.config(host=joined.rig.engine(WORKER)))
    await alone.open(lambda ended: None, lambda: None)
    try:
        with pytest.raises(FailedPrecondition, match="not a manager") as raised:
            await hosts(joined, tmp_path, alone).terms()
        assert "docker swarm init" in raised.value.next
    finally:
        await alone.close()
