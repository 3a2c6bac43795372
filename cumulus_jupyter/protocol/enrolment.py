"""How another host becomes a worker: a one-time token, a session key, the terms, and "ready".

``POST {API}/workers/tokens``, with a user's token, answers with ``WorkerToken``. All else is served where
runners on other machines reach the relay, and to nobody else:

- ``GET /cumulus/setup-worker.sh``: the script that does what follows. Public: it holds nothing but code.
- ``POST {API}/enrolment`` (``Enrol`` -> ``Enrolled``): authorized by the one-time token, which the first
  session key uses up, or by that session key, where the script is run again.
- Authorized by the session key: ``GET {API}/enrolment/package``, the zip of ``cumulus_worker``;
  ``GET {API}/enrolment/images/{name}``, what ``docker save`` gives of a job image;
  ``POST {API}/enrolment/ready`` (``Ready`` -> ``WorkerReady``), which may be asked again whatever came of it;
  ``POST {API}/enrolment/leave`` (``Leave`` -> ``WorkerLeft``), likewise.

Tokens and keys travel as ``Authorization: Bearer``, and the key of ``Enrol`` in its body.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List

#: Where the script is, below the address for runners.
SCRIPT_PATH = "cumulus/setup-worker.sh"
#: Seconds that a one-time token can be used.
TOKEN_S = 3600


@dataclass(frozen=True)
class WorkerToken:
    """What a user is given to add one worker."""

    #: 64 hexadecimal digits.
    token: str
    expires_ms: int
    #: The line to run on the new host.
    command: str
    #: Until when it can be used, and how often, in words.
    note: str


@dataclass(frozen=True)
class Enrol:
    """``POST enrolment``: a host with a one-time token is there."""

    #: At least 32 random bytes of the host's own making, in hex. Only its hash is stored.
    session_key: str
    hostname: str


@dataclass(frozen=True)
class SshAccess:
    """Who comes back by SSH, and with which key."""

    user: str
    #: As it stands in ``authorized_keys``: "ssh-ed25519 AAAA...".
    public_key: str


@dataclass(frozen=True)
class SwarmOrder:
    """How to join the Swarm: ``docker swarm join --token JOIN_TOKEN ADDRESS``."""

    #: "IP:PORT" of a manager.
    address: str
    join_token: str


@dataclass(frozen=True)
class JobImage:
    """An image that jobs run in, of the manager's engine."""

    name: str
    #: As the manager's engine has it: "sha256:...".
    id: str
    #: Its size on that engine's disk.
    bytes: int


@dataclass(frozen=True)
class Enrolled:
    """The answer to ``Enrol``: what the host shall do."""

    relay_id: str
    ssh: SshAccess
    swarm: SwarmOrder
    images: List[JobImage]
    #: Of the zip that ``GET enrolment/package`` answers with, in hex.
    package_sha256: str


@dataclass(frozen=True)
class SshDoor:
    """Where the host's SSH server is, and how it is known."""

    #: The host's public key: "ssh-ed25519 AAAA...".
    host_key: str
    #: Empty for the address that the relay sees.
    address: str = ""
    port: int = 22


@dataclass(frozen=True)
class Ready:
    """``POST enrolment/ready``: everything is there, and the host is in the Swarm."""

    #: ``docker info``'s Swarm.NodeID.
    node_id: str
    ssh: SshDoor
    #: What ``probe`` printed on the host; the relay runs it again by SSH, and compares.
    probe: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class WorkerReady:
    """The answer to ``Ready``."""

    #: What the worker is called in the list of workers.
    worker: str
    #: How many GPUs it offers.
    devices: int
    #: What to do now, in words.
    next: str


@dataclass(frozen=True)
class Leave:
    """``POST enrolment/leave``: the host is to be no worker any more."""

    #: The host's node, for one that has joined the Swarm and was never ready; else it is known.
    node_id: str = ""


@dataclass(frozen=True)
class WorkerLeft:
    """The answer to ``Leave``."""

    #: What the worker was called; empty where it had left already, or never was one.
    worker: str = ""
