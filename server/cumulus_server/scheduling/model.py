"""What the scheduler reasons about: workers with devices, jobs that ask, places found for them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

#: How much earlier a job counts as submitted for each step of its priority, in milliseconds.
#:
#: So nobody waits forever under a stream of higher priorities: what comes in more than 200 steps of this
#: after a job (priorities are -100 ... 100) stands behind it, whatever its priority.
PRIORITY_STEP_MS = 3_600_000
#: A device is divided into this many parts.
DEVICE_TENTHS = 10
#: What every device offers, and no worker without one.
GPU = "gpu"


Order = tuple[int, int, str]


@dataclass(frozen=True)
class Device:
    """One GPU, in the worker's physical order."""

    id: str
    name: str = ""
    memory_mib: int = 0
    simulated: bool = False
    #: Its number on the worker, as the worker's own tools count; they begin with 0.
    index: int = 0
    #: "nvidia", "opencl", or empty where that is not known.
    kind: str = ""
    #: What it offers to jobs that ask for it by name, such as "sm_90" and "gpu-name:NVIDIA-H100".
    capabilities: frozenset[str] = frozenset()
    #: Folder of its MPS control daemon's pipes on the worker; empty where none runs.
    mps_pipe: str = ""


@dataclass(frozen=True)
class Worker:
    """A place where jobs can run, as its executor has probed it."""

    id: str
    executor: str
    #: Jobs it takes at once.
    slots: int
    cpu: float = 0.0
    memory_mib: int = 0
    devices: tuple[Device, ...] = ()
    #: Python minor versions; the first is the default.
    pythons: tuple[str, ...] = ()
    #: What it offers, by name, such as "images".
    capabilities: frozenset[str] = frozenset()
    #: Its labels, as (key, value), such as those of a Swarm node.
    labels: tuple[tuple[str, str], ...] = ()
    #: False: it keeps what it has and takes nothing new.
    ready: bool = True
    #: Why it is not ready, in words.
    message: str = ""
    #: What its platform calls it, such as the id of a Swarm node; empty where it has no other name.
    node: str = ""
    #: Why its devices take no new job, in words; empty where they do.
    devices_message: str = ""


@dataclass(frozen=True)
class Ask:
    """What one job needs of a worker.

    All but ``job_id`` and the two order fields say what is asked for: jobs alike in it are
    interchangeable to a worker.
    """

    job_id: str
    #: Tenths of a device: 0 for no GPU, 1 ... 9 on one device, multiples of ten for whole ones.
    tenths: int = 0
    cpu: float = 0.0
    memory_mib: int = 0
    duration_s: int = 3600
    #: The executor asked for; empty for the first that can.
    executor: str = ""
    #: The Python minor version it cannot do without; empty for any.
    python: str = ""
    needs: frozenset[str] = frozenset()
    #: Memory that each of its devices must have at least.
    gpu_memory_mib: int = 0
    #: Workers that it goes to only where no other that is up could hold it.
    avoid: frozenset[str] = frozenset()
    #: Higher goes first; -100 ... 100.
    priority: int = 0
    #: Its place in the order of submission; the lower goes first.
    number: int = 0
    #: When it was submitted.
    created_ms: int = 0

    @cached_property
    def kind(self) -> tuple[object, ...]:
        """Equal for jobs that any worker could hold or could not hold alike."""
        amounts = (self.tenths, self.cpu, self.memory_mib, self.gpu_memory_mib)
        return (*amounts, self.executor, self.python, self.needs)

    @cached_property
    def shape(self) -> tuple[object, ...]:
        """Equal for jobs that fit wherever the other fits, however long they may run."""
        return (*self.kind, self.avoid)

    @cached_property
    def order(self) -> Order:
        """Sorts the waiting line: by priority, then age, with a limit to what priority can do."""
        return (self.created_ms - self.priority * PRIORITY_STEP_MS, self.number, self.job_id)


@dataclass(frozen=True)
class Share:
    """Tenths of one device."""

    device: str
    tenths: int


@dataclass(frozen=True)
class Placement:
    """Where a job goes, and what it holds there."""

    job_id: str
    worker: str
    shares: tuple[Share, ...] = ()


@dataclass(frozen=True)
class Waiting:
    """A job that has to wait: its place in the line (1 is next) and why."""

    job_id: str
    position: int
    reason: str
