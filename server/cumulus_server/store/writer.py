"""The one SQLite connection, and the waiting for the disk.

A function given to ``run`` works on the database right on the event loop, in a transaction of its own:
that takes microseconds, and is safe from then on against the end of this process. What takes long, the
sync that makes it safe against a power cut, happens in the store's one thread, for everything that was
committed meanwhile at once; so jobs a second are not bound by syncs a second. Functions that take long
run in that thread too. Loop and thread never use the connection at the same time.
"""

from __future__ import annotations

import asyncio
import os
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cumulus_jupyter.protocol.errors import Unavailable

from .database import StoredEvent, Transaction, await_others, is_busy, open_database, typed
from .failpoint import failpoint

T = TypeVar("T")

#: Writing transactions after which the write-ahead log is moved into the database; or so much that it has
#: grown by, so that SQLite does not do it by itself, within a transaction.
_CHECKPOINT_EVERY, _CHECKPOINT_BYTES = 250, 32 << 20

#: Called on the event loop once events are committed and, where that was asked for, on the disk; in
#: the order of the commits: (job id, its new events).
EventsCommitted = Callable[[str, Sequence[StoredEvent]], None]


@dataclass
class _Work:
    run: Callable[[Transaction], Any]
    durable: bool
    slow: bool
    committed: Callable[[Any], None] | None
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None
    #: Another process was writing; so far nothing has been done.
    busy: bool = False

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Store:
    """Runs functions against the database, each on its own and whole or not at all.

    ``on_events`` is told of appended events. All methods are called on one event loop.
    """

    def __init__(
        self,
        path: Path,
        on_events: EventsCommitted | None = None,
        allow: Callable[[], None] = lambda: None,
    ) -> None:
        """``allow`` is asked before each transaction, and raises where the database is not to be used."""
        self.path = path
        self._allow = allow
        self.on_events = on_events
        #: Syncs made so far, for metrics and tests.
        self.syncs = 0
        self._conn: Transaction | None = None
        self._log = -1
        self._log_bytes = 0
        self._thread: threading.Thread | None = None
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._waiting: deque[_Work] = deque()
        self._lent: _Work | None = None
        self._unsynced: list[_Work] = []
        self._unpublished: list[tuple[str, StoredEvent]] = []
        self._syncing: list[_Work] = []
        self._until_checkpoint = _CHECKPOINT_EVERY
        self._reached = failpoint()

    def open(self) -> None:
        """Open the database and start the thread. Raises ``CumulusError`` where it cannot be used."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._conn = open_database(self.path)
            self._log = os.open(f"{self.path}-wal", os.O_RDONLY | os.O_CLOEXEC)
            _sync_folder(self.path.parent)
        except (OSError, sqlite3.Error) as error:
            raise typed(error) from error
        self._thread = threading.Thread(target=self._serve, name="cumulus-store", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish what is queued, sync, and close the file. Idempotent; blocks for as long as that takes."""
        conn, self._conn = self._conn, None
        if conn is None or self._thread is None:
            return
        self._orders.put(None)
        self._thread.join()
        if self._lent is not None:
            self._settle(conn, self._lent)
        for work in self._waiting:
            self._apply(conn, work)
            self._settle(conn, work)
        self._waiting.clear()
        self._syncing, self._unsynced = self._syncing + self._unsynced, []
        self._synced(_sync(self._log))
        os.close(self._log)
        conn.close()

    async def run(
        self,
        fn: Callable[[Transaction], T],
        *,
        durable: bool = True,
        slow: bool = False,
        committed: Callable[[T], None] | None = None,
    ) -> T:
        """Run ``fn(transaction)`` and commit it, or roll it back if it raises.

        Returns once the commit is on the disk; with ``durable=False``, or where ``fn`` sets
        ``transaction.durable`` so, already when only a power cut could undo it. ``committed`` is called
        with the result at that earlier time in any case. ``fn`` does short work on the transaction and
        nothing else; with ``slow=True`` it may take long. Raises what ``fn`` raises, and
        ``ResourceExhausted`` where the disk is full; then nothing was written.
        """
        conn = self._conn
        if conn is None:
            raise Unavailable("The relay is shutting down", next="Try again when it is back.")
        work = _Work(fn, durable, slow, committed, asyncio.get_running_loop().create_future())
        self._waiting.append(work)
        if self._lent is None:
            self._advance(conn)
        result: T = await work.future
        return result

    def _advance(self, conn: Transaction) -> None:
        """Do what waits, until the connection is lent to the thread."""
        while self._waiting:
            work = self._waiting.popleft()
            if not work.slow:
                self._apply(conn, work)
            if work.slow or work.busy:
                self._lend(conn, work)
                return
            self._settle(conn, work)
            if self._until_checkpoint <= 0:
                self._until_checkpoint = _CHECKPOINT_EVERY
                future = asyncio.get_running_loop().create_future()
                self._lend(conn, _Work(_checkpoint, False, True, None, future))
                return

    def _lend(self, conn: Transaction, work: _Work) -> None:
        loop = asyncio.get_running_loop()
        self._lent = work

        def order() -> None:
            if work.run is _checkpoint:
                _checkpoint(conn)
            else:
                await_others(conn, True)
                self._apply(conn, work)
                await_others(conn, False)
            _call(loop, self._returned)

        self._orders.put(order)

    def _returned(self) -> None:
        """The thread is done with the connection."""
        work, conn = self._lent, self._conn
        if work is None or conn is None:
            return  # closed meanwhile, which has settled it
        self._lent = None
        self._settle(conn, work)
        self._advance(conn)

    def _apply(self, conn: Transaction, work: _Work) -> None:
        """One transaction. What went wrong is kept for whoever waits."""
        mark, before = len(conn.appended), conn.total_changes
        conn.durable = work.durable
        work.error, work.busy = None, False
        try:
            self._allow()
            conn.execute("BEGIN IMMEDIATE")
            work.result = work.run(conn)
            wrote = conn.total_changes != before
            if wrote:
                self._until_checkpoint -= 1
                self._reached("before-commit")
            conn.execute("COMMIT")
            if wrote:
                self._reached("after-commit")
                self._measure_log()
            work.durable = wrote and conn.durable
        except Exception as error:
            if conn.in_transaction:
                conn.execute("ROLLBACK")
            del conn.appended[mark:]
            work.error, work.busy = typed(error), is_busy(error)

    def _measure_log(self) -> None:
        size_bytes = os.fstat(self._log).st_size
        self._log_bytes = min(self._log_bytes, size_bytes)  # it begins anew, and is cut, after it was moved
        if size_bytes > self._log_bytes + _CHECKPOINT_BYTES:
            self._log_bytes, self._until_checkpoint = size_bytes, 0

    def _settle(self, conn: Transaction, work: _Work) -> None:
        """Tell whoever waits, now or after the sync; and the followers, in order."""
        if conn.appended:
            self._unpublished += conn.appended
            conn.appended.clear()
        if work.error is None and work.committed is not None:
            work.committed(work.result)
        if work.durable and work.error is None:
            self._unsynced.append(work)
            if not self._syncing:
                self._start_sync()
            return
        if not self._syncing:
            self._publish(len(self._unpublished))
        work.settle()

    def _start_sync(self) -> None:
        loop = asyncio.get_running_loop()
        self._syncing, self._unsynced = self._unsynced, []
        covered = len(self._unpublished)

        def order() -> None:
            error = _sync(self._log)
            _call(loop, self._synced, error, covered)

        self._orders.put(order)

    def _synced(self, error: OSError | None, covered: int | None = None) -> None:
        """Everything committed before the sync began is on the disk."""
        works, self._syncing = self._syncing, []
        self.syncs += 1
        self._publish(len(self._unpublished) if covered is None else covered)
        for work in works:
            if error is not None:
                work.error = typed(error)
            work.settle()
        if self._unsynced and self._conn is not None:
            self._start_sync()
        elif not self._unsynced:
            self._publish(len(self._unpublished))

    def _publish(self, count: int) -> None:
        ready, self._unpublished = self._unpublished[:count], self._unpublished[count:]
        if self.on_events is None:
            return
        by_job: dict[str, list[StoredEvent]] = {}
        for job_id, event in ready:
            by_job.setdefault(job_id, []).append(event)
        for job_id, events in by_job.items():
            self.on_events(job_id, events)

    def _serve(self) -> None:
        """The thread: syncs, slow work and checkpoints, one after the other."""
        while (order := self._orders.get()) is not None:
            order()


def _checkpoint(conn: Transaction) -> None:
    conn.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _sync(log: int) -> OSError | None:
    """Wait until the write-ahead log is on the disk, as ``PRAGMA synchronous = FULL`` would."""
    try:
        os.fdatasync(log)
    except OSError as error:
        return error
    return None


def _call(loop: asyncio.AbstractEventLoop, fn: Callable[..., None], *args: object) -> None:
    try:
        loop.call_soon_threadsafe(fn, *args)
    except RuntimeError:
        return  # that loop has ended: nobody waits any more


def _sync_folder(folder: Path) -> None:
    """A database or log that was made just now keeps its name."""
    opened = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
