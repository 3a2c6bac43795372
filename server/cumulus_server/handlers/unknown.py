"""Paths below the API's root where nothing is: the answer is JSON, as everywhere else."""

from __future__ import annotations

from typing import Any

from cumulus_jupyter.protocol.errors import NotFound

from .base import PersonHandler


class UnknownHandler(PersonHandler):
    """Every path that no other route has, for whoever may use the API."""

    _track_activity = False

    def initialize(self, **_: object) -> None:
        """Called by tornado for each request; needs nothing."""

    async def prepare(self, **kwargs: Any) -> None:
        """Authenticate, then say that there is nothing. Raises ``NotFound``."""
        await super().prepare(**kwargs)
        raise NotFound(f"No such route: {self.request.path}", next="GET openapi.json lists the routes.")
