"""What a job left behind: its end, its error, and its values as objects here."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..protocol.errors import DeadlineExceeded, FailedPrecondition, Unavailable
from ..protocol.events import Error, Event, RemoteValueInfo, Result, State
from ..protocol.jobs import CANCELLED, COMPLETED, END_STATES, RUNNING
from ..protocol.program import OUTPUTS, RESULT
from .errors import JobCancelled, exception_of, failure_of
from .http import Http
from .transfer import fetched_container

if TYPE_CHECKING:
    from ..values import Applied


@dataclass
class Outcome:
    """Collects from a job's events what decides how it ended."""

    end: State | None = None
    error: Error | None = None
    result: Result | None = None

    def take(self, events: Iterable[Event | None]) -> None:
        """Note what matters; pass over the rest. A new attempt starts afresh."""
        for event in events:
            if isinstance(event, State):
                if event.state in END_STATES:
                    self.end = event
                elif event.state == RUNNING:
                    self.error = self.result = None
            elif isinstance(event, Error):
                self.error = event
            elif isinstance(event, Result):
                self.result = event


@dataclass(frozen=True)
class Home:
    """Where a job's values and exceptions are to live, and what they may refer to."""

    #: The names of the notebook or script.
    namespace: dict[str, Any] | None = None
    #: Gives the submitted cell as plain Python: only definitions that stand in it are run.
    source: Callable[[], str] = str
    #: Node number -> live object, changed in place where the job did so; ``None`` where they are gone.
    originals: Mapping[int, Any] | None = None


NOWHERE = Home()


@dataclass(frozen=True)
class Values:
    """The values of a job, decoded."""

    #: Names to bind, without the last expression.
    names: dict[str, Any] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    #: The last expression, or what the function returned.
    result: Any = None


def read_values(
    http: Http,
    job_id: str,
    result: Result | None,
    home: Home = NOWHERE,
    *,
    allow_pickle: bool,
) -> Values:
    """Decode a job's result; what has stayed behind becomes ``RemoteValue``. Raises ``CumulusError``."""
    if result is None:
        return Values()
    found: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    if result.graph is not None:
        if result.stored_blobs:
            with fetched_container(http, job_id, OUTPUTS) as (_, stored):
                applied = _apply(result.graph, stored, home, allow_pickle)
        else:
            blobs = {key: base64.b64decode(text) for key, text in result.inline_blobs.items()}
            applied = _apply(result.graph, blobs, home, allow_pickle)
        left_out = applied.left_out
        found.update(applied)
    for info in result.remote:
        found[info.name] = remote_value(http, job_id, info)
    for name, reason in left_out.items():
        # Without the originals, what did not change cannot be had: its name keeps what it has.
        if home.originals is None and name != RESULT:
            continue
        found.setdefault(name, _left_out(http, job_id, name, reason))
    last = found.pop(RESULT, None)
    return Values(found, list(result.deleted), last)


def remote_value(http: Http, job_id: str, info: RemoteValueInfo) -> Any:
    """The stand-in for a value that stayed with the relay or the worker."""
    from ..values.remote_value import RemoteValue

    RemoteValue._fetcher = ValueFetcher(http)
    return RemoteValue(
        name=info.name,
        job_id=job_id,
        type_name=info.type_name,
        size_bytes=info.size_bytes,
        reason=info.reason,
        stored=info.stored,
        pickled=info.pickled,
        bundle=info.bundle,
    )


def _left_out(http: Http, job_id: str, name: str, reason: str) -> Any:
    """The stand-in for a value that came, and cannot be rebuilt here."""
    info = RemoteValueInfo(name, "value", None, f"it cannot be rebuilt here: {reason}", False, False)
    return remote_value(http, job_id, info)


class ValueFetcher:
    """Fetches what a ``RemoteValue`` stands for; set as its ``_fetcher``."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def __call__(self, job_id: str, name: str, pickle: bool) -> Any:
        """The value itself. ``pickle``: the user agrees to unpickle what the worker wrote."""
        return fetch_value(self._http, job_id, name, pickle=pickle)


def fetch_value(http: Http, job_id: str, name: str, *, pickle: bool) -> Any:
    """A stored value of a job. Raises ``NotFound`` where it was not kept."""
    import __main__

    with fetched_container(http, job_id, name) as (graph, blobs):
        found = _apply(graph, blobs, Home(vars(__main__)), pickle)
    if name not in found:
        raise FailedPrecondition(
            f"{name} cannot be rebuilt here: {found.left_out.get(name, 'it was not kept')}", job_id=job_id
        )
    return found[name]


def _apply(graph: Mapping[str, Any], blobs: Mapping[str, Any], home: Home, allow_pickle: bool) -> Applied:
    from ..values import apply_changes

    # Plain numbers and texts refer to nothing here, so what they might refer to need not be worked out.
    plain = not graph.get("nodes") and not graph.get("changed")
    return apply_changes(
        graph,
        blobs,
        home.originals or {},
        allow_pickle=allow_pickle,
        namespace={} if plain or home.namespace is None else home.namespace,
        known_source="" if plain else home.source(),
    )


def exception_from(outcome: Outcome, job_id: str, home: Home = NOWHERE) -> BaseException | None:
    """The exception an ended job stands for; ``None`` where it completed."""
    end = outcome.end
    if end is None or end.state == COMPLETED:
        return None
    if end.state == CANCELLED:
        said = end.message if end.message not in ("", "cancelled") else "the job was cancelled"
        return JobCancelled(said, job_id=job_id)
    # What has ended the program says more than the KeyboardInterrupt it was ended with.
    limited = end.error is not None and end.error.get("code") in (DeadlineExceeded.code, Unavailable.code)
    # An error without a class of the program's is the runner's own; the end state says it better.
    raised = outcome.error is not None and bool(outcome.error.module or outcome.error.traceback)
    if outcome.error is not None and raised and not limited:
        return exception_of(outcome.error, job_id, home.namespace, home.source())
    return failure_of(end, job_id)
