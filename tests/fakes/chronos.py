"""Chronos on a cluster's nodes, with every fault that the way there and the daemons can have.

Daemons live in a ``FakeChronos``, as they live on their hosts: they outlive a relay, and keep their
ledgers or lose them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cumulus_server.partitions.remote import Answer, Unreachable
from cumulus_server.workers.health import Added
from cumulus_server.workers.ssh import Host

#: The relay that bookings are of.
OWNER = "relay-of-tests"
WHOLE = 10


@dataclass
class Held:
    """One booking."""

    id: str
    device: int
    tenths: int
    owner: str
    key: str
    ends_at: float


@dataclass
class FakeNode:
    """A host with sshd and chronosd."""

    name: str
    devices: int = 1
    sshd: bool = True
    chronosd: bool = True
    #: Every ``create`` is refused.
    refuses: bool = False
    held: dict[str, Held] = field(default_factory=dict)
    #: Most tenths that were ever booked on one device.
    most: int = 0
    made: int = 0

    def booked(self, device: int) -> int:
        """Tenths of a device that are booked now."""
        now = _now()
        return sum(h.tenths for h in self.held.values() if h.device == device and h.ends_at > now)

    def answer(self, argv: Sequence[str]) -> Answer:
        """What its command line says."""
        if not self.chronosd:
            return _error("UNAVAILABLE", "chronosd does not run here")
        self.held = {key: held for key, held in self.held.items() if held.ends_at > _now()}
        options = {name: value for name, value in zip(argv, argv[1:], strict=False) if name.startswith("--")}
        return getattr(self, f"_{argv[0]}")(argv, options)  # type: ignore[no-any-return]

    def _create(self, argv: Sequence[str], options: Mapping[str, str]) -> Answer:
        device, tenths, seconds = int(argv[1]), round(float(argv[2]) * WHOLE), int(argv[3])
        owner, key = options.get("--owner", ""), options.get("--key", "")
        for held in self.held.values():
            if key and (held.owner, held.key, held.device) == (owner, key, device):
                held.ends_at = max(held.ends_at, _now() + seconds)
                return Answer(0, _told(held))
        left = WHOLE - self.booked(device)
        if device >= self.devices:
            return _error("INVALID", f"there is no device {device}")
        if self.refuses or tenths > left:
            return _error("REFUSED", f"only {left / WHOLE:g} of device {device} is left")
        self.made += 1
        held = Held(f"partition_1_{self.made}", device, tenths, owner, key, _now() + seconds)
        self.held[held.id] = held
        self.most = max(self.most, self.booked(device))
        return Answer(0, _told(held))

    def _release(self, argv: Sequence[str], options: Mapping[str, str]) -> Answer:
        if self.held.pop(argv[1], None) is None:
            return _error("NOT_FOUND", f"Partition not found: {argv[1]}")
        return Answer(0, {"partition": argv[1]})

    def _list(self, argv: Sequence[str], options: Mapping[str, str]) -> Answer:
        owner = options.get("--owner")
        entries = [_told(held) for held in self.held.values() if owner in (None, held.owner)]
        return Answer(0, {"partitions": entries, "backend": "ledger"})


@dataclass
class FakeChronos:
    """The nodes by id, and what goes wrong on the way to them."""

    nodes: dict[str, FakeNode] = field(default_factory=dict)
    #: Called with node and command before it runs there, and after: each may wait or raise.
    before: Callable[[str, Sequence[str]], Awaitable[None]] | None = None
    after: Callable[[str, Sequence[str]], Awaitable[None]] | None = None

    def left(self) -> list[Held]:
        """Every booking of the relay's that is held now."""
        now = _now()
        return [
            held
            for node in self.nodes.values()
            for held in node.held.values()
            if held.owner == OWNER and held.ends_at > now
        ]


class FakeRemote:
    """One relay's way to the nodes. Implements ``partitions.remote.Remote``."""

    def __init__(self, chronos: FakeChronos) -> None:
        self._chronos = chronos
        self.on_lost: Callable[[str], None] = lambda node: None

    async def added(self) -> list[Added]:
        """What the relay's store would tell."""
        return [Added(node, each.name, Host("127.0.0.1")) for node, each in self._chronos.nodes.items()]

    def know(self, hosts: Mapping[str, Host]) -> None:
        """Whoever is asked about is known here."""

    def close(self) -> None:
        """There is nothing to close."""

    async def run(self, node: str, words: Sequence[str], options: Sequence[str] = ()) -> Answer:
        """See ``Remote``."""
        argv = [*words, *options]
        if self._chronos.before is not None:
            await self._chronos.before(node, argv)
        there = self._chronos.nodes[node]
        if not there.sshd:
            raise Unreachable(f"the SSH of {there.name} is away", next="Start it.")
        answer = there.answer(argv)
        if self._chronos.after is not None:
            await self._chronos.after(node, argv)
        return answer


def _told(held: Held) -> dict[str, Any]:
    return {
        "partition": held.id,
        "device": held.device,
        "uuid": f"gpu{held.device}",
        "fraction": held.tenths / WHOLE,
        "remaining_s": held.ends_at - _now(),
        "owner": held.owner,
        "key": held.key,
    }


def _error(code: str, message: str) -> Answer:
    return Answer(1, {"error": {"code": code, "message": message, "next": "Look there."}})


def _now() -> float:
    return asyncio.get_running_loop().time()
