"""The routes for people where the relay is elsewhere, or where there is none.

Jupyter authenticates and authorizes a request here, as everywhere else, before anything of it goes on.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import msgspec
from jupyter_server.utils import ensure_async
from tornado import web
from tornado.iostream import StreamClosedError

from cumulus_jupyter import __version__
from cumulus_jupyter.protocol.errors import CumulusError, PermissionDenied, Unavailable, error_from_wire
from cumulus_jupyter.protocol.jobs import ABSENT, ELSEWHERE, RelayPlace

from ..handlers.base import RESOURCE, PersonHandler, protected
from ..openapi import document
from ..supervisor import Supervisor
from . import crossing
from .call import Call, Head
from .target import Target
from .watched import relay_elsewhere

#: Where the relay is, pages want to know soon.
PLACE_LIMIT_S = 15.0
_PLACE_LIMIT_BYTES = 64 << 10
_NO_LIMIT_BYTES = 1 << 50


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """Where calls go."""

    #: Asked for each call. Raises ``CumulusError``.
    target: Callable[[], Target]
    #: Owns what reads the answers.
    supervisor: Supervisor
    #: This server's.
    base_url: str


@dataclasses.dataclass(frozen=True)
class Absent:
    """Why calls go nowhere."""

    fault: CumulusError
    base_url: str


class ByActionHandler(PersonHandler):
    """Base of what stands in for another handler: authorizes what that one is protected with."""

    def initialize(self, actions: dict[str, str], tracked: bool, given: Elsewhere | Absent) -> None:
        """Called by tornado for each request."""
        self._actions = actions
        self._track_activity = tracked
        self._given = given

    async def prepare(self, **kwargs: Any) -> None:
        """Authenticate and authorize, before a body is read."""
        await super().prepare(**kwargs)
        action = self._actions.get(self.request.method or "")
        if action is None:
            raise web.HTTPError(405)
        if not await ensure_async(self.authorizer.is_authorized(self, self.current_user, action, RESOURCE)):
            raise PermissionDenied()


@web.stream_request_body
class PassHandler(ByActionHandler):
    """Every route that is passed on as it is."""

    _call: Call | None = None
    #: The caller is gone.
    _left = False

    @property
    def _elsewhere(self) -> Elsewhere:
        assert isinstance(self._given, Elsewhere)
        return self._given

    async def prepare(self, **kwargs: Any) -> None:
        """Authenticate and authorize; then call the relay. Raises ``CumulusError``."""
        await super().prepare(**kwargs)
        # Declared as optional, and without what HTTP/1 connections have; here it is one of those.
        connection: Any = self.request.connection
        connection.set_max_body_size(_NO_LIMIT_BYTES)
        path = crossing.path_below(self.request.path)
        self._call = await self._open(path + crossing.query_of(self.request.query))

    async def _open(self, path: str) -> Call:
        target, method = self._elsewhere.target(), self.request.method or "GET"
        headers = crossing.request_headers(target, method, self.request.headers)
        call = Call(target)
        await call.open(self._elsewhere.supervisor, method, crossing.at(target, path), headers)
        return call

    async def data_received(self, chunk: bytes) -> None:
        """Called by tornado as the body arrives; it waits while the relay is slow."""
        if self._call is not None and self.request.method in crossing.WITH_BODY:
            await self._call.send(chunk)

    def on_connection_close(self) -> None:
        """The caller is gone: so is the call."""
        super().on_connection_close()
        self._left = True
        self.on_finish()

    def on_finish(self) -> None:
        """The answer was given, whichever."""
        if self._call is not None:
            self._call.close()

    async def _pass(self, **_: str) -> None:
        """Hand on what the relay answers, as it comes."""
        call = self._call
        assert call is not None
        call.sent()
        try:
            head = await self._head(call)
        except CumulusError:
            if self._left:
                return  # which has ended the call, and is no fault of the relay's
            raise
        self._begin(head)
        try:
            async for piece in call.pieces():
                await self._hand_on(head, piece)
        except StreamClosedError:
            return
        except Unavailable:
            if not self._headers_written:
                raise
            # What has been sent cannot be taken back: whoever reads it must see that it is cut short.
            connection: Any = self.request.connection
            connection.stream.close()
            return
        self.finish()

    async def _head(self, call: Call) -> Head:
        head = await call.head()
        fault = crossing.fault_of(call.target, head)
        if fault is not None:
            raise fault
        return head

    def _begin(self, head: Head) -> None:
        self.set_status(head.status, head.reason)
        self.clear_header("Content-Type")
        for name, value in crossing.answer_headers(head, self._elsewhere.base_url).items():
            self.set_header(name, value)
        if head.status >= 500:
            self._told = Unavailable(f"the relay elsewhere answers {head.status}")
        stream = getattr(self.request.connection, "stream", None)
        if stream is not None and not stream.closed():
            # Without this a small event waits for the acknowledgement of the one before, up to 40 ms.
            stream.set_nodelay(True)

    async def _hand_on(self, head: Head, piece: bytes) -> None:
        self.write(piece)
        await self.flush()

    get = web.authenticated(_pass)
    post = web.authenticated(_pass)
    put = web.authenticated(_pass)
    delete = web.authenticated(_pass)


class WatchElsewhereHandler(PassHandler):
    """``GET /watch``: passed on, but for what it says of the relay's place."""

    _pending = b""

    async def _hand_on(self, head: Head, piece: bytes) -> None:
        if head.status != 200:
            await super()._hand_on(head, piece)
            return
        assert self._call is not None
        whole, mark, self._pending = (self._pending + piece).rpartition(b"\n\n")
        if mark:
            self.write(relay_elsewhere(whole + mark, self._call.target.url))
            await self.flush()


