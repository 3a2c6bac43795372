"""What a job is given so that it sees its devices and no others, and is held to its share. Pure.

Whoever books a share asks here what to give with it, so that the same words mean the same everywhere:

- "mps": the CUDA driver refuses memory beyond the share, and gives the share of the processors.
- "mig": the device is a slice that the hardware keeps apart.
- "framework": torch, jax and tensorflow are told to use no more; other code is held by nothing.
- "none": the share is a booking only, or it is the whole device, which nobody else has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from ..scheduling.devices import is_nvidia, nvidia_ids
from ..scheduling.model import DEVICE_TENTHS, Device, Share

MPS, MIG, FRAMEWORK, NONE = "mps", "mig", "framework", "none"

#: What a job without a GPU is given: CUDA sees no device, nor does a container's runtime hand one in.
NO_DEVICES = {"CUDA_VISIBLE_DEVICES": "", "NVIDIA_VISIBLE_DEVICES": "void"}

#: Where NVIDIA's device plugin for Kubernetes keeps what its MPS daemons use; one folder of shared memory
#: for all of them.
_PLUGIN_ROOT = PurePosixPath("/run/nvidia/mps")
#: The shared memory of a machine, and where a client looks for it.
_SHM = "/dev/shm"


@dataclass(frozen=True)
class Held:
    """What to give to a job."""

    #: Environment of the job.
    env: Mapping[str, str]
    #: Folders of the worker that a container must see, as (there, inside).
    mounts: tuple[tuple[str, str], ...]
    #: "mps", "mig", "framework" or "none".
    enforced_by: str


@dataclass(frozen=True)
class Fraction:
    """What frameworks are told to use of each device, at most."""

    #: Such as 0.5; 0 for all of it.
    share: float = 0.0
    #: That share of the device's memory, in MiB; 0 where it is not known.
    memory_mib: int = 0


def hold(shares: Sequence[Share], devices: Sequence[Device]) -> Held:
    """What holds a job to ``shares``; ``devices`` describes the devices they are of."""
    seen = visible(shares, devices)
    env = {"CUDA_VISIBLE_DEVICES": ",".join(seen), "NVIDIA_VISIBLE_DEVICES": ",".join(seen) or "void"}
    if not seen:
        return Held(env, (), NONE)
    # All devices of a worker have the same daemon. Whole ones go through it as well, without limits: a GPU
    # may be set to let nobody else in.
    pipe = _by_id(devices)[seen[0]].mps_pipe
    mounts: tuple[tuple[str, str], ...] = ()
    if pipe:
        env["CUDA_MPS_PIPE_DIRECTORY"] = pipe
        # The daemon's own path, so that nothing which it tells its clients is elsewhere for them.
        mounts = ((pipe, pipe), (shm_folder(pipe), _SHM))
    part = fraction(shares, devices)
    if not part.share:
        return Held(env, mounts, MIG if all(id.startswith("MIG-") for id in seen) else NONE)
    if _holder(pipe, part.memory_mib) == FRAMEWORK:
        return Held(env, mounts, FRAMEWORK)
    # Numbered as the job sees its devices, of which there is one.
    env["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] = f"0={part.memory_mib}M"
    env["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] = f"{part.share * 100:.0f}"
    return Held(env, mounts, MPS)


def visible(shares: Sequence[Share], devices: Sequence[Device]) -> list[str]:
    """UUIDs of the NVIDIA devices among those held: CUDA and the container runtime know no others."""
    return nvidia_ids(devices, [share.device for share in shares])


def fraction(shares: Sequence[Share], devices: Sequence[Device]) -> Fraction:
    """What frameworks are to keep to; nothing for whole devices, and for those that CUDA does not see."""
    if len(shares) != 1 or shares[0].tenths >= DEVICE_TENTHS or not visible(shares, devices):
        return Fraction()
    (share,) = shares
    memory_mib = _by_id(devices)[share.device].memory_mib
    return Fraction(share.tenths / DEVICE_TENTHS, memory_mib * share.tenths // DEVICE_TENTHS)


def would_hold(device: Device) -> str:
    """What would hold a job to a part of this device: for people who look at a worker."""
    return _holder(device.mps_pipe, device.memory_mib // DEVICE_TENTHS) if is_nvidia(device) else NONE


def shm_folder(pipe: str) -> str:
    """The folder of shared memory that an MPS daemon with this pipe folder uses, on its machine.

    Clients map memory that the daemon's server has made, so a container must see the same folder.
    """
    return str(_PLUGIN_ROOT / "shm") if _PLUGIN_ROOT in PurePosixPath(pipe).parents else _SHM


def _holder(pipe: str, memory_mib: int) -> str:
    # Without a limit of memory, MPS shares processors only: the name would promise too much.
    return MPS if pipe and memory_mib else FRAMEWORK


def _by_id(devices: Sequence[Device]) -> dict[str, Device]:
    return {device.id: device for device in devices}
