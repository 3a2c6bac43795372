"""Find the relay this kernel or script belongs to.

In order: the address given; ``CUMULUS_URL`` (which a Jupyter server with the extension sets for its
kernels); the JupyterHub server around this kernel; the Jupyter server that started this kernel; the
user's own headless relay, started where there is none. What was tried, and why it was taken or
passed over, is kept for ``%cumulus``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ..protocol import PROTOCOL_VERSION
from ..protocol.errors import CumulusError, FailedPrecondition, Unauthenticated, Unavailable
from ..protocol.jobs import Health
from .address import parse_address
from .answers import no_relay, wrong_version
from .http import Endpoint, Http
from .wire import health_from_wire

GIVEN, ENVIRONMENT, HUB, SERVER, LOCAL = "given", "environment", "hub", "server", "local"
#: How long a candidate may take to say what it is.
PROBE_LIMIT_S = 10.0
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Candidate:
    """A place where the relay may be."""

    kind: str
    url: str
    token: str = field(repr=False)
    #: Where this address came from, in words.
    source: str


@dataclass(frozen=True)
class Found:
    """The relay in use, and how it was found."""

    candidate: Candidate
    endpoint: Endpoint
    health: Health
    #: What was tried before, one sentence each.
    trail: list[str] = field(default_factory=list)


def state_dir() -> Path:
    """The folder of this user's own relay; the server uses the same rule."""
    from jupyter_core.paths import jupyter_data_dir

    return Path(jupyter_data_dir()) / "cumulus"


def local_candidate(folder: Path) -> Candidate | None:
    """The relay that wrote its address into the user's state folder."""
    try:
        body = json.loads((folder / "relay.json").read_text())
        return Candidate(LOCAL, str(body["url"]), str(body["token"]), "this user's own relay")
    except (OSError, ValueError, KeyError, TypeError):
        return None


def token_for(url: str, environ: Mapping[str, str]) -> str:
    """The environment's token, unless that is another relay's: no other host shall see it."""
    own = environ.get("CUMULUS_URL")
    return environ.get("CUMULUS_TOKEN", "") if not own or _place(own) == _place(url) else ""


def _place(url: str) -> tuple[str, int]:
    address = parse_address(url)
    return "localhost" if address.host in _LOOPBACK else address.host, address.port


def surrounding_candidates(environ: Mapping[str, str]) -> Iterator[Candidate]:
    """What the environment of this process says about the relay, surest first."""
    if environ.get("CUMULUS_URL"):
        token = environ.get("CUMULUS_TOKEN", "")
        yield Candidate(ENVIRONMENT, environ["CUMULUS_URL"], token, "CUMULUS_URL")
    prefix, hub_token = environ.get("JUPYTERHUB_SERVICE_PREFIX"), environ.get("JUPYTERHUB_API_TOKEN")
    if prefix and hub_token:
        parts = urlsplit(environ.get("JUPYTERHUB_SERVICE_URL", "http://127.0.0.1:8888"))
        host = "127.0.0.1" if parts.hostname in (None, "0.0.0.0", "::") else parts.hostname
        url = f"{parts.scheme or 'http'}://{host}:{parts.port or 8888}{prefix}"
        yield Candidate(HUB, url, hub_token, "the JupyterHub server of this kernel")
    server = environ.get("JPY_PARENT_PID", "")
    if server.isdigit():
        from jupyter_core.paths import jupyter_runtime_dir

        try:
            body = json.loads((Path(jupyter_runtime_dir()) / f"jpserver-{server}.json").read_text())
            yield Candidate(SERVER, str(body["url"]), str(body["token"]), "the Jupyter server of this kernel")
        except (OSError, ValueError, KeyError, TypeError):
            return


class Discovery:
    """Finds the relay at first use, and again when it went away.

    ``url`` and ``token`` name one and rule out all others.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        autostart: bool = True,
        folder: Path | None = None,
    ) -> None:
        self.url = url
        self.token = token
        self.autostart = autostart
        self._folder = folder
        self.found: Found | None = None

    @property
    def folder(self) -> Path:
        """The user's state folder."""
        if self._folder is None:
            self._folder = state_dir()
        return self._folder

    def locate(self, lost: Endpoint | None) -> Endpoint:
        """The endpoint to use; ``Http`` calls this. Raises ``CumulusError``."""
        if lost is None or self.found is None:
            self.found = self._find()
            return self.found.endpoint
        return self._find_again(self.found).endpoint

    def _find(self) -> Found:
        if self.url:
            token = self.token or token_for(self.url, os.environ)
            return self._probe(Candidate(GIVEN, self.url, token, "given"), [])
        trail: list[str] = []
        for candidate in surrounding_candidates(os.environ):
            try:
                return self._probe(candidate, trail)
            except CumulusError as error:
                trail.append(f"{candidate.source}: {error.message}")
                local = local_candidate(self.folder)
                if candidate.kind != ENVIRONMENT:
                    continue
                # The relay that set this kernel's environment may have been started anew since.
                loopback = urlsplit(candidate.url).hostname in _LOOPBACK
                if not (loopback and local and isinstance(error, (Unavailable, Unauthenticated))):
                    raise
        return self._find_local(trail)

    def _find_local(self, trail: list[str]) -> Found:
        local = local_candidate(self.folder)
        if local is not None:
            try:
                return self._probe(local, trail)
            except FailedPrecondition:
                raise
            except CumulusError as error:
                trail.append(f"{local.source}: {error.message}")
        if not self.autostart:
            raise Unavailable(
                "No relay was found",
                next="Name one with %cumulus connect URL, or start one with: jupyter cumulus",
            )
        from .autostart import start_relay

        started = start_relay(self.folder)
        trail.append("started a relay for this user")
        return self._probe(started, trail)

    def _find_again(self, before: Found) -> Found:
        """Where the relay is now; the answer of before where nothing new is known."""
        local = local_candidate(self.folder)
        moved = local is not None and (local.url, local.token) != (
            before.endpoint.url,
            before.endpoint.token,
        )
        if not moved or local is None or self.url:
            if before.candidate.kind == LOCAL and self.autostart and not self.url:
                self._revive(before)
            return self.found or before
        try:
            now = self._probe(local, [*before.trail, "the relay moved"], limit_s=2.0)
        except CumulusError:
            return before
        if before.candidate.kind != LOCAL and now.health.relay_id != before.health.relay_id:
            return before
        self.found = now
        return now

    def _revive(self, before: Found) -> None:
        """Start this user's own relay again, where it ended and nobody else starts it."""
        from .autostart import start_relay_if_dead

        started = start_relay_if_dead(self.folder)
        if started is not None:
            self.found = self._probe(started, [*before.trail, "the relay had ended and was started again"])

    def _probe(self, candidate: Candidate, trail: list[str], limit_s: float = PROBE_LIMIT_S) -> Found:
        """Ask a candidate what it is. Raises ``CumulusError`` where it is no relay for us."""
        endpoint = Endpoint(candidate.url, candidate.token)
        body: Any = Http(lambda _: endpoint).call("GET", "health", away_limit_s=0, timeout_s=limit_s)
        if not isinstance(body, dict) or "protocol" not in body:
            raise no_relay(candidate.url)
        if body["protocol"] != PROTOCOL_VERSION:
            raise wrong_version(candidate.url, body["protocol"])
        return Found(candidate, endpoint, health_from_wire(body), trail)
