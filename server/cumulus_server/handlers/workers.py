"""Workers, the relay's own health, counts, and the description of the API."""

from __future__ import annotations

import msgspec

from cumulus_jupyter.protocol.errors import InvalidArgument
from cumulus_jupyter.protocol.jobs import SimulatedDevices

from ..openapi import document
from .base import UserHandler, protected

_simulated = msgspec.json.Decoder(SimulatedDevices)


class WorkersHandler(UserHandler):
    """``GET /workers``."""

    _track_activity = False

    @protected("read")
    async def get(self) -> None:
        """All workers."""
        self.reply(await self.relay.submissions.workers(self.owner))


class WorkerTokensHandler(UserHandler):
    """``POST /workers/tokens``."""

    @protected("write")
    async def post(self) -> None:
        """A one-time token for one new worker, and the line that uses it."""
        self.set_header("Cache-Control", "no-store")
        self.reply(await self.relay.enrolments.new_token())


class SimulatedDevicesHandler(UserHandler):
    """``PUT /workers/local/simulated-devices``."""

    @protected("write")
    async def put(self) -> None:
        """Declare how many simulated GPUs the local worker has; nothing changes where it has real ones."""
        try:
            wanted = _simulated.decode(self.request.body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InvalidArgument(f"Invalid declaration: {error}") from None
        self.reply(await self.relay.simulate(wanted.count))


class HealthHandler(UserHandler):
    """``GET /health``."""

    _track_activity = False

    @protected("read")
    async def get(self) -> None:
        """200 when operational; also the version handshake."""
        self.reply(self.relay.health())


class StatsHandler(UserHandler):
    """``GET /stats``."""

    _track_activity = False

    @protected("read")
    async def get(self) -> None:
        """Counts over the kept history."""
        self.reply(await self.relay.submissions.stats(self.owner))


class OpenApiHandler(UserHandler):
    """``GET /openapi.json``."""

    _track_activity = False

    @protected("read")
    async def get(self) -> None:
        """The description of this API."""
        self.reply(document(self.relay.base_url))