class PlaceElsewhereHandler(PassHandler):
    """``GET /relay``: what the relay says of itself, at its place; answers also where it does not."""

    async def prepare(self, **kwargs: Any) -> None:
        """Authenticate and authorize."""
        await ByActionHandler.prepare(self, **kwargs)

    async def _ask(self, **_: str) -> None:
        self.reply(await self._place())

    get = web.authenticated(_ask)

    async def _place(self) -> RelayPlace:
        url = ""
        try:
            url = self._elsewhere.target().url
            async with asyncio.timeout(PLACE_LIMIT_S):
                place = await self._told_place(url)
        except CumulusError as error:
            return RelayPlace(ELSEWHERE, url, False, error.message, error.next, __version__)
        except TimeoutError:
            advice = "See whether it hangs; else try again in a moment."
            said = f"The relay at {url} does not answer in time"
            return RelayPlace(ELSEWHERE, url, False, said, advice, __version__)
        except msgspec.MsgspecError:
            advice = "Install the same version of cumulus-jupyter on both sides."
            said = f"The relay at {url} says what this server does not understand"
            return RelayPlace(ELSEWHERE, url, False, said, advice, __version__)
        return dataclasses.replace(place, kind=ELSEWHERE, url=url)

    async def _told_place(self, url: str) -> RelayPlace:
        self._call = call = await self._open("/relay")
        call.sent()
        head = await self._head(call)
        body = b""
        async for piece in call.pieces():
            body += piece
            if len(body) > _PLACE_LIMIT_BYTES:
                raise Unavailable(f"The relay at {url} says too much")
        if head.status != 200:
            raise error_from_wire(msgspec.json.decode(body, type=dict[str, Any]))
        return msgspec.json.decode(body, type=RelayPlace)


class DocumentHandler(PersonHandler):
    """``GET /openapi.json``: the routes are the same, and below this server's address."""

    _track_activity = False

    def initialize(self, given: Elsewhere | Absent, **_: Any) -> None:
        """Called by tornado for each request."""
        self._base_url = given.base_url

    @protected("read")
    async def get(self) -> None:
        """The description of this API."""
        self.reply(document(self._base_url))


class AbsentHandler(ByActionHandler):
    """Every route where no relay could be made: says why."""

    @property
    def _fault(self) -> CumulusError:
        assert isinstance(self._given, Absent)
        return self._given.fault

    async def _refuse(self, **_: str) -> None:
        raise self._fault

    get = web.authenticated(_refuse)
    post = web.authenticated(_refuse)
    put = web.authenticated(_refuse)
    delete = web.authenticated(_refuse)


class PlaceAbsentHandler(AbsentHandler):
    """``GET /relay``: there is none, and why."""

    async def _say(self, **_: str) -> None:
        fault = self._fault
        self.reply(RelayPlace(ABSENT, "", False, fault.message, fault.next, __version__))

    get = web.authenticated(_say)
