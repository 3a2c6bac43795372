"""The lines that upstream's users and their scripts know."""

from __future__ import annotations

from typing import Any

import pytest

from cumulus_worker import rendering
from cumulus_worker.words import parse

NAME = "partition_644_1795298200394_0001"
ENTRY = {"partition": NAME, "device": 1, "fraction": 0.3, "remaining_s": 5399.9, "owner": "relay", "user": ""}


def rendered(line: str, answer: dict[str, Any], *, terminal: bool = False) -> list[str]:
    return rendering.rendered(parse(line.split()), answer, terminal)


def test_create() -> None:
    assert rendered("create 1 0.3 5400 --user alice", ENTRY) == [
        f"[OK] Created partition {NAME}",
        "[INFO] Device: GPU 1",
        "[INFO] Memory: 30%",
        "[INFO] Duration: 1h 30m",
        "[INFO] User: alice",
    ]
    assert rendered("create 1 0.3 5400", ENTRY, terminal=True)[0] == (
        f"\033[32m✓ Created partition {NAME}\033[0m"
    )


def test_release() -> None:
    assert rendered(f"release {NAME}", {"partition": NAME}) == [f"[OK] Released partition {NAME}"]


def test_list() -> None:
    assert rendered("list", {"partitions": []}) == ["[INFO] No active partitions"]
    lines = rendered("list", {"partitions": [ENTRY]})
    assert lines[1] == "Active Partitions" and lines[-2] == "[INFO] Total: 1 partition(s)"
    assert [cell.strip() for cell in lines[4].split("|")][1:-1] == [
        "ID", "Device", "Memory", "Time Left", "Owner", "Status",
    ]  # fmt: skip
    assert [cell.strip() for cell in lines[6].split("|")][1:-1] == [
        NAME, "GPU 1", "30%", "1h 29m", "relay", "● ACTIVE",
    ]  # fmt: skip


def test_available() -> None:
    assert rendered("available 1", {"device": 1, "fraction": 0.7}) == ["70.0%"]
    assert rendered("available 1", {"device": 1, "fraction": 0.7}, terminal=True) == [
        "70.0% available on GPU 1"
    ]


def test_stats() -> None:
    device = {
        "index": 0, "uuid": "GPU-a", "name": "NVIDIA H100", "kind": "nvidia", "memory_mib": 81559,
        "fraction": 0.5, "partitions": 2,
    }  # fmt: skip
    lines = rendered("stats", {"devices": [device], "warning": "look here"})
    assert lines[1:3] == ["GPU Device Statistics", "=" * 50]
    assert "    Usage: 50.00%" in lines and "    Active partitions: 2" in lines
    assert lines[-1] == "[WARNING] look here"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0s"), (59.9, "59s"), (60, "1m 0s"), (3599, "59m 59s"), (86_400, "24h 0m")]
)
def test_durations(seconds: float, said: str) -> None:
    assert rendering.duration(seconds) == said
