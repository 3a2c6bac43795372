"""What travels from the child to the supervisor on one pipe, in order.

The pipe carries the text of ``print`` as it is: UTF-8, which never contains the byte 0xFF. That
byte starts a mark:

- ``FF 31`` / ``FF 32``: the text after it is stdout / stderr;
- ``FF 45``, sender (4 bytes), place (1 byte), length (2 bytes), payload: part of a message. Of the place,
  bit 0 says that it is the last part, bit 1 that it is the first: an interrupt may have cut the message
  before it short.

Every write is at most ``PIPE_BUF`` bytes, so writes of several processes never mix: processes that
the job forks write here too, and mark each of their texts.
"""

from __future__ import annotations

import struct
from typing import Callable, Dict, Iterator, List, Optional

ATOMIC_BYTES = 4096
MARK = b"\xff"
STDOUT, STDERR, EVENT = b"1", b"2", b"E"
STREAMS = {STDOUT[0]: "stdout", STDERR[0]: "stderr"}
_LAST, _FIRST = 1, 2
_HEAD = struct.Struct("<2sIBH")
_PAYLOAD_BYTES = ATOMIC_BYTES - _HEAD.size


def message_parts(payload: bytes, sender: int) -> Iterator[bytes]:
    """The writes that carry one message. The payload's first byte tells its kind."""
    size = len(payload)
    for start in range(0, size, _PAYLOAD_BYTES):
        part = payload[start : start + _PAYLOAD_BYTES]
        place = (_LAST if start + _PAYLOAD_BYTES >= size else 0) | (0 if start else _FIRST)
        yield _HEAD.pack(MARK + EVENT, sender, place, len(part)) + part


def text_parts(data: bytes, mark: bytes) -> Iterator[bytes]:
    """Marked writes of text, none of which cuts a character."""
    limit = ATOMIC_BYTES - 2
    start, size = 0, len(data)
    while start < size:
        end = min(start + limit, size)
        while end < size and data[end] & 0xC0 == 0x80:
            end -= 1
        yield MARK + mark + data[start:end]
        start = end


class FrameReader:
    """Takes the pipe's bytes as they come; calls back with texts and messages."""

    def __init__(self, on_text: Callable[[str, bytes], None], on_message: Callable[[bytes], None]) -> None:
        self._on_text = on_text
        self._on_message = on_message
        self._stream = "stdout"
        self._rest = b""
        self._parts: Dict[int, List[bytes]] = {}

    def feed(self, data: bytes) -> None:
        """Bytes read from the pipe."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        at = 0
        while True:
            mark = data.find(MARK, at)
            if mark != at:
                self._on_text(self._stream, data[at:mark] if mark >= 0 else data[at:])
            if mark < 0:
                return
            following = self._marked(data, mark)
            if following is None:
                self._rest = data[mark:]
                return
            at = following
            if at == len(data):
                return

    def _marked(self, data: bytes, mark: int) -> Optional[int]:
        """Handle what starts at ``mark``; where it ends, or ``None`` if more has to come."""
        if mark + 1 >= len(data):
            return None
        stream = STREAMS.get(data[mark + 1])
        if stream is not None:
            self._stream = stream
            return mark + 2
        start = mark + _HEAD.size
        if len(data) < start:
            return None
        sender: int
        place: int
        length: int
        _, sender, place, length = _HEAD.unpack_from(data, mark)
        end = start + length
        if len(data) < end:
            return None
        parts = [] if place & _FIRST else self._parts.get(sender, [])
        parts.append(data[start:end])
        self._parts[sender] = parts
        if place & _LAST:
            del self._parts[sender]
            self._on_message(b"".join(parts))
        return end
