"""A job's own output in the cell, and nothing else: stable, so that notebooks can be compared.

Runs on the thread of the cell that submitted, so everything goes to that cell.
"""

from __future__ import annotations

import sys
from typing import Any, TextIO

from ..protocol.events import ClearOutput, Display, Event, Log, State, UpdateDisplay
from .held_output import new_attempt


class PlainView:
    """Shows events as they come.

    ``shell`` is the IPython shell, ``None`` outside of IPython. ``prefix`` goes before every display
    id: a job shown once more must not repaint where it was shown before.
    """

    def __init__(self, shell: Any = None, *, quiet: bool = False, prefix: str = "") -> None:
        self._shell = shell
        self._quiet = quiet
        self._prefix = prefix
        #: What was said last of a new attempt; empty once it has put something out.
        self._noted = ""
        #: The stream that was written to and not flushed yet.
        self._written: TextIO | None = None

    def show(self, event: Event) -> None:
        """Show one event; those that are no output are passed over."""
        if self._quiet:
            return
        if isinstance(event, State):
            note = new_attempt(event)
            if note and note != self._noted:
                self._write(sys.stderr, note)
                self._noted = note
            return
        if isinstance(event, (Log, Display)):
            self._noted = ""
        if isinstance(event, Log):
            self._write(sys.stderr if event.stream == "stderr" else sys.stdout, event.text)
        elif isinstance(event, Display):
            self._publish(event.data, event.metadata, event.display_id, update=False)
        elif isinstance(event, UpdateDisplay):
            self._publish(event.data, event.metadata, event.display_id, update=True)
        elif isinstance(event, ClearOutput):
            self.flush()
            if self._shell is not None:
                self._shell.display_pub.clear_output(event.wait)

    def flush(self) -> None:
        """Let what was written be seen now. Call it before waiting."""
        if self._written is not None:
            self._written.flush()
            self._written = None

    def _write(self, stream: TextIO, text: str) -> None:
        if self._written is not stream:
            self.flush()  # The two streams travel apart: this keeps their order.
        self._written = stream
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = getattr(stream, "encoding", None) or "ascii"
            stream.write(text.encode(encoding, "replace").decode(encoding))

    def _publish(
        self, data: dict[str, Any], metadata: dict[str, Any], display_id: str | None, *, update: bool
    ) -> None:
        self.flush()
        if self._shell is None:
            if not update and "text/plain" in data:
                print(data["text/plain"])
            return
        transient = {"display_id": self._prefix + display_id} if display_id else {}
        self._shell.display_pub.publish(data, metadata, transient=transient, update=update)
