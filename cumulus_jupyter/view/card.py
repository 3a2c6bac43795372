"""The card over a cell's output while its job runs: shown, kept up to date, and in the end one quiet line."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from .facts import JobFacts, now_ms
from .log_tail import LogTail, Mark
from .static import KEPT_CHARS, card_bundle, final_bundle, running_bundle

REPAINT_S = 0.25
#: Text that goes to an open log pane at a time.
LOG_CHARS = 16_384
#: Text that a pane gets when it is opened.
OPENING_CHARS = 65_536
#: How often the line is repainted that stands for the card where there is no widget.
LINE_REPAINT_S = 1.0
_prepared = threading.Event()


class JobReach(Protocol):
    """A job at its relay, for threads other than the one that follows it."""

    @property
    def job_id(self) -> str:
        """The job."""

    @property
    def relay_id(self) -> str:
        """Its relay."""

    def cancel(self) -> str:
        """Ask for it to be cancelled; what went wrong, empty for nothing."""

    def log_before(self, seq: int) -> tuple[int, str] | None:
        """The page of its log before an event: its first event's number, its text; ``None`` for none."""


class Card:
    """One job's card. All but ``heard`` is called by the thread of the cell."""

    def __init__(self, shell: Any, facts: JobFacts, log: LogTail, reach: JobReach | None) -> None:
        self._shell = shell
        self._facts = facts
        self._log = log
        self._reach = reach
        self._display_id = f"cumulus-{os.urandom(8).hex()}"
        self._widget: Any = None
        #: What the widget was last told, but for the time of it.
        self._snapshot: dict[str, Any] = {}
        self._shown = False
        self._painted_at = 0.0
        self._painted = ""
        #: True: a page's log pane was opened and has not had its beginning yet.
        self._opening = False
        self._watching = False
        self._sent = Mark()
        #: Where the pane begins: an event's number, and what of its text stands before.
        self._pane_begins = (0, "")
        self._cancelling = threading.Lock()
        self._fetching = threading.Lock()
        #: True: somebody read the log in the card.
        self.log_was_open = False

    def show(self) -> None:
        """Show it, or show it again where the output was cleared."""
        if not self._shown:
            self._snapshot = self._facts.snapshot()
            self._widget = _made({**self._snapshot, "now_ms": now_ms()}, self.heard)
        self._publish(self._bundle(), update=False)
        self._shown = True

    def tick(self) -> None:
        """Bring it up to date; call this four times a second at most."""
        if self._widget is None:
            self._repaint_line()
            return
        snapshot = self._facts.snapshot()
        if snapshot != self._snapshot:
            before, self._snapshot = self._snapshot, snapshot
            if snapshot["log_only"] != before["log_only"]:
                # A page that draws the card from the relay knows this from the display alone.
                self._publish(self._bundle(), update=True)
            self._widget.snapshot = {**snapshot, "now_ms": now_ms()}
        if self._watching:
            self._send_log()

    def finish(self, cut: bool) -> None:
        """Leave the quiet line. ``cut``: the cell does not show all that was printed."""
        log = self._log.newest(KEPT_CHARS) if cut or self.log_was_open else None
        self._publish(final_bundle(self._facts, log), update=self._shown)
        self._shown = True
        widget, self._widget = self._widget, None
        if widget is not None:
            widget.close()

    def heard(self, message: dict[str, Any]) -> None:
        """A page asks for something."""
        kind = message.get("kind")
        if kind == "cancel":
            self._cancel()
        elif kind == "watch":
            self._watching = self._opening = bool(message.get("open"))
            self.log_was_open = self.log_was_open or self._watching
        elif kind == "earlier":
            self._send_earlier()

    def _cancel(self) -> None:
        if self._reach is None or self._facts.ended or not self._cancelling.acquire(blocking=False):
            return  # It was asked for before.
        self._facts.say("cancelling")
        failure = self._reach.cancel()
        if failure:
            self._facts.say(f"not cancelled: {failure}")
            self._cancelling.release()

    def _send_log(self) -> None:
        if self._opening:
            self._opening = False
            piece = self._log.newest(OPENING_CHARS)
            self._pane_begins = (piece.seq, piece.before) if piece else (0, "")
            skipped = 0  # What is before the pane's beginning can be asked for.
        else:
            piece = self._log.newest(LOG_CHARS, self._sent)
            skipped = piece.skipped if piece else 0
        self._sent = self._log.end
        if piece is not None:
            self._widget.send({"kind": "log", "text": piece.text, "skipped": skipped})

    def _send_earlier(self) -> None:
        if not self._fetching.acquire(blocking=False):
            return  # The answer to the first is on its way.
        try:
            text = self._earlier()
        finally:
            self._fetching.release()
        widget = self._widget
        if widget is not None:
            widget.send({"kind": "earlier", "text": text})

    def _earlier(self) -> str | None:
        seq, before = self._pane_begins
        page = self._reach.log_before(seq) if self._reach is not None and seq else None
        if page is None:
            self._pane_begins = (0, "")
            return before or None
        first, text = page
        text += before
        # The pane takes whole lines: what its first line lacks comes with the page before.
        cut = text.find("\n") + 1 if first > 1 else 0
        self._pane_begins = (first, text[:cut])
        return text[cut:]

    def _bundle(self) -> dict[str, Any]:
        widget = self._widget.view() if self._widget is not None else None
        return card_bundle(self._facts, self._reach.relay_id if self._reach else "", widget)

    def _repaint_line(self) -> None:
        if time.monotonic() - self._painted_at < LINE_REPAINT_S:
            return
        line = running_bundle(self._facts)["text/plain"]
        if line != self._painted:
            self._painted = line
            self._publish(self._bundle(), update=True)

    def _publish(self, data: dict[str, Any], *, update: bool) -> None:
        self._painted_at = time.monotonic()
        self._shell.display_pub.publish(data, {}, transient={"display_id": self._display_id}, update=update)


def prepare() -> None:
    """Have what draws cards imported by another thread: the first of a kernel would else come late."""
    if not _prepared.is_set():
        _prepared.set()
        threading.Thread(target=_import, name="cumulus-card-import", daemon=True).start()


def _import() -> None:
    with contextlib.suppress(Exception):  # Whoever makes a card finds out.
        from . import widget  # noqa: F401


def _made(snapshot: dict[str, Any], heard: Callable[[dict[str, Any]], None]) -> Any:
    """The widget, or ``None`` where this kernel has none to offer."""
    try:
        from .widget import JobCard

        return JobCard(snapshot, heard)
    except Exception:  # Whatever is wrong with widgets here, the job's output matters more.
        return None
