"""Reads a runner's batch: typed, and encoded the way it is stored."""

from __future__ import annotations

import functools
import operator
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

import msgspec

from cumulus_jupyter.protocol.channel import Outcome
from cumulus_jupyter.protocol.errors import InvalidArgument
from cumulus_jupyter.protocol.events import EVENT_TYPES, RUNNER_EVENT_TYPES


def _tagged(name: str) -> type[Any]:
    """The wire dataclass of an event as a struct, so that a union is decoded by its ``type``."""
    cls = EVENT_TYPES[name]
    hints = get_type_hints(cls)
    columns: list[Any] = []
    for field in fields(cls):
        if field.name == "type":
            continue
        hint = hints[field.name]
        if field.default is not MISSING:
            columns.append((field.name, hint, field.default))
        elif field.default_factory is not MISSING:
            columns.append((field.name, hint, msgspec.field(default_factory=field.default_factory)))
        else:
            columns.append((field.name, hint))
    return msgspec.defstruct(cls.__name__, columns, tag_field="type", tag=name)


_Event: Any = functools.reduce(operator.or_, [_tagged(name) for name in sorted(RUNNER_EVENT_TYPES)])
_Wire = msgspec.defstruct(
    "Batch", [("first", int), ("events", list[_Event]), ("outcome", Outcome | None, None)]
)
_decoder = msgspec.json.Decoder(_Wire)
_encode = msgspec.json.Encoder().encode


class Batch(msgspec.Struct, frozen=True):
    """A batch that has been checked; each event is its type and its JSON object."""

    first: int
    events: list[tuple[str, bytes]]
    outcome: Outcome | None


def decode_batch(body: bytes) -> Batch:
    """Check a batch. Raises ``InvalidArgument`` naming what is wrong."""
    try:
        wire: Any = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"Invalid batch: {error}") from None
    if wire.first < 1:
        raise InvalidArgument("Invalid batch: event numbers start at 1 - at `$.first`")
    events = [(event.__struct_config__.tag, _encode(event)) for event in wire.events]
    return Batch(wire.first, events, wire.outcome)
