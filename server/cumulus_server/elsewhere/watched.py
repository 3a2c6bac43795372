"""What a stream for a page says of the relay, said of a relay elsewhere."""

from __future__ import annotations

import dataclasses

import msgspec

from cumulus_jupyter.protocol.jobs import ELSEWHERE, RelayPlace

_START = b"event: relay\ndata: "


def relay_elsewhere(frames: bytes, url: str) -> bytes:
    """Whole frames of a stream, those of the relay's place with its address as seen from here."""
    if _START not in frames:
        return frames
    return b"".join(_at(frame, url) + b"\n\n" for frame in frames.split(b"\n\n")[:-1])


def _at(frame: bytes, url: str) -> bytes:
    if not frame.startswith(_START):
        return frame
    try:
        place = msgspec.json.decode(frame.removeprefix(_START), type=RelayPlace)
    except msgspec.MsgspecError:
        return frame
    return _START + msgspec.json.encode(dataclasses.replace(place, kind=ELSEWHERE, url=url))
