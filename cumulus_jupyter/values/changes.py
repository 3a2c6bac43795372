"""What a program did to the objects it was given, and doing the same to the originals.

A graph of changes has two number spaces: below ``base`` are the nodes of the graph that went there,
from ``base`` on the new ones. ``changed`` holds the new content of old nodes; an old node without
content is as it was. Whether it changed is found by writing the node again and comparing, large
leaves by their bytes, so that nothing has to be copied beforehand.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any, Dict, Iterable, List, Mapping, Optional, Set

from .buffers import buffers_equal
from .decoder import Decoder
from .encoder import Encoder
from .graph import node_blobs
from .model import Applied, Decoded, Encoded, EncodeOptions
from .parts import same_nodes
from .sequences import references
from .trust import Trust

#: Kinds whose objects cannot change, and refer to nothing that can.
_CONSTANT = frozenset(
    {"str", "bytes", "module", "name", "attr", "enum", "pattern", "dtype", "picture", "torch"}
)
#: Kinds whose own content cannot change, though what they refer to may.
_IMMUTABLE = frozenset({"tuple", "frozenset", "nt", "slice", "partial", "method"})
#: Kinds with a comparison of their own, ``unchanged(node, blob, obj)``, and where it is.
_COMPARED = {
    "ndarray": ".arrays", "polars": ".tables", "pyarrow": ".tables", "image": ".images", "storage": ".tensors"
}  # fmt: skip


#: What all groupings, windows and resamplers of pandas are: they keep what they have worked out, and no more.
_LAZY = ("pandas.core.base", "SelectionMixin")


class Tracker(Encoder):
    """An encoder that knows the objects of an earlier graph."""

    def __init__(self, before: Decoded, options: EncodeOptions, full: bool = False) -> None:
        super().__init__(options, base=max(before.objects, default=-1) + 1)
        self.before = before
        self.full = full
        self.memo = {id(obj): number for number, obj in before.objects.items()}
        self.objects = dict(before.objects)
        #: New content of old nodes.
        self.content: Dict[int, Dict[str, Any]] = {}
        self.changed: Set[int] = set()

    def visit(self, number: int, obj: Any) -> None:
        if number >= self.base:
            return super().visit(number, obj)
        if number in self.put_off:
            return self._keep(number, self.node(number, obj))
        old = self.before.graph["nodes"][number]
        if self._is_unchanged(number, old, obj):
            if self.full:
                self.refs = []
                self._keep(number, self.node(number, obj))
            return
        if old["t"] not in _IMMUTABLE:
            self.changed.add(number)
        self._keep(number, self.content.pop(number, None) or self.node(number, obj))

    def _keep(self, number: int, node: Optional[Dict[str, Any]]) -> None:
        if node is not None and (self.full or number in self.changed):
            self.content[number] = node

    def _is_unchanged(self, number: int, old: Mapping[str, Any], obj: Any) -> bool:
        tag = old["t"]
        if tag in _CONSTANT:
            return True
        if tag in _COMPARED:
            same: bool = import_module(_COMPARED[tag], __package__).unchanged(
                old, self.before.blobs[old["b"]], obj
            )
            return same
        if tag in ("pickle", "remote"):
            for slot in old.get("refs", ()):
                self.refs.append(slot[0])
                self._pend(slot[0])
            if any((cls.__module__, cls.__name__) == _LAZY for cls in type(obj).__mro__):
                return True
            known = self.before.digests.get(number)
            return known is None or digest(self.before, obj) in (known, None)
        mark = len(self.blobs)
        if tag == "def":
            from .definitions import state

            fixed = {key: old[key] for key in old if key not in ("k", "v", "kinds", "does")}
            node: Optional[Dict[str, Any]] = {**fixed, **state(self, obj)}
        else:
            node = self.node(number, obj)
        if node is None:
            return False
        if tag in _IMMUTABLE or self._same_node(old, node):
            for name in list(self.blobs)[mark:]:
                del self.blobs[name]
            return True
        self.content[number] = node
        return False

    def _pend(self, number: int) -> None:
        if number not in self.edges and number in self.objects:
            self.ref(self.objects[number])
            self.refs.pop()

    def _same_node(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
        if "parts" in old:
            return same_nodes(old, self.before.blobs, new, self.blobs)
        old_blobs, new_blobs = node_blobs(old), node_blobs(new)
        if len(old_blobs) != len(new_blobs) or _text(old) != _text(new):
            return False
        return all(buffers_equal(self.before.blobs[a], self.blobs[b]) for a, b in zip(old_blobs, new_blobs))

    def changes(self, after: Mapping[str, object]) -> Encoded:
        """The graph of changes, once all roots are added."""
        dirty = self._dirty()
        old_roots = self.before.graph["roots"]
        for name, slot in list(self.roots.items()):
            if name in old_roots and _text(old_roots[name]) == _text(slot):
                if not any(number in dirty for number in references([slot])):
                    del self.roots[name]
        self._send_the_way(dirty)
        encoded = self.finish(after, returning=True)
        if self.full and not encoded.refused:
            self._prune()
        encoded.graph["base"] = self.base
        encoded.graph["changed"] = [[number, node] for number, node in sorted(self.content.items())]
        return encoded

    def _send_the_way(self, dirty: Set[int]) -> None:
        """Adds the content of unchanged objects that hold changed ones.

        Where a changed object cannot be changed in place over there, what holds it must let go of it.
        """
        for number in sorted(dirty):
            if number < self.base and number not in self.content and number not in self.bad:
                if self.before.graph["nodes"][number]["t"] not in ("pickle", "remote"):
                    node = self.node(number, self.objects[number])
                    if node is not None:
                        self.content[number] = node

    def _dirty(self) -> Set[int]:
        """Nodes that are new or changed, or reach one that is."""
        parents: Dict[int, List[int]] = {}
        for number, children in self.edges.items():
            for child in children:
                parents.setdefault(child, []).append(number)
        dirty = self.changed.union(self.bad, range(self.base, self.base + len(self.nodes)))
        queue = list(dirty)
        for number in queue:
            for parent in parents.get(number, ()):
                if parent not in dirty:
                    dirty.add(parent)
                    queue.append(parent)
        return dirty

    def sent(self, number: int) -> Optional[Dict[str, Any]]:
        return self.content.get(number) if number < self.base else super().sent(number)

    def _prune(self, others: Iterable[Mapping[str, Any]] = ()) -> None:
        kept = {number for slot in self.roots.values() for number in self._reach(slot)}
        self.content = {number: node for number, node in self.content.items() if number in kept}
        super()._prune((*others, *self.content.values()))


def _text(node: Any) -> str:
    """A node's JSON, without the names of its blobs. Text, since 1 == 1.0 == True."""
    if type(node) is dict:
        node = {
            key: {**value, "b": ""} if type(value) is dict and "b" in value else value
            for key, value in node.items()
            if key not in ("b", "bufs", "file", "line")
        }
    return json.dumps(node, sort_keys=True)


