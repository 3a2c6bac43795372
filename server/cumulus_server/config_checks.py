"""What settings must be beyond their type, so that a wrong one is told at the start and not by a job."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cumulus_jupyter.protocol.errors import InvalidArgument

if TYPE_CHECKING:
    from .config import RelayConfig

#: The executors there are.
EXECUTORS = ("process", "docker", "swarm")
#: How places can be found.
PLACEMENTS = ("best-fit", "first-fit")

_USER = re.compile(r"(\d+):(\d+)\Z")
_MINOR = re.compile(r"\d+\.\d+\Z")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_HOST = re.compile(r"[A-Za-z0-9._:-]+\Z")
_ENGINES = ("unix", "tcp", "ssh", "http", "https")


def check_settings(config: RelayConfig) -> None:
    """Raise ``InvalidArgument`` naming the first setting that cannot be used."""
    _check_executors(config.executors)
    _check_placement(config.placement)
    _check_engine("docker_host", config.docker_host)
    _check_engine("swarm_host", config.swarm_host)
    _check_images(config.job_images)
    _check_user(config.container_user)
    _check_bundle("container_ca_bundle", config.container_ca_bundle)
    _check_bundle("relay_ca_bundle", config.relay_ca_bundle)
    _check_env(config.container_env)
    _check_host(config.runner_host)
    _check_listen(config)
    _check_url("runner_url", config.runner_url)
    _check_url("relay_url", config.relay_url)
    _check_key(config.ssh_key)


def _wrong(name: str, value: object, why: str, next: str) -> InvalidArgument:
    return InvalidArgument(f"Cumulus.{name} is {value!r}: {why}", next=next)


def _check_executors(names: tuple[str, ...]) -> None:
    for name in names:
        if name not in EXECUTORS:
            known = ", ".join(EXECUTORS)
            raise _wrong("executors", list(names), f"there is no executor {name!r}", f"There are: {known}.")
    if len(set(names)) < len(names):
        raise _wrong("executors", list(names), "one is named twice", "Name each once, the preferred first.")


def _check_placement(name: str) -> None:
    if name not in PLACEMENTS:
        raise _wrong("placement", name, "there is no such placement", f"There are: {', '.join(PLACEMENTS)}.")


def _check_engine(name: str, host: str) -> None:
    scheme, _, rest = host.partition("://")
    if host and not host.startswith("/") and (scheme not in _ENGINES or not rest.strip("/")):
        raise _wrong(
            name,
            host,
            "this is no engine's address",
            "Write it as unix:///var/run/docker.sock, tcp://HOST:2376 or ssh://USER@HOST.",
        )


def _check_images(images: Mapping[str, str]) -> None:
    for minor, image in images.items():
        if not isinstance(minor, str) or not _MINOR.match(minor):
            raise _wrong(
                "job_images",
                dict(images),
                f"{minor!r} is no Python minor version",
                'Write {"3.11": "IMAGE"}; in YAML the version stands in quotation marks.',
            )
        if not isinstance(image, str) or not image.strip() or image.startswith("-"):
            raise _wrong("job_images", dict(images), f"{image!r} is no image", 'Write {"3.11": "IMAGE"}.')


def _check_user(user: str) -> None:
    if not user:
        return
    match = _USER.match(user)
    if match is None:
        raise _wrong("container_user", user, "this is not UID:GID", "Write numbers, such as 1000:1000.")
    if int(match[1]) == 0 or int(match[2]) == 0:
        raise _wrong("container_user", user, "jobs do not run as root", "Write another user's numbers.")


def _check_bundle(name: str, file: str) -> None:
    if not file:
        return
    try:
        text = Path(file).expanduser().read_text("latin-1")
    except OSError as error:
        raise _wrong(name, file, f"cannot be read: {error.strerror}", "Name a readable PEM file.") from None
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise _wrong(name, file, "there is no certificate in it", "Name a PEM file.")


def _check_env(env: Mapping[str, str]) -> None:
    for name, value in env.items():
        if not isinstance(name, str) or not _ENV_NAME.match(name) or name.startswith("CUMULUS_"):
            raise _wrong(
                "container_env",
                sorted(map(str, env)),
                f"{name!r} cannot be a variable's name",
                "Use letters, digits and underscores; names that begin with CUMULUS_ are taken.",
            )
        if not isinstance(value, str) or "\0" in value:
            raise _wrong(
                "container_env", name, "its value is not text", "Write the value in quotation marks."
            )


def _check_host(host: str) -> None:
    if not host:
        return
    if not _HOST.match(host):
        raise _wrong("runner_host", host, "this is no address", "Write an IP address or a name.")
    try:
        everywhere = ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return
    if everywhere:
        raise _wrong(
            "runner_host",
            host,
            "runners need one address to dial",
            "Write the address of this machine that the workers reach.",
        )


def _check_listen(config: RelayConfig) -> None:
    if not config.runner_listen:
        return
    address, _, port = config.runner_listen.rpartition(":")
    try:
        good = not ipaddress.ip_address(address.strip("[]")).is_unspecified and 0 < int(port) < 1 << 16
    except ValueError:
        good = False
    if not good:
        raise _wrong(
            "runner_listen",
            config.runner_listen,
            "this is no address of this machine with a port",
            "Write it as 10.0.0.5:8443.",
        )
    if not (config.runner_host and config.runner_port):
        raise _wrong(
            "runner_listen",
            config.runner_listen,
            "where runners reach it is not said",
            "Set runner_host and runner_port to what the router forwards to there.",
        )


def _check_url(name: str, url: str) -> None:
    if not url:
        return
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query
        good = good and not parts.fragment and "@" not in parts.netloc
        _ = parts.port
    except ValueError:
        good = False
    if not good:
        shown = url.partition("://")[0] + "://…" if "@" in url or "?" in url else url
        raise _wrong(name, shown, "this is no URL", "Write it as https://HOST:PORT/, and no more.")


def _check_key(file: str) -> None:
    if not file:
        return
    advice = "Name the file of a private key that has no passphrase."
    try:
        text = Path(file).expanduser().read_text("latin-1")
    except OSError as error:
        raise _wrong("ssh_key", file, f"cannot be read: {error.strerror}", advice) from None
    if "PRIVATE KEY-----" not in text:
        raise _wrong("ssh_key", file, "there is no private key in it", advice)
