"""A job's log by the page, from its end.

Whoever follows a log that grows faster than it can be read asks for what came since, and gets the newest page
of it: being up to date matters more than being complete, and what was left out can be read before it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

import msgspec

from ..store import JobRow, StoredEvent, Transaction, events

#: What a page holds at most; one event in any case.
PAGE_BYTES, PAGE_EVENTS = 256 << 10, 2000
#: So much is read at most to count the lines of what is left out.
_COUNTED_BYTES, _COUNTED_EVENTS = 2 << 20, 4000


class _Log(msgspec.Struct):
    text: str


_log = msgspec.json.Decoder(_Log)


def read(tx: Transaction, job: JobRow, after: int | None, before: int) -> bytes:
    """JSON of a ``LogPage``: the newest page behind ``after`` and before ``before``."""
    found = events.of_type_before(tx, job.number, after or 0, before, "log")
    page: list[bytes] = []
    left_bytes = PAGE_BYTES
    rest: list[StoredEvent] = []
    for event in islice(found, PAGE_EVENTS + 1):
        if page and (len(event.body) > left_bytes or len(page) == PAGE_EVENTS):
            rest.append(event)
            break
        page.append(event.body)
        left_bytes -= len(event.body)
    skipped: int | None = 0
    if rest and after is not None:
        skipped = _lines(rest[0], found)
    return b'{"events":[%s],"earlier":%s,"skipped_lines":%s}' % (
        b",".join(reversed(page)),
        b"true" if rest else b"false",
        b"null" if skipped is None else b"%d" % skipped,
    )


def _lines(first: StoredEvent, others: Iterator[StoredEvent]) -> int | None:
    """Lines that end in these events; ``None`` where reading them all would take long."""
    lines = read_bytes = 0
    for number, event in enumerate(chain([first], others)):
        read_bytes += len(event.body)
        if read_bytes > _COUNTED_BYTES or number == _COUNTED_EVENTS:
            return None
        lines += _log.decode(event.body).text.count("\n")
    return lines
