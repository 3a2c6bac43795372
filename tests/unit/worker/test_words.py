"""The words of the command line: upstream's, refused as upstream refuses, and never guessed at."""

from __future__ import annotations

import pytest

from cumulus_worker.refusal import Refusal
from cumulus_worker.words import Request, parse


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("create 0 0.5 3600", Request("create", device=0, tenths=5, seconds=3600)),
        ("create 1 1 60", Request("create", device=1, tenths=10, seconds=60)),
        ("create 0 .1 1", Request("create", device=0, tenths=1, seconds=1)),
        ("create 0 0.30000000000000004 1", Request("create", device=0, tenths=3, seconds=1)),
        ("create 0 0.3 9 --user alice", Request("create", device=0, tenths=3, seconds=9, user="alice")),
        (
            "create --owner=r --key j-1 0 0.3 9",
            Request("create", device=0, tenths=3, seconds=9, owner="r", key="j-1"),
        ),
        ("release partition_0001", Request("release", partition="partition_0001")),
        ("list", Request("list")),
        ("list --owner r", Request("list", owner="r")),
        ("available 3", Request("available", device=3)),
        ("stats", Request("stats")),
        ("version", Request("version")),
    ],
)
def test_what_is_understood(line: str, request_: Request) -> None:
    assert parse(line.split()) == request_


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "no command"),
        ("destroy", "Invalid command: destroy"),
        ("create 0 0.5", "'create' command requires device index, memory fraction, and duration"),
        ("create 0 0.5 60 70", "'create' command requires device index, memory fraction, and duration"),
        ("create x 0.5 60", "Device index must be a numeric value"),
        ("create -1 0.5 60", "Device index must be a numeric value"),
        ("create 0 half 60", "Arguments must be numeric values"),
        ("create 0 nan 60", "Arguments must be numeric values"),
        ("create 0 1e-1 60", "Arguments must be numeric values"),
        ("create 0 0 60", "Memory fraction must be between 0 and 1"),
        ("create 0 -0.5 60", "Memory fraction must be between 0 and 1"),
        ("create 0 1.1 60", "Memory fraction must be between 0 and 1"),
        ("create 0 0.25 60", "Memory fraction must be whole tenths, not 0.25"),
        ("create 0 0.01 60", "Memory fraction must be whole tenths, not 0.01"),
        ("create 0 0.5 0", "Duration must be positive"),
        ("create 0 0.5 -5", "Duration must be positive"),
        ("create 0 0.5 1.5", "Arguments must be numeric values"),
        ("create 0 0.5 99999999999", "Argument value out of range"),
        ("create 0 0.5 60 --key j", "--key needs --owner: a key is its owner's own"),
        ("create 0 0.5 60 --owner", "--owner needs a name, not ''"),
        ("create 0 0.5 60 --owner a;b", "--owner needs a name, not 'a;b'"),
        ("create 0 0.5 60 --force", "'create' has no option --force"),
        ("release", "'release' command requires partition ID"),
        ("release a b", "'release' command requires partition ID"),
        ("available", "'available' command requires device index"),
        ("list all", "'list' takes no argument"),
        ("stats --owner x", "'stats' has no option --owner"),
    ],
)
def test_what_is_not(line: str, message: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse(line.split())
    assert (refused.value.code, refused.value.message) == ("INVALID", message)
    assert refused.value.next
