"""The one place that sees everything: builds the relay inside a Jupyter server, starts it, stops it.

``CumulusApp`` is a Jupyter server extension. ``jupyter cumulus`` and ``python -m cumulus_server`` start a
server that has nothing else in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jupyter_server._tz import utcnow
from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from traitlets import TraitError, default
from traitlets.config import Config

from cumulus_jupyter import __version__
from cumulus_jupyter.protocol.errors import CumulusError, InvalidArgument

from .config import Cumulus, RelayConfig
from .elsewhere.handlers import Elsewhere
from .elsewhere.routes import absent_routes, elsewhere_routes, mount_while
from .elsewhere.target import Target, announced_target, given_target
from .handlers import routes
from .moving import build_moving
from .relay.service import Relay
from .supervisor import Supervisor

_WILDCARDS = {"", "*", "0.0.0.0", "::", "localhost"}
_IDLE_CHECK_S = 30.0
_STATE_CHECK_S = 1.0
#: Above those of all modules here.
_LOG = logging.getLogger(__package__)


class HeadlessServer(ServerApp):
    """A Jupyter server with nothing but the relay: no notebooks, kernels, files or terminals."""

    name = "jupyter-cumulus"
    # Jupyter's own is a tuple of so many strings, and mypy holds others to that length.
    default_services = ("auth", "security", "shutdown")  # type: ignore[assignment]
    #: Whether it ends for want of its relay, which its exit status tells.
    failed = False


class CumulusApp(ExtensionApp):
    """The relay: takes jobs from notebooks and scripts, and runs them on workers."""

    name = "cumulus_server"
    version = __version__
    description = __doc__
    extension_url = "/"
    load_other_extensions = False
    serverapp_class = HeadlessServer
    classes = [HeadlessServer, Cumulus]
    # By name: what is a client is not imported by a relay.
    subcommands = {
        "add-worker": ("cumulus_jupyter.add_worker.AddWorkerApp", "Print the line that adds a worker.")
    }
    aliases = {
        "ip": "ServerApp.ip",
        "port": "ServerApp.port",
        "config": "JupyterApp.config_file",
        "settings": "Cumulus.config_file",
        "state-dir": "Cumulus.state_dir",
    }
    #: ``None`` where calls are passed on to a relay elsewhere, and where the settings were wrong.
    relay: Relay | None = None
    #: The relay elsewhere that the settings name.
    target: Target | None = None
    #: Why there is neither: a Jupyter server goes on without, and its pages can say so.
    fault: CumulusError | None = None
    #: Of the calls that are passed on to ``target``.
    _passing: Supervisor | None = None
    _told_by: Sequence[logging.Handler] = ()

    @default("config_file_name")
    def _default_config_file_name(self) -> str:
        return "jupyter_cumulus_config"

    @default("open_browser")
    def _default_open_browser(self) -> bool:
        return False

    @classmethod
    def make_serverapp(cls, **kwargs: Any) -> ServerApp:
        """The headless server: private to its user, without a browser, with a token that is not logged."""
        base = Config()
        base.ServerApp.allow_root = True
        base.ServerApp.open_browser = False
        base.ServerApp.port = 0
        base.ServerApp.allow_unauthenticated_access = False
        token = os.environ.get("CUMULUS_TOKEN") or os.environ.get("JUPYTER_TOKEN") or _kept_token()
        base.IdentityProvider.token = token or secrets.token_hex(24)
        serverapp = cls.serverapp_class.instance(config=base, **kwargs)
        serverapp.no_browser_open_file = True
        return serverapp

    def initialize_settings(self) -> None:
        """Read the settings and build the relay; a wrong setting ends a headless start."""
        headless = isinstance(self.serverapp, HeadlessServer)
        try:
            config = Cumulus(parent=self).settings()
            if config.relay_url and headless:
                raise InvalidArgument(
                    "Cumulus.relay_url is for Jupyter servers; this is a relay",
                    next="Leave it out here.",
                )
            if config.relay_url:
                self.target = given_target(config)
            else:
                self.relay = self.build_relay(config)
        except (CumulusError, TraitError) as error:
            self.log.critical("Cumulus cannot start: %s", error)
            if headless:
                self.exit(1)
            wrong = InvalidArgument(str(error), next="Correct the Jupyter server's configuration.")
            self.fault = error if isinstance(error, CumulusError) else wrong

    def build_relay(self, config: RelayConfig) -> Relay:
        """The relay, before its start. Tests override what moves its jobs."""
        return Relay(config, build_moving)

    def initialize_handlers(self) -> None:
        """Add the relay's routes to the server."""
        assert self.serverapp is not None
        base_url = self.serverapp.base_url
        if self.fault is not None:
            self.handlers.extend(absent_routes(self.fault, base_url))
            return
        if self.target is not None:
            target, self._passing = self.target, Supervisor()
            self.handlers.extend(elsewhere_routes(Elsewhere(lambda: target, self._passing, base_url)))
            return
        relay = self.relay
        assert relay is not None
        relay.base_url = base_url
        self.handlers.extend(routes(relay))
        # While another process is the live relay of this state folder, that one is asked.
        live = Elsewhere(lambda: announced_target(relay.state.announced()), relay.supervisor, base_url)
        mount_while(self.serverapp.web_app, lambda: relay.deferring, base_url, elsewhere_routes(live))

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """Called by the server once its port is bound."""
        relay = self.relay
        if relay is None and self.target is None:
            return
        self._told_by = _tell_by(serverapp.log)
        if self.target is not None:
            self._pass_on(self.target, serverapp)
        if relay is None:
            return
        url, token = server_url(serverapp), serverapp.identity_provider.token

        def on_live() -> None:
            if token:
                # Where Jupyter has no token of its own, as under JupyterHub, kernels have other ways.
                _tell_kernels(url, token)
            serverapp.log.info("Cumulus relay %s at %s", relay.relay_id, url)

        def on_deferred(facts: dict[str, Any]) -> None:
            with contextlib.suppress(CumulusError):
                target = announced_target(facts)
                _tell_kernels(target.url, target.token)

        try:
            await relay.start(url, token, on_live, on_deferred)
        except CumulusError as error:
            serverapp.log.critical("Cumulus cannot start: %s", error)
            _end_headless(serverapp)
            return
        relay.supervisor.start("activity", lambda: _watch_activity(relay, serverapp), restart=True)
        relay.supervisor.start("state", lambda: _watch_state(relay, serverapp), restart=True)

    def _pass_on(self, target: Target, serverapp: ServerApp) -> None:
        _tell_kernels(target.url, target.token, target.ca_bundle)
        serverapp.log.info("Cumulus passes calls on to the relay at %s", target.url)
        if target.shows_its_token:
            serverapp.log.warning(
                "The token of the relay at %s crosses the network unencrypted. Let Cumulus.relay_url begin"
                " with https, or lead through a tunnel.",
                target.url,
            )

    def current_activity(self) -> dict[str, int] | None:
        """Running jobs, which keep an idle server from stopping."""
        active = 0 if self.relay is None else self.relay.census.active
        return {"jobs": active} if active else None

    async def stop_extension(self) -> None:
        """Called by the server when it stops."""
        if self._passing is not None:
            await self._passing.stop()
        if self.relay is not None:
            await self.relay.stop()
        for handler in self._told_by:
            _LOG.removeHandler(handler)


