"""The contract between the reconcile loop and whatever starts runners.

An *instance* is what runs one attempt of a job: a process, a container, a service. Everything here
may be asked twice: starting again what runs, stopping what has ended and destroying what is gone all
succeed. The suite in ``tests/contract`` runs against every executor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from cumulus_jupyter.protocol.errors import CumulusError, Unavailable
from cumulus_jupyter.protocol.resources import Resources

from ..scheduling.model import Device, Worker

__all__ = [
    "Device",
    "Ended",
    "Executor",
    "ExecutorUnavailable",
    "Handle",
    "InstanceStatus",
    "Owned",
    "StartFailed",
    "StartRequest",
    "Tell",
    "Worker",
    "silent",
]

#: What an executor needs to find an instance again, as JSON; it has "version" and "executor".
Handle = dict[str, Any]

#: Takes words about what is being waited for, to show them to the job's user.
Tell = Callable[[str], None]


def silent(said: str) -> None:
    """Tells nobody."""


class StartFailed(CumulusError):
    """The runner could not be started."""

    code = "UNAVAILABLE"
    status = 503

    def __init__(self, message: str | None = None, *, next: str = "", permanent: bool = False) -> None:
        super().__init__(message, next=next)
        #: True: trying again would end the same way.
        self.permanent = permanent


class ExecutorUnavailable(Unavailable):
    """The executor's outside cannot be reached now.

    It says nothing about the instances there: whoever asked keeps what it knows, and asks again.
    """


@dataclass(frozen=True)
class StartRequest:
    """One attempt to start."""

    job_id: str
    attempt: int
    #: Single-use; must travel where only the runner can read it.
    claim_token: str
    #: The relay's address for runners, including the base URL.
    url: str
    #: File that tells a restarted relay's address, for runners that share the relay's machine.
    relay_file: str
    #: The worker the scheduler chose.
    worker: str
    resources: Resources = field(default_factory=Resources)
    #: Environment that the partition asks for.
    env: Mapping[str, str] = field(default_factory=dict)
    #: Folders of the worker that the partition asks for, as (there, inside).
    mounts: Sequence[tuple[str, str]] = ()
    #: Ids of the devices held.
    devices: Sequence[str] = ()
    #: The part of its one device that frameworks are told to keep to, such as 0.5, and that part of its
    #: memory in MiB; 0 for all of it.
    gpu_fraction: float = 0.0
    gpu_memory_mib: int = 0
    #: Python minor version to run with; empty for the worker's default.
    python: str = ""
    #: Container image; empty for the executor's own.
    image: str = ""
    #: What the job needs installed, in the words of pip. Whether it is installed is the runner's
    #: business; an executor may make it ready for many jobs at once.
    requirements: Sequence[str] = ()
    #: The only certificate (authority) to trust for ``url``, as PEM; empty for the system's.
    certificate: str = ""


@dataclass(frozen=True)
class InstanceStatus:
    """What is known of an instance."""

    alive: bool
    #: Exit status where it has one; negative for the signal that killed it.
    exit_code: int | None = None
    #: Why it is not alive, in words a user understands.
    message: str = ""
    #: What to do about that; empty where another try may help.
    next: str = ""


@dataclass(frozen=True)
class Owned:
    """An instance that this relay has made and that has left something behind."""

    handle: Handle
    job_id: str
    attempt: int
    alive: bool


@dataclass(frozen=True)
class Ended:
    """An instance has ended by itself."""

    job_id: str
    attempt: int
    status: InstanceStatus


class Executor(Protocol):
    """Starts, finds and ends instances. Called by the reconcile loop only.

    Whatever asks the outside raises ``ExecutorUnavailable`` where that cannot be reached.
    """

    #: Its name in specifications, rows and handles.
    name: str
    #: Seconds from start to claim after which the runner counts as lost.
    claim_timeout_s: float
    #: How its runners reach the relay: empty where they share its machine, and so its loopback
    #: address and its files; "bridge" from a network of this machine, "network" from others.
    reach: str
    #: Set once ``open`` has had its first look at the outside, whatever came of it.
    settled: asyncio.Event

    @property
    def trouble(self) -> str:
        """Why it cannot be used now, and what to do about that; empty where it can."""

    async def address(self) -> str:
        """The relay's IP address as its runners see it; empty where that is not known, or loopback."""

    async def open(self, on_end: Callable[[Ended], None], on_change: Callable[[], None]) -> None:
        """Get ready, without waiting for what is outside: ``settled`` tells of that.

        ``on_end`` is to be called for every instance that ends by itself, and ``on_change`` when
        ``fingerprint`` or ``trouble`` would answer something new; both on the event loop.
        """

    async def close(self) -> None:
        """Let go of everything without ending instances: a relay that comes back adopts them."""

    async def fingerprint(self) -> list[Worker]:
        """The workers it reaches, with what they have and whether they are up."""

    def handle_for(self, request: StartRequest) -> Handle:
        """The handle ``start`` will give, before it is called, so that it can be kept first.

        Pure. Where parts are known only later, what this gives must be enough to find, stop and
        destroy whatever a start that was cut off has left.
        """

    async def prepare(self, request: StartRequest, tell: Tell = silent) -> None:
        """Bring what a start needs and may take long, such as an image. Raises ``StartFailed``.

        ``tell`` is called with what is being waited for, such as "pulling the image X".
        """

    async def start(self, request: StartRequest) -> Handle:
        """Start the runner. Raises ``StartFailed``."""

    async def recover(self, handle: Handle) -> InstanceStatus:
        """Watch an instance of an earlier relay process again; its end is told by ``on_end``."""

    async def inspect(self, handle: Handle) -> InstanceStatus:
        """How the instance is now; one that was never there is not alive."""

    async def explain(self, handle: Handle) -> str:
        """What the instance itself has said, its last lines, where its runner never reported.

        Empty where nothing is known. Never raises.
        """

    async def stop(self, handle: Handle, grace_s: float) -> None:
        """Ask the runner to end: KeyboardInterrupt to the code, its end after ``grace_s`` seconds.

        Returns when it has been asked.
        """

    async def destroy(self, handle: Handle, *, ended: bool = False) -> None:
        """End the instance and all its processes now, and remove what it has left.

        ``ended`` says that its outcome is known: an instance that is putting itself away may finish
        that first. Returns when nothing is left.
        """

    async def list_owned(self) -> list[Owned]:
        """Every instance of this relay that has left something, alive or not."""
