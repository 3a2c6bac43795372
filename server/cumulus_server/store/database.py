"""Opens the database file, tuned and migrated; and names its failures."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import msgspec

from cumulus_jupyter.protocol.errors import CumulusError, ResourceExhausted, Unavailable
from cumulus_jupyter.protocol.jobs import END_STATES

from .migrations import migrate


class _State(msgspec.Struct):
    state: str


_state = msgspec.json.Decoder(_State)


#: How long is waited for another process that writes to the database: in the store's thread, not on the loop.
_OTHERS_MS = 5000


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


class Transaction(sqlite3.Connection):
    """The connection as store functions see it."""

    #: Events appended and not yet published: (job id, event).
    appended: list[tuple[str, StoredEvent]]
    #: Whether the caller hears of the commit only once it is on the disk; a function may set it.
    durable: bool


def open_database(path: Path) -> Transaction:
    """Open, tune and migrate the database file."""
    conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Transaction)
    conn.row_factory = sqlite3.Row
    conn.appended = []
    conn.durable = True
    conn.execute("PRAGMA auto_vacuum = INCREMENTAL")
    conn.execute("PRAGMA journal_mode = WAL")
    # The writer syncs the log itself, after the commit and outside of it.
    conn.execute("PRAGMA synchronous = NORMAL")
    conn.execute("PRAGMA wal_autocheckpoint = 20000")
    conn.execute("PRAGMA cache_size = -1024")
    conn.execute("PRAGMA journal_size_limit = 16777216")
    migrate(conn)
    await_others(conn, False)
    return conn


def await_others(conn: Transaction, wait: bool) -> None:
    """Whether a transaction waits while another process writes, such as somebody's ``sqlite3``."""
    conn.execute(f"PRAGMA busy_timeout = {_OTHERS_MS if wait else 0}")


def is_busy(error: BaseException) -> bool:
    """Whether a transaction could not begin since another process writes."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY


def typed(error: BaseException) -> BaseException:
    """The error a caller of the store sees for one of SQLite's or the system's."""
    if isinstance(error, CumulusError) or not isinstance(error, (sqlite3.Error, OSError)):
        return error
    text = str(error)
    if "full" in text or "No space left" in text or "quota" in text.lower():
        return ResourceExhausted(
            "The relay's disk is full", next="Free space where the relay keeps its state, then try again."
        )
    if isinstance(error, (sqlite3.OperationalError, OSError)):
        return Unavailable(
            f"The relay cannot use its database: {text}", next="See the relay's log and its state folder."
        )
    return error
