"""A cell's output between two flushes: in order, and no more of it than would stay on the screen."""

from __future__ import annotations

from dataclasses import replace

from ..protocol.events import ClearOutput, Display, Event, Log, State, UpdateDisplay
from ..protocol.jobs import QUEUED


def collapsed(text: str) -> str:
    """Text as it looks when it was written: of a line that was rewritten, the last state.

    What stands before the first carriage return stays: it may end a line that is on the screen already.
    """
    if "\r" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    head, returned, rest = lines[0].partition("\r")
    first = f"{head}\r{_overwritten(rest)}" if returned else head
    return "\n".join([first, *map(_overwritten, lines[1:])])


def _overwritten(line: str) -> str:
    if "\r" not in line:
        return line
    shown = ""
    *written, last = line.split("\r")
    # Escape sequences have no width, so what they leave of a longer line cannot be counted.
    coloured = "\x1b" in line
    for part in [*written, last]:
        shown = part or shown if coloured else part + shown[len(part) :]
    return shown if last else f"{shown}\r"


def new_attempt(event: State) -> str:
    """What to say of a job whose output begins anew; empty where it does not."""
    # Without a word, that would look like output that comes twice.
    if event.state == QUEUED and event.attempt and event.message and event.position is None:
        return f"[{event.message}]\n"
    return ""


class HeldOutput:
    """Takes a job's output events; ``release`` hands out what is to be shown."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        #: The text that is being gathered; one stream's.
        self._stream = ""
        self._texts: list[str] = []

    def __bool__(self) -> bool:
        return bool(self._events or self._texts)

    def add(self, event: Event) -> None:
        """One more event; those that are no output are passed over."""
        if isinstance(event, State):
            note = new_attempt(event)
            if note and self._texts[-1:] != [note]:
                self._write("stderr", note)
        elif isinstance(event, Log):
            self._write(event.stream, event.text)
        elif isinstance(event, UpdateDisplay):
            self._gather()
            self._update(event)
        elif isinstance(event, (Display, ClearOutput)):
            self._gather()
            self._events.append(event)

    def release(self) -> list[Event]:
        """All of it, in order; from then on, nothing is held."""
        self._gather()
        events, self._events = self._events, []
        for at in reversed(range(len(events))):
            event = events[at]
            if isinstance(event, ClearOutput) and (not event.wait or _has_output(events[at + 1 :])):
                # What nobody has seen need not be shown only to be cleared.
                return [each for each in events[:at] if isinstance(each, UpdateDisplay)] + events[at:]
        return events

    def _write(self, stream: str, text: str) -> None:
        if stream != self._stream:
            self._gather()
            self._stream = stream
        self._texts.append(text)

    def _gather(self) -> None:
        if self._texts:
            text = collapsed("".join(self._texts))
            self._texts = []
            if text:
                self._events.append(Log(self._stream, text))

    def _update(self, event: UpdateDisplay) -> None:
        """What was not shown yet is shown as it is now."""
        pending = False
        for at, held in enumerate(self._events):
            if isinstance(held, (Display, UpdateDisplay)) and held.display_id == event.display_id:
                self._events[at] = replace(held, data=event.data, metadata=event.metadata)
                pending = pending or isinstance(held, UpdateDisplay)
        # A display that is shown already may have this id too.
        if not pending:
            self._events.append(event)


def _has_output(events: list[Event]) -> bool:
    return any(isinstance(event, (Log, Display)) for event in events)
