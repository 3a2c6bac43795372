"""What encoding takes and gives: options, definitions, reports, refusals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Mapping, Optional, Protocol, Set, Tuple, Union

#: Anything with the buffer protocol that a blob may be.
Buffer = Union[bytes, bytearray, memoryview, Any]


@dataclass(frozen=True)
class Definition:
    """The source of a function or class that a notebook or script defined at its top level."""

    #: The name its statement binds; ``<lambda>`` when ``source`` is a lambda expression.
    name: str
    #: The statement with its decorators, dedented; or the lambda expression.
    source: str
    #: What its tracebacks call the file.
    filename: str = "<cumulus>"
    #: Line of ``filename`` on which ``source`` begins, from 1.
    first_line: int = 1
    #: Global names read when the statement runs: bases, decorators, defaults.
    needs: Tuple[str, ...] = ()
    #: Global names read when the function or a method is called.
    calls: Tuple[str, ...] = ()


class DefinitionSource(Protocol):
    """Finds sources; packaging gives one that also knows IPython's history."""

    def find(self, obj: object) -> Optional[Definition]:
        """The definition of a function or class; ``None`` where its source is not known."""


@dataclass(frozen=True)
class EncodeOptions:
    """How to encode."""

    #: Objects with no neutral encoding are pickled rather than refused.
    allow_pickle: bool = False
    #: Roots that reach more than this many bytes are refused as too large; ``None`` for no limit.
    value_limit_bytes: Optional[int] = None
    #: Where sources come from; ``None`` for ``values.definitions.SourceFinder``.
    definitions: Optional[DefinitionSource] = None
    #: Where the global names of definitions are looked up: those that a shipped definition reads
    #: become roots too. ``None``: definitions take nothing along.
    globals: Optional[Mapping[str, object]] = None


@dataclass(frozen=True)
class ValueReport:
    """How one root was encoded."""

    name: str
    type_name: str
    #: "json", "npy", "arrow", "source", "import", "pickle", and so on.
    encoding: str
    #: Bytes that this root reaches, shared ones included; small values count by their JSON.
    size_bytes: int


class NotEncodable(Exception):
    """Says why an object has no neutral node; ``final`` where pickling it would not help either."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


@dataclass(frozen=True)
class Refusal:
    """Why a root was not encoded, and the way out."""

    name: str
    type_name: str
    size_bytes: Optional[int]
    reason: str
    next: str


@dataclass
class Encoded:
    """A value graph ready to travel."""

    #: JSON-able.
    graph: Dict[str, Any]
    #: Heavy leaves by blob id; memoryviews share memory with the live objects.
    blobs: Dict[str, Buffer]
    #: Node number -> the live object it stands for; ``apply_changes`` updates these in place.
    originals: Dict[int, object]
    #: Roots left out of the graph, by name.
    refused: Dict[str, Refusal]
    #: True: at least one node is a pickle.
    pickled: bool
    #: Modules that the graph names; they must be importable where it is decoded.
    modules: Set[str]
    _report: Callable[[], Dict[str, ValueReport]] = field(default=dict, repr=False)
    _reports: Optional[Dict[str, ValueReport]] = field(default=None, repr=False)

    @property
    def reports(self) -> Tuple[ValueReport, ...]:
        """One report per encoded root; worked out when first asked for."""
        if self._reports is None:
            self._reports = self._report()
        return tuple(self._reports.values())

    @property
    def size_bytes(self) -> int:
        """Bytes of all blobs together."""
        return sum(memoryview(blob).nbytes for blob in self.blobs.values())


@dataclass
class Decoded:
    """A decoded graph, with what change tracking needs."""

    #: Root name -> object.
    values: Dict[str, object]
    #: Node number -> object.
    objects: Dict[int, object]
    graph: Mapping[str, Any] = field(default_factory=dict, repr=False)
    blobs: Mapping[str, Buffer] = field(default_factory=dict, repr=False)
    #: Root name -> why it could not be rebuilt; only where the trust is a worker's.
    left_out: Dict[str, str] = field(default_factory=dict)
    #: Node number -> digest at decoding, of nodes that cannot be compared with their blob.
    digests: Dict[int, Optional[bytes]] = field(default_factory=dict, repr=False)


class Applied(Dict[str, object]):
    """Name -> object to bind. ``left_out`` tells which roots could not be rebuilt, and why."""

    def __init__(self) -> None:
        super().__init__()
        self.left_out: Dict[str, str] = {}


def type_name(obj: object) -> str:
    """The name people know a type by: "DataFrame" as "pandas.DataFrame", "int" as "int"."""
    cls = type(obj)
    module = getattr(cls, "__module__", "")
    if module in ("builtins", "__main__", None, ""):
        return cls.__qualname__
    return f"{module.partition('.')[0]}.{cls.__qualname__}"
