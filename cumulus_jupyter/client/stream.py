"""The events of one job: in order, each once, across broken connections and restarted relays."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..protocol.errors import Unauthenticated, Unavailable
from ..protocol.events import State
from ..protocol.jobs import END_STATES
from .connection import Connection, wait_readable
from .http import Endpoint, Http, segment
from .interrupts import InterruptGate, letting_through
from .response import ConnectionLost, Response
from .sse import Numbered, SseParser, numbered

#: The relay sends a heartbeat every 15 s; a stream silent for three of them is dead.
SILENCE_LIMIT_S = 45.0
#: How long a stream looks for a relay that went away.
AWAY_LIMIT_S = 600.0
#: How long a relay may refuse before that is taken for its answer.
_REFUSAL_LIMIT_S = 20.0
_FIRST_PAUSE_S = 0.02
_LONGEST_PAUSE_S = 1.0

Opened = tuple[Endpoint, Connection, Response]
#: Told how many seconds the relay has been away; ``None`` when it is back.
OnAway = Callable[[float | None], None]


class EventStream:
    """Follows one job. Used by one thread.

    ``opened`` is the answer to a submission that asked for the events; without it the stream is
    opened with the first ``read``.
    """

    def __init__(
        self,
        http: Http,
        job_id: str,
        *,
        after: int = 0,
        opened: Opened | None = None,
        gate: InterruptGate | None = None,
        on_away: OnAway | None = None,
    ) -> None:
        self.job_id = job_id
        #: Number of the newest event that was handed out.
        self.seq = after
        #: The end state, once it was handed out.
        self.end: State | None = None
        self._http = http
        self._gate = gate
        self._on_away = on_away
        self._opened: Opened | None = None
        self._parser = SseParser()
        self._heard = 0.0
        self._lost_at: float | None = None
        self._pause_s = _FIRST_PAUSE_S
        #: When the relay is looked for again.
        self._again_at = 0.0
        if opened:
            self._adopt(opened)

    def read(self, timeout_s: float | None = None) -> list[Numbered]:
        """The events that came next; ``[]`` when none came in time, or after the end.

        Raises ``Unavailable`` when the relay stays away, ``NotFound`` when it does not know the job,
        ``KeyboardInterrupt`` through the gate.
        """
        give_up = None if timeout_s is None else time.monotonic() + timeout_s
        while self.end is None:
            left = None if give_up is None else give_up - time.monotonic()
            if left is not None and left < 0:
                break
            try:
                if self._opened is None and not self._reopen(left):
                    continue
                events = self._read_open(left)
            except OSError as error:
                self._lose(error)
                continue
            if events:
                return events
        return []

    def all(self) -> list[Numbered]:
        """Every event from here to the end of the job."""
        found: list[Numbered] = []
        while self.end is None:
            found += self.read()
        return found

    def close(self) -> None:
        """Stop following; the job goes on."""
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None

    def _adopt(self, opened: Opened) -> None:
        self._opened = opened
        self._parser = SseParser()
        self._heard = time.monotonic()
        if self._gate is not None:
            opened[1].wait = self._gate.wait

    def _read_open(self, left_s: float | None) -> list[Numbered]:
        assert self._opened is not None
        response = self._opened[2]
        patience_s = self._heard + SILENCE_LIMIT_S - time.monotonic()
        if patience_s <= 0:
            raise ConnectionLost("the relay has gone silent")
        data = response.read_some(patience_s if left_s is None else min(left_s, patience_s))
        if not data:
            if response.finished:
                raise ConnectionLost("the relay ended the stream")
            return []
        self._heard = time.monotonic()
        fresh: list[Numbered] = []
        for seq, event in numbered(self._parser.feed(data)):
            if seq <= self.seq:
                continue
            if seq != self.seq + 1:
                self.close()  # A gap: ask again from where we are.
                break
            self.seq = seq
            fresh.append((seq, event))
            if isinstance(event, State) and event.state in END_STATES:
                self._finish(event)
                break
        return fresh

    def _finish(self, end: State) -> None:
        self.end = end
        if self._opened is not None:
            endpoint, connection, _ = self._opened
            connection.wait = wait_readable
            endpoint.put_back(connection)
            self._opened = None

    def _lose(self, error: OSError) -> None:
        self.close()
        now = time.monotonic()
        if self._lost_at is None:
            self._lost_at = now
        if now - self._lost_at > AWAY_LIMIT_S:
            raise Unavailable(
                f"The relay has been away for {AWAY_LIMIT_S / 60:.0f} minutes: {error}",
                next=f"The job may still run. When the relay is back: %cumulus attach {self.job_id}",
                job_id=self.job_id,
            ) from None
        self._again_at = now + self._pause_s
        self._tell_away(now)

    def _tell_away(self, now: float) -> None:
        if self._on_away and self._lost_at is not None:
            self._on_away(now - self._lost_at)

    def _reopen(self, left_s: float | None) -> bool:
        """Open the stream after the newest event. False: not yet. Raises ``OSError``."""
        endpoint = self._http.endpoint
        if self._lost_at is not None:
            # Whoever reads for a moment at a time comes here several times in one pause.
            now = time.monotonic()
            pause_s = max(0.0, self._again_at - now)
            with letting_through(self._gate):
                if left_s is not None and left_s < pause_s:
                    time.sleep(left_s)
                    self._tell_away(now + left_s)
                    return False
                time.sleep(pause_s)
                endpoint = self._http.relocate(endpoint)
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
        path = f"jobs/{segment(self.job_id)}/events?after={self.seq}"
        headers = {"Accept": "text/event-stream", "Last-Event-ID": str(self.seq)}
        try:
            self._adopt(self._http.open_once(endpoint, "GET", path, headers, self._gate))
        except (Unauthenticated, Unavailable) as error:
            # A relay that is just starting, or one whose new token is not known here yet.
            if self._lost_at is not None and time.monotonic() - self._lost_at > _REFUSAL_LIMIT_S:
                raise
            raise ConnectionLost(str(error)) from None
        if self._lost_at is not None and self._on_away:
            self._on_away(None)
        self._lost_at = None
        self._pause_s = _FIRST_PAUSE_S
        return True
