"""How much printed text a cell's output takes: a notebook with a million lines in it helps nobody."""

from __future__ import annotations

from collections import deque

from ..protocol.events import Log
from .held_output import collapsed

LINES = 1000
KIB = 256
#: Lines that are shown at the end of an output that was cut.
LAST_LINES = 20
_LAST_CHARS = 8192


class OutputLimit:
    """Lets text through up to a number of lines and of bytes; zero is no limit."""

    def __init__(self, lines: int = LINES, kib: int = KIB) -> None:
        self._most_lines = lines
        self._most_bytes = kib * 1024
        self._lines = 0
        self._bytes = 0
        #: Bytes in the line that was begun: it may still be rewritten, and counts as it is at last.
        self._begun = 0
        #: True: something was left out.
        self.cut = False
        #: Lines left out so far.
        self.left_out = 0
        self._last: deque[tuple[str, str]] = deque(maxlen=LAST_LINES + 1)

    def take(self, event: Log) -> Log | None:
        """What of the text goes to the cell's output."""
        if self.cut:
            self._leave_out(event.stream, event.text)
            return None
        room = self._room(event.text)
        if room >= len(event.text):
            return event
        self.cut = True
        self._leave_out(event.stream, event.text[room:])
        return Log(event.stream, event.text[:room]) if room else None

    def last(self) -> list[Log]:
        """The last lines of what was left out."""
        kept = list(self._last)
        if kept and not kept[-1][1]:
            kept.pop()
        shown: list[Log] = []
        chars = 0
        for stream, text in reversed(kept[-LAST_LINES:]):
            text = collapsed(text)
            chars += len(text)
            if shown and chars > _LAST_CHARS:
                break
            shown.append(Log(stream, text[-_LAST_CHARS:]))
        return shown[::-1]

    def clear(self) -> None:
        """The output was cleared: there is room again."""
        self._lines = self._bytes = self._begun = self.left_out = 0
        self.cut = False
        self._last.clear()

    def _room(self, text: str) -> int:
        """How many characters of it there is room for; a line's end is the last of them."""
        at = 0
        while at < len(text):
            end = text.find("\n", at) + 1
            line = text[at:end] if end else text[at:]
            size = len(line.encode("utf-8", "replace"))
            returned = line.rfind("\r", 0, len(line) - 1) >= 0
            begun = size if returned else self._begun + size
            over_lines = self._most_lines and self._lines >= self._most_lines
            if over_lines or (self._most_bytes and self._bytes + begun > self._most_bytes):
                return at
            if end:
                self._lines, self._bytes, self._begun = self._lines + 1, self._bytes + begun, 0
            else:
                self._begun = begun
            at += len(line)
        return at

    def _leave_out(self, stream: str, text: str) -> None:
        self.left_out += text.count("\n")
        # Only the newest are wanted: of a flood, the rest is not even looked at.
        at = len(text)
        for _ in range(LAST_LINES + 1):
            at = text.rfind("\n", 0, at)
            if at < 0:
                break
        lines = text[at + 1 :].split("\n")
        if self._last and not self._last[-1][1].endswith("\n"):
            begun_stream, begun = self._last.pop()
            if begun_stream == stream and at < 0:
                lines[0] = begun[-_LAST_CHARS:] + lines[0]
            elif begun:
                self._last.append((begun_stream, begun))
        for line in lines[:-1]:
            self._last.append((stream, f"{line}\n"))
        self._last.append((stream, lines[-1]))
