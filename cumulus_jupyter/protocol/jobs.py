"""What clients and relay say about jobs and workers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional

from .resources import Resources

QUEUED = "QUEUED"
SCHEDULING = "SCHEDULING"
CREATING_PARTITION = "CREATING_PARTITION"
RUNNING = "RUNNING"
COMPLETED = "COMPLETED"
FAILED = "FAILED"
CANCELLED = "CANCELLED"

STATES = (QUEUED, SCHEDULING, CREATING_PARTITION, RUNNING, COMPLETED, FAILED, CANCELLED)
END_STATES = frozenset({COMPLETED, FAILED, CANCELLED})


@dataclass(frozen=True)
class Origin:
    """The cell a job was submitted from; empty for scripts, and where the frontend does not say."""

    #: The notebook's path: absolute, or below the root of the Jupyter server that opened it.
    notebook: str = ""
    #: The cell's id in that notebook.
    cell: str = ""
    #: The kernel's id on its Jupyter server.
    kernel: str = ""


#: The longest that each part of an origin may be, in characters.
ORIGIN_LIMITS = {"notebook": 1000, "cell": 100, "kernel": 100}


@dataclass(frozen=True)
class JobSpec:
    """A submission: what to run, and what it needs.

    ``program`` is opaque to the relay: it is written by packaging and read by the runner (see
    ``protocol.program``). Values and files too large for JSON travel beside it in the bundle.
    """

    program: Dict[str, Any]
    resources: Resources = field(default_factory=Resources)
    name: str = ""
    labels: Dict[str, str] = field(default_factory=dict)
    #: Python distributions, as pip requirement lines.
    requirements: List[str] = field(default_factory=list)
    #: Environment variables of the job.
    env: Dict[str, str] = field(default_factory=dict)
    #: The executor to use; empty for any.
    executor: str = ""
    #: The container image to use; empty for the executor's own.
    image: str = ""
    #: Capabilities that the worker must offer, by name; ``image:NAME`` stands for ``image``.
    needs: List[str] = field(default_factory=list)
    #: How often the job may be started again after its runner was lost.
    retries: int = 0
    #: False: fail at once with RESOURCE_EXHAUSTED where nothing has room now.
    wait: bool = True
    #: The Python minor version of the submitting kernel, such as "3.11".
    python: str = ""
    #: True: the program holds pickled values, so only ``python`` itself can read it.
    python_exact: bool = False
    #: Higher goes first in the queue; -100 ... 100.
    priority: int = 0
    origin: Origin = field(default_factory=Origin)


@dataclass(frozen=True)
class JobView:
    """A job as its owner sees it."""

    id: str
    state: str
    name: str
    owner: str
    created_ms: int
    attempt: int
    resources: Resources
    labels: Dict[str, str] = field(default_factory=dict)
    requirements: List[str] = field(default_factory=list)
    executor: str = ""
    #: The container image that was asked for; empty for the executor's own.
    image: str = ""
    #: Capabilities that were asked for.
    needs: List[str] = field(default_factory=list)
    worker: str = ""
    #: Devices the job holds, and whether they are simulated.
    devices: List[DeviceView] = field(default_factory=list)
    #: What enforces the GPU share: "mps", "mig", "framework", "none".
    enforced_by: str = ""
    #: Why it is in this state, in words.
    message: str = ""
    #: Its place in the queue, where it waits; 1 is next.
    position: Optional[int] = None
    cancel_requested: bool = False
    started_ms: Optional[int] = None
    ended_ms: Optional[int] = None
    #: The error that ended the job, as ``{code, message, job_id, next}``.
    error: Optional[Dict[str, Any]] = None
    #: Sequence number of the newest event.
    last_seq: int = 0
    #: Names that ``/values/{name}`` can serve.
    values: List[str] = field(default_factory=list)
    #: Higher goes first in the queue.
    priority: int = 0
    origin: Origin = field(default_factory=Origin)
    #: What it has of which GPU and what holds it to that, in words; empty without one.
    share: str = ""
    #: How far it has come, as the fields of its newest unfinished Progress event; ``None`` where it says
    #: nothing.
    progress: Optional[Dict[str, Any]] = None
    #: What it uses, as the fields of its newest Usage event; ``None`` where it is not running.
    usage: Optional[Dict[str, Any]] = None


@dataclass(frozen=True)
class JobList:
    """One page of jobs, newest first; ``next_cursor`` fetches the page after it."""

    jobs: List[JobView]
    next_cursor: Optional[str] = None


@dataclass(frozen=True)
class Holder:
    """Who has a part of a device; the id is empty where the job is somebody else's."""

    job_id: str
    name: str
    tenths: int


