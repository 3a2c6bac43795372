"""Devices as labels of a node: what a probe has found comes back as the scheduler's devices."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cumulus_server.scheduling.labels import capabilities_of, devices_of, is_ours, labels_of
from cumulus_server.scheduling.model import Device

PROBE = {
    "version": 1,
    "hostname": "gpu1",
    "driver": "550.1",
    "cuda": "12.4",
    "devices": [
        {
            "index": 0,
            "uuid": "GPU-a",
            "name": "NVIDIA H100 80GB HBM3",
            "memory_mib": 81559,
            "compute": "9.0",
            "kind": "nvidia",
            "mig": False,
        },
        {"index": 1, "uuid": "GPU-b", "name": "NVIDIA L4", "memory_mib": 23034, "compute": "8.9",
         "kind": "nvidia", "mig": False},
    ],
    "mps": {"running": True, "pipe": "/tmp/nvidia-mps"},
}  # fmt: skip


def test_a_probe_becomes_the_labels_that_a_person_would_write():
    labels = labels_of(PROBE)
    assert labels["gpu.count"] == "2"
    assert labels["gpu.0.name"] == "NVIDIA H100 80GB HBM3" and labels["gpu.0.memory"] == "81559"
    assert labels["gpu.1.uuid"] == "GPU-b" and labels["gpu.1.compute"] == "8.9"
    assert labels["cuda.version"] == "12.4" and labels["driver.version"] == "550.1"
    assert labels["mps.pipe"] == "/tmp/nvidia-mps"
    assert all(is_ours(name) for name in labels)


def test_labels_become_devices():
    first, second = devices_of(labels_of(PROBE))
    assert first == Device(
        id="GPU-a",
        name="NVIDIA H100 80GB HBM3",
        memory_mib=81559,
        index=0,
        kind="nvidia",
        capabilities=frozenset({"gpu", "sm_90", "cuda-12", "cuda-12.4", "gpu-name:NVIDIA-H100-80GB-HBM3"}),
        mps_pipe="/tmp/nvidia-mps",
    )
    assert (second.index, second.id) == (1, "GPU-b") and "sm_89" in second.capabilities


def test_mps_that_does_not_run_has_no_pipe():
    labels = labels_of({**PROBE, "mps": {"running": False, "pipe": "/tmp/nvidia-mps"}})
    assert "mps.pipe" not in labels
    assert all(not device.mps_pipe for device in devices_of(labels))


def test_an_opencl_device_offers_no_cuda():
    named = {"uuid": "OPENCL-1a2b3c4d-0", "name": "pthread  cpu", "kind": "opencl"}
    opencl = {"index": 0, "memory_mib": 900, "compute": "", **named}
    (device,) = devices_of(labels_of({**PROBE, "devices": [opencl]}))
    assert device.kind == "opencl" and device.mps_pipe == ""
    assert device.capabilities == {"gpu", "gpu-name:pthread-cpu"}


def test_a_device_keeps_the_number_that_the_worker_gives_it():
    labels = labels_of({"devices": [{"index": 3, "uuid": "GPU-d", "name": "", "memory_mib": 1}]})
    assert labels == {"gpu.count": "1", "gpu.0.index": "3", "gpu.0.uuid": "GPU-d", "gpu.0.memory": "1"}
    assert devices_of(labels)[0].index == 3


def test_a_worker_without_devices_says_so():
    assert labels_of({"devices": []}) == {"gpu.count": "0"}
    assert devices_of({"gpu.count": "0"}) == ()
    assert devices_of({}) == ()


def test_labels_written_by_hand_need_not_be_complete():
    """The count and names alone, as a person would begin with."""
    devices = devices_of({"gpu.count": "2", "gpu.0.name": "NVIDIA A100", "gpu.0.memory": "40960"})
    assert [(each.id, each.name, each.memory_mib) for each in devices] == [
        ("gpu-0", "NVIDIA A100", 40960),
        ("gpu-1", "NVIDIA GPU", 0),
    ]


def test_a_device_told_of_twice_is_one():
    labels = {"gpu.count": "3", "gpu.0.uuid": "GPU-a", "gpu.1.uuid": "GPU-a", "gpu.2.uuid": "GPU-c"}
    assert [device.id for device in devices_of(labels)] == ["GPU-a", "GPU-c"]


def test_labels_of_people_are_not_ours():
    assert not any(is_ours(name) for name in ("rack", "gpu", "zone.gpu", "cudax", "mps"))


def test_only_what_is_known_is_offered():
    assert capabilities_of("", "", "") == {"gpu"}
    assert capabilities_of("X", "10.3", "13") == {"gpu", "gpu-name:X", "sm_103", "cuda-13"}


@given(
    st.dictionaries(st.sampled_from(["gpu.count", "gpu.0.memory", "gpu.0.index", "gpu.0.kind"]), st.text())
)
def test_no_label_is_too_odd_to_be_read(labels):
    assert len(devices_of(labels)) <= 1024


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "index": st.integers(0, 15),
                "uuid": st.uuids().map(lambda uuid: f"GPU-{uuid}"),
                "name": st.text(max_size=20),
                "memory_mib": st.integers(0, 200_000),
                "compute": st.sampled_from(["", "7.0", "9.0", "12.1"]),
                "kind": st.sampled_from(["nvidia", "opencl"]),
            }
        ),
        unique_by=lambda device: device["uuid"],
        max_size=8,
    )
)
def test_no_device_is_lost_on_the_way(devices):
    found = devices_of(labels_of({"devices": devices}))
    told = [(device["uuid"], device["index"], device["memory_mib"], device["kind"]) for device in devices]
    assert [(device.id, device.index, device.memory_mib, device.kind) for device in found] == told
