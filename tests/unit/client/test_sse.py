"""Events come out of a byte stream whole, however it was cut."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cumulus_jupyter.client.sse import SseParser, numbered
from cumulus_jupyter.protocol.events import Log


def wire(bodies: list[dict[str, Any]]) -> bytes:
    frames = (f"id: {body['seq']}\nevent: x\ndata: {json.dumps(body)}\n\n: still here\n\n" for body in bodies)
    return "".join(frames).encode()


@given(st.lists(st.text(max_size=20), max_size=6), st.integers(1, 50))
def test_events_are_the_same_however_the_bytes_were_cut(texts: list[str], size: int) -> None:
    bodies = [{"seq": n, "type": "log", "stream": "stdout", "text": text} for n, text in enumerate(texts, 1)]
    data, parser, found = wire(bodies), SseParser(), []
    for start in range(0, len(data), size):
        found += parser.feed(data[start : start + size])
    assert found == bodies
    assert numbered(found) == [(n, Log("stdout", text)) for n, text in enumerate(texts, 1)]


def test_types_of_a_newer_relay_are_passed_over_and_keep_their_number() -> None:
    assert numbered([{"seq": 7, "type": "hologram"}]) == [(7, None)]


def test_heartbeats_are_no_events() -> None:
    assert SseParser().feed(b": still here\n\n: still here\n\n") == []
