"""Jobs: submit, list, look, cancel, fetch what they left."""

from __future__ import annotations

from typing import Any

from tornado import web

from cumulus_jupyter.protocol.errors import CumulusError, InvalidArgument, PayloadTooLarge
from cumulus_jupyter.protocol.jobs import STATES

from ..relay.specs import MAX_SPEC_BYTES
from ..store.listing import Query
from .base import UserHandler, protected
from .events import FollowingHandler
from .files import accept_body, send_file
from .upload import FileBody, ReceivingHandler, SubmissionBody

_MULTIPART_SLACK_BYTES = 64 << 10


@web.stream_request_body
class JobsHandler(ReceivingHandler, FollowingHandler):
    """``POST /jobs`` and ``GET /jobs``."""

    _body: SubmissionBody | None = None

    async def prepare(self, **kwargs: Any) -> None:
        """Refuse what is announced as too large before it is read; else get ready for the body."""
        await super().prepare()
        if self.request.method != "POST":
            return
        limit = self.relay.config.bundle_limit_bytes
        if not accept_body(self, limit + MAX_SPEC_BYTES + _MULTIPART_SLACK_BYTES):
            raise self._too_large()
        self.relay.require_live()
        bundle = FileBody(self.relay.files.incoming(), limit, self._too_large())
        self.arriving = self._body = SubmissionBody(self.request.headers.get("Content-Type", ""), bundle)

    def _too_large(self) -> CumulusError:
        return PayloadTooLarge(
            f"The bundle is over {self.relay.config.bundle_limit_bytes} bytes",
            next="Send less (%%cumulus --dry-run shows what), or raise Cumulus.bundle_limit_bytes.",
        )

    @protected("execute")
    async def post(self) -> None:
        """Store a job; with ``Accept: text/event-stream`` its events follow on this connection."""
        assert self._body is not None
        body, bundle = self._body.finish()
        key = self.request.headers.get("Idempotency-Key")
        if key is not None and not (1 <= len(key) <= 200):
            raise InvalidArgument("An Idempotency-Key has 1 to 200 characters")
        submitted = await self.relay.submissions.submit(self.owner, body, bundle, key)
        job = submitted.job
        self.set_status(201 if submitted.created else 200)
        self.set_header("Location", f"{self.request.path.rstrip('/')}/{job.id}")
        if "text/event-stream" in self.request.headers.get("Accept", ""):
            await self.follow(job, submitted.follower)
            return
        submitted.follower.close()
        self.reply(await self.relay.submissions.get(self.owner, job.id), self.get_status())

    @protected("read")
    async def get(self) -> None:
        """One page of the caller's jobs, newest first."""
        state = self.get_query_argument("state", None)
        if state is not None and state not in STATES:
            raise InvalidArgument(f"Invalid state: {state!r}. Must be one of {', '.join(STATES)}")
        label, _, value = self.get_query_argument("label", "").partition("=")
        has_value = "=" in self.get_query_argument("label", "")
        query = Query(
            state=state,
            label=label or None,
            label_value=value if has_value else None,
            before=self.query_int("cursor", 0, 1, 2**62) or None,
            limit=self.query_int("limit", 50, 1, 500),
        )
        self.reply(await self.relay.submissions.page(self.owner, query))


class JobHandler(UserHandler):
    """``GET`` and ``DELETE /jobs/{id}``."""

    _track_activity = False

    @protected("read")
    async def get(self, job_id: str) -> None:
        """The job."""
        self.reply(await self.relay.submissions.get(self.owner, job_id))

    @protected("execute")
    async def delete(self, job_id: str) -> None:
        """Cancel the job. Answers at once; the end comes as an event."""
        self.reply(await self.relay.submissions.cancel(self.owner, job_id))


class JobResultHandler(UserHandler):
    """``GET /jobs/{id}/result``."""

    _track_activity = False

    @protected("read")
    async def get(self, job_id: str) -> None:
        """What the job left."""
        self.reply(await self.relay.submissions.result(self.owner, job_id))


class JobValueHandler(UserHandler):
    """``GET /jobs/{id}/values/{name}``."""

    @protected("read")
    async def get(self, job_id: str, name: str) -> None:
        """The container of a stored value."""
        await send_file(self, await self.relay.submissions.value(self.owner, job_id, name))
