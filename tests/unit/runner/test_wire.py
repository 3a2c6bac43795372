"""What the runner makes of JSON has the fields and defaults of the protocol's own classes."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from cumulus_jupyter.protocol.channel import Assignment
from cumulus_jupyter.protocol.program import Program
from cumulus_runner.address import host_header, parse_url
from cumulus_runner.wire import assignment_from_wire, program_from_wire


def test_assignment() -> None:
    body = {"job_id": "j", "attempt": 1, "claim_token": "t", "url": "u", "workdir": "w"}
    assert vars(assignment_from_wire(body)) == dataclasses.asdict(Assignment(**body))  # type: ignore[arg-type]
    assert assignment_from_wire({**body, "contained": True, "unknown": 1}).contained


def test_program() -> None:
    assert vars(program_from_wire({"kind": "cell"})) == dataclasses.asdict(Program("cell"))


@pytest.mark.parametrize(
    ("url", "address", "host"),
    [
        ("http://127.0.0.1:8888/", ("127.0.0.1", 8888, "/", False), "127.0.0.1:8888"),
        ("https://relay.example", ("relay.example", 443, "/", True), "relay.example:443"),
        ("http://[::1]:80/base", ("::1", 80, "/base/", False), "[::1]:80"),
        ("http://name/a/b/?token=x", ("name", 80, "/a/b/", False), "name:80"),
    ],
)
def test_addresses(url: str, address: tuple[Any, ...], host: str) -> None:
    assert parse_url(url) == address and host_header(parse_url(url)) == host


@pytest.mark.parametrize("url", ["", "ftp://x/", "127.0.0.1:8888", "http://", "http://:80/", "http://x:y/"])
def test_no_addresses(url: str) -> None:
    with pytest.raises(ValueError):
        parse_url(url)
