"""Runs of slots: a JSON list, or one packed blob where all items are of one plain type.

A million numbers must not become a million JSON tokens. Packed form:
``{"p": type, "b": blob id, "n": count}``, with type ``q`` (int64), ``d`` (float64), ``?`` (bool) or
``s`` (text, joined by the separator ``"e"``).
"""

from __future__ import annotations

import sys
from array import array
from typing import Any, Callable, Iterable, List, Mapping, Optional

from ..protocol.errors import InvalidArgument

#: Shorter runs stand as JSON, which is smaller than a blob's own cost.
PACK_FROM = 256
_SEPARATORS = ("\0", "\n", "\x1f")


def pack(items: List[Any], add_blob: Callable[[Any], str]) -> Optional[dict[str, Any]]:
    """The packed form of a homogeneous list, or ``None`` where it has none."""
    if len(items) < PACK_FROM:
        return None
    first = type(items[0])
    if first not in (int, float, str, bool) or len(set(map(type, items))) != 1:
        return None
    if first is int:
        try:
            return _packed("q", little(array("q", items)), len(items), add_blob)
        except OverflowError:
            return None
    if first is float:
        return _packed("d", little(array("d", items)), len(items), add_blob)
    if first is bool:
        return _packed("?", bytes(items), len(items), add_blob)
    for separator in _SEPARATORS:
        text = separator.join(items)
        if text.count(separator) == len(items) - 1:
            spec = _packed("s", text.encode("utf-8", "surrogatepass"), len(items), add_blob)
            spec["e"] = separator
            return spec
    return None


def _packed(kind: str, data: Any, count: int, add_blob: Callable[[Any], str]) -> dict[str, Any]:
    return {"p": kind, "b": add_blob(data), "n": count}


def little(values: array[Any]) -> memoryview:
    """The array's bytes in little-endian order, without a copy where that is the machine's order."""
    if sys.byteorder == "big":
        values = values[:]
        values.byteswap()
    return memoryview(values).cast("B")


def unpack(spec: Mapping[str, Any], blob: Any) -> List[Any]:
    """The items of a packed run. Raises ``InvalidArgument`` where spec and blob do not agree."""
    kind, count = spec.get("p"), spec.get("n")
    items: List[Any]
    if kind in ("q", "d"):
        view = memoryview(blob)
        if view.nbytes % 8:
            raise InvalidArgument("The value graph holds a packed list of a broken size.")
        values = array(str(kind))
        values.frombytes(view)
        if sys.byteorder == "big":
            values.byteswap()
        items = values.tolist()
    elif kind == "?":
        items = list(map(bool, bytes(blob)))
    elif kind == "s":
        separator = spec.get("e")
        if separator not in _SEPARATORS:
            raise InvalidArgument("The value graph holds a packed list with an unknown separator.")
        items = str(blob, "utf-8", "surrogatepass").split(str(separator))
    else:
        raise InvalidArgument(f"The value graph holds an unknown packed list: {kind!r}")
    if len(items) != count:
        raise InvalidArgument(f"The value graph holds a packed list of {len(items)} items that says {count}.")
    return items


def references(slots: Iterable[Any]) -> List[int]:
    """The node numbers that slots refer to; a packed run (a mapping) refers to none."""
    if type(slots) is not list:
        return []
    return [slot[0] for slot in slots if type(slot) is list and len(slot) == 1]
