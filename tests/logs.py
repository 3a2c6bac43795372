"""Log events as a test may count on them: what was said and in which order, not how it was cut."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def joined(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The events, with neighbouring logs of one stream as one.

    Into how many events a text is cut, and when the use of memory is reported, depends on how busy the
    machine is: the latter is left out.
    """
    found: list[dict[str, Any]] = []
    for event in events:
        if event["type"] == "resources":
            continue
        last = found[-1] if found else None
        if last and event["type"] == last["type"] == "log" and event["stream"] == last["stream"]:
            found[-1] = {**last, "text": last["text"] + event["text"]}
        else:
            found.append(event)
    return found
