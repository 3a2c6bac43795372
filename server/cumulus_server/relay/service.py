"""The live relay as its handlers see it: submissions, runs, and whether it is there at all."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from cumulus_jupyter import __version__
from cumulus_jupyter.protocol import PROTOCOL_VERSION
from cumulus_jupyter.protocol.errors import CumulusError, FailedPrecondition, InvalidArgument, Unavailable
from cumulus_jupyter.protocol.jobs import Health, RelayPlace, SimulatedDevices

from ..config import RelayConfig
from ..store import Store, StoredEvent, meta
from ..store.clock import now_ms
from ..supervisor import Supervisor
from . import place, runner_requests
from .census import Census
from .contract import Hosts, Placement, Waker
from .enrolments import Enrolments
from .files import Files
from .history import History
from .hub import Hub
from .runs import Runs
from .statedir import StateDir
from .submissions import Submissions
from .views import Views
from .watch import Watch

log = logging.getLogger(__name__)

_TAKEOVER_EVERY_S = 2.0
MAX_SIMULATED = 64


class Moving(Waker, Protocol):
    """Whatever moves jobs: it starts after the store is open and stops before it is closed."""

    placement: Placement
    hosts: Hosts

    async def start(self) -> None:
        """Take up what the last relay left, and go on."""

    async def stop(self) -> None:
        """Stop moving jobs; running ones go on."""

    async def refresh(self) -> None:
        """Look at the workers again, now."""


#: Builds what moves a relay's jobs. Only the extension knows how.
BuildMoving = Callable[["Relay"], Moving]


class Relay:
    """One relay in one server. It is live once it holds the state folder's lock."""

    def __init__(self, config: RelayConfig, build: BuildMoving) -> None:
        self.config = config
        self.state = StateDir(config.state_dir)
        self.files = Files(config.state_dir)
        self.hub = Hub()
        self.census = Census()
        self.store = Store(config.state_dir / "cumulus.db", self._committed, self.state.check)
        self.hub.store = self.store
        self.supervisor = Supervisor()
        self.relay_id = ""
        #: Declared in the configuration, or at run time.
        self.simulated_gpus = config.simulated_gpus
        #: The server's address and base URL, for runners and clients on this machine.
        self.url = ""
        self.base_url = "/"
        #: True: another process is the live relay of this state folder.
        self.deferring = False
        #: ``time.monotonic()`` of the newest request.
        self.last_request_s = time.monotonic()
        self._build = build
        self._moving: Moving | None = None
        self._submissions: Submissions | None = None
        self._runs: Runs | None = None
        self._enrolments: Enrolments | None = None
        self._watch: Watch | None = None
        self._fault: CumulusError | None = Unavailable("The relay is starting", next="Try again in a moment.")

    def _committed(self, job_id: str, events: Sequence[StoredEvent]) -> None:
        self.census.count(events)
        self.hub.publish(job_id, events)
        if self._watch is not None:
            self._watch.views.reports.committed(job_id, events)
            self._watch.committed(job_id, events)

    def _removed(self) -> None:
        if self._watch is not None:
            self._watch.removed()

    async def start(
        self,
        url: str,
        token: str,
        on_live: Callable[[], None],
        on_deferred: Callable[[dict[str, Any]], None] = lambda facts: None,
    ) -> None:
        """Go live, or wait for the live relay of this state folder to end and then do.

        Meanwhile ``on_deferred`` is called with what that one announces, at first and when it changes.
        """
        self.url = url

        async def take() -> None:
            told: dict[str, Any] = {}
            while not self._acquire():
                if self.deferring and (facts := self.state.announced()) != told:
                    told = facts
                    on_deferred(facts)
                await asyncio.sleep(_TAKEOVER_EVERY_S)
            await self._go_live(token)
            on_live()

        if self._acquire():
            await self._go_live(token)
            on_live()
        else:
            log.warning("%s", self._fault, extra={"action": "relay_deferred"})
            self.supervisor.start("takeover", take)

    def _acquire(self) -> bool:
        try:
            if self.state.acquire():
                if self.deferring:
                    self.deferring = False
                    self._fault = Unavailable("The relay is starting", next="Try again in a moment.")
                return True
        except OSError as error:
            self.deferring = False
            self._fault = Unavailable(
                f"The state folder {self.config.state_dir} cannot be used: {error.strerror}",
                next="Correct Cumulus.state_dir, or the folder's permissions.",
            )
            return False
        self.deferring = True
        where = self.state.announced().get("url", "another process")
        self._fault = Unavailable(
            f"The live relay of this state folder is {where}",
            next="Use that one, or give this server a Cumulus.state_dir of its own.",
        )
        return False

    async def _go_live(self, token: str) -> None:
        try:
            self.files.prepare()
            self.store.open()
            self.relay_id = await self.store.run(meta.relay_id)
            history = History(self.store, self.files, self.config.history_s, self._removed)
            await history.remove_strays()
            self.census.active = await self.store.run(Census.read)
            declared = await self.store.run(meta.simulated_devices)
            if self.config.allow_simulated_devices and declared is not None:
                self.simulated_gpus = declared
            self._moving = moving = self._build(self)
            limit = self.config.bundle_limit_bytes
            views = Views(moving.placement)
            self._watch = Watch(self.store, views, moving.placement, self.place)
            self._submissions = Submissions(
                self.store, self.hub, self.files, moving.placement, views, moving, limit
            )
            self._runs = Runs(self.store, self.hub, self.files, moving, self.config.values_limit_bytes)
            self._enrolments = Enrolments(self.store, moving.hosts)
            await moving.start()
            self._announce(token)
        except Exception as error:
            fault = error if isinstance(error, CumulusError) else _cannot_start(error)
            try:
                await self.stop(fault)
            except Exception:
                log.exception("what had been started could not be stopped")
            raise fault from error
        self.supervisor.start("history", history.run, restart=True)
        self.supervisor.start("enrolments", self._enrolments.run, restart=True)
        self._fault = None

    def _announce(self, token: str) -> None:
        self.state.announce(
            {
                "url": self.url,
                "token": token,
                "pid": os.getpid(),
                "relay_id": self.relay_id,
                "version": __version__,
                "protocol": PROTOCOL_VERSION,
                "started_ms": now_ms(),
            }
        )

    async def stop(self, why: CumulusError | None = None) -> None:
        """Stop serving; running jobs go on and are taken up by the next relay. Idempotent.

        ``why`` is what is answered from then on.
        """
        self._fault = why or Unavailable("The relay is shutting down", next="Try again when it is back.")
        self.hub.close()
        if self._watch is not None:
            self._watch.close()
        await self.supervisor.stop()
        moving, self._moving = self._moving, None
        try:
            if moving is not None:
                await moving.stop()
        finally:
            await asyncio.to_thread(self.store.close)
            self.state.release()

    def require_live(self) -> None:
        """Raise ``Unavailable`` where this relay does not serve."""
        if self._fault is not None:
            raise self._fault

    @property
    def submissions(self) -> Submissions:
        """What clients ask. Raises ``Unavailable``."""
        self.require_live()
        assert self._submissions is not None
        return self._submissions

    @property
    def runs(self) -> Runs:
        """What runners report. Raises ``Unavailable``."""
        self.require_live()
        assert self._runs is not None
        return self._runs

    @property
    def watch(self) -> Watch:
        """What pages watch. Raises ``Unavailable``."""
        self.require_live()
        assert self._watch is not None
        return self._watch

    @property
    def enrolments(self) -> Enrolments:
        """What hosts that become workers ask. Raises ``Unavailable``."""
        self.require_live()
        assert self._enrolments is not None
        return self._enrolments

    async def answer_runner(self, route: str, token: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """A request of a runner on this machine. Never raises."""
        return await runner_requests.answer(lambda: self.runs, route, token, body)

    @property
    def _placement(self) -> Placement:
        self.require_live()
        assert self._moving is not None
        return self._moving.placement

    def health(self) -> Health:
        """The relay's own state. Raises ``Unavailable`` where it does not serve."""
        placement = self._placement
        return Health(
            status="ok",
            version=__version__,
            protocol=PROTOCOL_VERSION,
            relay_id=self.relay_id,
            pythons=placement.pythons(),
            executors=placement.executors(),
            bundle_limit_bytes=self.config.bundle_limit_bytes,
        )

    def place(self) -> RelayPlace:
        """Where this relay is and how it does; also where it does not serve."""
        if self._fault is not None:
            return place.away(self.url, self._fault)
        assert self._watch is not None
        return place.live(self.url, self.relay_id, self._watch.workers(), self._placement.looking)

    async def simulate(self, count: int) -> SimulatedDevices:
        """Declare simulated GPUs on the local worker; where it has real ones, nothing changes."""
        placement = self._placement
        if not self.config.allow_simulated_devices:
            raise FailedPrecondition(
                "This relay does not allow simulated GPUs",
                next="Its operator can set Cumulus.simulated_gpus.",
            )
        if not 0 <= count <= MAX_SIMULATED:
            raise InvalidArgument(f"Invalid count: {count}. Must be 0-{MAX_SIMULATED}")
        if placement.real_gpus():
            return SimulatedDevices(0)
        await self.store.run(lambda tx: meta.declare_simulated_devices(tx, count))
        placement.simulate(count)
        assert self._moving is not None
        await self._moving.refresh()
        return SimulatedDevices(count)


def _cannot_start(error: Exception) -> CumulusError:
    return Unavailable(f"The relay cannot start: {error}", next="See the server's log, and the state folder.")
