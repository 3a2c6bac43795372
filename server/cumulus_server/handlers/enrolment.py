"""How hosts become workers: the routes of setup-worker.sh, where runners on other machines reach the relay.

They take a one-time token or a worker's session key, and nothing else takes those.
"""

from __future__ import annotations

import time
from typing import TypeVar

import msgspec
from jupyter_server.auth.decorator import allow_unauthenticated
from tornado.iostream import StreamClosedError

from cumulus_jupyter.protocol.enrolment import Enrol, Leave, Ready
from cumulus_jupyter.protocol.errors import InvalidArgument

from ..relay.enrolments import WorkerSession
from .base import BearerHandler

T = TypeVar("T")


class ScriptHandler(BearerHandler):
    """``GET /cumulus/setup-worker.sh``: the one route for everybody. It answers with code, and only that."""

    @allow_unauthenticated
    async def get(self) -> None:
        """The script."""
        script = await self.relay.enrolments.script()
        self.set_header("Content-Type", "text/x-shellscript; charset=utf-8")
        self.finish(script)


class HostHandler(BearerHandler):
    """Base of the routes that take a worker's session key."""

    what = "This route is for hosts that are becoming workers."

    async def session(self, *, left: bool = False) -> WorkerSession:
        """Whose the key is. Raises ``Unauthenticated``."""
        found = await self.relay.enrolments.session(self.bearer, left=left)
        self.relay.last_request_s = time.monotonic()  # an idle relay stays while hosts are set up
        return found

    def decoded(self, kind: type[T]) -> T:
        """The body. Raises ``InvalidArgument``."""
        try:
            return msgspec.json.decode(self.request.body or b"{}", type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InvalidArgument(f"Invalid {kind.__name__}: {error}") from None


class EnrolHandler(HostHandler):
    """``POST /enrolment``."""

    @allow_unauthenticated
    async def post(self) -> None:
        """Use the token up, or show the session key again; what to do."""
        bearer = self.bearer
        self.reply(await self.relay.enrolments.enrol(bearer, self.decoded(Enrol)))


class PackageHandler(HostHandler):
    """``GET /enrolment/package``."""

    @allow_unauthenticated
    async def get(self) -> None:
        """The worker's package."""
        await self.session()
        package = await self.relay.enrolments.package()
        self.set_header("Content-Type", "application/zip")
        self.finish(package)


class ImageHandler(HostHandler):
    """``GET /enrolment/images/{name}``."""

    @allow_unauthenticated
    async def get(self, name: str) -> None:
        """A job image as ``docker save`` gives it, read from the engine no faster than it is sent."""
        await self.session()
        async with self.relay.enrolments.image(name) as pieces:
            self.set_header("Content-Type", "application/x-tar")
            try:
                async for piece in pieces:
                    self.write(piece)
                    await self.flush()
            except StreamClosedError:
                return
            except Exception:
                self._break_off()
                raise
        self.finish()

    def _break_off(self) -> None:
        """Hang up, where tornado would end a half-sent answer as if it were whole."""
        if self._headers_written:
            # A request that a server is answering has its connection; tornado's type is of any.
            self.request.connection.stream.close()  # type: ignore[union-attr]


class ReadyHandler(HostHandler):
    """``POST /enrolment/ready``."""

    @allow_unauthenticated
    async def post(self) -> None:
        """Take the host up as a worker."""
        session = await self.session()
        ready = self.decoded(Ready)
        self.reply(await self.relay.enrolments.ready(session, ready, self.request.remote_ip or ""))


class LeaveHandler(HostHandler):
    """``POST /enrolment/leave``."""

    @allow_unauthenticated
    async def post(self) -> None:
        """Put the host out."""
        session = await self.session(left=True)
        self.reply(await self.relay.enrolments.leave(session, self.decoded(Leave)))
