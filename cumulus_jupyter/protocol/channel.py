"""The runner's channel to the relay: assignment, claim, event batches, control.

A runner dials out; the relay never connects to it. Routes below ``API_PATH/runner``:

- ``POST claim``: authorized by the attempt's one-time claim token. The runner brings a session key
  it made itself, so that a claim whose answer was lost can be asked again by the same runner and by
  no other.
- ``GET bundle``, ``POST events``, ``PUT values/{name}``, ``GET values/{job_id}/{name}``,
  ``GET control`` (SSE: ``cancel``): authorized by the session key.

Tokens travel as ``Authorization: Bearer``. Where an executor hands out assignments by a socket and says
``by_line``, claims and events may be sent by that socket too, with the same tokens and the same answers.
Files need not travel there: ``bundle`` answers ``{"path"}``, to be linked to and never written to; ``value``
with ``{"name", "path"}`` stores the file that is there, which the relay links to as well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional


@dataclass(frozen=True)
class Assignment:
    """What an executor hands its runner, out of band: a pipe, or a file only it can read."""

    job_id: str
    attempt: int
    claim_token: str
    #: The relay's address including the base URL, such as "http://127.0.0.1:8888/".
    url: str
    #: Folder the job works in, empty; made by the executor, or by the runner where it is not there.
    workdir: str
    #: File in which a restarted relay tells its new address; empty where none can be read.
    relay_file: str = ""
    #: Folder of the dependency environments shared between jobs; empty for none. Where it can't be written
    #: to, what is there is used, and the rest is installed beside ``workdir``.
    environments_dir: str = ""
    #: Environment of the job, beside what the specification asks for.
    env: Dict[str, str] = field(default_factory=dict)
    memory_mib: Optional[int] = None
    cpu: Optional[float] = None
    #: Seconds between KeyboardInterrupt and the end, when cancelled.
    grace_s: float = 5.0
    #: Whether the socket that this came by takes the requests of ``BY_LINE``.
    by_line: bool = False
    #: PEM of the only certificates to trust for ``url``; empty for those that the system trusts.
    relay_certificate: str = ""
    #: Whether a container holds the limits: ``memory_mib`` and ``cpu`` are then told, and not enforced again.
    contained: bool = False
    #: The share of each device that the job holds, such as 0.5: frameworks are told to use no more. 0 for
    #: whole devices, and for none.
    gpu_fraction: float = 0.0
    #: The memory that the share is of its device, in MiB; 0 where that is not known.
    gpu_memory_mib: int = 0


@dataclass(frozen=True)
class EnvironmentOrder:
    """What ``--build-environment FILE`` is to install, ahead of the jobs that ask for it.

    From wheels alone, so that no code of a third party runs while the shared folder can be written to. Exit
    status 0: it is there now.
    """

    requirements: List[str]
    #: The shared folder: what jobs have as ``environments_dir``.
    folder: str
    #: Environment of the installer: index, certificates, proxies.
    env: Dict[str, str] = field(default_factory=dict)


#: What may be asked by an executor's socket.
BY_LINE = frozenset({"claim", "events", "bundle", "value"})


@dataclass(frozen=True)
class Claim:
    """``POST claim``: this runner takes the attempt."""

    job_id: str
    attempt: int
    #: At least 32 random bytes, in hex. Only its hash is stored.
    session_key: str
    python: str
    host: str = ""
    pid: int = 0


@dataclass(frozen=True)
class Claimed:
    """The answer to a claim: everything the runner needs to start."""

    program: Dict[str, Any]
    requirements: List[str]
    env: Dict[str, str]
    #: Size of the bundle in bytes; 0 for none.
    bundle_bytes: int
    #: Seconds the program may run, from now.
    duration_s: float
    cancel_requested: bool = False


@dataclass(frozen=True)
class Outcome:
    """How the attempt ended; sent once, with the last batch."""

    #: "COMPLETED", "FAILED" or "CANCELLED".
    state: str
    message: str = ""
    #: ``{code, message, next}`` of the failure.
    error: Optional[Dict[str, Any]] = None


@dataclass(frozen=True)
class Batch:
    """``POST events``: a numbered run of events.

    The n-th event a runner ever sent for this attempt has number n, from 1. The relay stores what
    it has not stored before and answers with the highest number it holds; sending a batch again is
    harmless.
    """

    #: Number of the first event of this batch.
    first: int
    events: List[Dict[str, Any]]
    outcome: Optional[Outcome] = None


@dataclass(frozen=True)
class Acknowledged:
    """The answer to a batch."""

    #: Highest event number stored.
    through: int
    cancel_requested: bool = False
