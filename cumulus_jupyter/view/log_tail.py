"""The newest text of a job's log, kept within bounds, for a pane that is opened late."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True)
class Mark:
    """A place in the log: characters and ended lines before it."""

    chars: int = 0
    lines: int = 0


@dataclass(frozen=True)
class Piece:
    """Text of the log, and what it leaves out."""

    text: str
    #: Lines left out between the mark that was asked from and the text.
    skipped: int
    #: Number of the event that the text begins in, and what of that event stands before it.
    seq: int
    before: str


@dataclass(frozen=True)
class _Entry:
    seq: int
    start: Mark
    text: str


class LogTail:
    """Takes every log event; keeps whole ones, the newest, ``limit_chars`` in all (one at least)."""

    def __init__(self, limit_chars: int = 131_072) -> None:
        self._limit = limit_chars
        self._entries: deque[_Entry] = deque()
        #: Where the log ends.
        self.end = Mark()

    def add(self, seq: int, text: str) -> None:
        """One more event; ``seq`` is its number."""
        if not text:
            return
        self._entries.append(_Entry(seq, self.end, text))
        self.end = Mark(self.end.chars + len(text), self.end.lines + text.count("\n"))
        while len(self._entries) > 1 and self.end.chars - self._entries[1].start.chars >= self._limit:
            self._entries.popleft()

    def newest(self, limit_chars: int, after: Mark | None = None) -> Piece | None:
        """What came after the mark (of all that is kept, without one); ``None`` where nothing did.

        At most about ``limit_chars`` of it, the newest, and then from a line's beginning.
        """
        if not self._entries:
            return None
        after = after or Mark()
        low = max(after.chars, self._entries[0].start.chars, self.end.chars - limit_chars)
        if low >= self.end.chars:
            return None
        parts: list[str] = []
        first = self._entries[-1]
        for entry in reversed(self._entries):
            if entry.start.chars + len(entry.text) <= low:
                break
            parts.append(entry.text)
            first = entry
        text = "".join(reversed(parts))
        at = low - first.start.chars
        if low > after.chars and not self._is_line_start(first, at):
            cut = text.find("\n", at)
            at = cut + 1 if cut >= 0 else at
        # Where the line's end lies in a later event, what was left out is that event's beginning.
        seq, before = self._origin(first.start.chars + at, first)
        skipped = first.start.lines + text.count("\n", 0, at) - after.lines
        return Piece(text[at:], max(0, skipped), seq, before)

    def _is_line_start(self, entry: _Entry, at: int) -> bool:
        if at > 0:
            return entry.text[at - 1] == "\n"
        return entry.start.chars == 0 or (
            entry is not self._entries[0] and self._before(entry).endswith("\n")
        )

    def _before(self, entry: _Entry) -> str:
        previous = ""
        for each in self._entries:
            if each is entry:
                break
            previous = each.text
        return previous

    def _origin(self, chars: int, first: _Entry) -> tuple[int, str]:
        for entry in self._entries:
            if entry.start.chars <= chars < entry.start.chars + len(entry.text):
                return entry.seq, entry.text[: chars - entry.start.chars]
        return first.seq, first.text
