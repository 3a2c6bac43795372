"""Server-Sent Events, cut out of bytes as they come."""

from __future__ import annotations

import json
from typing import Any

from ..protocol.events import Event, event_from_wire

_decode = json.JSONDecoder().decode
#: An event and its number; ``None`` for a type this version does not know.
Numbered = tuple[int, "Event | None"]


class SseParser:
    """Feed it bytes, get the JSON objects of whole events. Comments (heartbeats) are passed over."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> list[dict[str, Any]]:
        """The events that are complete now."""
        last = self._pieces[-1][-1:] if self._pieces else b""
        self._pieces.append(data)
        # A long event comes in many pieces: only the new one is searched, and they are joined once.
        if b"\n\n" not in last + data:
            return []
        blocks = b"".join(self._pieces).split(b"\n\n")
        self._pieces = [blocks.pop()]
        found = []
        for block in blocks:
            lines = [line[5:] for line in block.split(b"\n") if line.startswith(b"data:")]
            if lines:
                body = _decode(b"\n".join(lines).decode().strip())
                if isinstance(body, dict):
                    found.append(body)
        return found


def numbered(bodies: list[dict[str, Any]]) -> list[Numbered]:
    """Wire objects as events with their numbers."""
    return [(int(body.get("seq") or 0), event_from_wire(body)) for body in bodies]
