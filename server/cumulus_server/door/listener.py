"""One listener with the runners' routes and, for other machines, those of new workers; nothing else."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any

from tornado.httpserver import HTTPServer
from tornado.web import Application

from cumulus_jupyter.protocol.errors import NotFound

from ..handlers import network_routes, runner_routes
from ..handlers.base import BearerHandler

if TYPE_CHECKING:
    from ..relay.service import Relay

#: The largest body that is read before it is known whose it is: a claim. Others are authorized first.
_BODY_LIMIT_BYTES = 64 << 10
#: How long a connection may ask nothing. Runners report every few seconds and dial again; strangers may not
#: hold the relay's files open.
IDLE_S = 120.0


class Elsewhere(BearerHandler):
    """Every path that is no runner's route, for runners only."""

    async def prepare(self) -> None:
        """Authenticate, then say that there is nothing. Raises ``NotFound``."""
        super().prepare()
        await self.relay.runs.session(self.bearer)
        raise NotFound(f"No such route: {self.request.path}", next="This address is for runners only.")


class Listener:
    """Serves runners on a socket that listens already."""

    def __init__(self, relay: Relay, listening: socket.socket, context: ssl.SSLContext | None = None) -> None:
        """With ``context`` it speaks TLS, and serves hosts that are becoming workers as well."""
        served = runner_routes(relay) if context is None else network_routes(relay)
        routes: list[Any] = [*served, (r".*", Elsewhere, {"relay": relay})]
        self.port: int = listening.getsockname()[1]
        self._server = HTTPServer(
            Application(routes),
            ssl_options=context,
            max_body_size=_BODY_LIMIT_BYTES,
            idle_connection_timeout=IDLE_S,
        )
        self._server.add_socket(listening)

    async def close(self) -> None:
        """Stop listening and hang up. Runners dial again when the next relay is there."""
        self._server.stop()
        await self._server.close_all_connections()
