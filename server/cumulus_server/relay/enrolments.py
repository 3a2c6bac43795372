"""How hosts become workers: one-time tokens, session keys, and who is enrolled.

A token is used up by the first session key that is shown with it. The relay keeps hashes of both, and every
step is written down before it is answered: a relay that is started again goes on where it was.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from weakref import WeakValueDictionary

from cumulus_jupyter.protocol.enrolment import (
    SCRIPT_PATH,
    TOKEN_S,
    Enrol,
    Enrolled,
    Leave,
    Ready,
    WorkerLeft,
    WorkerReady,
    WorkerToken,
)
from cumulus_jupyter.protocol.errors import CumulusError

from ..store import Store, Transaction, meta, workers
from ..store.clock import now_ms
from ..store.workers import EnrolledWorker
from .contract import Entrance, Hosts
from .enrolment_checks import check_enrol, check_own, check_ready, check_use, has_left, unknown_host
from .tokens import new_token, token_hash

log = logging.getLogger(__name__)

#: Under which key of the store's ``meta`` the Swarm stands that the workers have joined.
_SWARM_ID = "swarm_id"
#: Seconds between two looks for workers whose nodes are gone.
_EVERY_S = 60.0


@dataclass(frozen=True)
class WorkerSession:
    """A host that has shown a token once, and its own key since."""

    key_hash: str
    hostname: str
    left: bool


class Enrolments:
    """Called by the handlers."""

    def __init__(self, store: Store, hosts: Hosts, clock_ms: Callable[[], int] = now_ms) -> None:
        self._store, self._hosts, self._clock_ms = store, hosts, clock_ms
        #: One step of a host at a time, by the hash of its key.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def new_token(self) -> WorkerToken:
        """A token for one new worker, with the line that uses it."""
        entrance = await self._hosts.entrance()
        await self._hosts.terms()
        token, made_ms = new_token(), self._clock_ms()
        expires_ms = made_ms + TOKEN_S * 1000
        await self._store.run(lambda tx: workers.add_token(tx, token_hash(token), made_ms, expires_ms))
        return WorkerToken(token, expires_ms, command(entrance, token), note())

    async def enrol(self, bearer: str, ask: Enrol) -> Enrolled:
        """Give the token to the host, or know the host again by its session key; and tell it what to do."""
        check_enrol(ask)
        token, key, now = token_hash(bearer), token_hash(ask.session_key), self._clock_ms()

        def use(tx: Transaction) -> None:
            row = workers.use_token(tx, token, key, ask.hostname, now)
            if row is None and token == key:
                row = workers.find_session(tx, key)
            check_use(row, key)
            workers.resume_session(tx, key, now)

        await self._store.run(use)
        return await self._hosts.terms()

    async def session(self, key: str, *, left: bool = False) -> WorkerSession:
        """The host with this session key; with ``left`` also one that has left. Raises ``CumulusError``."""
        row = await self._store.run(lambda tx: workers.find_session(tx, token_hash(key)))
        if row is None:
            raise unknown_host()
        if row.left and not left:
            raise has_left()
        return WorkerSession(token_hash(key), row.hostname, row.left)

    async def script(self) -> bytes:
        """The script that the line fetches."""
        return await self._hosts.script()

    async def package(self) -> bytes:
        """The worker's package."""
        return await self._hosts.package()

    def image(self, name: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """A job image, in pieces."""
        return self._hosts.image(name)

    async def ready(self, session: WorkerSession, ready: Ready, peer: str) -> WorkerReady:
        """Look at a host that says that it is ready, and take it up as a worker."""
        check_ready(ready)
        async with self._turn(session):
            enrolled = await self._store.run(workers.load_enrolled)
            check_own(session.key_hash, ready, enrolled)
            admitted = await self._hosts.admit(ready, peer)
            worker = EnrolledWorker(
                node_id=ready.node_id,
                name=admitted.name,
                session_hash=session.key_hash,
                ssh_address=admitted.ssh_address,
                ssh_port=ready.ssh.port,
                ssh_user=admitted.ssh_user,
                host_key=ready.ssh.host_key,
                probe=admitted.probe,
                enrolled_ms=self._clock_ms(),
            )
            nodes = await self._hosts.nodes()
            up = nodes.all - nodes.down
            gone = [each for each in enrolled if _was(each, worker) and each.node_id not in up]

            def write(tx: Transaction) -> None:
                row = workers.find_session(tx, session.key_hash)
                if row is None or row.left:
                    raise has_left()
                for each in gone:
                    workers.remove(tx, each.node_id)
                workers.put(tx, worker)
                meta.put(tx, _SWARM_ID, nodes.swarm_id)

            await self._store.run(write)
            for each in gone:
                await self._hosts.dismiss(each.node_id)
            await self._hosts.changed()
        log.info("the worker %s was added; its GPUs: %d", admitted.name, admitted.devices)
        return WorkerReady(admitted.name, admitted.devices, _next(admitted.devices, admitted.advice))

    async def leave(self, session: WorkerSession, leave: Leave) -> WorkerLeft:
        """Put the host's nodes out of the Swarm, and forget it. Idempotent."""
        async with self._turn(session):
            enrolled = await self._store.run(workers.load_enrolled)
            own = [each for each in enrolled if each.session_hash == session.key_hash]
            node_ids = [each.node_id for each in own]
            if leave.node_id and leave.node_id not in {each.node_id for each in enrolled}:
                # It has joined and never was ready: whose it is, only its name tells.
                if not session.left and await self._hosts.is_called(leave.node_id, session.hostname):
                    node_ids.append(leave.node_id)
            for node_id in node_ids:
                await self._hosts.dismiss(node_id)
            now = self._clock_ms()
            await self._store.run(lambda tx: workers.end_session(tx, session.key_hash, now))
            await self._hosts.changed()
        for each in own:
            log.info("the worker %s has left", each.name)
        return WorkerLeft(own[0].name if own else "")

    async def run(self) -> None:
        """Forget workers whose nodes somebody has removed; supervised."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.forget_removed()

    async def forget_removed(self) -> None:
        """Forget the workers that are no nodes of the Swarm any more. One that is down still is one.

        Where the Swarm itself is another one, they are kept: each comes back by being set up again.
        """
        enrolled = await self._store.run(workers.load_enrolled)
        if not enrolled:
            return
        try:
            nodes = await self._hosts.nodes()
        except CumulusError:
            return
        gone = [each for each in enrolled if each.node_id not in nodes.all]

        def forget(tx: Transaction) -> bool:
            if not gone or meta.get(tx, _SWARM_ID) != nodes.swarm_id:
                return False
            for each in gone:
                workers.remove(tx, each.node_id)
            return True

        if await self._store.run(forget):
            await self._hosts.changed()
            for each in gone:
                log.warning(
                    "the worker %s was removed from the Swarm and is forgotten; setup-worker.sh on that host"
                    " brings it back",
                    each.name,
                )

    def _turn(self, session: WorkerSession) -> asyncio.Lock:
        return self._turns.setdefault(session.key_hash, asyncio.Lock())


def command(entrance: Entrance, token: str) -> str:
    """The line that makes a host a worker. For root, who may have no sudo, it is without."""
    address = entrance.url.rstrip("/")
    pin = f"--pinnedpubkey '{entrance.pin}' " if entrance.pin else ""
    quiet = "-fsSk" if entrance.pin else "-fsS"
    given = f"--relay {address} " + (f"--pin '{entrance.pin}' " if entrance.pin else "") + f"--token {token}"
    return f"curl {quiet} {pin}{address}/{SCRIPT_PATH} | $(command -v sudo) bash -s -- {given}"


def note() -> str:
    """What to know of the line."""
    return (
        f"Run it on the new host (Debian or Ubuntu) within {TOKEN_S // 60} minutes. It works once:"
        " for another host, make another line."
    )


def _was(before: EnrolledWorker, now: EnrolledWorker) -> bool:
    """Whether a host has joined the Swarm again, as another node.

    Machines made of one image share a host key, and have names of their own.
    """
    called = before.probe.get("hostname") == now.probe.get("hostname")
    same = before.session_hash == now.session_hash or called and before.host_key == now.host_key
    return same and before.node_id != now.node_id


def _next(devices: int, advice: str) -> str:
    use = "%cumulus workers lists it" + ("; %%cumulus --gpu 0.5 runs a cell there." if devices else ".")
    return f"{use} {advice}".strip()
