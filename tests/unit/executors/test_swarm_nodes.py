"""What a Swarm's node list makes for workers."""

from __future__ import annotations

from typing import Any

import pytest

from cumulus_server.executors.base import Worker
from cumulus_server.executors.swarm import nodes


def node(
    host: str = "gpu-1",
    *,
    id: str = "abcdef123456",
    state: str = "ready",
    availability: str = "active",
    role: str = "worker",
    labels: dict[str, str] | None = None,
    generic: list[dict[str, Any]] | None = None,
    engine: str = "26.1.5+dfsg1",
    message: str = "",
) -> dict[str, Any]:
    """As ``GET /nodes`` has it."""
    resources = {"NanoCPUs": 4_000_000_000, "MemoryBytes": 8 * 2**30, "GenericResources": generic}
    return {
        "ID": id,
        "Spec": {"Labels": labels, "Role": role, "Availability": availability},
        "Description": {"Hostname": host, "Resources": resources, "Engine": {"EngineVersion": engine}},
        "Status": {"State": state, "Message": message, "Addr": "10.0.0.7"},
    }


def workers(*listed: dict[str, Any], **more: Any) -> list[Worker]:
    found = nodes.parse(listed).values()
    return nodes.workers(found, executor="swarm", pythons=["3.11"], offers=("swarm",), **more)


def test_a_node_is_a_worker_with_its_capacity() -> None:
    (worker,) = workers(node())
    assert (worker.id, worker.executor, worker.ready, worker.message) == ("gpu-1", "swarm", True, "")
    assert (worker.cpu, worker.memory_mib, worker.slots) == (4.0, 8192, 8)
    assert worker.pythons == ("3.11",)


def test_labels_are_capabilities() -> None:
    (worker,) = workers(node(labels={"gpu-model": "a100", "fast": ""}))
    assert worker.capabilities == {"swarm", "gpu-model", "gpu-model:a100", "fast"}
    assert worker.labels == (("fast", ""), ("gpu-model", "a100"))


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"state": "down", "message": "heartbeat failure"}, "heartbeat failure"),
        ({"state": "disconnected"}, "does not hear of it"),
        ({"state": "unknown"}, "unknown"),
        ({"availability": "drain"}, "drained"),
        ({"availability": "pause"}, "paused"),
        ({"engine": "24.0.7"}, "too old"),
    ],
)
def test_a_node_that_takes_nothing_says_why(changed: dict[str, str], word: str) -> None:
    (worker,) = workers(node(**changed))  # type: ignore[arg-type]
    assert not worker.ready and word in worker.message


def test_of_a_worker_that_was_added_it_is_told_how_it_comes_back_or_is_forgotten() -> None:
    (worker,) = workers(node(state="down", labels={"ssh.address": "192.0.2.7:22"}))
    assert "setup-worker.sh" in worker.message and "docker node rm" in worker.message
    (worker,) = workers(node(state="down"))
    assert "setup-worker.sh" not in worker.message


def test_a_manager_is_a_worker_only_where_it_takes_work() -> None:
    active, drained = node("a", id="1" * 12, role="manager"), node("b", role="manager", availability="drain")
    assert [worker.id for worker in workers(active, drained)] == ["a"]


def test_gpus_that_an_engine_was_told_of_are_devices() -> None:
    generic = [
        {"NamedResourceSpec": {"Kind": "NVIDIA-GPU", "Value": "GPU-1f"}},
        {"NamedResourceSpec": {"Kind": "NVIDIA-GPU", "Value": "GPU-2e"}},
        {"DiscreteResourceSpec": {"Kind": "SSD", "Value": 3}},
    ]
    (worker,) = workers(node(generic=generic), simulated=2)
    assert [(device.id, device.simulated) for device in worker.devices] == [
        ("GPU-1f", False),
        ("GPU-2e", False),
    ]
    assert "gpu" in worker.capabilities


def test_devices_are_what_the_labels_tell() -> None:
    labels = {
        "gpu.count": "1", "gpu.0.uuid": "GPU-a", "gpu.0.name": "NVIDIA H100", "gpu.0.memory": "80000",
        "gpu.0.kind": "nvidia", "gpu.0.compute": "9.0", "cuda.version": "12.4", "mps.pipe": "/tmp/nvidia-mps",
        "chronos.installed": "true", "ssh.address": "10.0.0.7", "zone": "b",
    }  # fmt: skip
    generic = [{"NamedResourceSpec": {"Kind": "NVIDIA-GPU", "Value": "GPU-old"}}]
    (worker,) = workers(node(labels=labels, generic=generic), simulated=2)
    (device,) = worker.devices
    assert (device.id, device.name, device.memory_mib) == ("GPU-a", "NVIDIA H100", 80000)
    assert "sm_90" in device.capabilities and device.mps_pipe == "/tmp/nvidia-mps"
    # What is a device's is not the worker's: who asks for a kind is to get a device of it.
    assert worker.capabilities == {"swarm", "gpu", "zone", "zone:b"}
    assert dict(worker.labels) == labels and worker.node == "abcdef123456"


def test_simulated_devices_are_for_nodes_without_real_ones() -> None:
    (worker,) = workers(node(), simulated=2)
    assert len(worker.devices) == 2 and all(device.simulated for device in worker.devices)


def test_hosts_of_one_name_are_told_apart() -> None:
    found = nodes.parse([node(id="1111112"), node(id="2222223")])
    assert {each.name for each in found.values()} == {"gpu-1-111111", "gpu-1-222222"}


def test_a_host_that_left_and_joined_again_keeps_its_name() -> None:
    found = nodes.parse([node(id="1111112", state="down"), node(id="2222223")])
    assert {each.id: each.name for each in found.values()} == {
        "1111112": "gpu-1-111111",
        "2222223": "gpu-1",
    }


@pytest.mark.parametrize("host", ["local", "docker"])
def test_no_node_has_the_name_of_another_executors_worker(host: str) -> None:
    (worker,) = workers(node(host))
    assert worker.id == f"{host}-abcdef"
