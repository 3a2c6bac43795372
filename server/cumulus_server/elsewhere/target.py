"""Which relay calls are passed on to: the one of the settings, or the live one of the same state folder."""

from __future__ import annotations

import functools
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cumulus_jupyter.protocol.errors import InvalidArgument, Unavailable

from ..config import RelayConfig

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True)
class Target:
    """A relay's address, and the token that opens it."""

    #: Ends in a slash; the API's root is below it.
    url: str
    token: str = field(repr=False)
    #: File of the authorities that vouch for it, beside those of this machine.
    ca_bundle: str = ""

    @property
    def tls(self) -> ssl.SSLContext | None:
        """How its certificate is checked; ``None`` for plain HTTP."""
        return _tls(self.ca_bundle) if self.url.startswith("https:") else None

    @property
    def shows_its_token(self) -> bool:
        """Whether the token crosses a network unencrypted."""
        return not self.url.startswith("https:") and urlsplit(self.url).hostname not in _LOOPBACK


@functools.cache
def _tls(ca_bundle: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_bundle:
        context.load_verify_locations(cafile=ca_bundle)
    return context


def given_target(config: RelayConfig, environ: Mapping[str, str] = os.environ) -> Target:
    """The relay that the settings name. Raises ``InvalidArgument``."""
    url = config.relay_url if config.relay_url.endswith("/") else config.relay_url + "/"
    file = config.relay_token_file
    if not file and environ.get("CUMULUS_TOKEN"):
        token = environ["CUMULUS_TOKEN"].strip()
    else:
        token = _token_of("Cumulus.relay_token_file" if file else "CUMULUS_TOKEN_FILE", file, environ)
    if not (token.isascii() and token.isprintable()):
        raise InvalidArgument("The token of the relay elsewhere has characters that no token has")
    bundle = str(Path(config.relay_ca_bundle).expanduser()) if config.relay_ca_bundle else ""
    try:
        _tls(bundle)
    except (OSError, ssl.SSLError) as error:
        raise InvalidArgument(
            f"Cumulus.relay_ca_bundle: {bundle} cannot be used: {error}", next="Name a readable PEM file."
        ) from None
    return Target(url, token, bundle)


def _token_of(setting: str, file: str, environ: Mapping[str, str]) -> str:
    name = file or environ.get("CUMULUS_TOKEN_FILE", "")
    if not name:
        raise InvalidArgument(
            "Cumulus.relay_url names a relay, and its token is missing",
            next="Name a file with it in Cumulus.relay_token_file, or set CUMULUS_TOKEN.",
        )
    try:
        token = Path(name).expanduser().read_text("utf-8").strip()
    except (OSError, ValueError) as error:
        raise InvalidArgument(
            f"{setting}: {name} cannot be read: {getattr(error, 'strerror', None) or 'it is no text'}",
            next="Write the relay's token there.",
        ) from None
    if not token:
        raise InvalidArgument(f"{setting}: {name} is empty", next="Write the relay's token there.")
    return token


def announced_target(facts: Mapping[str, Any]) -> Target:
    """The live relay of a state folder, from what it announces there. Raises ``Unavailable``."""
    url, token = facts.get("url"), facts.get("token")
    if not (isinstance(url, str) and isinstance(token, str) and url.startswith(("http://", "https://"))):
        raise Unavailable(
            "Another process has the relay's state folder, and does not serve yet",
            next="Try again in a moment; else end that process, or set another Cumulus.state_dir.",
        )
    return Target(url if url.endswith("/") else url + "/", token)
