"""What submissions, runs and enrolments need of the rest of the relay. Implemented in ``reconcile`` and
``workers``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from cumulus_jupyter.protocol.enrolment import Enrolled, Ready
from cumulus_jupyter.protocol.jobs import JobSpec, WorkerView


class Placement(Protocol):
    """What submissions ask about the workers."""

    async def check(self, spec: JobSpec) -> None:
        """Raise the ``CumulusError`` to answer with where no worker could ever hold the job, or none now
        and ``spec.wait`` is false. Waits only where it would refuse what an executor may yet offer that
        has not had its first look at its workers."""

    def position(self, job_id: str) -> int | None:
        """The place of a job that waits; 1 is next. ``None`` where it is not in the line."""

    def workers(self) -> list[WorkerView]:
        """All workers as they are now; the holders of their devices by id alone, whoever owns them."""

    def workers_version(self) -> int:
        """Grows whenever ``workers`` may say something else than before."""

    @property
    def looking(self) -> bool:
        """Whether some executor has not had its first look at its workers."""

    def pythons(self) -> list[str]:
        """Python minor versions jobs can have; the default first."""

    def executors(self) -> list[str]:
        """Names of the executors, for ``/health`` and for checking a submission's own."""

    def real_gpus(self) -> bool:
        """True where the local worker has GPUs of its own, so that none are simulated."""

    def simulate(self, count: int) -> None:
        """Declare ``count`` simulated GPUs on the local worker, from now on."""


class Waker(Protocol):
    """What submissions and runs tell the reconcile loop."""

    def wake(self, job_id: str) -> None:
        """Look at this job now: it is new, its target changed, it was claimed, or it ended."""


class Control(Protocol):
    """What the reconcile loop asks of the hub."""

    def control(self, job_id: str, command: str) -> bool:
        """Push ``command`` ("cancel") to the runner of this job; False where none is connected."""


@dataclass(frozen=True)
class Entrance:
    """Where hosts that are to become workers reach the relay."""

    #: With a slash at its end.
    url: str
    #: Of the certificate's public key, as curl pins it: "sha256//BASE64"; empty for a public one.
    pin: str = ""


@dataclass(frozen=True)
class Admitted:
    """A host that was found to be what it says."""

    #: What the worker is called in the list of workers.
    name: str
    ssh_address: str
    ssh_user: str
    #: What ``probe`` printed by SSH.
    probe: dict[str, Any]
    #: What is not as good as it could be, with what to do; empty where nothing is.
    advice: str = ""

    @property
    def devices(self) -> int:
        """How many GPUs it has."""
        return len(self.probe.get("devices") or ())


@dataclass(frozen=True)
class Nodes:
    """The nodes of the Swarm."""

    #: Tells one Swarm from another.
    swarm_id: str
    #: Ids of those that there are, and of those among them that are down.
    all: frozenset[str]
    down: frozenset[str]


class Hosts(Protocol):
    """What enrolments ask about the hosts and about the Swarm they join.

    All but ``script`` and ``package`` raise ``FailedPrecondition`` where there is no Swarm to join, and
    ``Unavailable`` where it cannot be asked now.
    """

    async def entrance(self) -> Entrance:
        """Where a new host reaches the relay; opened by this."""

    async def script(self) -> bytes:
        """The script that sets a worker up."""

    async def package(self) -> bytes:
        """The worker's package, as a zip."""

    async def terms(self) -> Enrolled:
        """What an enrolled host shall do."""

    def image(self, name: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """What ``docker save`` gives of a job image, in pieces. Raises ``NotFound``."""

    async def admit(self, ready: Ready, peer: str) -> Admitted:
        """Wait for the host's node, look at the host by SSH, compare, and label the node.

        ``peer`` is the address that the host has come from. Raises ``CumulusError`` saying what is wrong.
        """

    async def dismiss(self, node_id: str) -> None:
        """Put a node out of the Swarm. Idempotent."""

    async def nodes(self) -> Nodes:
        """The nodes as they are now."""

    async def is_called(self, node_id: str, hostname: str) -> bool:
        """Whether there is such a node, that is no manager, of a host of this name."""

    async def changed(self) -> None:
        """Workers were added or have left: look at them now."""
