"""What the child writes to the supervisor, also where it is interrupted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import numpy
import pytest

from cumulus_runner import streams
from cumulus_runner.frames import FrameReader
from cumulus_runner.streams import Console, event_text


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Console, int]]:
    """A console that has a pipe to write to, and its other end."""
    reading, writing = os.pipe()
    made = Console()
    monkeypatch.setattr(made, "_fd", writing)
    monkeypatch.setattr(made, "_let_raw_pass", lambda: None)
    yield made, reading
    os.close(reading)
    os.close(writing)


def test_an_interrupt_before_a_text_is_written_mixes_no_streams(
    console: tuple[Console, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the pipe is full: the write has not begun when the interrupt comes."""
    made, reading = console
    made.stdout.write("out\n")
    write = os.write

    def interrupted(fd: int, data: bytes) -> int:
        monkeypatch.setattr(streams.os, "write", write)
        raise KeyboardInterrupt

    monkeypatch.setattr(streams.os, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        made.stderr.write("never\n")
    made.stderr.write("err\n")
    seen: list[tuple[str, bytes]] = []
    FrameReader(lambda stream, text: seen.append((stream, text)), lambda message: None).feed(
        os.read(reading, 1000)
    )
    assert seen == [("stdout", b"out\n"), ("stderr", b"err\n")]


def test_events_are_json_for_everybody() -> None:
    numbers = [float("nan"), float("-inf"), 1.5, numpy.int64(2), numpy.float32("nan"), numpy.ones(2)]
    event = {"a": numbers, ("k", 1): "ü\ud83d", 2: {"x": {3}}, "e": "\U0001f600"}
    text = event_text(event).decode("utf-8")
    assert "NaN" not in text and "Infinity" not in text
    assert json.loads(text) == {
        "a": [None, None, 1.5, 2, None, [1, 1]],
        "('k', 1)": "ü\\ud83d",
        "2": {"x": "{3}"},
        "e": "\U0001f600",
    }
