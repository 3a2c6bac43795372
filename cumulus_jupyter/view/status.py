"""One line under the output that says what the job is doing, in a terminal.

It appears after half a second and is repainted at most four times a second. It is erased before
anything else is printed, and leaves nothing behind.
"""

from __future__ import annotations

import os
import sys
import time
from unicodedata import east_asian_width

from .facts import JobFacts

APPEARS_AFTER_S = 0.5
REPAINT_S = 0.25


class StatusLine:
    """A terminal's line for one job."""

    def __init__(self, facts: JobFacts) -> None:
        self._facts = facts
        self._began = time.monotonic()
        self._painted_at = 0.0
        self._painted = ""
        #: True: the job has begun a line and not ended it; ours would wipe it out.
        self.inside_line = False

    def next_tick_s(self) -> float:
        """How long until the line wants to be painted again."""
        now = time.monotonic()
        due = max(self._began + APPEARS_AFTER_S, self._painted_at + REPAINT_S)
        return max(0.01, due - now)

    def tick(self) -> None:
        """Paint where it is time to."""
        if self.next_tick_s() <= 0.01:
            self._painted_at = time.monotonic()
            self.paint()

    def repaint(self) -> None:
        """Paint at once where the line is visible."""
        if self._painted:
            self.paint()

    def erase(self) -> None:
        """Make room for output."""
        if self._painted:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
            self._painted = ""

    def paint(self) -> None:
        """Paint now, where a line has something to be painted on."""
        line = self._facts.line()
        if line == self._painted or self.inside_line or not sys.stderr.isatty():
            return
        shown = fitting(line, _columns())
        dimmed = shown if os.environ.get("NO_COLOR") else f"\x1b[2m{shown}\x1b[0m"
        sys.stderr.write(f"\r\x1b[2K{dimmed}")
        sys.stderr.flush()
        self._painted = line


def fitting(text: str, columns: int) -> str:
    """As much of the text as fits on one line of a terminal: characters of Asia take two places."""
    shown = ""
    for character in text:
        # What a job calls its bar must neither end the line nor move the cursor.
        character = character if character.isprintable() else " "
        columns -= 2 if east_asian_width(character) in "WF" else 1
        if columns < 0:
            break
        shown += character
    return shown


def _columns() -> int:
    import shutil

    return shutil.get_terminal_size().columns - 1
