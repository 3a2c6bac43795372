"""``CumulusClient``: run functions elsewhere, from scripts and notebooks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..protocol.enrolment import WorkerToken
from ..protocol.errors import DeadlineExceeded, InvalidArgument, NotFound
from ..protocol.events import Log
from ..protocol.jobs import Health, JobList, JobView, Stats, WorkerView
from ..view.plain import PlainView
from .discovery import Discovery, Found
from .http import Http, segment
from .interrupts import InterruptGate
from .job import Job
from .options import job_options
from .outcome import Home, Outcome, exception_from, read_values
from .packing import package_function
from .reach import RelayedJob
from .sse import Numbered
from .stream import EventStream
from .submission import submit
from .wire import (
    health_from_wire,
    job_from_wire,
    jobs_from_wire,
    stats_from_wire,
    worker_token_from_wire,
    workers_from_wire,
)

_PAGE = 100


class JobTimeout(DeadlineExceeded, TimeoutError):
    """The job did not finish in the time its caller would wait."""


class CumulusClient:
    """One relay, found at the first use: ``url``, or the one this process belongs to.

    Safe to use from many threads.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        autostart: bool = True,
        discovery: Discovery | None = None,
    ) -> None:
        self._discovery = discovery or Discovery(url, token, autostart=autostart)
        self.http = Http(self._discovery.locate)

    def __repr__(self) -> str:
        found = self._discovery.found
        return f"<CumulusClient {found.endpoint.url if found else '(not connected yet)'}>"

    def close(self) -> None:
        """Close the connections that are idle; the next request opens new ones."""
        self.http.close()

    def __enter__(self) -> CumulusClient:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def found(self) -> Found:
        """The relay in use, and how it was found."""
        while self._discovery.found is None:
            _ = self.http.endpoint
        return self._discovery.found

    # Functions

    def run(
        self,
        func: Callable[..., Any],
        *args: Any,
        timeout: float | None = None,
        show_output: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Run ``func(*args, **kwargs)`` elsewhere and return what it returns.

        Options of the job among the keywords: ``gpu`` (or ``gpu_memory``), ``cpu``, ``memory``,
        ``duration``, ``name``, ``labels``, ``needs``, ``requirements``, ``env``, ``image``,
        ``executor``, ``retries``, ``priority``, ``wait``, ``pickle``. What the function prints is printed
        here, unless ``show_output`` is false. Raises what it raises; ``JobTimeout`` after ``timeout``
        seconds, and cancels the job then.
        """
        options, rest = job_options(kwargs)
        submission = package_function(func, args, rest, options, self.found.health)
        give_up = None if timeout is None else time.monotonic() + timeout
        outcome, output = Outcome(), PlainView(quiet=not show_output)
        with InterruptGate() as gate:
            job_id, opened = submit(self.http, submission, gate=gate)
            stream = EventStream(self.http, job_id, opened=opened, gate=gate)
            try:
                while stream.end is None:
                    events = stream.read(None if give_up is None else max(0.0, give_up - time.monotonic()))
                    outcome.take(event for _, event in events)
                    _echo(events, output)
                    if not events and stream.end is None:
                        raise JobTimeout(
                            f"The job did not finish within {timeout:g} s and is being cancelled",
                            next="Give it longer with timeout=, or use submit().",
                            job_id=job_id,
                        )
            except (JobTimeout, KeyboardInterrupt):
                stream.close()
                RelayedJob(self.http, job_id).cancel()
                raise
        home = _home_of(func)
        values = read_values(self.http, job_id, outcome.result, home, allow_pickle=options.pickle)
        failure = exception_from(outcome, job_id, home)
        if failure is not None:
            raise failure
        return values.result

    def submit(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Job:
        """Start ``func(*args, **kwargs)`` elsewhere and return its handle. Options as for ``run``.

        The arguments are taken as they are now. Raises ``CumulusError`` where they cannot be sent.
        """
        options, rest = job_options(kwargs)
        submission = package_function(func, args, rest, options, self.found.health, keep=True)
        job = Job(self.http, name=options.name, allow_pickle=options.pickle, home=_home_of(func))
        job.start(submission)
        return job

    def map(
        self,
        func: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        **kwargs: Any,
    ) -> Iterator[Any]:
        """Like ``map(func, *iterables)``, each call a job of its own; results in order, as they come.

        All are submitted at once. Options and further keywords as for ``run``; ``timeout`` counts for all.
        """
        jobs = [self.submit(func, *args, **kwargs) for args in zip(*iterables, strict=False)]
        give_up = None if timeout is None else time.monotonic() + timeout
        return self._results(jobs, give_up)

    # The relay

    def jobs(self, *, state: str = "", label: str = "", limit: int = 50) -> list[Job]:
        """Handles of the newest jobs, newest first. ``label``: ``KEY=VALUE`` or ``KEY``."""
        return [
            Job(self.http, view.id, view=view) for view in self.views(state=state, label=label, limit=limit)
        ]

    def job(self, reference: str) -> Job:
        """The handle of a job: its id, the beginning of it, or its name (the newest of that name)."""
        view = self.find(reference)
        return Job(self.http, view.id, view=view)

    def views(self, *, state: str = "", label: str = "", limit: int = 50) -> list[JobView]:
        """The newest jobs as the relay sees them, newest first."""
        found: list[JobView] = []
        cursor: str | None = None
        while len(found) < limit:
            query = {"state": state, "label": label, "limit": min(_PAGE, limit), "cursor": cursor}
            page: JobList = jobs_from_wire(self.http.call("GET", "jobs", query=query))
            found += page.jobs
            cursor = page.next_cursor
            if not cursor:
                break
        return found[:limit]

    def find(self, reference: str) -> JobView:
        """The job with this id, beginning of an id, or name. Raises ``NotFound``, ``InvalidArgument``."""
        reference = reference.strip()
        if not reference:
            raise InvalidArgument("Which job?", next="Give its id or name; %cumulus jobs lists them.")
        try:
            return job_from_wire(self.http.call("GET", f"jobs/{segment(reference)}"))
        except (NotFound, InvalidArgument):
            pass
        views = self.views(limit=1000)
        for view in views:
            if view.name == reference:
                return view
        found = [view for view in views if view.id.startswith(reference)]
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(view.id for view in found[:5])
            raise InvalidArgument(f"{reference} begins several ids: {ids}", next="Write more of it.")
        raise NotFound(f"There is no job {reference}", next="%cumulus jobs lists the jobs there are.")

    def workers(self) -> list[WorkerView]:
        """The places where jobs can run."""
        return workers_from_wire(self.http.call("GET", "workers"))

    def add_worker(self) -> WorkerToken:
        """A one-time token for one new worker; its ``command`` is the line to run on that host.

        Raises ``FailedPrecondition`` where the relay has no Swarm that a host could join.
        """
        return worker_token_from_wire(self.http.call("POST", "workers/tokens"))

    def health(self) -> Health:
        """The relay's own state."""
        return health_from_wire(self.http.call("GET", "health"))

    def stats(self) -> Stats:
        """Counts over the kept history."""
        return stats_from_wire(self.http.call("GET", "stats"))

    def simulate_gpus(self, count: int) -> None:
        """Declare simulated GPUs on the relay's own machine, which has none."""
        self.http.call("PUT", "workers/local/simulated-devices", {"count": count})

    def _results(self, jobs: list[Job], give_up: float | None) -> Iterator[Any]:
        try:
            for job in jobs:
                yield job.result(None if give_up is None else max(0.0, give_up - time.monotonic()))
        finally:
            for job in jobs:
                if not job.done():
                    job.cancel()


def _home_of(func: Callable[..., Any]) -> Home:
    """What a call returns may be of the classes that its function's module knows."""
    return Home(getattr(func, "__globals__", None))


def _echo(events: list[Numbered], output: PlainView) -> None:
    for _, event in events:
        if isinstance(event, Log):
            output.show(event)
    output.flush()
