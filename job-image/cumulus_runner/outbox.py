"""The supervisor's outgoing events: numbered once, joined where they are text, cut into batches."""

from __future__ import annotations

import codecs
import json
from collections import deque
from typing import Any, Deque, Dict, List, Mapping, Optional, Union

#: Text of one event, at most.
TEXT_LIMIT_BYTES = 256 * 1024
#: One batch, at most (a single larger event travels alone).
BATCH_LIMIT_BYTES = 1024 * 1024
#: What may wait here before the job's own writes are held up.
HELD_LIMIT_BYTES = 64 * 1024 * 1024

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Upload:
    """A stored value that has to reach the relay before the events after it."""

    def __init__(self, name: str, path: str) -> None:
        self.name, self.path = name, path


class Sealed:
    """Events ready to go: ``first`` is the number of the first of them."""

    def __init__(self, first: int, events: List[bytes]) -> None:
        self.first, self.events = first, events

    @property
    def through(self) -> int:
        """Number of the last event."""
        return self.first + len(self.events) - 1

    def body(self, outcome: Optional[Mapping[str, Any]]) -> bytes:
        """The JSON of a ``protocol.channel.Batch``."""
        tail = b"null" if outcome is None else _encode(outcome).encode("utf-8", "replace")
        return b'{"first":%d,"events":[%b],"outcome":%b}' % (self.first, b",".join(self.events), tail)


class Outbox:
    """What a job has said and the relay has not acknowledged yet, in order."""

    def __init__(self) -> None:
        self._items: Deque[Union[bytes, Upload]] = deque()
        self._numbered = 0
        self._stream = ""
        self._text: List[str] = []
        self._text_bytes = 0
        #: Bytes that wait here.
        self.held_bytes = 0
        self._decoders: Dict[str, codecs.IncrementalDecoder] = {}

    def text(self, stream: str, source: str, data: bytes) -> None:
        """Bytes that the job wrote. ``source`` tells apart the ways by which a stream's text comes:
        each has its own place for a character whose bytes have not all come yet.
        """
        decoder = self._decoders.get(source)
        if decoder is None:
            decoder = self._decoders[source] = codecs.getincrementaldecoder("utf-8")("replace")
        if len(data) <= TEXT_LIMIT_BYTES:
            self._append_text(stream, decoder.decode(data), len(data))
            return
        for start in range(0, len(data), TEXT_LIMIT_BYTES):
            piece = data[start : start + TEXT_LIMIT_BYTES]
            self._append_text(stream, decoder.decode(piece), len(piece))

    def _append_text(self, stream: str, text: str, size: int) -> None:
        if not text:
            return
        if self._text and (stream != self._stream or self._text_bytes + size > TEXT_LIMIT_BYTES):
            self._seal_text()
        self._stream = stream
        self._text.append(text)
        self._text_bytes += size
        self.held_bytes += size

    def _seal_text(self) -> None:
        if not self._text:
            return
        event = {"type": "log", "stream": self._stream, "text": "".join(self._text)}
        self.held_bytes -= self._text_bytes
        self._text, self._text_bytes = [], 0
        self._append(_encode(event).encode("utf-8", "replace"))

    def _append(self, event: bytes) -> None:
        self._items.append(event)
        self.held_bytes += len(event)

    def event(self, event: bytes) -> None:
        """An event as JSON."""
        self._seal_text()
        self._append(event)

    def say(self, event: Mapping[str, Any]) -> None:
        """An event of the supervisor's own."""
        self.event(_encode(event).encode("utf-8", "replace"))

    def upload(self, upload: Upload) -> None:
        """A stored value; later events wait until it has arrived."""
        self._seal_text()
        self._items.append(upload)

    def end_of_text(self) -> None:
        """No more text comes: what is left of a cut character is shown as such."""
        for source, decoder in self._decoders.items():
            rest = decoder.decode(b"", True)
            self._append_text("stderr" if "err" in source else "stdout", rest, len(rest))
        self._decoders.clear()

    def start_over(self, untaken: Optional[Sealed]) -> None:
        """Drop what waits, and count on from before ``untaken``, which has not arrived either."""
        if untaken is not None:
            self._numbered = untaken.first - 1
        self._items.clear()
        self.held_bytes = 0
        self._text, self._text_bytes = [], 0

    @property
    def empty(self) -> bool:
        """True: nothing waits to be taken."""
        return not self._items and not self._text

    @property
    def in_mid_line(self) -> bool:
        """True: nothing but the beginning of a line waits."""
        return not self._items and bool(self._text) and self._text[-1][-1] not in "\n\r"

    @property
    def full(self) -> bool:
        """True: the job's own writes should wait."""
        return self.held_bytes > HELD_LIMIT_BYTES

    def take(self) -> Union[Sealed, Upload, None]:
        """What has to go next; ``None`` if nothing waits. The caller sends it until it arrives."""
        self._seal_text()
        items = self._items
        if not items:
            return None
        if isinstance(items[0], Upload):
            upload = items.popleft()
            assert isinstance(upload, Upload)
            return upload
        events: List[bytes] = []
        size = 0
        while items:
            item = items[0]
            if isinstance(item, Upload) or (events and size + len(item) > BATCH_LIMIT_BYTES):
                break
            items.popleft()
            events.append(item)
            size += len(item)
        self.held_bytes -= size
        sealed = Sealed(self._numbered + 1, events)
        self._numbered += len(events)
        return sealed

    def take_last(self) -> Sealed:
        """An empty batch, to carry an outcome that no event is left to travel with."""
        return Sealed(self._numbered + 1, [])
