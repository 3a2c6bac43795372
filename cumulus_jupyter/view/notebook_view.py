"""A job in a notebook's cell: its card on top once it takes a while, its output under it."""

from __future__ import annotations

import os
import time
from typing import Any

from ..protocol.events import ClearOutput, Display, Event, Log, UpdateDisplay
from .card import REPAINT_S, Card, JobReach, prepare
from .facts import JobFacts
from .held_output import HeldOutput
from .log_tail import LogTail
from .output_limit import OutputLimit
from .plain import PlainView

APPEARS_AFTER_S = 0.5
#: A cell that takes this long is likely to need a card soon; a quick one is over by then.
PREPARES_AFTER_S = 0.1
#: Under load, output is handed on this often.
FLUSH_S = 0.25


class NotebookView:
    """Shows one job in one cell of a notebook that somebody looks at."""

    def __init__(self, shell: Any, facts: JobFacts, limit: OutputLimit, *, prefix: str = "") -> None:
        self._shell = shell
        self._facts = facts
        self._limit = limit
        self._plain = PlainView(shell, prefix=prefix)
        self._log = LogTail()
        self._held = HeldOutput()
        self._reach: JobReach | None = None
        self._card: Card | None = None
        self._began = time.monotonic()
        self._ticked_at = self._flushed_at = 0.0
        self._prepared = False
        #: True: the card is to be shown before the next output: the first time, and when it was cleared.
        self._card_due = True
        #: True: what was cleared stays until then.
        self._clear_waits = False
        self._told_id = ""
        #: True: the card stays as it is, for a page that feeds it without the kernel.
        self._left = False

    def reached(self, reach: JobReach) -> None:
        """The relay has the job."""
        self._reach = reach
        self._facts.job_id = reach.job_id

    def show(self, event: Event, seq: int = 0) -> None:
        """Show one event; ``seq`` is its number."""
        self._facts.take(event)
        if isinstance(event, Log):
            self._log.add(seq, event.text)
        self._held.add(event)

    def settle(self) -> None:
        """All that has come was shown; what follows is a wait."""
        self.tick()

    def next_tick_s(self) -> float:
        """How long to wait for events at most."""
        if self._card is None:
            due = self._began + (APPEARS_AFTER_S if self._prepared else PREPARES_AFTER_S)
        else:
            due = self._ticked_at + REPAINT_S
            if self._held:
                due = min(due, self._flushed_at + FLUSH_S)
        return max(0.01, due - time.monotonic())

    def tick(self) -> None:
        """Time has passed."""
        now = time.monotonic()
        card = self._card
        if card is None:
            if now - self._began >= PREPARES_AFTER_S and not self._prepared:
                self._prepared = True
                prepare()
            if now - self._began < APPEARS_AFTER_S:
                return
            card = self._card = Card(self._shell, self._facts, self._log, self._reach)
            self._ticked_at = now
            self._flush(card)
            self._flushed_at = time.monotonic()
        if self._held and now - self._flushed_at >= FLUSH_S:
            self._flush(card)
            self._flushed_at = now
        if now - self._ticked_at >= REPAINT_S:
            self._ticked_at = now
            card.tick()

    def away(self, seconds: float | None) -> None:
        """The relay has been away this long; ``None``: it is back."""
        self._facts.away(seconds)
        self.tick()

    def say(self, note: str) -> None:
        """Say this on the card, at once where there is one."""
        self._facts.say(note)
        if self._card is not None:
            self._card.tick()

    def leave(self) -> None:
        """The kernel is ending, and the job goes on: leave its card to the page."""
        self._left = True

    def end(self) -> None:
        """The job has ended, or is no longer followed."""
        if self._left:
            return
        self._facts.settle()
        if self._card is None:
            self._end_quick()
        else:
            self._flush(self._card)
            self._show_last()
            self._card.finish(self._limit.cut)
        self._plain.flush()

    def _end_quick(self) -> None:
        """Exactly what a cell shows that ran here; the quiet line only where something was left out."""
        events = [found for event in self._held.release() for found in self._limited(event)]
        if self._limit.cut:
            Card(self._shell, self._facts, self._log, self._reach).finish(cut=True)
        for event in events:
            self._plain.show(event)
        self._show_last()

    def _flush(self, card: Card) -> None:
        for event in self._held.release():
            for found in self._limited(event):
                if self._card_due and isinstance(found, (Log, Display)):
                    self._card_due = False
                    card.show()
                self._plain.show(found)
            if isinstance(event, ClearOutput):
                self._card_due, self._clear_waits = True, event.wait
        if self._card_due and not self._clear_waits:
            self._card_due = False
            card.show()
        self._plain.flush()

    def _limited(self, event: Event) -> list[Event]:
        """What of an event goes to the cell."""
        if isinstance(event, ClearOutput):
            self._limit.clear()
            self._facts.log_only = False
        if not isinstance(event, Log):
            return [event]
        passed = self._limit.take(event)
        found: list[Event] = [passed] if passed is not None else []
        if self._limit.cut and not self._facts.log_only:
            self._facts.log_only = True
            self._told_id = f"cumulus-{os.urandom(8).hex()}"
            begun = "\n" if passed is not None and not passed.text.endswith("\n") else ""
            found += [Log(event.stream, begun)] if begun else []
            found.append(Display(_told("the output goes on in the log"), display_id=self._told_id))
        return found

    def _show_last(self) -> None:
        if not self._limit.cut:
            return
        last = self._limit.last()
        hidden = self._limit.left_out - sum(event.text.endswith("\n") for event in last)
        words = f"{hidden:,} lines are in the log only, and then:" if hidden > 0 else "and at last:"
        self._plain.show(UpdateDisplay(self._told_id, _told(words)))
        for event in last:
            self._plain.show(event)
        self._plain.flush()


def _told(words: str) -> dict[str, Any]:
    return {"text/plain": f"… {words}", "text/html": f'<div style="opacity:.8">… {words}</div>'}
