"""The routes where the relay is elsewhere, or could not be made: the same ones, with the same protection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupyter_server.utils import url_path_join
from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher, Rule
from tornado.web import Application

from cumulus_jupyter.protocol import API_PATH
from cumulus_jupyter.protocol.errors import CumulusError, Unavailable

from ..handlers import ROUTES
from ..handlers.base import actions_of
from ..handlers.unknown import UnknownHandler
from .handlers import (
    Absent,
    AbsentHandler,
    DocumentHandler,
    Elsewhere,
    PassHandler,
    PlaceAbsentHandler,
    PlaceElsewhereHandler,
    WatchElsewhereHandler,
)

Routes = list[tuple[str, type[Any], dict[str, Any]]]

_ELSEWHERE = {
    "/openapi.json": DocumentHandler,
    "/relay": PlaceElsewhereHandler,
    "/watch": WatchElsewhereHandler,
}
_ABSENT = {"/openapi.json": DocumentHandler, "/relay": PlaceAbsentHandler}
_RUNNERS = "/runner/"
_UNKNOWN: tuple[str, type[Any], dict[str, Any]] = (rf"/{API_PATH}(?:/.*)?", UnknownHandler, {})


def elsewhere_routes(elsewhere: Elsewhere) -> Routes:
    """Every route for people, passed on."""
    return _routes(_ELSEWHERE, PassHandler, elsewhere)


def absent_routes(fault: CumulusError, base_url: str) -> Routes:
    """Every route for people, refused."""
    told = Unavailable(f"There is no relay here: {fault.message}", next=fault.next)
    return _routes(_ABSENT, AbsentHandler, Absent(told, base_url))


def _routes(special: dict[str, Any], usual: type[Any], given: Elsewhere | Absent) -> Routes:
    routes: Routes = [
        (
            f"/{API_PATH}{path}",
            special.get(path, usual),
            {"actions": actions_of(own), "tracked": own._track_activity, "given": given},
        )
        for path, own in ROUTES
        if not path.startswith(_RUNNERS)
    ]
    return [*routes, _UNKNOWN]


class _While(Matcher):
    """Matches every request while something is so."""

    def __init__(self, so: Callable[[], bool]) -> None:
        self._so = so

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Called by tornado for each request."""
        return {} if self._so() else None


def mount_while(app: Application, so: Callable[[], bool], base_url: str, routes: Routes) -> None:
    """Put these routes before the server's own while ``so()``; what they do not have is left to those."""
    ours = [route for route in routes if route is not _UNKNOWN]
    placed = [(url_path_join(base_url, path), handler, kwargs) for path, handler, kwargs in ours]
    router = app.default_router
    router.add_rules([Rule(_While(so), placed)])
    router.rules.insert(0, router.rules.pop())
