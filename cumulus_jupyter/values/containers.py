"""Kinds of the standard library: containers and heavy leaves.

A kind reads and writes one sort of node. ``hard`` gives the slots that must exist before the object
can be made, ``soft`` those that it is filled with afterwards; ``renew`` says whether an object that
lives already can be filled anew instead of making another.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter, OrderedDict, defaultdict, deque
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping

from .buffers import flat
from .sequences import little

if TYPE_CHECKING:
    from .decoder import Decoder
    from .encoder import Encoder

Node = Dict[str, Any]


class Kind:
    """How to read one sort of node. The base class is an object made from nothing."""

    def hard(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        """Slots, or runs of slots as (nested) lists, that ``make`` needs."""
        return []

    def early(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        """Slots that ``make`` can use where no cycle keeps them from being there."""
        return []

    def soft(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        """Slots that ``fill`` needs."""
        return []

    def hashed(self, node: Mapping[str, Any]) -> List[Any]:
        """Those of them whose objects ``fill`` hashes."""
        return []

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        """The object, complete or yet to be filled."""
        raise NotImplementedError

    def fill(self, reader: Decoder, node: Mapping[str, Any], obj: Any) -> None:
        """Gives the object its content, replacing what it had."""

    def renew(self, reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
        """Whether ``fill`` can be applied to this object, which lives already."""
        return False


class Sequence(Kind):
    """A container that is made empty and filled with one run, ``v``."""

    def __init__(self, cls: Any, replace: Callable[[Any, List[Any]], None]) -> None:
        self.cls, self.replace = cls, replace

    def soft(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [node["v"]]

    def hashed(self, node: Mapping[str, Any]) -> List[Any]:
        return list(node["v"]) if self.cls is set and type(node["v"]) is list else []

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        return self.cls(maxlen=node["m"]) if self.cls is deque else self.cls()

    def fill(self, reader: Decoder, node: Mapping[str, Any], obj: Any) -> None:
        self.replace(obj, reader.run(node["v"]))

    def renew(self, reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
        return type(old) is self.cls and (self.cls is not deque or old.maxlen == node["m"])


class Frozen(Kind):
    """A container that exists only with its content."""

    def __init__(self, cls: Callable[[List[Any]], Any]) -> None:
        self.cls = cls

    def hard(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [node["v"]]

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        return self.cls(reader.run(node["v"]))

    def renew(self, reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
        return self.cls is tuple and type(old) is tuple and holds(reader, node["v"], old)


def holds(reader: Decoder, run: Any, items: Any) -> bool:
    """Whether an immutable has these very items already, so that it can stay."""
    new = reader.run(run)
    return len(new) == len(items) and all(
        a is b or (type(a) is type(b) and type(a) in _ATOMS and a == b) for a, b in zip(new, items)
    )


_ATOMS = (int, str, bytes, bool)


class Table(Kind):
    """A mapping with runs of keys ``k`` and values ``v``; a defaultdict's factory is ``f``."""

    def __init__(self, cls: Any) -> None:
        self.cls = cls

    def hard(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [[node["f"]]] if self.cls is defaultdict else []

    def soft(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [node["k"], node["v"]]

    def hashed(self, node: Mapping[str, Any]) -> List[Any]:
        return list(node["k"]) if type(node["k"]) is list else []

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        return self.cls(reader.factory(node["f"])) if self.cls is defaultdict else self.cls()

    def fill(self, reader: Decoder, node: Mapping[str, Any], obj: Any) -> None:
        keys, values = reader.run(node["k"]), reader.run(node["v"])
        if len(keys) != len(values):
            raise ValueError(f"{len(keys)} keys for {len(values)} values")
        target = obj.__dict__ if self.cls is SimpleNamespace else obj
        target.clear()
        # Not update(): a Counter would add.
        for key, value in zip(keys, values):
            target[key] = value

    def renew(self, reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
        if type(old) is not self.cls:
            return False
        return self.cls is not defaultdict or old.default_factory is reader.factory(node["f"])


class Leaf(Kind):
    """Bytes that are a blob."""

    def __init__(self, read: Callable[[Mapping[str, Any], Any], Any], renewable: bool = False) -> None:
        self.read, self.renewable = read, renewable

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        return self.read(node, reader.blob(node["b"]))

    def renew(self, reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
        if not self.renewable or type(old) is not bytearray:
            return False
        try:
            old[:] = reader.blob(node["b"])
        except BufferError:  # exported: its size is fixed
            return False
        return True


def _refill_list(obj: Any, items: List[Any]) -> None:
    obj[:] = items


def _refill(obj: Any, items: List[Any]) -> None:
    obj.clear()
    obj.update(items) if isinstance(obj, set) else obj.extend(items)


def _read_array(node: Mapping[str, Any], blob: Any) -> array[Any]:
    values = array(node["c"])
    values.frombytes(flat(blob))
    if sys.byteorder == "big":
        values.byteswap()
    return values


#: Tag -> kind.
KINDS: Dict[str, Kind] = {
    "list": Sequence(list, _refill_list),
    "set": Sequence(set, _refill),
    "deque": Sequence(deque, _refill),
    "tuple": Frozen(tuple),
    "frozenset": Frozen(frozenset),
    "slice": Frozen(lambda parts: slice(*parts)),
    "dict": Table(dict),
    "odict": Table(OrderedDict),
    "counter": Table(Counter),
    "ddict": Table(defaultdict),
    "ns": Table(SimpleNamespace),
    "str": Leaf(lambda node, blob: str(blob, "utf-8", "surrogatepass")),
    "bytes": Leaf(lambda node, blob: bytes(blob)),
    "bytearray": Leaf(lambda node, blob: bytearray(blob), renewable=True),
    "array": Leaf(_read_array),
}


def sorted_run(encoder: Encoder, items: List[Any]) -> Any:
    """The run of a set, in an order of its own: hashing differs from one process to the next."""
    if items and type(items[0]) in (int, float, str) and len(set(map(type, items))) == 1:
        return encoder.run(sorted(items))
    return sorted((encoder.slot(item) for item in items), key=repr)


def _set(encoder: Encoder, obj: Any) -> Node:
    return {"t": "set" if type(obj) is set else "frozenset", "v": sorted_run(encoder, list(obj))}


def _table(tag: str) -> Callable[[Encoder, Any], Node]:
    def encode(encoder: Encoder, obj: Any) -> Node:
        items = obj.__dict__ if tag == "ns" else obj
        node = {"t": tag, "k": encoder.run(list(items)), "v": encoder.run(list(items.values()))}
        if tag == "ddict":
            node["f"] = encoder.slot(obj.default_factory)
        return node

    return encode


#: Exact type -> encoder.
ENCODERS: Dict[type, Callable[[Encoder, Any], Node]] = {
    list: lambda encoder, obj: {"t": "list", "v": encoder.run(obj)},
    tuple: lambda encoder, obj: {"t": "tuple", "v": encoder.run(obj)},
    deque: lambda encoder, obj: {"t": "deque", "v": encoder.run(list(obj)), "m": obj.maxlen},
    set: _set,
    frozenset: _set,
    slice: lambda encoder, obj: {"t": "slice", "v": encoder.run([obj.start, obj.stop, obj.step])},
    dict: _table("dict"),
    OrderedDict: _table("odict"),
    Counter: _table("counter"),
    defaultdict: _table("ddict"),
    SimpleNamespace: _table("ns"),
    str: lambda encoder, obj: {"t": "str", "b": encoder.blob(obj.encode("utf-8", "surrogatepass"))},
    bytes: lambda encoder, obj: {"t": "bytes", "b": encoder.blob(obj)},
    bytearray: lambda encoder, obj: {"t": "bytearray", "b": encoder.blob(bytes(obj))},
    # Copies: an array whose memory is lent out could not grow.
    array: lambda encoder, obj: {"t": "array", "c": obj.typecode, "b": encoder.blob(bytes(little(obj)))},
}
