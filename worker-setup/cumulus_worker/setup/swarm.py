"""Joining the relay's Swarm, and telling whether this host is in another."""

from __future__ import annotations

import socket
from typing import Any

from cumulus_worker.setup import state
from cumulus_worker.setup.engine import Engine, EngineSays
from cumulus_worker.setup.telling import Failed

_REACH_S = 10.0
_IN_ONE = ("active", "pending", "locked", "error")


def join(terms: str) -> None:
    """Be in the Swarm of the terms. Does nothing for a host that is."""
    order = state.read_terms(terms)["swarm"]
    engine = Engine()
    swarm = engine.info()["Swarm"]
    if swarm["LocalNodeState"] in _IN_ONE and not _settled(engine, swarm, order["address"]):
        engine.leave()
        swarm = engine.info()["Swarm"]
    if swarm["LocalNodeState"] != "active":
        own = _own_address(order["address"])
        # Docker may go on joining after it has said that it could not.
        state.keep(joining=order["address"], node_id="")
        try:
            engine.join([order["address"]], order["join_token"], own)
        except EngineSays as says:
            raise Failed(
                f"This host cannot join the Swarm of {order['address']}: {says}",
                next="See to what it says on the manager's side, then run the same line again.",
            ) from None
    state.keep(node_id=engine.info()["Swarm"]["NodeID"])


def _settled(engine: Engine, swarm: dict[str, Any], manager: str) -> bool:
    """Whether the host is well in that Swarm. Raises ``Failed`` where it is in somebody else's."""
    if swarm.get("ControlAvailable"):
        raise Failed(
            "This host is a manager of a Swarm.",
            next="Take another host; or, if that Swarm is not needed: docker swarm leave --force.",
        )
    managers = [each["Addr"] for each in swarm.get("RemoteManagers") or []]
    kept = state.load()
    # The manager may be known here by a name, or by the address of a router before it.
    node_id = kept.get("node_id")
    joined = node_id == swarm["NodeID"] if node_id else kept.get("joining") == manager
    if not (joined or manager in managers):
        where = f", that of {', '.join(managers)}" if managers else f": {swarm['LocalNodeState']}"
        raise Failed(
            f"This host is in another Swarm already{where}.",
            next="If it is not needed there: docker swarm leave --force, then run the same line again.",
        )
    return bool(swarm["LocalNodeState"] == "active")


def _own_address(manager: str) -> str:
    """The address of this host on the way to the manager: Docker does not choose among several itself."""
    host, _, port = manager.rpartition(":")
    host = host.strip("[]")
    try:
        with socket.create_connection((host, int(port)), timeout=_REACH_S) as connection:
            own: str = connection.getsockname()[0]
    except OSError as error:
        raise Failed(
            f"The Swarm's manager does not answer at {manager}: {error}",
            next=f"Open port {port}/tcp of that machine to this host (firewall, security group), "
            "then run the same line again.",
        ) from None
    return own
