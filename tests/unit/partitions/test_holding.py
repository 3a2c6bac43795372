"""What a job is given for its share to hold, and what it is told holds it."""

from __future__ import annotations

import pytest

from cumulus_server.partitions.base import BookingRequest
from cumulus_server.partitions.holding import Fraction, fraction, hold, shm_folder, would_hold
from cumulus_server.partitions.none import NO_DEVICES, NoPartition
from cumulus_server.scheduling.model import Device, Share

PIPE = "/tmp/nvidia-mps"
H100 = Device("GPU-a", "NVIDIA H100", 80_000, kind="nvidia")
SHARED = Device("GPU-a", "NVIDIA H100", 80_000, kind="nvidia", mps_pipe=PIPE)
SLICE = Device("MIG-1", "NVIDIA A100 MIG 3g.20gb", 20_000, kind="nvidia")
OPENCL = Device("OPENCL-1a2b3c4d-0", "pthread", 8_000, kind="opencl")
SIMULATED = Device("simulated-0", "Simulated GPU", 16_384, simulated=True)


def of(device: Device, tenths: int) -> list[Share]:
    return [Share(device.id, tenths)]


def test_mps_holds_a_part():
    held = hold(of(SHARED, 5), [SHARED])
    assert held.enforced_by == "mps"
    assert held.env == {
        "CUDA_VISIBLE_DEVICES": "GPU-a",
        "NVIDIA_VISIBLE_DEVICES": "GPU-a",
        "CUDA_MPS_PIPE_DIRECTORY": PIPE,
        "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT": "0=40000M",
        "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": "50",
    }
    assert held.mounts == ((PIPE, PIPE), ("/dev/shm", "/dev/shm"))


def test_the_limit_is_of_the_first_device_that_the_job_sees():
    """A job of a part sees one device, whatever its number on the worker is."""
    sixth = Device("GPU-f", "NVIDIA H100", 1000, index=5, kind="nvidia", mps_pipe=PIPE)
    assert hold(of(sixth, 3), [sixth]).env["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] == "0=300M"


def test_mps_without_a_known_memory_holds_no_share():
    device = Device("GPU-a", kind="nvidia", mps_pipe=PIPE)
    held = hold(of(device, 5), [device])
    assert held.enforced_by == "framework" and "CUDA_MPS_PINNED_DEVICE_MEM_LIMIT" not in held.env


@pytest.mark.parametrize("tenths", [1, 9])
def test_without_mps_the_frameworks_are_told(tenths):
    held = hold(of(H100, tenths), [H100])
    assert held.enforced_by == "framework" and held.mounts == ()
    assert held.env == {"CUDA_VISIBLE_DEVICES": "GPU-a", "NVIDIA_VISIBLE_DEVICES": "GPU-a"}


def test_whole_devices_need_nothing_to_hold_them():
    other = Device("GPU-b", "NVIDIA H100", 80_000, kind="nvidia")
    held = hold([*of(H100, 10), *of(other, 10)], [H100, other])
    assert held.enforced_by == "none" and held.mounts == ()
    assert held.env == {"CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b", "NVIDIA_VISIBLE_DEVICES": "GPU-a,GPU-b"}


def test_whole_devices_go_through_mps_without_limits():
    """A GPU that only one process may have is the daemon's."""
    held = hold(of(SHARED, 10), [SHARED])
    assert held.enforced_by == "none" and held.mounts == ((PIPE, PIPE), ("/dev/shm", "/dev/shm"))
    assert held.env == {
        "CUDA_VISIBLE_DEVICES": "GPU-a",
        "NVIDIA_VISIBLE_DEVICES": "GPU-a",
        "CUDA_MPS_PIPE_DIRECTORY": PIPE,
    }


def test_a_slice_is_held_by_the_hardware():
    assert hold(of(SLICE, 10), [SLICE]).enforced_by == "mig"


def test_a_part_of_a_slice_is_not():
    assert hold(of(SLICE, 5), [SLICE]).enforced_by == "framework"


@pytest.mark.parametrize("device", [OPENCL, SIMULATED])
@pytest.mark.parametrize("tenths", [5, 10])
def test_cuda_sees_nothing_but_nvidia_devices(device, tenths):
    held = hold(of(device, tenths), [device])
    assert held.env == NO_DEVICES and held.enforced_by == "none" and held.mounts == ()
    assert fraction(of(device, tenths), [device]) == Fraction()


def test_frameworks_are_told_the_part_of_one_device():
    assert fraction(of(H100, 3), [H100]) == Fraction(0.3, 24_000)
    assert fraction(of(H100, 10), [H100]) == Fraction()
    assert fraction([], []) == Fraction()


def test_a_device_that_is_gone_is_not_shown():
    assert hold(of(H100, 5), []).env == NO_DEVICES


def test_what_would_hold_a_part_of_a_device():
    by = {device: would_hold(device) for device in (SHARED, H100, SLICE, OPENCL, SIMULATED)}
    assert list(by.values()) == ["mps", "framework", "framework", "none", "none"]


def test_the_shared_memory_of_a_daemon_in_a_container_is_its_own():
    assert shm_folder("/run/nvidia/mps/nvidia.com/gpu/pipe") == "/run/nvidia/mps/shm"
    assert shm_folder("/tmp/nvidia-mps") == "/dev/shm"


def test_a_booking_tells_what_was_given():
    partition = NoPartition()
    booking = partition.instant(BookingRequest("j", 1, "w", of(SHARED, 2), [SHARED], 60))
    assert booking is not None
    held = hold(of(SHARED, 2), [SHARED])
    assert partition.environment(booking) == held.env
    assert partition.mounts(booking) == list(held.mounts)
    assert partition.enforced_by(booking) == "mps"


def test_bookings_of_an_earlier_relay_are_read():
    old = {"version": 1, "partition": "none", "visible": ["GPU-a"]}
    partition = NoPartition()
    assert partition.environment(old) == {"CUDA_VISIBLE_DEVICES": "GPU-a"}
    assert partition.mounts(old) == [] and partition.enforced_by(old) == "none"
