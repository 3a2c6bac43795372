"""Numbers, joins and cuts of what a job says."""

from __future__ import annotations

import json
from typing import Any

from cumulus_runner.outbox import BATCH_LIMIT_BYTES, HELD_LIMIT_BYTES, Outbox, Sealed, Upload


def bodies(outbox: Outbox) -> list[dict[str, Any]]:
    """Everything that waits, as batches."""
    found = []
    while not outbox.empty:
        item = outbox.take()
        assert isinstance(item, Sealed)
        found.append(json.loads(item.body(None)))
    return found


def test_text_of_one_stream_is_one_event() -> None:
    outbox = Outbox()
    for text in (b"a", b"b\n"):
        outbox.text("stdout", "stdout", text)
    outbox.text("stderr", "stderr", b"c")
    outbox.text("stdout", "raw stdout", b"d")
    (batch,) = bodies(outbox)
    assert [(event["stream"], event["text"]) for event in batch["events"]] == [
        ("stdout", "ab\n"),
        ("stderr", "c"),
        ("stdout", "d"),
    ]


def test_numbers_go_on() -> None:
    outbox = Outbox()
    for n in range(3):
        outbox.say({"type": "progress", "n": n})
        (batch,) = bodies(outbox)
        assert batch["first"] == n + 1
    last = outbox.take_last()
    assert json.loads(last.body({"state": "COMPLETED"})) == {
        "first": 4,
        "events": [],
        "outcome": {"state": "COMPLETED"},
    }


def test_large_text_is_cut_into_batches() -> None:
    outbox = Outbox()
    outbox.text("stdout", "stdout", "é".encode() * 3_000_000)
    assert outbox.held_bytes >= 6_000_000
    batches = bodies(outbox)
    assert len(batches) > 5 and outbox.held_bytes == 0
    assert all(sum(len(e["text"].encode()) for e in b["events"]) <= BATCH_LIMIT_BYTES for b in batches)
    assert "".join(e["text"] for b in batches for e in b["events"]) == "é" * 3_000_000


def test_cut_and_broken_characters() -> None:
    outbox = Outbox()
    outbox.text("stdout", "stdout", b"\xc3")
    assert outbox.empty
    outbox.text("stdout", "stdout", b"\xa9\xff")
    outbox.text("stdout", "stdout", b"\xe2\x82")
    outbox.end_of_text()
    ((event,),) = [batch["events"] for batch in bodies(outbox)]
    assert event["text"] == "é��"


def test_uploads_keep_their_place() -> None:
    outbox = Outbox()
    outbox.text("stdout", "stdout", b"before")
    outbox.upload(Upload("@outputs", "/path"))
    outbox.say({"type": "result"})
    taken = [outbox.take() for _ in range(4)]
    assert [type(item) for item in taken] == [Sealed, Upload, Sealed, type(None)]


def test_full_and_not_full_again() -> None:
    outbox = Outbox()
    outbox.text("stdout", "stdout", b"x" * (HELD_LIMIT_BYTES + 1))
    assert outbox.full
    outbox.take()
    bodies(outbox)
    assert not outbox.full


def test_mid_line() -> None:
    outbox = Outbox()
    assert not outbox.in_mid_line
    outbox.text("stdout", "stdout", b"be")
    assert outbox.in_mid_line
    outbox.text("stdout", "stdout", b"gun\n")
    assert not outbox.in_mid_line
