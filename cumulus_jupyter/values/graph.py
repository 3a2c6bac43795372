"""The outer form of a graph, and which kind reads which node."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Dict, List, Mapping, Tuple

from ..protocol.errors import InvalidArgument
from .containers import KINDS, Kind
from .trust import Unresolved

#: Version of the graph's form.
GRAPH_VERSION = 1
#: Tag -> module here that reads such nodes; loaded when one is met.
_HOMES = {
    "ndarray": ".arrays", "ndobject": ".arrays", "masked": ".arrays", "dtype": ".arrays",
    "frame": ".frames", "series": ".frames", "index": ".frames", "pdarray": ".frames",
    "polars": ".tables", "pyarrow": ".tables", "image": ".images", "picture": ".picture",
    "tensor": ".tensors", "storage": ".tensors", "torch": ".tensors", "dice": ".tensors",
    "def": ".definitions", "pickle": ".pickled", "remote": ".remote_value",
    "module": ".objects", "name": ".objects", "attr": ".objects", "method": ".objects", "enum": ".objects",
    "partial": ".objects", "pattern": ".objects",
    "rng": ".generators", "inst": ".instances", "exc": ".instances", "nt": ".instances",
}  # fmt: skip


def kind_of(node: Mapping[str, Any]) -> Kind:
    """The kind of a node. Raises ``Unresolved`` where a package is missing for it."""
    tag = node["t"]
    kind = KINDS.get(tag)
    if kind is None:
        home = _HOMES.get(tag)
        if home is None:
            raise InvalidArgument(f"The value graph holds a node of an unknown kind: {tag!r}")
        try:
            KINDS.update(import_module(home, __package__).KINDS)
        except ImportError as error:
            raise lacking(error) from error
        kind = KINDS[tag]
    return kind


def lacking(error: ImportError) -> Unresolved:
    """Why a node cannot be rebuilt where a package is missing for it."""
    package = (error.name or "").partition(".")[0]
    said = f"it needs the package {package}, which is not installed here"
    return Unresolved(said if package else str(error))


def broken(number: int, error: Exception) -> InvalidArgument:
    """What is raised for a node that is not as its kind must be."""
    return InvalidArgument(f"The value graph is broken at node {number}: {type(error).__name__}: {error}")


def read_graph(graph: Any) -> Tuple[Dict[int, Mapping[str, Any]], Mapping[str, Any]]:
    """The nodes by number, and the roots; checks the outer form."""
    if not isinstance(graph, Mapping) or graph.get("version") != GRAPH_VERSION:
        raise InvalidArgument("The value graph is of a version that this side does not know.")
    nodes, roots, base = graph.get("nodes"), graph.get("roots"), graph.get("base", 0)
    changed = graph.get("changed", [])
    if not isinstance(nodes, list) or not isinstance(roots, Mapping) or type(base) is not int:
        raise InvalidArgument("The value graph lacks its nodes or its roots.")
    try:
        numbered: Dict[Any, Any] = dict(changed)
    except (TypeError, ValueError):
        raise InvalidArgument("The value graph's changed nodes are broken.") from None
    numbered.update((base + n, node) for n, node in enumerate(nodes) if node is not None)
    for number, node in numbered.items():
        if type(number) is not int or not isinstance(node, Mapping) or type(node.get("t")) is not str:
            raise InvalidArgument(f"The value graph is broken at node {number!r}: it has no kind.")
    return numbered, roots


def node_blobs(node: Mapping[str, Any]) -> List[str]:
    """Ids of the blobs a node refers to: its own, and those of its packed runs."""
    names = [node["b"]] if "b" in node else []
    names.extend(node.get("bufs", ()))
    names.extend(value["b"] for value in node.values() if type(value) is dict and "b" in value)
    queue = [node["parts"]] if "parts" in node else []
    for part in queue:
        if type(part) is dict:
            names.extend([part["b"]] if "b" in part else [])
            queue.extend(part.values())
        elif type(part) is list:
            queue.extend(item for item in part if type(item) in (dict, list))
    return names