@dataclass(frozen=True)
class DeviceView:
    """One GPU of a worker."""

    id: str
    name: str
    memory_mib: int = 0
    #: Tenths of this device that are in use (of a worker) or held (of a job).
    used_tenths: int = 0
    simulated: bool = False
    #: Of a worker's device: what would hold a job to a share of it, as ``JobView.enforced_by``.
    enforced_by: str = ""
    #: Of a worker's device: the jobs that have parts of it.
    holders: List[Holder] = field(default_factory=list)


@dataclass(frozen=True)
class WorkerView:
    """A place where jobs can run."""

    id: str
    executor: str
    #: "ready", or "down": then ``message`` says why.
    state: str
    cpu: float
    memory_mib: int
    devices: List[DeviceView] = field(default_factory=list)
    #: Python minor versions that jobs can have here.
    pythons: List[str] = field(default_factory=list)
    #: Its labels, such as those of a Swarm node.
    labels: Dict[str, str] = field(default_factory=dict)
    #: Ids of the jobs that are here now.
    jobs: List[str] = field(default_factory=list)
    message: str = ""
    #: What it offers to jobs that ask for it by name.
    capabilities: List[str] = field(default_factory=list)
    #: Jobs it takes at once.
    slots: int = 0
    #: CPU cores and memory that jobs here have asked for.
    used_cpu: float = 0.0
    used_memory_mib: int = 0


@dataclass(frozen=True)
class WorkerList:
    """All workers the relay knows."""

    workers: List[WorkerView]


@dataclass(frozen=True)
class Health:
    """The relay's own state; also the version handshake."""

    status: str
    version: str
    protocol: int
    relay_id: str
    #: Python minor versions that jobs can have; the first is the default.
    pythons: List[str]
    executors: List[str]
    #: Largest bundle accepted, in bytes.
    bundle_limit_bytes: int
    message: str = ""


@dataclass(frozen=True)
class Stats:
    """Counts over the kept history."""

    active: int
    queued: int
    completed: int
    failed: int
    cancelled: int
    #: completed / (completed + failed); ``None`` before the first end.
    success_rate: Optional[float]
    #: Mean run time of ended jobs, in seconds; ``None`` before the first end.
    average_duration_s: Optional[float]


@dataclass(frozen=True)
class JobResult:
    """What ``GET /jobs/{id}/result`` answers."""

    id: str
    state: str
    #: The result event's own fields; ``None`` where the job left none.
    result: Optional[Dict[str, Any]] = None
    error: Optional[Dict[str, Any]] = None


EMBEDDED, ELSEWHERE, ABSENT = "embedded", "elsewhere", "absent"


@dataclass(frozen=True)
class RelayPlace:
    """Where the relay is that a Jupyter server's pages talk to: in it, or elsewhere, with calls passed on."""

    kind: str
    #: Its address, without a token.
    url: str = ""
    #: True: it answers, and takes jobs.
    healthy: bool = True
    #: What is wrong, and what to do about it; empty where all is well.
    message: str = ""
    next: str = ""
    version: str = ""
    relay_id: str = ""


@dataclass(frozen=True)
class LogPage:
    """A piece of a job's log, stdout and stderr in the order they were written."""

    #: The log events, oldest first, each with ``seq``, ``time_ms``, ``stream`` and ``text``.
    events: List[Dict[str, Any]]
    #: True: there is more before the first one, and behind ``after`` where that was asked for.
    earlier: bool
    #: With ``after``: lines that were left out between it and the first one; ``None`` where they are too many
    #: to be counted.
    skipped_lines: Optional[int] = 0


@dataclass(frozen=True)
class SimulatedDevices:
    """How many simulated GPUs the local worker shall declare."""

    count: int
