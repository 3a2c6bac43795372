"""What is asked of hosts that want to become workers, and what they are told where it is not so."""

from __future__ import annotations

import re

from cumulus_jupyter.protocol.enrolment import TOKEN_S, Enrol, Ready
from cumulus_jupyter.protocol.errors import InvalidArgument, PermissionDenied, Unauthenticated

from ..store.workers import EnrolledWorker, WorkerTokenRow

NEW_LINE = "Make a new line with %cumulus add-worker (or: jupyter cumulus add-worker), and run that."
_SESSION_KEY = re.compile(r"[0-9a-f]{64,256}\Z")
_HOSTNAME = re.compile(r"[A-Za-z0-9_.-]{1,253}\Z")
_NODE_ID = re.compile(r"[a-z0-9]{1,64}\Z")
_ADDRESS = re.compile(r"[A-Za-z0-9_.:%-]{0,253}\Z")
_HOST_KEY = re.compile(r"[a-z0-9@.-]+ [A-Za-z0-9+/=]+\Z")


def check_enrol(ask: Enrol) -> None:
    """Raise ``InvalidArgument`` where the key is weak or the name is none."""
    if not _SESSION_KEY.match(ask.session_key):
        raise InvalidArgument("Invalid session_key: 64 to 256 hexadecimal digits are needed")
    if not _HOSTNAME.match(ask.hostname):
        raise InvalidArgument(
            f"Invalid hostname: {ask.hostname[:100]!r}", next="Set one: hostnamectl set-hostname NAME."
        )


def unknown_host() -> Unauthenticated:
    """The relay's store knows nothing of whoever asks."""
    return Unauthenticated("This relay does not know this host, or its token", next=NEW_LINE)


def has_left() -> PermissionDenied:
    return PermissionDenied("This host has left, and is no worker any more", next=NEW_LINE)


def check_use(row: WorkerTokenRow | None, key_hash: str) -> None:
    """Raise what a host is told whose token is not, or not any more, its own."""
    if row is None:
        raise unknown_host()
    if row.session_hash is None:
        raise PermissionDenied(
            f"This token has expired: it could be used for {TOKEN_S // 60} minutes", next=NEW_LINE
        )
    if row.session_hash != key_hash:
        raise PermissionDenied(
            f"This token has been used, by the host {row.hostname}",
            next=f"A token adds one worker. {NEW_LINE}",
        )
    if row.left:
        raise has_left()


def check_ready(ready: Ready) -> None:
    """Raise ``InvalidArgument`` naming what cannot be so."""
    if not _NODE_ID.match(ready.node_id):
        raise InvalidArgument(
            f"Invalid node_id: {ready.node_id[:100]!r}",
            next="Join the Swarm first: `docker info --format '{{.Swarm.NodeID}}'` tells the id.",
        )
    if not _ADDRESS.match(ready.ssh.address) or not 0 < ready.ssh.port < 1 << 16:
        raise InvalidArgument(f"Invalid ssh address: {ready.ssh.address[:100]!r}, port {ready.ssh.port}")
    if not _HOST_KEY.match(ready.ssh.host_key) or len(ready.ssh.host_key) > 4096:
        raise InvalidArgument(
            "Invalid ssh host_key", next="Send its algorithm and its data, as in a .pub file of the server."
        )


def check_own(key_hash: str, ready: Ready, enrolled: list[EnrolledWorker]) -> None:
    """Nobody takes over what another host has enrolled, unless it shows the same SSH host key."""
    for each in enrolled:
        other = each.session_hash != key_hash and each.host_key != ready.ssh.host_key
        if each.node_id == ready.node_id and other:
            raise PermissionDenied(
                f"The node {ready.node_id} is the worker {each.name}, which another host has enrolled",
                next=f"If that host was set up anew: `docker node rm --force {ready.node_id}` on the manager,"
                " `docker swarm leave --force` on the host, and run the line again.",
            )
