"""Reads what the child and its processes write, and puts it into the outbox in order."""

from __future__ import annotations

import functools
import json
import os
import time
from typing import Any, Callable, Dict, Mapping, Optional

from .child import Child
from .frames import FrameReader
from .loop import Loop
from .outbox import Outbox
from .outcomes import say
from .progress_pace import BEGINNING, ProgressPace
from .streams import ERROR_KIND, EVENT_KIND, NOTE_KIND, RESULT_KIND, unread_bytes

_READ_BYTES = 1024 * 1024
_LAST_READ_BYTES = 16 * _READ_BYTES
#: After so many small reads in a row, less than this apart, reading waits for a while: a program that
#: prints in a loop should not wake the supervisor for each line.
_HASTY_READS, _HASTY_S, _REST_S = 16, 0.0002, 0.002


class Output:
    """The supervisor's ends of a child's three pipes.

    ``on_note`` gets what the child tells the supervisor; ``on_output`` is called after something new
    is in the outbox.
    """

    def __init__(
        self,
        loop: Loop,
        child: Child,
        outbox: Outbox,
        on_note: Callable[[Mapping[str, Any]], None],
        on_output: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._child = child
        self._raw = ((child.stdout, "stdout"), (child.stderr, "stderr"))
        self._outbox = outbox
        self._on_note = on_note
        self._on_output = on_output
        self._frames = FrameReader(self._text, self._message)
        self._progress = ProgressPace(loop, outbox.say, on_output)
        self._watching = False
        self._closed = False
        self._hasty = 0
        self._read_s = 0.0
        self._end_note: Optional[Dict[str, Any]] = None
        #: True: the Result has come.
        self.has_result = False
        #: True: the error or the result has come, so the end is about to.
        self.finishing = False
        #: The last Error event.
        self.last_error: Optional[Dict[str, Any]] = None

    def watch(self) -> None:
        """Begin to read."""
        self._watching = True
        self._loop.watch(self._child.frames, self._frames_readable)
        for fd, stream in self._raw:
            self._loop.watch(fd, functools.partial(self._raw_event, fd, stream))

    def resume(self) -> None:
        """Read again, if reading was stopped because too much waits."""
        if not self._watching and not self._closed and not self._outbox.full:
            self.watch()

    def close(self) -> None:
        """The program has ended: take what it has written up to now, and no more."""
        if self._closed:
            return
        self.drain()
        self._closed = True
        self._progress.hurry()
        self._forget()
        self._outbox.end_of_text()

    def _forget(self) -> None:
        self._watching = False
        for fd in (self._child.frames, self._child.stdout, self._child.stderr):
            self._loop.forget(fd)

    def drain(self) -> None:
        """Read whatever is there."""
        if self._closed:
            return
        limit = _LAST_READ_BYTES
        while limit > 0 and (self._raw_readable_now() or self._read_frames()):
            limit -= 65536

    def drain_to_end(self) -> None:
        """The child is gone: read what it has left, and tell of its end where that is among it."""
        self.drain()
        self._tell_end()

    def _tell_end(self) -> None:
        """The end is told once everything before it has been taken."""
        note, self._end_note = self._end_note, None
        if note is not None:
            self._on_note(note)

    def _raw_readable_now(self) -> bool:
        found = False
        for fd, stream in self._raw:
            found = self._raw_readable(fd, stream) or found
        return found

    def _raw_event(self, fd: int, stream: str) -> None:
        if not self._raw_readable(fd, stream):
            self._loop.forget(fd)  # Readable with nothing to read: nobody can write there any more.
        self._tell_end()

    def _frames_readable(self) -> None:
        if self._read_frames():
            self._after_reading()
        self._tell_end()
        now_s = time.monotonic()
        self._hasty = self._hasty + 1 if now_s - self._read_s < _HASTY_S else 0
        self._read_s = now_s
        if self._hasty > _HASTY_READS and self._watching:
            self._hasty = 0
            self._loop.forget(self._child.frames)
            self._loop.after(_REST_S, self._rested)

    def _rested(self) -> None:
        if self._watching:
            self._loop.watch(self._child.frames, self._frames_readable)

    def _read_frames(self) -> bool:
        found = False
        while not self._closed:
            try:
                data = os.read(self._child.frames, _READ_BYTES)
            except BlockingIOError:
                return found
            if not data:
                self._loop.forget(self._child.frames)
                return found
            found = True
            self._frames.feed(data)
            if len(data) < _READ_BYTES:
                return found
        return found

    def _raw_readable(self, fd: int, stream: str) -> bool:
        """Read what waits there, after everything the child itself wrote before it."""
        waiting = unread_bytes(fd)
        if not waiting:
            return False
        self._read_frames()
        self._outbox.text(stream, "raw " + stream, os.read(fd, waiting))
        self._after_reading()
        return True

    def _after_reading(self) -> None:
        if self._closed:
            return
        if self._outbox.full and self._watching:
            self._forget()
        self._on_output()

    def _text(self, stream: str, data: bytes) -> None:
        self._outbox.text(stream, stream, data)

    def _message(self, payload: bytes) -> None:
        try:
            self._take_message(payload)
        except (ValueError, KeyError, TypeError) as error:
            # The program can reach this pipe too.
            say(f"passed over a malformed message of process {self._child.pid}: {error!r}")

    def _take_message(self, payload: bytes) -> None:
        kind, body = payload[:1], payload[1:]
        if kind == NOTE_KIND:
            note = json.loads(body)
            if note["note"] == "end":
                self._end_note = note
            else:
                self._on_note(note)
            return
        if kind == RESULT_KIND:
            if self.has_result:
                return
            self.has_result = self.finishing = True
            self._progress.hurry()
        elif kind == ERROR_KIND:
            self.finishing = True
            self._progress.hurry()
            self.last_error = json.loads(body)
        elif kind != EVENT_KIND:
            return
        elif body.startswith(BEGINNING):
            self._progress.take(body)
            return
        self._outbox.event(body)
