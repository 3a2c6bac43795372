"""Passes on what a job's bars tell: at most four times a second, and the bar to look at last.

A card, a status line and the relay show one bar of a job: that of its newest Progress event, as long as it
is unfinished. Of nested bars a user wants the outer one, which tells how far the whole has come; so whenever
a bar is told of, the outermost follows once more. The outermost is the oldest of the open bars that know
their total and have not reached it; where there is none, the oldest of those without a total. A bar that is
full and that nobody has closed is not in the way of others.

What comes between two times is gathered, the newest of each bar, and is passed on when it is time, also where
nothing follows. A bar that began and ended in between is not told of at all.
"""

from __future__ import annotations

import json
import math
import time
from typing import Any, Callable, Dict, Optional

from .loop import Loop, Timer

_INTERVAL_S = 0.25
#: So many bars are told of at a time. Later ones are when there is room.
_BARS = 12
#: What every Progress event begins with, as the child writes it.
BEGINNING = b'{"type":"progress"'


#: Which kind of open bar is looked at before which.
_ON_ITS_WAY, _ENDLESS, _FULL = range(3)


class _Bar:
    """What is known of a bar that has not ended."""

    def __init__(self) -> None:
        self.event: Dict[str, Any] = {}
        self.told = self.waits = self.finished = False
        self.kind = _ENDLESS

    def take(self, event: Dict[str, Any]) -> None:
        """It has moved."""
        done, total = event["done"], event["total"]
        if not (math.isfinite(done) and math.isfinite(total or 0)):
            raise ValueError("a bar whose numbers are none")
        self.event, self.waits, self.finished = event, True, bool(event["finished"])
        self.kind = _ENDLESS if not total else _ON_ITS_WAY if done < total else _FULL

    def end(self) -> None:
        """Nobody closes it, and another one needs its place."""
        self.event, self.waits, self.finished = {**self.event, "finished": True}, True, True


class ProgressPace:
    """Between what the child writes and the outbox.

    ``pass_on`` gets events. ``passed_on`` is called after some that came of themselves, and not from
    within ``take`` or ``hurry``.
    """

    def __init__(
        self, loop: Loop, pass_on: Callable[[Dict[str, Any]], None], passed_on: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._pass_on = pass_on
        self._passed_on = passed_on
        #: By id, in the order in which they began.
        self._bars: Dict[str, _Bar] = {}
        self._at_s = float("-inf")
        self._timer: Optional[Timer] = None

    def take(self, body: bytes) -> None:
        """A Progress event. Raises ``ValueError``, ``TypeError`` or ``KeyError`` for what is none."""
        event = json.loads(body)
        name = str(event["id"])
        bar = self._bars.get(name)
        if bar is None:
            if not self._has_room():
                return
            bar = _Bar()
        bar.take(event)
        self._bars[name] = bar
        if bar.finished and not bar.told:
            del self._bars[name]
            return
        wait_s = self._at_s + _INTERVAL_S - time.monotonic()
        if wait_s <= 0:
            self.hurry()
        elif self._timer is None:
            self._timer = self._loop.after(wait_s, self._time_has_come)

    def hurry(self) -> None:
        """Pass on at once what waits: the end is near."""
        self.close()
        first = self._outermost()
        waiting = [bar for bar in self._bars.values() if bar.waits and bar is not first]
        ended = [bar for bar in reversed(waiting) if bar.finished]  # the inner ones first
        waiting = ended + [bar for bar in waiting if not bar.finished]
        if first is not None and (waiting or first.waits):
            waiting.append(first)
        for bar in waiting:
            bar.waits, bar.told = False, True
            self._pass_on(bar.event)
        self._bars = {name: bar for name, bar in self._bars.items() if not bar.finished}
        self._at_s = time.monotonic()

    def _time_has_come(self) -> None:
        self.hurry()
        self._passed_on()

    def _outermost(self) -> Optional[_Bar]:
        open_bars = (bar for bar in self._bars.values() if not bar.finished)
        return min(open_bars, key=lambda bar: bar.kind, default=None)

    def _has_room(self) -> bool:
        if len(self._bars) < _BARS:
            return True
        full = next((bar for bar in self._bars.values() if bar.kind == _FULL and not bar.finished), None)
        if full is None:
            return False
        full.end()
        self.hurry()
        return True

    def close(self) -> None:
        """Wait for nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
