"""The child's side of the output: ``sys.stdout``, ``sys.stderr``, and events, in one order."""

from __future__ import annotations

import codecs
import fcntl
import io
import json
import math
import os
import struct
import termios
import threading
import time
from typing import Any, BinaryIO, Iterable, Mapping, Optional, Tuple, cast

from . import frames

#: What another process wrote can't have come between two writes closer than this.
_TOGETHER_S = 20e-6
#: How long the supervisor may take to read them, on a machine that has much else to do.
_RAW_PATIENCE_S = 1.0
_LINE_BYTES = 4000
#: Kinds of message: an event to pass on (an error or the result tell that the end is near), or
#: something for the supervisor itself.
EVENT_KIND, ERROR_KIND, RESULT_KIND, NOTE_KIND = b"e", b"x", b"r", b"n"
_KINDS = {"error": ERROR_KIND, "result": RESULT_KIND}


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy and the like as JSON has them; of anything else what it says of itself."""
    to_list = None if isinstance(value, type) else getattr(value, "tolist", None)
    return repr(value) if to_list is None else to_list()


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain).encode


def event_text(event: Mapping[str, Any]) -> bytes:
    """An event as JSON, and not what Python alone takes for that: the relay would refuse the job's report."""
    try:
        text = _encode(event)
    except (TypeError, ValueError):
        text = _encode(_as_json(event))
    return text.encode("utf-8", "cumulus_escape")


def _as_json(value: Any) -> Any:
    """What a bundle's part is as JSON: no numbers that it lacks, and text for keys."""
    if isinstance(value, Mapping):
        return {str(key): _as_json(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(part) for part in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (str, int)) else _as_json(_plain(value))


def _escape(error: UnicodeError) -> Tuple[str, int]:
    """Half a character, such as of a file's name that is no UTF-8, as Python writes it to stderr."""
    assert isinstance(error, UnicodeEncodeError)
    odd = error.object[error.start : error.end]
    return "".join(f"\\\\u{ord(character):04x}" for character in odd), error.end


codecs.register_error("cumulus_escape", _escape)


class Console:
    """Writes to the supervisor's frame pipe.

    What the job's C code and subprocesses write goes through descriptors 1 and 2, which are pipes of
    their own. Before anything is written here, those are given time to be read, so that the order
    in which a program wrote is the order in which it is seen.
    """

    def __init__(self) -> None:
        self._fd = -1
        self._raw = (-1, -1)
        self._lock = threading.RLock()
        self._current: Optional[Stream] = None
        self._marking = False
        self._foreign = False
        self._sender = 0
        self._last_s = 0.0
        self.stdout = Stream(self, frames.STDOUT, 1, "<stdout>")
        self.stderr = Stream(self, frames.STDERR, 2, "<stderr>")

    def open(self, fd: int) -> None:
        """Use this pipe. Descriptors 1 and 2 must be the job's by now."""
        self._fd = fd
        self._raw = (
            fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 20),
            fcntl.fcntl(2, fcntl.F_DUPFD_CLOEXEC, 20),
        )
        self._sender = os.getpid()
        os.register_at_fork(after_in_parent=self._has_forked, after_in_child=self._was_forked)

    def _has_forked(self) -> None:
        self._marking = True
        self._current = None

    def _was_forked(self) -> None:
        self._lock = threading.RLock()
        self._marking = self._foreign = True
        self._current = None
        self._sender = os.getpid()

    def text(self, stream: Stream, text: str, flush: bool = False) -> None:
        """Write text of a stream; in a process that the job forked, whole lines unless ``flush``."""
        data = text.encode("utf-8", "backslashreplace")
        if not data:
            return
        with self._lock:
            now_s = time.monotonic()
            if self._current is stream and now_s - self._last_s < _TOGETHER_S:
                # The way of a program that prints in a loop.
                self._last_s = now_s
                written = os.write(self._fd, data)
                if written < len(data):
                    self._write(data[written:])
                return
            if self._foreign and not flush:
                # Whole lines, so that those of several processes do not mix.
                stream.line += data
                end = len(stream.line) if len(stream.line) > _LINE_BYTES else stream.line.rfind(b"\n") + 1
                data, stream.line = stream.line[:end], stream.line[end:]
            self._let_raw_pass()
            if self._marking:
                for part in frames.text_parts(data, stream.mark):
                    self._write(part)
                self._current = None
                return
            if self._current is not stream:
                data = frames.MARK + stream.mark + data
                self._current = None  # An interrupt may come before it is written.
            self._write(data)
            self._current = stream

    def flush(self, stream: Stream) -> None:
        """Write what a forked process holds back of a line."""
        if stream.line:
            data, stream.line = stream.line, b""
            self.text(stream, data.decode("utf-8", "replace"), flush=True)

    def event(self, event: Mapping[str, Any]) -> None:
        """Send an event of ``protocol.events`` on its way to the client."""
        self.event_text(_KINDS.get(event["type"], EVENT_KIND), event_text(event))

    def event_text(self, kind: bytes, text: bytes) -> None:
        """Send an event that is JSON already."""
        self._message(kind + text)

    def note(self, note: Mapping[str, Any]) -> None:
        """Tell the supervisor something."""
        self._message(NOTE_KIND + event_text(note))

    def _message(self, payload: bytes) -> None:
        with self._lock:
            self._let_raw_pass()
            for part in frames.message_parts(payload, self._sender):
                self._write(part)

    def _write(self, data: bytes) -> None:
        written = os.write(self._fd, data)
        while written < len(data):
            data = data[written:]
            written = os.write(self._fd, data)
        self._last_s = time.monotonic()

    def _let_raw_pass(self) -> None:
        now = time.monotonic()
        if now - self._last_s < _TOGETHER_S:
            return
        until = now + _RAW_PATIENCE_S
        for fd in self._raw:
            # Each time it is read, all of it is. The first time may have been looked at before the last of it
            # came; by the second it is gone, although another process may have written more.
            unread, times_read = unread_bytes(fd), 0
            while unread and times_read < 2 and time.monotonic() < until:
                time.sleep(0.0001)
                before, unread = unread, unread_bytes(fd)
                times_read += unread < before