def _tell_kernels(url: str, token: str, ca_bundle: str = "") -> None:
    """Kernels inherit these, and find their relay by them."""
    os.environ["CUMULUS_URL"], os.environ["CUMULUS_TOKEN"] = url, token
    if ca_bundle:
        os.environ["CUMULUS_CA_BUNDLE"] = ca_bundle


def _kept_token() -> str:
    """The token in the file that CUMULUS_TOKEN_FILE names, made there where the file is not; else ""."""
    name = os.environ.get("CUMULUS_TOKEN_FILE")
    if not name:
        return ""
    file = Path(name)
    try:
        with open(file, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as fresh:
            fresh.write(secrets.token_hex(24))
    except FileExistsError:
        pass
    except OSError as error:
        raise SystemExit(f"CUMULUS_TOKEN_FILE: {file} cannot be written: {error.strerror}") from None
    try:
        token = file.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        raise SystemExit(f"CUMULUS_TOKEN_FILE: {file} cannot be read: {error}") from None
    if not token:
        raise SystemExit(f"CUMULUS_TOKEN_FILE: {file} is empty. Write a token there, or remove it.")
    return token


def _tell_by(log: logging.Logger | logging.LoggerAdapter[Any]) -> list[logging.Handler]:
    """Let the relay's own words appear in the server's log, as the server's do; the handlers for that."""
    server_log = log.logger if isinstance(log, logging.LoggerAdapter) else log
    added = [handler for handler in server_log.handlers if handler not in _LOG.handlers]
    for handler in added:
        _LOG.addHandler(handler)
    _LOG.setLevel(server_log.getEffectiveLevel())
    return added


async def _watch_activity(relay: Relay, serverapp: ServerApp) -> None:
    """Keep the server awake while jobs run; end a headless one that nobody uses."""
    limit_s = relay.config.idle_shutdown_s
    every_s = min(_IDLE_CHECK_S, limit_s / 4) if limit_s else _IDLE_CHECK_S
    while True:
        await asyncio.sleep(every_s)
        if relay.census.active or relay.hub.followed:
            relay.last_request_s = time.monotonic()
            serverapp.web_app.settings["cumulus_last_activity"] = utcnow()
        elif not (limit_s and isinstance(serverapp, HeadlessServer)):
            continue
        elif time.monotonic() - relay.last_request_s > limit_s:
            serverapp.log.info("Nobody has used this relay for %g s: stopping", limit_s)
            serverapp.stop()
            return


async def _watch_state(relay: Relay, serverapp: ServerApp) -> None:
    """End the relay whose state folder is not its own any more, before it meddles with what is there now."""
    try:
        while True:
            relay.state.check()
            await asyncio.sleep(_STATE_CHECK_S)
    except CumulusError as why:
        serverapp.log.critical("Cumulus stops: %s", why)
        try:
            await relay.stop(why)
        finally:
            _end_headless(serverapp)


def _end_headless(serverapp: ServerApp) -> None:
    """Without its relay, a server of its own has nothing to do."""
    if isinstance(serverapp, HeadlessServer):
        serverapp.failed = True
        serverapp.stop()


def server_url(serverapp: ServerApp) -> str:
    """Where programs on this machine reach the server, the base URL included."""
    scheme = "https" if serverapp.certfile else "http"
    host = "127.0.0.1" if serverapp.ip in _WILDCARDS else serverapp.ip
    host = f"[{host}]" if ":" in host else host
    return url_path_join(f"{scheme}://{host}:{serverapp.port}", serverapp.base_url)


def main(argv: list[str] | None = None) -> None:
    """``jupyter cumulus`` and ``python -m cumulus_server``."""
    # Jupyter declares no types here.
    CumulusApp.launch_instance(argv)  # type: ignore[no-untyped-call]
    if getattr(HeadlessServer._instance, "failed", False):  # it may be a subcommand's application instead
        sys.exit(1)
