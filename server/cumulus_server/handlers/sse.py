"""Server-Sent Events over tornado: written at once, flushed at once, noticed when the reader is gone."""

from __future__ import annotations

from collections.abc import Iterable

from tornado import web
from tornado.iostream import StreamClosedError

from ..store import StoredEvent

HEARTBEAT = b": still here\n\n"


def frame(event: StoredEvent) -> bytes:
    """One stored event as a Server-Sent Event."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.seq, event.type.encode(), event.body)


class EventStream:
    """Writes to one response. ``open`` comes first, ``send`` returns False once the reader is gone."""

    def __init__(self, handler: web.RequestHandler) -> None:
        self._handler = handler

    def open(self) -> None:
        """Set the headers; they leave with the first bytes."""
        handler = self._handler
        handler.set_header("Content-Type", "text/event-stream; charset=utf-8")
        handler.set_header("Cache-Control", "no-store")
        handler.set_header("X-Accel-Buffering", "no")
        stream = getattr(handler.request.connection, "stream", None)
        if stream is not None and not stream.closed():
            # Without this a small event waits for the acknowledgement of the one before, up to 40 ms.
            stream.set_nodelay(True)

    async def send(self, data: bytes) -> bool:
        """Write and flush, waiting while the reader is slow."""
        try:
            self._handler.write(data)
            await self._handler.flush()
        except StreamClosedError:
            return False
        return True

    async def send_events(self, events: Iterable[StoredEvent]) -> bool:
        """Write and flush some events together."""
        return await self.send(b"".join(map(frame, events)))
