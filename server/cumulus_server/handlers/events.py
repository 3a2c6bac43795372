"""The events of a job, as a stream or as a page; and its log, by the page and as text."""

from __future__ import annotations

from tornado.iostream import StreamClosedError

from cumulus_jupyter.protocol.errors import InvalidArgument

from ..relay.hub import Follower
from ..store import JobRow
from .base import UserHandler, protected, whole_number
from .sse import HEARTBEAT, EventStream

_SEQ_MAX = 2**32 - 2


class FollowingHandler(UserHandler):
    """Base of the routes that follow a job to its end."""

    _follower: Follower | None = None

    def on_connection_close(self) -> None:
        """The reader is gone: stop waiting for events."""
        super().on_connection_close()
        if self._follower is not None:
            self._follower.close()

    async def follow(self, job: JobRow, follower: Follower) -> None:
        """Stream events until the job's end, or until the reader or the relay is gone."""
        self._follower = follower
        stream = EventStream(self)
        stream.open()
        last = job.last_seq if job.ended else None
        heartbeat_s = self.relay.config.heartbeat_s
        with follower:
            while last is None or follower.cursor < last:
                batch = await follower.next(job.number, heartbeat_s)
                if batch:
                    if batch[-1].ends:
                        last = batch[-1].seq
                    if not await stream.send_events(batch):
                        return
                elif follower.closed or not await stream.send(HEARTBEAT):
                    return
            if follower.cursor >= (last or 0) and not self._headers_written:
                await stream.send(b": nothing newer\n\n")


class JobEventsHandler(FollowingHandler):
    """``GET /jobs/{id}/events``."""

    _track_activity = False

    @protected("read")
    async def get(self, job_id: str) -> None:
        """Follow a job from ``after`` (or ``Last-Event-ID``) on; as one JSON page where that is accepted."""
        after, limit = self._after(), self.query_int("limit", 500, 1, 5000)
        job = await self.relay.submissions.row(self.owner, job_id)
        accept = self.request.headers.get("Accept", "")
        if "application/json" in accept and "text/event-stream" not in accept:
            page = await self.relay.submissions.events_page(job, after, limit)
            self.reply(b'{"events":[' + b",".join(page) + b"]}")
            return
        await self.follow(job, self.relay.submissions.follow(job, after))

    def _after(self) -> int:
        last = self.request.headers.get("Last-Event-ID")
        if last is not None and self.get_query_argument("after", None) is None:
            number = whole_number(last)
            if number is None or number > _SEQ_MAX:
                raise InvalidArgument(f"Invalid Last-Event-ID: {last[:40]!r}. Must be an event's number")
            return number
        return self.query_int("after", 0, 0, _SEQ_MAX)


class JobLogPageHandler(UserHandler):
    """``GET /jobs/{id}/log``."""

    _track_activity = False

    @protected("read")
    async def get(self, job_id: str) -> None:
        """The newest page of the log; of what came behind ``after``, or of what is before ``before``."""
        asked = self.get_query_argument("after", None) is not None
        after = self.query_int("after", 0, 0, _SEQ_MAX) if asked else None
        before = self.query_int("before", _SEQ_MAX + 1, 0, _SEQ_MAX)
        self.reply(await self.relay.submissions.log_page(self.owner, job_id, after, before))


class JobLogsHandler(UserHandler):
    """``GET /jobs/{id}/logs``."""

    _track_activity = False

    @protected("read")
    async def get(self, job_id: str) -> None:
        """What the job wrote so far, as plain text; ``stream`` picks stdout or stderr."""
        stream = self.get_query_argument("stream", None)
        if stream not in (None, "stdout", "stderr"):
            raise InvalidArgument(f"Invalid stream: {stream!r}. Must be stdout or stderr")
        job = await self.relay.submissions.row(self.owner, job_id)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        try:
            async for text in self.relay.submissions.logs(job, stream):
                self.write(text)
                await self.flush()
        except StreamClosedError:
            return
        self.finish()
