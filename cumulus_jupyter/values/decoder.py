"""Graph to objects. A graph from the wire is hostile until it has been read.

Nodes are walked depth first without recursion. An object is made as soon as what its making needs
is there, and filled after everything else it refers to, so that cycles close and a set finds its
members complete. Whatever is wrong with a graph raises ``InvalidArgument``.
"""

from __future__ import annotations

import itertools
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

from ..protocol.errors import CumulusError, InvalidArgument
from . import buffers
from .atoms import read_atom
from .graph import broken, kind_of, lacking, read_graph
from .model import Decoded
from .reports import NEXT_THERE
from .sequences import references, unpack
from .trust import Trust, Unresolved

_NEW, _ENTERED, _MADE, _DONE, _FAILED = range(5)


class Decoder:
    """One graph being read. Kinds call ``value``, ``run``, ``blob``, ``factory`` and ``trust``."""

    def __init__(
        self,
        graph: Mapping[str, Any],
        blobs: Mapping[str, Any],
        trust: Trust,
        namespace: Optional[Dict[str, Any]] = None,
        fetch_remote: Optional[Callable[[str, str], object]] = None,
        originals: Optional[Mapping[int, object]] = None,
    ) -> None:
        self.trust = trust
        self.namespace = {"__name__": "__main__"} if namespace is None else namespace
        self.fetch_remote = fetch_remote
        self.blobs = blobs
        self.objects: Dict[int, Any] = {}
        #: Number of a node that could not be rebuilt here -> why.
        self.failed: Dict[int, str] = {}
        self._originals = originals or {}
        self._nodes, self.roots = read_graph(graph)
        self._changed = [number for number, _ in graph.get("changed", ())]
        self.base: int = graph.get("base", 0)
        self._state: Dict[int, int] = {}
        self._late: List[Tuple[int, List[int]]] = []
        for number, original in self._originals.items():
            if number < self.base and number not in self._nodes:
                self.objects[number] = original
                self._state[number] = _DONE
        #: Bytes that may still be read: each blob has one place, so that no small graph becomes huge.
        self._left = 4 * sum(map(buffers.size_of, blobs.values()))

    # What kinds call.

    def value(self, slot: Any) -> Any:
        """The object a slot stands for."""
        if type(slot) is list:
            return self.objects[slot[0]] if len(slot) == 1 else read_atom(slot)
        if type(slot) is dict:
            raise InvalidArgument("The value graph holds a mapping where a value should be.")
        return slot

    def run(self, run: Any) -> List[Any]:
        """The objects of a run of slots."""
        if type(run) is dict:
            return unpack(run, self.blob(run.get("b")))
        if type(run) is not list:
            raise InvalidArgument("The value graph holds a broken run of values.")
        value = self.value
        return [value(slot) if type(slot) in (list, dict) else slot for slot in run]

    def blob(self, name: Any) -> memoryview:
        """The bytes of a blob, to be read only."""
        return buffers.flat(self._blob(name))

    def private_blob(self, name: Any) -> memoryview:
        """The bytes of a blob, to be written: a copy-on-write mapping of a file, else a copy."""
        return buffers.private(self._blob(name))

    def _blob(self, name: Any) -> Any:
        try:
            found = self.blobs[name]
        except (KeyError, TypeError):
            raise InvalidArgument(f"The value graph names a blob that is not there: {name!r}") from None
        self._left -= buffers.size_of(found)
        if self._left < 0:
            raise InvalidArgument(f"The value graph names a blob too often: {name!r}")
        return found

    def node(self, slot: Any) -> Optional[Mapping[str, Any]]:
        """The node that a slot refers to, if it refers to one that this graph brings."""
        if type(slot) is list and len(slot) == 1 and type(slot[0]) is int:
            return self._nodes.get(slot[0])
        return None

    def is_there(self, slot: Any) -> bool:
        """Whether the object of a slot has been made."""
        return all(number in self.objects for number in references([slot]))

    def factory(self, slot: Any) -> Any:
        """A callable that a container will call by itself."""
        value = self.value(slot)
        if value is not None and not self.trust.may_be_called(value, self._own(slot)):
            raise Unresolved("it holds a factory that the worker chose")
        return value

    def _own(self, slot: Any) -> bool:
        """Whether a slot refers to the user's own: an original, or a definition of this cell."""
        if not (type(slot) is list and len(slot) == 1):
            return False
        node = self._nodes.get(slot[0])
        return node is None or node.get("t") == "def"

    # The walk.

    def read(self) -> Dict[str, Any]:
        """All roots that could be rebuilt, by name."""
        for slot in self.roots.values():
            for number in references([slot]):
                self._walk(number)
        for number in self._changed:
            self._walk(number)
        for number, soft in self._late:
            self._fill(number, soft)
        lost = self._lost() if self.failed else {}
        values = {}
        for name, slot in self.roots.items():
            if not any(number in lost for number in references([slot])):
                values[name] = self.value(slot)
        return values

    def left_out(self) -> Dict[str, str]:
        """Root name -> why it could not be rebuilt."""
        lost = self._lost() if self.failed else {}
        return {
            name: lost[number]
            for name, slot in self.roots.items()
            for number in references([slot])
            if number in lost
        }

    def _lost(self) -> Dict[int, str]:
        """Nodes that reach a failed one, with the reason."""
        parents: Dict[int, List[int]] = {}
        for number, node in self._nodes.items():
            if number in self.failed or number not in self._state:
                continue
            _, hard, soft = self._parts(number, node)
            for child in itertools.chain(hard, soft):
                parents.setdefault(child, []).append(number)
        lost = dict(self.failed)
        queue = list(lost)
        for number in queue:
            for parent in parents.get(number, ()):
                if parent not in lost and self._state.get(parent) != _NEW:
                    lost[parent] = lost[number]
                    queue.append(parent)
        return lost

    def _parts(self, number: int, node: Mapping[str, Any]) -> Tuple[List[int], List[int], List[int]]:
        """Numbers of the nodes that this one wants early, needs to be made, and is filled with."""
        try:
            kind = kind_of(node)
            early = [n for run in kind.early(self, node) for n in references(run)]
            hard = [n for run in kind.hard(self, node) for n in references(run)]
            soft = [n for run in kind.soft(self, node) for n in references(run)]
        except CumulusError:
            raise
        except Exception as error:
            raise broken(number, error) from error
        for child in itertools.chain(early, hard, soft):
            if type(child) is not int or not (child in self._nodes or child in self.objects):
                if type(child) is int and self._is_origin(child):
                    self.failed[child] = "it refers to an object of an earlier kernel"
                    self._state[child] = _FAILED
                    continue
                raise InvalidArgument(f"The value graph refers to a node that is not there: {child!r}")
        return early, hard, soft

    def _is_origin(self, number: int) -> bool:
        return 0 <= number < self.base

    def _walk(self, start: int) -> None:
        state = self._state
        if type(start) is not int:
            raise InvalidArgument(f"The value graph refers to a node that is not there: {start!r}")
        if start not in self._nodes and start not in self.objects:
            if not self._is_origin(start):
                raise InvalidArgument(f"The value graph refers to a node that is not there: {start!r}")
            self.failed[start] = "it refers to an object of an earlier kernel"
            state[start] = _FAILED
        if state.get(start, _NEW) != _NEW:
            return
        stack = [self._enter(start)]
        while stack:
            frame = stack[-1]
            number, first, hard, soft, position = frame
            if position == len(first) and state[number] == _ENTERED:
                self._make(number, hard)
            if position >= len(first) and state[number] != _MADE or position == len(first) + len(soft):
                stack.pop()
                if state[number] == _MADE:
                    self._fill_or_wait(number, soft)
                continue
            frame[4] = position + 1
            child = first[position] if position < len(first) else soft[position - len(first)]
            if state.get(child, _NEW) == _NEW:
                stack.append(self._enter(child))

    def _enter(self, number: int) -> List[Any]:
        self._state[number] = _ENTERED
        node = self._nodes[number]
        try:
            kind_of(node)
        except Unresolved as error:
            self._fail(number, str(error))
            return [number, [], [], [], 0]
        early, hard, soft = self._parts(number, node)
        return [number, early + hard, hard, soft, 0]

    def _make(self, number: int, hard: List[int]) -> None:
        node = self._nodes[number]
        for child in hard:
            if self._state[child] == _FAILED:
                return self._fail(number, self.failed[child])
            if self._state[child] == _ENTERED:
                raise InvalidArgument(f"The value graph has a cycle of immutable nodes at {number}.")
        kind = kind_of(node)
        try:
            old = self._originals.get(number)
            if old is not None and kind.renew(self, node, old):
                self.objects[number] = old
            else:
                self.objects[number] = kind.make(self, node)
        except Exception as error:
            return self._unmade(number, error)
        self._state[number] = _MADE

    def _fill_or_wait(self, number: int, soft: List[int]) -> None:
        # What is hashed must be complete: in a set, or as a key.
        hashed = references(kind_of(self._nodes[number]).hashed(self._nodes[number]))
        if any(self._state[n] == _ENTERED for n in soft) or any(self._state[n] < _DONE for n in hashed):
            self._late.append((number, soft))
        else:
            self._fill(number, soft)

    def _fill(self, number: int, soft: List[int]) -> None:
        for child in soft:
            if self._state[child] == _FAILED:
                return self._fail(number, self.failed[child])
        try:
            node = self._nodes[number]
            kind_of(node).fill(self, node, self.objects[number])
        except Exception as error:
            return self._unmade(number, error)
        self._state[number] = _DONE

    def _unmade(self, number: int, error: Exception) -> None:
        if isinstance(error, ImportError):
            error = lacking(error)
        if isinstance(error, Unresolved):
            return self._fail(number, str(error))
        raise error if isinstance(error, CumulusError) else broken(number, error)

    def _fail(self, number: int, reason: str) -> None:
        if not self.trust.tolerant:
            raise InvalidArgument(f"A value cannot be rebuilt here: {reason}", next=NEXT_THERE)
        self.failed[number] = reason
        self._state[number] = _FAILED


def decode(
    graph: Mapping[str, Any],
    blobs: Mapping[str, Any],
    *,
    allow_pickle: bool,
    fetch_remote: Optional[Callable[[str, str], object]] = None,
    namespace: Optional[Dict[str, Any]] = None,
    trust: Optional[Trust] = None,
) -> Decoded:
    """Rebuilds the objects of a graph.

    The default trust is the job's in the client that submitted it: definitions are run in
    ``namespace`` and modules imported by name. A client that decodes what a worker wrote gives
    ``Trust.of_worker(...)``. Pickles are loaded only with ``allow_pickle``. Raises
    ``InvalidArgument``.
    """
    trust = trust or Trust.of_client(allow_pickle)
    decoder = Decoder(graph, blobs, trust, namespace, fetch_remote)
    decoded = Decoded(decoder.read(), decoder.objects, graph, blobs, left_out=decoder.left_out())
    opaque = [n for n in decoder.objects if (decoder.node([n]) or {}).get("t") in ("pickle", "remote")]
    if opaque and trust.full:
        from .changes import digest

        decoded.digests = {n: digest(decoded, decoder.objects[n]) for n in opaque}
    return decoded
