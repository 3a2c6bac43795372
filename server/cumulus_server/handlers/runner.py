"""The runner's routes. They take a claim token or a session key, and nothing else takes those."""

from __future__ import annotations

from collections.abc import Awaitable

from jupyter_server.auth.decorator import allow_unauthenticated
from tornado import web

from ..relay import runner_requests
from ..relay.hub import ControlStream
from ..relay.runs import Session
from .base import BearerHandler, whole_number
from .files import accept_body, send_file
from .sse import HEARTBEAT, EventStream
from .upload import FileBody, MemoryBody, ReceivingHandler

#: More than any batch of a runner has.
_BATCH_LIMIT_BYTES = 128 << 20


class ClaimHandler(BearerHandler):
    """``POST /runner/claim``."""

    @allow_unauthenticated
    async def post(self) -> None:
        """Take an attempt, with its one-time claim token."""
        self.reply(await runner_requests.claim(self.relay.runs, self.bearer, self.request.body))


@web.stream_request_body
class BatchHandler(ReceivingHandler, BearerHandler):
    """``POST /runner/events``."""

    _body: MemoryBody

    def prepare(self) -> Awaitable[None]:
        """Authorize before the body is read: a batch may be large, and a stranger's is not kept."""
        super().prepare()
        return self._prepare()

    async def _prepare(self) -> None:
        await self.relay.runs.session(self.bearer)
        accept_body(self, _BATCH_LIMIT_BYTES)
        self.arriving = self._body = MemoryBody(_BATCH_LIMIT_BYTES)

    @allow_unauthenticated
    async def post(self) -> None:
        """Store a batch of events."""
        self.reply(await runner_requests.events(self.relay.runs, self.bearer, self._body.finish()))


class BundleHandler(BearerHandler):
    """``GET /runner/bundle``."""

    @allow_unauthenticated
    async def get(self) -> None:
        """The job's bundle."""
        runs = self.relay.runs
        await send_file(self, await runs.bundle(await runs.session(self.bearer)))


@web.stream_request_body
class PutValueHandler(ReceivingHandler, BearerHandler):
    """``PUT /runner/values/{name}``."""

    _session: Session
    _body: FileBody | None = None

    def prepare(self) -> Awaitable[None]:
        """Authorize before the body is read."""
        super().prepare()
        return self._prepare()

    async def _prepare(self) -> None:
        if self.request.method != "PUT":
            return
        runs = self.relay.runs
        self._session = await runs.session(self.bearer)
        size = whole_number(self.request.headers.get("Content-Length", "")) or 0
        allowed = await runs.check_value(self._session, self.path_kwargs["name"], size)
        accept_body(self, allowed)
        self.arriving = self._body = FileBody(
            self.relay.files.incoming(), allowed, runs.too_large(self._session)
        )

    @allow_unauthenticated
    async def put(self, name: str) -> None:
        """Keep a value."""
        assert self._body is not None
        await self.relay.runs.put_value(self._session, name, self._body.finish())
        self.reply(b"{}")


class GetValueHandler(BearerHandler):
    """``GET /runner/values/{job_id}/{name}``."""

    @allow_unauthenticated
    async def get(self, job_id: str, name: str) -> None:
        """A stored value of another job of the same owner."""
        runs = self.relay.runs
        await send_file(self, await runs.value(await runs.session(self.bearer), job_id, name))


class ControlHandler(BearerHandler):
    """``GET /runner/control``."""

    _stream: ControlStream | None = None

    def on_connection_close(self) -> None:
        """The runner is gone."""
        super().on_connection_close()
        if self._stream is not None:
            self._stream.close()

    @allow_unauthenticated
    async def get(self) -> None:
        """Commands, as Server-Sent Events, until the attempt is over."""
        runs = self.relay.runs
        session = await runs.session(self.bearer)
        self._stream = await runs.control(session)
        events = EventStream(self)
        events.open()
        try:
            if not await events.send(HEARTBEAT):
                return
            async for command in self._stream.commands(self.relay.config.heartbeat_s):
                data = b"event: %s\ndata: {}\n\n" % command.encode() if command else HEARTBEAT
                if not await events.send(data):
                    return
        finally:
            runs.leave(session, self._stream)
