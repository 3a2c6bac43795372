"""One job at its relay, for threads beside the one that follows it: a widget's, while the kernel is busy.

Every request has a connection of its own, so that those of the following thread are left alone.
"""

from __future__ import annotations

from typing import Any

from ..protocol.errors import CumulusError, FailedPrecondition
from .http import Endpoint, Http, segment

_LIMIT_S = 10.0


class RelayedJob:
    """Asks the relay about one job."""

    def __init__(self, http: Http, job_id: str, relay_id: str = "") -> None:
        self._http = http
        self.job_id = job_id
        self.relay_id = relay_id

    def cancel(self) -> str:
        """Ask for it to be cancelled; what went wrong, empty for nothing. A job that has ended is fine."""
        try:
            self._call("DELETE", f"jobs/{segment(self.job_id)}")
        except FailedPrecondition:
            return ""
        except CumulusError as error:
            return error.message
        return ""

    def log_before(self, seq: int) -> tuple[int, str] | None:
        """The page of its log before event ``seq``: its first event's number, and its text.

        The number is 1 where nothing comes before it. ``None``: there is no such page, or none to be had.
        """
        try:
            page = self._call("GET", f"jobs/{segment(self.job_id)}/log?before={seq}")
        except CumulusError:
            return None
        events = page.get("events") or []
        if not events:
            return None
        first = int(events[0]["seq"]) if page.get("earlier") else 1
        return first, "".join(str(event.get("text", "")) for event in events)

    def _call(self, method: str, path: str) -> Any:
        known = self._http.endpoint
        endpoint = Endpoint(known.url, known.token)
        try:
            return Http(lambda lost: endpoint).call(method, path, away_limit_s=0, timeout_s=_LIMIT_S)
        finally:
            endpoint.close()
