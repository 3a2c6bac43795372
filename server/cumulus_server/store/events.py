"""Events in the store: appended in order, numbered per job, read in pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from cumulus_jupyter.protocol.events import State

from .clock import now_ms
from .database import StoredEvent, Transaction
from .queries import sql

_SPAN = 1 << 32
_PAGE_BYTES = 1 << 20
_encode = msgspec.json.Encoder().encode


def append(
    tx: Transaction, number: int, job_id: str, last_seq: int, events: Iterable[tuple[str, bytes]]
) -> list[StoredEvent]:
    """Store events of a job behind ``last_seq``; each is its type and its JSON object without ``seq``."""
    stored = write(tx, number, job_id, last_seq, events)
    if stored:
        tx.execute(sql.set_last_seq, (stored[-1].seq, number))
    return stored


def write(
    tx: Transaction, number: int, job_id: str, last_seq: int, events: Iterable[tuple[str, bytes]]
) -> list[StoredEvent]:
    """Like ``append``, for a caller that changes the job's row anyway, and its ``last_seq`` with it."""
    base, time, seq = number * _SPAN, now_ms(), last_seq
    stored = []
    for kind, body in events:
        seq += 1
        event = StoredEvent(seq, kind, b'{"seq":%d,"time_ms":%d,' % (seq, time) + body[1:])
        tx.appended.append((job_id, event))
        stored.append(event)
    tx.executemany(sql.insert_event, [(base + event.seq, event.type, event.body) for event in stored])
    return stored


def encode_state(event: State) -> tuple[str, bytes]:
    """A state event as ``append`` takes it."""
    return "state", _encode(event)


def after(tx: Transaction, number: int, seq: int, limit: int) -> list[StoredEvent]:
    """The next events of a job above ``seq``, in order: at most ``limit``, and about a MiB.

    Empty only where there are none.
    """
    base = number * _SPAN
    return _page(tx.execute(sql.events_after, (base + seq, base + _SPAN, limit)), base)


def _page(rows: Iterable[tuple[int, str, bytes]], base: int) -> list[StoredEvent]:
    page, left_bytes = [], _PAGE_BYTES
    for place, kind, body in rows:
        page.append(StoredEvent(place - base, kind, body))
        left_bytes -= len(body)
        if left_bytes <= 0:
            break
    return page


def of_type_after(tx: Transaction, number: int, seq: int, kind: str, limit: int) -> list[StoredEvent]:
    """Like ``after``, events of one type only."""
    base = number * _SPAN
    return _page(tx.execute(sql.events_of_type_after, (base + seq, base + _SPAN, kind, limit)), base)


def of_type_before(tx: Transaction, number: int, after: int, before: int, kind: str) -> Iterator[StoredEvent]:
    """Events of one type between two, newest first, read one by one."""
    base = number * _SPAN
    for place, _, body in tx.execute(sql.events_of_type_before, (base + after, base + before, kind)):
        yield StoredEvent(place - base, kind, body)


def reports(tx: Transaction, number: int, seq: int) -> list[StoredEvent]:
    """What a job has said of itself behind ``seq``: its states, its progress, what it uses."""
    base = number * _SPAN
    rows = tx.execute(sql.reports_after, (base + seq, base + _SPAN))
    return [StoredEvent(place - base, kind, body) for place, kind, body in rows]


def newest_of_type(tx: Transaction, number: int, kind: str) -> StoredEvent | None:
    """The newest event of one type, if the job has one."""
    base = number * _SPAN
    row = tx.execute(sql.newest_event_of_type, (base, base + _SPAN, kind)).fetchone()
    return None if row is None else StoredEvent(row[0] - base, row[1], row[2])


def delete(tx: Transaction, number: int) -> None:
    """Remove every event of a job."""
    tx.execute(sql.delete_events, (number * _SPAN, (number + 1) * _SPAN))
