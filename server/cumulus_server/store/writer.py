"""The one SQLite connection, the one thread that owns it, and group commit.

Whatever arrives while a commit is on its way to the disk goes into the next one, so the number of
jobs a second is not bound by the number of syncs a second.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cumulus_jupyter.protocol.errors import CumulusError, ResourceExhausted, Unavailable
from cumulus_jupyter.protocol.jobs import END_STATES

from .failpoint import failpoint
from .migrations import migrate

T = TypeVar("T")

#: Work taken into one transaction at most.
_GROUP = 256


@dataclass(frozen=True)
class StoredEvent:
    """An event as it stands in the store; ``body`` is its JSON, ``seq`` and ``time_ms`` included."""

    seq: int
    type: str
    body: bytes

    @property
    def ends(self) -> bool:
        """True for the event of an end state, which is a job's last."""
        return self.type == "state" and _state.decode(self.body).state in END_STATES


class _State(msgspec.Struct):
    state: str


_state = msgspec.json.Decoder(_State)


#: Called on the event loop after a commit, in the order of the commits: (job id, its new events).
EventsCommitted = Callable[[str, Sequence[StoredEvent]], None]


class Transaction(sqlite3.Connection):
    """The connection as store functions see it, with the events this transaction has appended."""

    appended: list[tuple[str, StoredEvent]]


@dataclass
class _Work:
    run: Callable[[Transaction], Any]
    durable: bool
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


def open_database(path: Path) -> Transaction:
    """Open, tune and migrate the database file. Called by the writer thread, and by tests."""
    conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Transaction)
    conn.row_factory = sqlite3.Row
    conn.appended = []
    conn.execute("PRAGMA auto_vacuum = INCREMENTAL")
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("PRAGMA synchronous = FULL")
    conn.execute("PRAGMA cache_size = -4096")
    conn.execute("PRAGMA journal_size_limit = 16777216")
    migrate(conn)
    return conn


class Store:
    """Runs functions against the database, each in its savepoint, many to a commit.

    ``on_events`` is told of appended events after the commit that made them durable.
    """

    def __init__(self, path: Path, on_events: EventsCommitted | None = None) -> None:
        self.path = path
        self.on_events = on_events
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._reached = failpoint()
        #: Commits made so far, for metrics and tests.
        self.commits = 0

    def open(self) -> None:
        """Open the database and start the writer. Raises ``CumulusError`` where it cannot be used."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            conn = open_database(self.path)
        except (OSError, sqlite3.Error) as error:
            raise _typed(error) from error
        self._thread = threading.Thread(target=self._serve, args=(conn,), name="cumulus-store", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish what is queued, checkpoint, and close the file. Idempotent."""
        self._closed = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join(timeout=30)
            self._thread = None

    async def run(self, fn: Callable[[Transaction], T], *, durable: bool = True) -> T:
        """Run ``fn(transaction)`` and commit it, or roll it back if it raises.

        ``fn`` runs in the writer thread: it touches nothing but the transaction and its own
        arguments. With ``durable=False`` the commit survives a crash of the relay, and a power cut
        only together with the next durable commit. Raises what ``fn`` raises; ``ResourceExhausted``
        where the disk is full; then nothing was written.
        """
        if self._closed or self._thread is None:
            raise Unavailable("The relay is shutting down", next="Try again when it is back.")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(_Work(fn, durable, loop, future))
        return await future

    def _serve(self, conn: Transaction) -> None:
        synced = True
        stopping = False
        while not stopping:
            group, stopping = self._next_group()
            if not group:
                continue
            durable = any(work.durable for work in group)
            if durable is not synced:
                conn.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                synced = durable
            self._commit(conn, group)
            appended, conn.appended = conn.appended, []
            self._report(group, appended)
        conn.close()

    def _next_group(self) -> tuple[list[_Work], bool]:
        group: list[_Work] = []
        work = self._queue.get()
        while work is not None:
            group.append(work)
            if len(group) == _GROUP:
                return group, False
            try:
                work = self._queue.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit(self, conn: Transaction, group: list[_Work]) -> None:
        try:
            conn.execute("BEGIN IMMEDIATE")
            for work in group:
                self._apply(conn, work)
            self._reached("before-commit")
            conn.execute("COMMIT")
            self._reached("after-commit")
            self.commits += 1
        except Exception as error:
            if conn.in_transaction:
                conn.execute("ROLLBACK")
            conn.appended.clear()
            for work in group:
                work.error = work.error or _typed(error)

    @staticmethod
    def _apply(conn: Transaction, work: _Work) -> None:
        mark = len(conn.appended)
        conn.execute("SAVEPOINT work")
        try:
            work.result = work.run(conn)
            conn.execute("RELEASE work")
        except Exception as error:
            work.error = _typed(error)
            del conn.appended[mark:]
            if not conn.in_transaction:
                raise  # SQLite has already rolled everything back, as it does on a full disk
            conn.execute("ROLLBACK TO work")
            conn.execute("RELEASE work")

    def _report(self, group: list[_Work], appended: list[tuple[str, StoredEvent]]) -> None:
        loops = {work.loop for work in group}
        for loop in loops:
            mine = [work for work in group if work.loop is loop]
            try:
                loop.call_soon_threadsafe(self._resolve, mine, appended)
            except RuntimeError:
                continue  # that loop has ended; its work is committed, nobody waits for it
            appended = []

    def _resolve(self, group: list[_Work], appended: list[tuple[str, StoredEvent]]) -> None:
        if self.on_events is not None:
            by_job: dict[str, list[StoredEvent]] = {}
            for job_id, event in appended:
                by_job.setdefault(job_id, []).append(event)
            for job_id, events in by_job.items():
                self.on_events(job_id, events)
        for work in group:
            if work.future.done():
                continue
            if work.error is not None:
                work.future.set_exception(work.error)
            else:
                work.future.set_result(work.result)


def _typed(error: BaseException) -> BaseException:
    """The error a caller of the store sees for one of SQLite's or the system's."""
    if isinstance(error, CumulusError) or not isinstance(error, (sqlite3.Error, OSError)):
        return error
    text = str(error)
    if "full" in text or "No space left" in text or "quota" in text.lower():
        return ResourceExhausted(
            "The relay's disk is full", next="Free space where the relay keeps its state, then try again."
        )
    if isinstance(error, sqlite3.OperationalError):
        return Unavailable(
            f"The relay cannot use its database: {text}", next="See the relay's log and its state folder."
        )
    return error
