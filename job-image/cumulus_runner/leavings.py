"""What a program leaves: the names it changed, and its last expression, on their way back."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Optional, Set

from .streams import RESULT_KIND, Console, event_text

if TYPE_CHECKING:
    from cumulus_jupyter import values
    from cumulus_jupyter.protocol.program import Program

    from .plain_shell import PlainShell

#: A result travels with its event up to this size, else as a stored container.
INLINE_LIMIT_BYTES = 256 * 1024
_SHOWN_LIMIT_CHARACTERS = 64 * 1024
_JSON_LIMIT_ITEMS = 10_000
_OWN_NAMES = frozenset(
    {"_", "__", "___", "_i", "_ii", "_iii", "_exit_code", "_ih", "_oh", "_dh", "In", "Out"}
)
_numbers = itertools.count()
_NO_GRAPH: Dict[str, Any] = {"version": 1, "nodes": [], "roots": {}}


class Leavings:
    """Compares the namespace after a program with what it was before."""

    def __init__(self, namespace: Dict[str, Any], program: Program) -> None:
        self._namespace = namespace
        self._program = program
        self._before: Dict[str, Any] = dict(namespace)
        self._decoded: Optional[values.Decoded] = None
        self.has_result = False
        self._result: object = None

    @property
    def inputs(self) -> Dict[str, Any]:
        """What was shipped, by name."""
        return self._decoded.values if self._decoded is not None else {}

    def decode(self, blobs: Mapping[str, Any], fetch_remote: Callable[[str, str], object]) -> None:
        """Rebuild the shipped values and bind their names."""
        self._before = dict(self._namespace)
        if self._program.graph is None:
            return
        from cumulus_jupyter import values

        self._decoded = values.decode(
            self._program.graph,
            blobs,
            allow_pickle=True,
            fetch_remote=fetch_remote,
            namespace=self._namespace,
        )
        for name, value in self._decoded.values.items():
            if not name.startswith("@"):
                self._namespace[name] = value

    def set_result(self, has_result: bool, value: object) -> None:
        """The last expression's value."""
        self.has_result, self._result = has_result, value

    def deleted(self) -> List[str]:
        """Shipped names that are gone."""
        return [name for name in self.inputs if name not in self._namespace and not name.startswith("@")]

    def after(self) -> Dict[str, object]:
        """All roots that may have changed, the last expression among them."""
        namespace, before, inputs = self._namespace, self._before, self.inputs
        if self._program.outputs is not None:
            names = [name for name in self._program.outputs if name in namespace]
        else:
            asked: Set[str] = set(self._program.assigned)
            names = [
                name
                for name, value in namespace.items()
                if name in inputs
                or name in asked
                or (before.get(name, self) is not value and not _is_own(name))
            ]
        roots: Dict[str, object] = {name: namespace[name] for name in names}
        if self.has_result and self._result is not None:
            roots["@result"] = self._result  # ``protocol.program.RESULT``
        return roots

    def encode(self, roots: Mapping[str, object]) -> values.Encoded:
        """The changed ones of ``roots`` as a graph."""
        from cumulus_jupyter import values

        options = values.EncodeOptions(
            allow_pickle=self._program.pickle_results,
            value_limit_bytes=self._program.value_limit_bytes,
        )
        decoded = self._decoded or values.Decoded({}, {}, _NO_GRAPH)
        return values.encode_changes(decoded, roots, options)

    def plain_json(self) -> object:
        """The last expression, if it is plain JSON as it stands; else ``None``."""
        if self.has_result and _is_json(self._result, [0]):
            return self._result
        return None


def _is_own(name: str) -> bool:
    return name in _OWN_NAMES or (name.startswith("__") and name.endswith("__"))


def _is_json(value: object, counted: List[int]) -> bool:
    counted[0] += 1
    if counted[0] > _JSON_LIMIT_ITEMS:
        return False
    if value is None or type(value) in (bool, int):
        return True
    if type(value) is str:
        return value.isascii() or value.encode("utf-8", "replace").decode() == value
    if type(value) is float:
        return value - value == 0  # neither infinite nor not a number
    if type(value) is list:
        return all(_is_json(item, counted) for item in value)
    if type(value) is dict:
        return all(type(key) is str and _is_json(item, counted) for key, item in value.items())
    return False


def send_leavings(leavings: Leavings, console: Console, shell: PlainShell, scratch: str) -> None:
    """Send the Result event; what is large goes ahead of it as stored values in ``scratch``."""
    roots = leavings.after()
    encoded = leavings.encode(roots)
    remote = [
        _leave_behind(refusal, roots[name], console, shell, scratch)
        for name, refusal in encoded.refused.items()
    ]
    event: Dict[str, Any] = {
        "type": "result",
        "graph": encoded.graph,
        "inline_blobs": {},
        "stored_blobs": False,
        "deleted": leavings.deleted(),
        "remote": remote,
        "has_result": leavings.has_result,
        "json": leavings.plain_json(),
    }
    if encoded.size_bytes <= INLINE_LIMIT_BYTES:
        if encoded.blobs:
            from base64 import b64encode

            event["inline_blobs"] = {
                name: b64encode(blob).decode("ascii") for name, blob in encoded.blobs.items()
            }
        text = event_text(event)
        if len(text) <= INLINE_LIMIT_BYTES:
            console.event_text(RESULT_KIND, text)
            return
    from cumulus_jupyter.protocol.program import OUTPUTS

    _store(OUTPUTS, encoded, console, scratch)
    event.update(stored_blobs=True, inline_blobs={})
    text = event_text(event)
    if len(text) > INLINE_LIMIT_BYTES:
        text = event_text({**event, "graph": None, "json": None})
    console.event_text(RESULT_KIND, text)


def _store(name: str, encoded: values.Encoded, console: Console, scratch: str) -> None:
    from cumulus_jupyter import values

    os.makedirs(scratch, exist_ok=True)
    # Each by a name of its own: earlier ones may wait there still, or be gone.
    path = os.path.join(scratch, f"value-{next(_numbers)}")
    values.write_container(path, encoded.graph, encoded.blobs)
    console.note({"note": "store", "name": name, "path": path})


def _leave_behind(
    refusal: values.Refusal, value: object, console: Console, shell: PlainShell, scratch: str
) -> Dict[str, Any]:
    """Keep a value that does not travel where it can be fetched; tell what it is."""
    from cumulus_jupyter import values

    stored = pickled = False
    reason = refusal.reason
    try:
        encoded = values.encode({refusal.name: value}, values.EncodeOptions(allow_pickle=True))
        if refusal.name not in encoded.refused:
            _store(refusal.name, encoded, console, scratch)
            stored, pickled = True, encoded.pickled
    except Exception as problem:
        reason = f"{reason} ({problem})"
    bundle: Optional[Dict[str, Any]] = None
    try:
        bundle = {
            mime: content
            for mime, content in shell.bundle_of(value).items()
            if len(str(content)) <= _SHOWN_LIMIT_CHARACTERS
        }
    except Exception:
        pass  # Its name and its type have to do.
    return {
        "name": refusal.name,
        "type_name": refusal.type_name,
        "size_bytes": refusal.size_bytes,
        "reason": reason,
        "stored": stored,
        "pickled": pickled,
        "bundle": bundle or {},
    }