def unread_bytes(fd: int) -> int:
    """How many bytes wait in a pipe."""
    answer = fcntl.ioctl(fd, termios.FIONREAD, b"\0\0\0\0")
    return cast(int, struct.unpack("i", answer)[0])


class Stream(io.TextIOBase):
    """``sys.stdout`` or ``sys.stderr`` of the job: everything written is on its way at once."""

    encoding = "utf-8"
    errors = "backslashreplace"
    line_buffering = True
    write_through = True
    mode = "w"

    def __init__(self, console: Console, mark: bytes, fd: int, name: str) -> None:
        self._console = console
        self._fd = fd
        self._raw: Optional[BinaryIO] = None
        self.mark = mark
        #: The beginning of a line that a forked process has not finished.
        self.line = b""
        self.name = name

    def write(self, text: str) -> int:
        """Write text; it is on its way when this returns."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self._console.text(self, text)
        return len(text)

    # typeshed asks for whatever can be iterated over in the widest sense; a stream of text is given text.
    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override]
        """Write several texts."""
        self.write("".join(lines))

    @property
    def buffer(self) -> BinaryIO:
        """For bytes: unbuffered, to the descriptor itself."""
        if self._raw is None:
            self._raw = cast(BinaryIO, io.FileIO(self._fd, "w", closefd=False))
        return self._raw

    def fileno(self) -> int:
        """The descriptor that C code and subprocesses write to."""
        return self._fd

    def writable(self) -> bool:
        """True."""
        return True

    def isatty(self) -> bool:
        """False: what the job writes goes to a notebook."""
        return False

    def flush(self) -> None:
        """Write what is held back, which is nothing but in forked processes."""
        self._console.flush(self)

    def reconfigure(self, **options: Any) -> None:
        """Accepted and passed over: this stream is always UTF-8 and unbuffered."""

    def close(self) -> None:
        """A job can't close its output."""