def digest(before: Decoded, obj: object) -> Optional[bytes]:
    """A hash by which a change of an object shows that cannot be compared with its blob."""
    from .pickled import digest as pickle_digest

    return pickle_digest(Tracker(before, EncodeOptions(allow_pickle=True)), obj)


def encode_changes(
    before: Decoded,
    after: Mapping[str, object],
    options: Optional[EncodeOptions] = None,
    *,
    full: bool = False,
) -> Encoded:
    """Encodes the names of ``after`` that are new, rebound, or reach something changed.

    ``full``: with the content also of unchanged objects that the sent names reach, for a reader
    that no longer has the originals.
    """
    tracker = Tracker(before, options or EncodeOptions(), full)
    tracker.add_roots(after)
    return tracker.changes(after)


def apply_changes(
    graph: Mapping[str, Any],
    blobs: Mapping[str, Any],
    originals: Mapping[int, object],
    *,
    allow_pickle: bool,
    namespace: Dict[str, Any],
    known_source: str = "",
) -> Applied:
    """Applies a worker's changes: originals are updated in place where their type allows.

    Returns the objects to bind, by name; it binds only what definitions need. ``known_source`` is
    the submitted cell as plain Python: only definitions that stand in it are run. Roots that cannot
    be rebuilt are in ``left_out``, with the reason. Raises ``InvalidArgument`` for a broken graph.
    """
    trust = Trust.of_worker(allow_pickle, known_source, namespace)
    decoder = Decoder(graph, blobs, trust, namespace, originals=originals)
    applied = Applied()
    applied.update(decoder.read())
    applied.left_out = decoder.left_out()
    return applied
