"""The nodes of a Swarm as workers. Pure: reads what ``GET /nodes`` answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...scheduling.labels import SSH_ADDRESS, devices_of, is_ours
from ..base import Device, Worker
from ..containers.settings import default_slots
from ..process.devices import simulated_devices

#: The oldest engine that knows ``NoNewPrivileges`` of a service.
OLDEST_ENGINE = 25
#: Names that are other executors' workers.
_TAKEN = ("local", "docker")
_MIB = 2**20
#: What a worker's user is told of one that may have left for good.
_COMING_BACK = "; setup-worker.sh there brings it back, `docker node rm` forgets it"
_DOWN = ("down", "disconnected")


@dataclass(frozen=True)
class Node:
    """One node."""

    id: str
    #: The worker's id: the hostname where no other node has it.
    name: str
    #: "ready", "down", "disconnected" or "unknown".
    state: str
    #: "active", "pause" or "drain".
    availability: str
    manager: bool
    cpu: float
    memory_mib: int
    labels: tuple[tuple[str, str], ...] = ()
    #: As its labels tell of them; else as its engine was told (``node-generic-resources``).
    devices: tuple[Device, ...] = ()
    #: What Swarm says about its state.
    message: str = ""
    engine: str = ""

    @property
    def down(self) -> bool:
        """Whether Swarm has lost it, and what ran there with it."""
        return self.state in _DOWN

    @property
    def added(self) -> bool:
        """Whether it was made a worker by a relay."""
        return any(name == SSH_ADDRESS for name, _ in self.labels)

    @property
    def trouble(self) -> str:
        """Why it takes nothing new; empty where it does."""
        if self.down:
            return (self.message or "Swarm does not hear of it") + (_COMING_BACK if self.added else "")
        if self.state != "ready":
            return f"its state is {self.state}: the manager has not heard of it yet"
        if self.availability == "drain":
            return f"drained; `docker node update --availability active {self.name}` brings it back"
        if self.availability == "pause":
            return f"paused; `docker node update --availability active {self.name}` brings it back"
        major = self.engine.partition(".")[0]
        if major.isdigit() and int(major) < OLDEST_ENGINE:
            return f"its Docker Engine {self.engine} is too old: {OLDEST_ENGINE} or newer is needed"
        return ""


def parse(listed: Sequence[Mapping[str, Any]]) -> dict[str, Node]:
    """The nodes by id.

    Of several with one hostname, the only one that is not down has it to itself, as after a machine has
    left and joined again; else each has a part of its id in its name.
    """
    hosts = Counter(_host(node) for node in listed)
    there = Counter(_host(node) for node in listed if _state(node) not in _DOWN)
    nodes: dict[str, Node] = {}
    for node in sorted(listed, key=lambda node: (_host(node), node["ID"])):
        host = _host(node)
        alone = hosts[host] == 1 or (there[host] == 1 and _state(node) not in _DOWN)
        name = host if alone and host not in _TAKEN else f"{host}-{node['ID'][:6]}"
        nodes[node["ID"]] = _node(node, name)
    return nodes


def workers(
    nodes: Iterable[Node],
    *,
    executor: str,
    pythons: Sequence[str],
    slots: int = 0,
    simulated: int = 0,
    offers: Collection[str] = (),
) -> list[Worker]:
    """The nodes as workers; managers that take no work are none."""
    return [
        _worker(node, executor, pythons, slots, simulated, offers)
        for node in nodes
        if not node.manager or node.availability != "drain"
    ]


def _worker(
    node: Node, executor: str, pythons: Sequence[str], slots: int, simulated: int, offers: Collection[str]
) -> Worker:
    devices = node.devices or simulated_devices(simulated)
    # What was found on it is told by its devices: who asks for a kind of GPU is to get that one.
    labels = [(key, value) for key, value in node.labels if not is_ours(key)]
    named = [f"{key}:{value}" for key, value in labels if value]
    gpu = ["gpu"] if devices else []
    return Worker(
        id=node.name,
        executor=executor,
        slots=slots or default_slots(node.cpu),
        cpu=node.cpu,
        memory_mib=node.memory_mib,
        devices=tuple(devices),
        pythons=tuple(pythons),
        capabilities=frozenset([*offers, *gpu, *named, *(key for key, _ in labels)]),
        labels=node.labels,
        ready=not node.trouble,
        message=node.trouble,
        node=node.id,
    )


def _node(node: Mapping[str, Any], name: str) -> Node:
    spec, told, status = node.get("Spec") or {}, node.get("Description") or {}, node.get("Status") or {}
    resources, labels = told.get("Resources") or {}, spec.get("Labels") or {}
    return Node(
        id=node["ID"],
        name=name,
        state=_state(node),
        availability=spec.get("Availability", "active"),
        manager=spec.get("Role") == "manager",
        cpu=int(resources.get("NanoCPUs") or 0) / 1e9,
        memory_mib=int(resources.get("MemoryBytes") or 0) // _MIB,
        labels=tuple(sorted(labels.items())),
        devices=devices_of(labels) or tuple(_told(resources.get("GenericResources") or ())),
        message=status.get("Message", ""),
        engine=(told.get("Engine") or {}).get("EngineVersion", ""),
    )


def _told(resources: Iterable[Mapping[str, Any]]) -> list[Device]:
    """The GPUs that the node's engine was told of, of which no more is known."""
    named = (resource.get("NamedResourceSpec") or {} for resource in resources)
    ids = [each["Value"] for each in named if "gpu" in str(each.get("Kind", "")).lower()]
    return [Device(id, "NVIDIA GPU", index=at, kind="nvidia") for at, id in enumerate(ids)]


def _host(node: Mapping[str, Any]) -> str:
    return (node.get("Description") or {}).get("Hostname") or str(node["ID"])[:12]


def _state(node: Mapping[str, Any]) -> str:
    return (node.get("Status") or {}).get("State") or "unknown"
