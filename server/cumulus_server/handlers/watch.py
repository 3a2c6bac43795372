"""What changes, as one stream for a page; and where the relay is that a page talks to."""

from __future__ import annotations

from ..relay.watch import Watcher
from .base import UserHandler, protected
from .sse import HEARTBEAT, EventStream


class WatchHandler(UserHandler):
    """``GET /watch``."""

    _track_activity = False
    _watcher: Watcher | None = None

    def on_connection_close(self) -> None:
        """The reader is gone: stop watching."""
        super().on_connection_close()
        if self._watcher is not None:
            self._watcher.close()

    @protected("read")
    async def get(self) -> None:
        """Tell the relay, the caller's jobs and the workers, and then what changes, until one side goes."""
        heartbeat_s = self.relay.config.heartbeat_s
        stream = EventStream(self)
        with self.relay.watch.open(self.owner) as watcher:
            self._watcher = watcher
            stream.open()
            while not watcher.closed:
                news = await watcher.next(heartbeat_s)
                told = b"".join(b"event: %s\ndata: %s\n\n" % (name.encode(), body) for name, body in news)
                if watcher.closed or not await stream.send(told or HEARTBEAT):
                    return


class RelayHandler(UserHandler):
    """``GET /relay``."""

    _track_activity = False

    @protected("read")
    async def get(self) -> None:
        """Where the relay is, and whether it is well. Answers also where it does not serve."""
        self.reply(self.relay.place())
