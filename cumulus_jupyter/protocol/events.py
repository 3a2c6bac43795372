"""Events of a job: a tagged union, one flat JSON object each.

Every event has ``type``, and once stored ``seq`` (1, 2, 3, ... per job) and ``time_ms`` (UTC epoch
milliseconds, set by the relay). A stream resumes with ``after=seq``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Type, Union


@dataclass(frozen=True)
class State:
    """The job entered a state. Written by the relay only."""

    state: str
    message: str = ""
    attempt: int = 0
    worker: str = ""
    #: Devices held, as DeviceView dictionaries.
    devices: List[Dict[str, Any]] = field(default_factory=list)
    enforced_by: str = ""
    #: Place in the queue, 1 is next; ``None`` when not waiting.
    position: Optional[int] = None
    #: With FAILED and CANCELLED: ``{code, message, job_id, next}``.
    error: Optional[Dict[str, Any]] = None
    type: str = "state"


@dataclass(frozen=True)
class Log:
    """Text the job wrote. One event may hold many lines, or part of one."""

    stream: str  # "stdout" or "stderr"
    text: str
    type: str = "log"


@dataclass(frozen=True)
class Display:
    """Rich output, as a Jupyter MIME bundle."""

    data: Dict[str, Any]
    metadata: Dict[str, Any] = field(default_factory=dict)
    display_id: Optional[str] = None
    type: str = "display"


@dataclass(frozen=True)
class UpdateDisplay:
    """New content for every display with this id."""

    display_id: str
    data: Dict[str, Any]
    metadata: Dict[str, Any] = field(default_factory=dict)
    type: str = "update_display"


@dataclass(frozen=True)
class ClearOutput:
    """Forget the output so far; with ``wait`` only when the next one comes."""

    wait: bool = False
    type: str = "clear_output"


@dataclass(frozen=True)
class Progress:
    """How far something has come: the job's own bar, an installer, an upload."""

    id: str
    label: str = ""
    done: float = 0
    total: Optional[float] = None
    unit: str = ""
    finished: bool = False
    type: str = "progress"


@dataclass(frozen=True)
class RemoteValueInfo:
    """A value that stayed behind."""

    name: str
    type_name: str
    #: Size in bytes where known.
    size_bytes: Optional[int]
    reason: str
    #: True: ``/values/{name}`` serves it.
    stored: bool
    #: True: fetching it means unpickling what the worker wrote.
    pickled: bool
    #: How it showed itself there, as a MIME bundle.
    bundle: Dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What the program left: changed names, and the last expression.

    ``graph`` is ``values``' object graph: its roots are names, and ``@result`` is the last
    expression. Its blobs are inline (base64 by blob id) where they are small, else in the stored
    value ``@outputs``. Exactly one Result ends a program, also after an Error.
    """

    graph: Optional[Dict[str, Any]] = None
    inline_blobs: Dict[str, str] = field(default_factory=dict)
    #: True: the blobs are in the value container ``@outputs``.
    stored_blobs: bool = False
    deleted: List[str] = field(default_factory=list)
    remote: List[RemoteValueInfo] = field(default_factory=list)
    #: True: the program ended in an expression (its value may be ``None``).
    has_result: bool = False
    #: The last expression as plain JSON, where it is that.
    json: Any = None
    type: str = "result"


@dataclass(frozen=True)
class Error:
    """The program raised."""

    #: Class name, such as "ValueError".
    name: str
    value: str
    #: Formatted lines, with ANSI colours.
    traceback: List[str] = field(default_factory=list)
    #: Module that the class can be imported from; "__main__" for the notebook's own.
    module: str = ""
    qualname: str = ""
    #: ``args`` as a values graph with the root "args"; ``None`` where they have no safe encoding.
    #: Its other roots are attributes that were set on the exception.
    args: Optional[Dict[str, Any]] = None
    type: str = "error"


@dataclass(frozen=True)
class Usage:
    """What the job uses now."""

    cpu_percent: Optional[float] = None
    memory_bytes: Optional[int] = None
    gpu_percent: Optional[float] = None
    gpu_memory_bytes: Optional[int] = None
    type: str = "resources"


Event = Union[
    State, Log, Display, UpdateDisplay, ClearOutput, Progress, Result, Error, Usage
]

EVENT_TYPES: Dict[str, Type[Any]] = {
    "state": State,
    "log": Log,
    "display": Display,
    "update_display": UpdateDisplay,
    "clear_output": ClearOutput,
    "progress": Progress,
    "result": Result,
    "error": Error,
    "resources": Usage,
}
#: What a runner may post. State events are the relay's own.
RUNNER_EVENT_TYPES = frozenset(EVENT_TYPES) - {"state"}


def event_from_wire(body: Mapping[str, Any]) -> Optional[Event]:
    """The event a JSON object stands for; ``None`` for a type this version does not know.

    Fields this version does not know are passed over, so that a newer relay can be followed.
    """
    cls = EVENT_TYPES.get(str(body.get("type")))
    if cls is None:
        return None
    names = cls.__dataclass_fields__
    fields = {key: value for key, value in body.items() if key in names}
    if cls is Result:
        known = RemoteValueInfo.__dataclass_fields__
        fields["remote"] = [
            RemoteValueInfo(**{k: v for k, v in item.items() if k in known})
            for item in fields.get("remote", [])
        ]
    event: Event = cls(**fields)
    return event
