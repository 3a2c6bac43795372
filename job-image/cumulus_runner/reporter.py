"""Sends what waits in the outbox: soon, in order, in as few requests as that allows."""

from __future__ import annotations

import os
import time
from typing import Any, Callable, Dict, Mapping, Optional

from . import outcomes
from .channel import Fenced, Refused, RelayChannel
from .http import Disconnected
from .loop import Future, Loop, Timer, report_failure, spawn
from .outbox import TEXT_LIMIT_BYTES, Outbox, Sealed, Upload

#: A text of a job younger than the one waits the other for more, so that a job that is over at once
#: needs one request and not two.
_YOUNG_S, _GATHER_S = 0.005, 0.0005
#: Little that comes right after a request waits for more until this long after it.
_PACE_S = 0.002
#: The beginning of a line waits this long for its end.
_LINE_S = 0.005
#: Statuses of a relay that has no room for what was sent.
_TOO_MUCH = (413, 507)


class Reporter:
    """Posts a job's events and, last of all, its outcome.

    ``on_sent`` is called after each request that the relay has answered, ``on_cancel`` when an answer asks
    for the job's end, ``on_lost`` when the relay takes no more of it.
    """

    def __init__(
        self,
        loop: Loop,
        channel: RelayChannel,
        outbox: Outbox,
        on_sent: Callable[[], None],
        on_cancel: Callable[[], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._channel = channel
        self._outbox = outbox
        self._on_sent, self._on_cancel, self._on_lost = on_sent, on_cancel, on_lost
        self._waiting: Optional[Timer] = None
        self._sending = False
        self._posted_s = 0.0
        self._unanswered: Optional[Sealed] = None
        self._outcome: Optional[Dict[str, Any]] = None
        #: When the program began, on the monotonic clock.
        self.began_s = 0.0
        #: True: the end is near, and will take along what waits.
        self.held = False
        #: Done when the outcome has been acknowledged; fails where it can't be.
        self.delivered: Future[None] = Future()

    def say(self, event: Mapping[str, Any]) -> None:
        """An event of the supervisor's own."""
        self._outbox.say(event)
        self.something_waits()

    def something_waits(self) -> None:
        """Send what is in the outbox soon, together with what belongs to it."""
        if self._sending or self.held or self._outcome is not None:
            return
        now_s = time.monotonic()
        if self._outbox.in_mid_line:
            wait_s = _LINE_S
        elif now_s - self.began_s < _YOUNG_S:
            wait_s = _GATHER_S
        elif now_s - self._posted_s < _PACE_S and self._outbox.held_bytes < TEXT_LIMIT_BYTES:
            wait_s = _PACE_S
        else:
            self._flush()
            return
        if self._waiting is None:
            self._waiting = self._loop.after(wait_s, self._flush)

    def _flush(self) -> None:
        self.stop_waiting()
        if not self._sending and not self.held and not self._outbox.empty:
            self._begin_to_send()

    def stop_waiting(self) -> None:
        """Forget that something was to be sent soon."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def finish(self, outcome: Dict[str, Any]) -> None:
        """Send what is left, and the outcome with the last of it."""
        self.stop_waiting()
        self._outcome = outcome
        if not self._sending:
            self._begin_to_send()

    def _begin_to_send(self) -> None:
        self._sending = True
        report_failure(spawn(self._send()), "sending events")

    async def _send(self) -> None:
        try:
            while not self.delivered.done:
                item = self._outbox.take()
                if isinstance(item, Upload):
                    await self._channel.store(item.name, item.path)
                    os.unlink(item.path)
                    continue
                last = self._outcome if self._outbox.empty else None
                if item is None and last is None:
                    break
                await self._post(item or self._outbox.take_last(), last)
                if self._outcome is None and self._outbox.held_bytes < TEXT_LIMIT_BYTES:
                    break
        except (Refused, OSError, ValueError) as problem:
            await self._give_up(problem)
        except (Fenced, Disconnected) as problem:
            self._lose(problem)
        finally:
            self._sending = False
        if not self._outbox.empty:
            self.something_waits()

    async def _post(self, sealed: Sealed, outcome: Optional[Dict[str, Any]]) -> None:
        self._unanswered = sealed
        answer = await self._channel.post(sealed.body(outcome))
        self._unanswered = None
        self._posted_s = time.monotonic()
        if outcome is not None:
            self.delivered.set(None)
        elif answer.get("cancel_requested"):
            self._on_cancel()
        self._on_sent()

    async def _give_up(self, problem: Exception) -> None:
        """The relay takes no such event or value, or it is gone: say so in its place, and that is the end."""
        self._outbox.start_over(self._unanswered)
        outcome = outcomes.refused(str(problem), isinstance(problem, Refused) and problem.status in _TOO_MUCH)
        self._outcome = outcome
        self._on_lost()
        self._outbox.say(outcomes.error_event("ReportRefused", outcome["message"]))
        self._outbox.say(outcomes.no_result())
        try:
            sealed = self._outbox.take()
            assert isinstance(sealed, Sealed)
            await self._post(sealed, outcome)
        except (Fenced, Refused, Disconnected) as error:
            self._lose(error)

    def _lose(self, problem: Exception) -> None:
        self.delivered.fail(problem)
        self._on_lost()
