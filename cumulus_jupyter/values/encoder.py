"""Objects to graph: one node per object that has identity, found breadth by breadth.

The encoder keeps a worklist rather than recursing, so that depth costs nothing. A kind module
(containers, objects, arrays, ...) turns one object into one node and asks ``slot`` and ``run`` for
its parts.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Set

from ..protocol.errors import CumulusError
from .atoms import AS_NODE, INLINE, find_inline
from .containers import ENCODERS
from .graph import GRAPH_VERSION, node_blobs
from .model import Encoded, EncodeOptions, NotEncodable, Refusal, ValueReport, type_name
from .reports import ENCODINGS, NEXT_BACK, NEXT_LARGE, NEXT_THERE, too_large
from .sequences import PACK_FROM, pack

#: Top-level package of a type -> module here that encodes it; loaded when such an object is met.
LIBRARIES = {
    "numpy": ".arrays",
    "pandas": ".frames",
    "polars": ".tables",
    "pyarrow": ".tables",
    "PIL": ".images",
    "matplotlib": ".images",
    "torch": ".tensors",
    "random": ".generators",
}


class Encoder:
    """One graph in the making. Kinds call ``slot``, ``run``, ``blob`` and ``module``."""

    def __init__(self, options: EncodeOptions, base: int = 0) -> None:
        self.options = options
        #: Nodes below this number are those of the graph that was decoded.
        self.base = base
        self.nodes: List[Optional[Dict[str, Any]]] = []
        self.blobs: Dict[str, Any] = {}
        #: id of an object -> its node number. Valid while ``objects`` keeps it alive.
        self.memo: Dict[Any, int] = {}
        self.objects: Dict[int, object] = {}
        #: Node number -> numbers of the nodes it refers to.
        self.edges: Dict[int, List[int]] = {}
        #: Node number -> why it could not be encoded.
        self.bad: Dict[int, str] = {}
        self.roots: Dict[str, Any] = {}
        self.modules: Set[str] = set()
        self.pickled = False
        #: Nodes that turned out to need a pickle.
        self.put_off: Set[int] = set()
        self._pending: List[int] = []
        self._last: List[int] = []
        #: References that the node being written has made so far.
        self.refs: List[int] = []
        self._wanted: List[str] = []

    # What kinds call.

    def slot(self, obj: Any) -> Any:
        """The JSON that stands for an object inside a node: an atom, or a reference."""
        cls = type(obj)
        inline = INLINE.get(cls)
        if inline is None and cls not in ENCODERS:
            inline = find_inline(cls)
            if inline is None and cls.__module__.partition(".")[0] in ("numpy", "pandas"):
                inline = self._library(cls).inline
        if inline is not None:
            atom = inline(obj)
            if atom is not AS_NODE:
                return atom
        return [self.ref(obj)]

    def ref(self, obj: Any) -> int:
        """The number of an object's node; a new one is put on the worklist."""
        key: Any = id(obj)
        number = self.memo.get(key)
        if number is None and type(obj).__name__ == "RemoteValue":
            # Two that stand for one value are one object over there.
            key = (getattr(obj, "job_id", key), getattr(obj, "name", key))
            number = self.memo.get(key)
        if number is None:
            number = self.base + len(self.nodes)
            self.memo[key] = number
            self.objects[number] = obj
            self.nodes.append(None)
            self._pending.append(number)
        elif number < self.base and number not in self.edges:
            self.edges[number] = []
            self._pending.append(number)
        self.refs.append(number)
        return number

    def run(self, items: List[Any]) -> Any:
        """A run of slots, packed where it is long and of one plain type."""
        if len(items) >= PACK_FROM:
            packed = pack(items, self.blob)
            if packed is not None:
                return packed
        slot = self.slot
        return [slot(item) for item in items]

    def blob(self, data: Any) -> str:
        """Keeps heavy bytes beside the graph; returns their id."""
        name = f"b{len(self.blobs)}"
        self.blobs[name] = data
        return name

    def module(self, name: str) -> str:
        """Notes that the graph names this module."""
        self.modules.add(name)
        return name

    def want(self, names: Any) -> None:
        """Global names that a definition reads; they become roots where ``options.globals`` has them."""
        if self.options.globals is not None:
            self._wanted.extend(names)

    @staticmethod
    def _library(cls: type) -> Any:
        return import_module(LIBRARIES[cls.__module__.partition(".")[0]], __package__)

    # The walk.

    def add_roots(self, roots: Mapping[str, object]) -> None:
        """Encodes everything the roots reach."""
        for name, obj in roots.items():
            self.roots[name] = self.slot(obj)
        self._drain()
        space = self.options.globals
        while self._wanted and space is not None:
            name = self._wanted.pop()
            if name not in self.roots and name in space:
                self.roots[name] = self.slot(space[name])
                self._drain()

    def _drain(self) -> None:
        while self._pending or self._last:
            number = self._pending.pop() if self._pending else self._last.pop()
            self.refs = []
            self.visit(number, self.objects[number])
            self.edges[number] = self.refs
        self.refs = []

    def visit(self, number: int, obj: Any) -> None:
        """Writes the node of one object; change tracking overrides it."""
        self.nodes[number - self.base] = self.node(number, obj)

    def node(self, number: int, obj: Any) -> Optional[Dict[str, Any]]:
        """The node of one object; ``None`` where it is put off, or has no encoding (see ``bad``)."""
        try:
            return self.neutral(obj)
        except NotEncodable as error:
            reason = str(error)
            if error.final:
                self.bad[number] = reason
                return None
        except (CumulusError, RecursionError, MemoryError):
            raise
        except Exception as error:  # a property, a __getstate__, a library of the user's
            reason = f"{type_name(obj)} failed while it was read: {type(error).__name__}: {error}"
        if self.options.allow_pickle:
            from .pickled import encode_pickle

            if number not in self.put_off:
                # Pickled after everything else, so that it can refer to what has nodes of its own.
                self.put_off.add(number)
                self._last.append(number)
                return None
            self.refs = []
            try:
                return encode_pickle(self, obj)
            except NotEncodable as error:
                reason = str(error)
        self.bad[number] = reason
        return None

    def neutral(self, obj: Any) -> Dict[str, Any]:
        """The neutral node of an object. Raises ``NotEncodable``."""
        cls = type(obj)
        encoder: Optional[Callable[[Encoder, Any], Optional[Dict[str, Any]]]] = ENCODERS.get(cls)
        if encoder is not None:
            node = encoder(self, obj)
        else:
            node = None
            if cls.__module__.partition(".")[0] in LIBRARIES:
                node = self._library(cls).encode(self, obj)
            if node is None:
                from .objects import encode_object

                node = encode_object(self, obj)
        if node is None:
            raise NotEncodable(f"a {type_name(obj)} has no safe encoding")
        return node

    # The outcome.

    def finish(self, values: Mapping[str, object], *, returning: bool = False) -> Encoded:
        """Refuses what cannot travel, and drops what only the refused reached."""
        refused: Dict[str, Refusal] = {}
        if self.bad:
            self._refuse_bad(refused, values, returning)
        limit = self.options.value_limit_bytes
        if limit is not None and self._total_bytes() > limit:
            for name, slot in list(self.roots.items()):
                size = self._root_bytes(slot)
                if size > limit:
                    obj = self._root_object(name, values)
                    refused[name] = Refusal(name, type_name(obj), size, too_large(size, limit), NEXT_LARGE)
                    del self.roots[name]
        if refused:
            self._prune()
        graph = {"version": GRAPH_VERSION, "nodes": self.nodes, "roots": self.roots}
        return Encoded(
            graph, self.blobs, self.objects, refused, self.pickled, self.modules,
            lambda: {name: self._report(name, values) for name in self.roots},
        )  # fmt: skip

    def _root_object(self, name: str, values: Mapping[str, object]) -> object:
        if name in values:
            return values[name]
        return (self.options.globals or {}).get(name)

    def _refuse_bad(self, refused: Dict[str, Refusal], values: Mapping[str, object], back: bool) -> None:
        for name, slot in list(self.roots.items()):
            culprit = next((n for n in self._reach(slot) if n in self.bad), None)
            if culprit is None:
                continue
            obj = self._root_object(name, values)
            reason = self.bad[culprit]
            if self.objects[culprit] is not obj:
                reason = f"{type_name(obj)} holds something that cannot travel: {reason}"
            refused[name] = Refusal(name, type_name(obj), None, reason, NEXT_BACK if back else NEXT_THERE)
            del self.roots[name]

    def _reach(self, slot: Any) -> List[int]:
        """Numbers of all nodes that a slot reaches."""
        if not (type(slot) is list and len(slot) == 1):
            return []
        seen, order = {slot[0]}, [slot[0]]
        for number in order:
            for other in self.edges.get(number, ()):
                if other not in seen:
                    seen.add(other)
                    order.append(other)
        return order

    def _prune(self, others: Iterable[Mapping[str, Any]] = ()) -> None:
        kept = {number for slot in self.roots.values() for number in self._reach(slot)}
        used: Set[str] = {name for node in others for name in node_blobs(node)}
        for position, node in enumerate(self.nodes):
            if self.base + position not in kept:
                self.nodes[position] = None
            elif node is not None:
                used.update(node_blobs(node))
        while self.nodes and self.nodes[-1] is None:
            self.nodes.pop()
        for name in list(self.blobs):
            if name not in used:
                del self.blobs[name]

    def _total_bytes(self) -> int:
        return sum(memoryview(blob).nbytes for blob in self.blobs.values()) + 64 * len(self.nodes)

    def _root_bytes(self, slot: Any) -> int:
        total = 0
        for number in self._reach(slot):
            node = self.sent(number)
            if node is not None:
                blobs = [self.blobs[name] for name in node_blobs(node)]
                total += len(json.dumps(node)) + sum(memoryview(blob).nbytes for blob in blobs)
        return total

    def sent(self, number: int) -> Optional[Dict[str, Any]]:
        """The node that travels under this number, if one does."""
        return self.nodes[number - self.base] if number >= self.base else None

    def _report(self, name: str, values: Mapping[str, object]) -> ValueReport:
        slot = self.roots[name]
        obj = self._root_object(name, values)
        numbers = self._reach(slot)
        top = self.sent(numbers[0]) if numbers else None
        size = self._root_bytes(slot) if numbers else len(json.dumps(slot))
        encoding = ENCODINGS.get(str((top or {}).get("t")), "json")
        if any((self.sent(number) or {}).get("t") == "pickle" for number in numbers[1:]):
            encoding += "+pickle"
        return ValueReport(name, type_name(obj), encoding, size)


def encode(roots: Mapping[str, object], options: Optional[EncodeOptions] = None) -> Encoded:
    """Encodes named objects into one graph; what cannot travel is in ``refused``."""
    encoder = Encoder(options or EncodeOptions())
    encoder.add_roots(roots)
    return encoder.finish(roots)
