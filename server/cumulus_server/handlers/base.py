"""What every route of the relay shares: who asks, the protocol's version, JSON in and out, errors.

A ``CumulusError`` raised by a method becomes its status and its JSON body here, and nowhere else.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from cumulus_jupyter.protocol import PROTOCOL_HEADER, PROTOCOL_VERSION
from cumulus_jupyter.protocol.errors import (
    CumulusError,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    NotFound,
    PayloadTooLarge,
    PermissionDenied,
    Unauthenticated,
)

from ..identity import owner_of, user_of_token

if TYPE_CHECKING:
    from ..relay.service import Relay

log = logging.getLogger(__name__)

_ACTION = "cumulus_action"
#: The resource that every user route is authorized for.
RESOURCE = "cumulus"

_encode = msgspec.json.Encoder().encode
#: What claim tokens and session keys look like.
_TOKEN = re.compile(r"[0-9a-f]{64,256}\Z")
_VERSION = str(PROTOCOL_VERSION)
_BY_STATUS: dict[int, type[CumulusError]] = {
    400: InvalidArgument,
    401: Unauthenticated,
    403: PermissionDenied,
    404: NotFound,
    405: InvalidArgument,
    409: FailedPrecondition,
    413: PayloadTooLarge,
}


Method = TypeVar("Method", bound=Callable[..., Any])


def protected(action: str) -> Callable[[Method], Method]:
    """Decorates a method of a ``UserHandler``: Jupyter authenticates, then authorizes ``action``.

    Action and resource are given to each method: left out, Jupyter would freeze those of the first
    request that comes.
    """

    def decorate(method: Method) -> Method:
        decorator: Callable[[Method], Method] = authorized(action=action, resource=RESOURCE)
        inner = web.authenticated(decorator(method))
        setattr(inner, _ACTION, action)
        return cast(Method, inner)

    return decorate


def whole_number(text: str) -> int | None:
    """The number that these digits are; ``None`` where they are none, or more than any number here has."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def actions_of(handler: type[web.RequestHandler]) -> dict[str, str]:
    """What each method of a handler was ``protected`` with, by HTTP method."""
    methods = {name: getattr(handler, name.lower(), None) for name in handler.SUPPORTED_METHODS}
    return {name: getattr(method, _ACTION) for name, method in methods.items() if hasattr(method, _ACTION)}


class ErrorsAsJson(web.RequestHandler):
    """Maps errors to their JSON body, and keeps successful requests out of the log."""

    #: What was answered, where that was an error.
    _told: CumulusError | None = None

    def set_default_headers(self) -> None:
        """Every answer names the protocol: it tells a relay from whatever else has its old port."""
        super().set_default_headers()
        self.set_header(PROTOCOL_HEADER, _VERSION)

    def reply(self, body: object, status: int = 200) -> None:
        """Answer with JSON; ``body`` is a wire type, or JSON that is encoded already."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(body if isinstance(body, bytes) else _encode(body))

    def check_protocol(self) -> None:
        """Raise ``FailedPrecondition`` where the caller says that it speaks another version."""
        version = self.request.headers.get(PROTOCOL_HEADER)
        if version is not None and version != _VERSION:
            raise FailedPrecondition(
                f"This relay speaks protocol {_VERSION}, the caller {version[:20]}",
                next="Install the same version of cumulus-jupyter on both sides.",
            )

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """The JSON body of whatever was raised."""
        exc_info = kwargs.get("exc_info")
        raised = exc_info[1] if exc_info else None
        error = self._told = self._as_error(raised, status_code)
        self.set_status(error.status if isinstance(raised, CumulusError) else status_code)
        if isinstance(error, Unauthenticated):
            self.set_status(error.status)
            self.set_header("WWW-Authenticate", "Bearer")
        self.set_header("Content-Type", "application/json")
        self.finish(_encode(error.to_wire()))

    def _as_error(self, raised: BaseException | None, status: int) -> CumulusError:
        if isinstance(raised, CumulusError):
            return raised
        if status == 403 and self.current_user is None:
            return Unauthenticated(next="Send the Jupyter server's token: Authorization: Bearer TOKEN.")
        if isinstance(raised, web.HTTPError):
            kind = _BY_STATUS.get(status, Internal if status >= 500 else InvalidArgument)
            return kind(raised.log_message or raised.reason)
        return Internal(next="See the relay's log.")

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Errors that are answers are not logged as faults."""
        if not isinstance(value, CumulusError) or isinstance(value, Internal):
            super().log_exception(typ, value, tb)

    def _log(self) -> None:
        if self.settings.get("cumulus_log_requests"):
            super()._log()
        elif self.get_status() >= 500 and (self._told is None or isinstance(self._told, Internal)):
            super()._log()
        elif self.get_status() >= 500:  # no fault: nothing has room, or the relay is away
            log.info("%s %s is refused: %s", self.request.method, self.request.path, self._told)


