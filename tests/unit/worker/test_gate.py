"""What makes a key the relay's and nothing more. What the gate lets through is tested behind a real sshd."""

from __future__ import annotations

from pathlib import Path

import pytest

import cumulus_jupyter
import cumulus_worker
from cumulus_worker import gate, launchers

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHNvbWVrZXk= relay@cumulus"


def test_the_line_of_authorized_keys() -> None:
    assert launchers.authorized_key(f"{KEY}\n") == (f'restrict,command="/opt/cumulus/worker/gate" {KEY}')


@pytest.mark.parametrize(
    "key",
    [
        "",
        "AAAA",
        f'no-pty,command="/bin/sh" {KEY}',
        f"{KEY}\nssh-ed25519 AAAA",
        "ssh-ed25519 AA AA BB",
        "ssh-ed25519 $(id)",
    ],
)
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="public SSH key"):
        launchers.authorized_key(key)


@pytest.mark.parametrize("path", ['/x" ssh-rsa', "gate", "/a b", "/a\n"])
def test_what_is_no_plain_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path for authorized_keys"):
        gate.authorized_key(KEY, path)


def test_the_worker_and_the_client_are_of_one_version() -> None:
    assert cumulus_worker.__version__ == cumulus_jupyter.__version__


def test_the_unit_starts_the_daemon() -> None:
    assert "ExecStart=/opt/cumulus/worker/chronosd\n" in launchers.unit()
    assert launchers.places().chronosd == Path("/opt/cumulus/worker/chronosd")
