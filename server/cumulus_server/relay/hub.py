"""Fan-out: events to whoever follows a job, and commands to the runner that has it.

Nothing is kept of a job that nobody follows. A follower is a cursor: it takes what is new from the
job's recent events in memory, and from the store where it has fallen behind them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from functools import partial

from ..store import Store, StoredEvent, events

#: Recent events kept per followed job.
_RECENT_EVENTS = 512
_RECENT_BYTES = 1 << 20
#: Events read from the store at once.
PAGE = 256
#: How long the states on a job's way to its runner wait for company. A quick job's end comes by then,
#: and its follower hears of it once instead of three times.
_GATHER_S = 0.01


class _Channel:
    """One followed job: its newest events, and its followers."""

    def __init__(self, last: int | None) -> None:
        self.recent: deque[StoredEvent] = deque()
        self.bytes = 0
        #: Newest number seen; ``None`` before the first.
        self.last = last
        self.followers: set[Follower] = set()

    def add(self, new: Sequence[StoredEvent]) -> None:
        for event in new:
            if self.last is not None and event.seq <= self.last:
                continue
            if self.last is not None and event.seq != self.last + 1:
                self.recent.clear()
                self.bytes = 0
            self.recent.append(event)
            self.bytes += len(event.body)
            self.last = event.seq
        while self.recent and (len(self.recent) > _RECENT_EVENTS or self.bytes > _RECENT_BYTES):
            self.bytes -= len(self.recent.popleft().body)

    def since(self, cursor: int) -> list[StoredEvent] | None:
        """Events behind ``cursor``; ``None`` where only the store can tell."""
        if self.last is None or cursor > self.last:
            return None
        if cursor == self.last:
            return []
        if not self.recent or self.recent[0].seq > cursor + 1:
            return None
        return [event for event in self.recent if event.seq > cursor]


class Follower:
    """One reader of one job's events. Close it, or use it as a context manager."""

    def __init__(self, hub: Hub, job_id: str, after: int) -> None:
        self._hub = hub
        self._job_id = job_id
        self._waiter: asyncio.Future[None] | None = None
        #: True once nobody reads this any more, or the relay is stopping.
        self.closed = False
        #: True: it has something, and waits a moment for more.
        self.gathering = False
        #: Number of the last event given out.
        self.cursor = after

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop following; a pending wait ends. Idempotent."""
        self.closed = True
        self._hub._leave(self._job_id, self)
        self.notify()

    def notify(self) -> None:
        """Something may be new."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def next(self, number: int, timeout_s: float) -> list[StoredEvent]:
        """The events behind the cursor, as soon as there are any; empty after ``timeout_s`` or a close.

        ``number`` is the job's own in the store.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        self.gathering = False
        while not self.closed:
            self._waiter = loop.create_future()
            batch = self._hub.recent(self._job_id, self.cursor)
            if batch is None:
                read = partial(events.after, number=number, seq=self.cursor, limit=PAGE)
                batch = await self._hub.store.run(read)
            if batch and (self.gathering or _urgent(batch)):
                self.cursor = batch[-1].seq
                return batch
            if batch:
                self.gathering, deadline = True, loop.time() + _GATHER_S
            timer = loop.call_at(deadline, self.notify)
            try:
                await self._waiter
            finally:
                timer.cancel()
            if not self.gathering and loop.time() >= deadline:
                break
        return []


def _urgent(new: Sequence[StoredEvent]) -> bool:
    """False: nothing but states on the way to the runner."""
    return any(event.type != "state" or event.ends for event in new)


class ControlStream:
    """Commands on their way to one connected runner."""

    def __init__(self) -> None:
        self._commands: asyncio.Queue[str | None] = asyncio.Queue()

    def send(self, command: str) -> None:
        """Queue a command."""
        self._commands.put_nowait(command)

    def close(self) -> None:
        """End the stream: the job ended, or a newer connection took its place."""
        self._commands.put_nowait(None)

    async def commands(self, heartbeat_s: float) -> AsyncIterator[str]:
        """Commands as they come; "" whenever ``heartbeat_s`` went by without one."""
        while True:
            try:
                command = await asyncio.wait_for(self._commands.get(), heartbeat_s)
            except TimeoutError:
                command = ""
            if command is None:
                return
            yield command


class Hub:
    """Who follows which job, and which runner listens. Lives on the event loop."""

    def __init__(self) -> None:
        #: Set by whoever builds both: the store tells the hub of commits, the hub reads it.
        self.store: Store
        self._channels: dict[str, _Channel] = {}
        self._controls: dict[str, ControlStream] = {}

    def publish(self, job_id: str, new: Sequence[StoredEvent]) -> None:
        """Hand committed events on. The store calls this after each commit; nobody else does."""
        channel = self._channels.get(job_id)
        if channel is not None:
            channel.add(new)
            urgent = _urgent(new)
            for follower in channel.followers:
                if urgent or not follower.gathering:
                    follower.notify()
        if job_id in self._controls and any(event.ends for event in new):
            self._controls[job_id].close()

    def follow(self, job_id: str, after: int = 0, *, new: bool = False) -> Follower:
        """Follow a job from behind event ``after``; ``new`` for one that is about to be stored."""
        channel = self._channels.setdefault(job_id, _Channel(0 if new else None))
        follower = Follower(self, job_id, after)
        channel.followers.add(follower)
        return follower

    def recent(self, job_id: str, after: int) -> list[StoredEvent] | None:
        """What a followed job has behind ``after``; ``None`` where only the store can tell."""
        channel = self._channels.get(job_id)
        return None if channel is None else channel.since(after)

    def _leave(self, job_id: str, follower: Follower) -> None:
        channel = self._channels.get(job_id)
        if channel is not None:
            channel.followers.discard(follower)
            if not channel.followers:
                del self._channels[job_id]

    def attach(self, job_id: str) -> ControlStream:
        """The control stream of a runner that has just connected; it replaces an older one."""
        older = self._controls.get(job_id)
        if older is not None:
            older.close()
        stream = self._controls[job_id] = ControlStream()
        return stream

    def detach(self, job_id: str, stream: ControlStream) -> None:
        """The runner's connection ended."""
        if self._controls.get(job_id) is stream:
            del self._controls[job_id]

    def control(self, job_id: str, command: str) -> bool:
        """Push ``command`` ("cancel") to the job's runner; False where none is connected."""
        stream = self._controls.get(job_id)
        if stream is not None:
            stream.send(command)
        return stream is not None

    def close(self) -> None:
        """End every stream: the relay is stopping."""
        for channel in list(self._channels.values()):
            for follower in list(channel.followers):
                follower.close()
        for stream in list(self._controls.values()):
            stream.close()

    @property
    def followed(self) -> int:
        """Jobs that somebody follows now."""
        return len(self._channels)
