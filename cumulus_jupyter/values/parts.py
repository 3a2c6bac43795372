"""Nodes that carry a tree of parts with blobs of their own, such as a frame's columns."""

from __future__ import annotations

import json
from typing import Any, List, Mapping

from .buffers import buffers_equal, flat
from .sequences import references


def same_nodes(old: Mapping[str, Any], old_blobs: Any, new: Mapping[str, Any], new_blobs: Any) -> bool:
    """Whether two nodes say the same."""
    rest = [{key: value for key, value in node.items() if key != "parts"} for node in (old, new)]
    if json.dumps(rest[0], sort_keys=True) != json.dumps(rest[1], sort_keys=True):
        return False
    return parts_equal(old["parts"], old_blobs, new["parts"], new_blobs)


def part_slots(part: Any) -> List[int]:
    """Numbers of the nodes that a part refers to, at any depth."""
    found: List[int] = []
    queue = [part]
    for item in queue:
        if type(item) is dict:
            for key, value in item.items():
                if key == "obj":
                    found.extend(references(value))
                elif key == "name":
                    found.extend(references([value]))
                elif key == "names":
                    found.extend(references(value))
                elif type(value) in (dict, list) and key not in ("np", "range"):
                    queue.append(value)
        elif type(item) is list:
            queue.extend(item)
    return found


def parts_equal(old: Any, old_blobs: Any, new: Any, new_blobs: Any) -> bool:
    """Whether two parts say the same: text by text, bytes by bytes, Arrow by its values."""
    if type(old) is not type(new):
        return False
    if type(old) is list:
        if len(old) != len(new):
            return False
        if not any(type(item) in (list, dict) for item in old):
            return json.dumps(old) == json.dumps(new)
        return all(parts_equal(a, old_blobs, b, new_blobs) for a, b in zip(old, new))
    if type(old) is dict:
        if old.keys() != new.keys():
            return False
        for key in old:
            if key == "b":
                left, right = old_blobs[old["b"]], new_blobs[new["b"]]
                if not buffers_equal(left, right) and not ("arrow" in old and _same_arrow(left, right)):
                    return False
            elif not parts_equal(old[key], old_blobs, new[key], new_blobs):
                return False
        return True
    return json.dumps(old) == json.dumps(new)


def _same_arrow(left: Any, right: Any) -> bool:
    import pyarrow as pa

    tables = [pa.ipc.open_stream(pa.py_buffer(flat(blob))).read_all() for blob in (left, right)]
    same: bool = tables[0].equals(tables[1])
    return same