class PersonHandler(ErrorsAsJson, APIHandler):
    """Base of the routes for people, with Jupyter's own authentication.

    Each method of a subclass is ``protected``.
    """

    async def prepare(self, **kwargs: Any) -> None:
        """Authenticate; then check that both sides speak one protocol."""
        if not self.check_host():  # which Jupyter would answer as if the token were wrong
            raise PermissionDenied(
                f"This server is not to be reached as {self.request.host[:100]}",
                next="Add that name to ServerApp.local_hostnames where the server runs.",
            )
        known = user_of_token(self.identity_provider, self.request.headers.get("Authorization", ""))
        if known is not None:
            self._jupyter_current_user, self._token_authenticated = known, True
        await super().prepare()
        if self.current_user is None:
            raise Unauthenticated(next="Send the Jupyter server's token: Authorization: Bearer TOKEN.")
        self.check_protocol()

    def get_login_url(self) -> str:
        """There is no page to log in on: an anonymous request is answered with 401."""
        raise Unauthenticated(next="Send the Jupyter server's token: Authorization: Bearer TOKEN.")

    def finish(self, chunk: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Keep the content type that was set."""
        kwargs.setdefault("set_content_type", self._headers.get("Content-Type", "application/json"))
        return super().finish(chunk, *args, **kwargs)


class UserHandler(PersonHandler):
    """Base of the routes for people that the relay in this server answers."""

    relay: Relay

    def initialize(self, relay: Relay) -> None:
        """Called by tornado for each request."""
        self.relay = relay

    async def prepare(self, **kwargs: Any) -> None:
        """Authenticate, and note that somebody is there."""
        self.relay.last_request_s = time.monotonic()
        await super().prepare(**kwargs)

    @property
    def owner(self) -> str:
        """Whose jobs this request is about."""
        return owner_of(self.identity_provider, self.current_user)

    def query_int(self, name: str, default: int, low: int, high: int) -> int:
        """A whole number of the query string. Raises ``InvalidArgument``."""
        text = self.get_query_argument(name, None)
        if text is None:
            return default
        number = whole_number(text)
        if number is None or not low <= number <= high:
            raise InvalidArgument(f"Invalid {name}: {text[:40]!r}. Must be {low}-{high}")
        return number


class BearerHandler(ErrorsAsJson):
    """Base of routes for programs: no cookies and no user, only a bearer token of its own."""

    relay: Relay
    #: Who may come, for who has no token.
    what = "This route is for runners only."

    def initialize(self, relay: Relay) -> None:
        """Called by tornado for each request."""
        self.relay = relay

    def check_xsrf_cookie(self) -> None:
        """Nothing here is authorized by a cookie."""

    def prepare(self) -> Any:
        """Check that both sides speak one protocol."""
        self.check_protocol()

    @property
    def bearer(self) -> str:
        """The token that was sent. Raises ``Unauthenticated``."""
        scheme, _, token = self.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not _TOKEN.match(token):
            raise Unauthenticated(next=self.what)
        return token
