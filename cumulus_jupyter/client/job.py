"""A handle for one job, shaped like ``concurrent.futures.Future``; awaitable too."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from typing import Any

from ..protocol.errors import CumulusError, FailedPrecondition
from ..protocol.events import Event, Log, State
from ..protocol.jobs import CANCELLED, END_STATES, QUEUED, RUNNING, JobView
from .errors import JobCancelled, passable
from .http import Http, segment
from .outcome import NOWHERE, Home, Outcome, Values, exception_from, read_values
from .pool import Pool, shared_pool
from .stream import EventStream, Opened
from .submission import Submission, submit
from .wire import job_from_wire


class _Waiters(list[Any]):
    """Those who wait by ``concurrent.futures.wait`` and the like, which ask a future nothing."""

    def __init__(self, follow: Callable[[], None]) -> None:
        super().__init__()
        self._follow = follow

    def append(self, waiter: Any) -> None:
        """One more; from now on the job is followed."""
        super().append(waiter)
        self._follow()


class Job(Future[Any]):
    """A job somewhere, whether this process submitted it or not.

    ``result``, ``exception``, ``done``, ``cancelled``, ``running``, ``add_done_callback``, ``await``,
    ``concurrent.futures.wait`` and ``as_completed`` work as on any future. ``cancel`` asks the job to
    end; it is over once it says so.
    """

    def __init__(
        self,
        http: Http,
        job_id: str | None = None,
        *,
        name: str = "",
        view: JobView | None = None,
        allow_pickle: bool = False,
        home: Home = NOWHERE,
        pool: Pool | None = None,
    ) -> None:
        super().__init__()
        self._http = http
        self._id = job_id
        self._known = threading.Event()
        if job_id is not None:
            self._known.set()
        self._name = name or (view.name if view else "")
        self._phase = view.state if view else QUEUED
        self._allow_pickle = allow_pickle
        self._home = home
        self._pool = pool
        self._following = False
        self._follow_lock = threading.Lock()
        self._values: Values | None = None
        self._waiters: list[Any] = _Waiters(self._follow)

    # What it is

    @property
    def id(self) -> str:
        """The relay's id of the job. Waits until the job is acknowledged; raises what it was refused with."""
        self._known.wait()
        if self._id is None:
            error = super().exception()
            raise error if error else FailedPrecondition("The job was not submitted", next="Submit it again.")
        return self._id

    @property
    def name(self) -> str:
        """The name it was given, if any."""
        return self._name

    @property
    def view(self) -> JobView:
        """The job as the relay sees it now."""
        view = job_from_wire(self._http.call("GET", f"jobs/{segment(self.id)}"))
        self._phase = view.state
        self._name = view.name
        return view

    @property
    def status(self) -> str:
        """Its state now, such as ``"RUNNING"``."""
        if not self._following:
            return self.view.state
        return self._phase

    def __repr__(self) -> str:
        label = f"{self._name} " if self._name else ""
        return f"<Job {label}{self._id or '(not sent yet)'} {self._phase}>"

    # The future

    def result(self, timeout: float | None = None) -> Any:
        """What the cell's last expression or the function was. Raises what the job raised."""
        self._follow()
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """What the job raised; ``None`` where it did not."""
        self._follow()
        return super().exception(timeout)

    def values(self, timeout: float | None = None) -> dict[str, Any]:
        """The names the cell assigned, also where it raised later."""
        self.exception(timeout)
        return dict(self._values.names) if self._values else {}

    def done(self) -> bool:
        """True: it has ended."""
        if not self._following and self.view.state not in END_STATES:
            return False
        if not self._following:
            self._follow()
            try:
                super().exception()
            except BaseException:
                pass
        return super().done()

    def running(self) -> bool:
        """True: its code is running now."""
        return self.status == RUNNING

    def cancelled(self) -> bool:
        """True: it was cancelled, and has ended."""
        if self._following:
            return super().cancelled()
        return self.view.state == CANCELLED

    def cancel(self) -> bool:
        """Ask the job to end: its code gets ``KeyboardInterrupt``, and some time. False: it had ended."""
        if super().done():
            return False
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._cancel()
        # An event loop must not wait for the relay.
        self._threads().run(self._cancel_quietly)
        return True

    def add_done_callback(self, fn: Callable[[Future[Any]], Any]) -> None:
        """Call ``fn(job)`` once it has ended."""
        self._follow()
        super().add_done_callback(fn)

    def __await__(self) -> Generator[Any, None, Any]:
        self._follow()
        return asyncio.wrap_future(self).__await__()

    # What it says

    def events(self, after: int = 0) -> Iterator[Event]:
        """Its events from the one after number ``after``; live, to its end."""
        stream = EventStream(self._http, self.id, after=after)
        try:
            while stream.end is None:
                for _, event in stream.read():
                    if event is not None:
                        yield event
        finally:
            stream.close()

    def attach(self) -> Any:
        """Show it here from its first event, follow it to its end, and return its result.

        Interrupting this leaves the job alone.
        """
        from .follow import follow, view_here
        from .reach import RelayedJob

        view = view_here(self._name, f"{self.id}-{os.urandom(4).hex()}-", self.view)
        view.reached(RelayedJob(self._http, self.id))
        stream = EventStream(self._http, self.id, on_away=view.away)
        try:
            follow(stream, view, Outcome())
        finally:
            view.end()
            stream.close()
        return self.result()

    def logs(self, stream: str | None = None) -> str:
        """What it has written so far: stdout and stderr in order, or only one of them."""
        upto = self.view.last_seq
        text = []
        source = EventStream(self._http, self.id)
        try:
            while source.seq < upto:
                for _, event in source.read():
                    if isinstance(event, Log) and stream in (None, event.stream):
                        text.append(event.text)
        finally:
            source.close()
        return "".join(text)

    # Following it

    def start(self, submission: Submission) -> None:
        """Submit on a thread of the pool, and follow there. Called once, by ``CumulusClient``."""
        self._following = True
        pool = self._threads()
        if pool.full:  # It must not wait for the end of the jobs that all threads follow.
            try:
                self._id, _ = submit(self._http, submission, events=False)
            except CumulusError as error:
                self.set_exception(error)
            else:
                pool.run(lambda: self._follow_to_end(None))
            self._known.set()
            return
        pool.begin_submission()
        pool.run(lambda: self._submit_and_follow(submission, pool))

    def _threads(self) -> Pool:
        if self._pool is None:
            self._pool = shared_pool()
        return self._pool

    def _follow(self) -> None:
        with self._follow_lock:
            if self._following:
                return
            self._following = True
        self._threads().run(lambda: self._follow_to_end(None))

    def _submit_and_follow(self, submission: Submission, pool: Pool) -> None:
        opened: Opened | None = None
        try:
            self._id, opened = submit(self._http, submission)
        except BaseException as error:
            self._known.set()
            self.set_exception(error)
            return
        finally:
            pool.end_submission()
        self._known.set()
        self._follow_to_end(opened)

    def _follow_to_end(self, opened: Opened | None) -> None:
        outcome = Outcome()
        try:
            stream = EventStream(self._http, self.id, opened=opened)
            while stream.end is None:
                events = [event for _, event in stream.read()]
                outcome.take(events)
                for event in events:
                    if isinstance(event, State):
                        self._phase = event.state
            self._values = read_values(
                self._http,
                self.id,
                outcome.result,
                self._home,
                allow_pickle=self._allow_pickle,
            )
            failure = exception_from(outcome, self.id, self._home)
        except BaseException as error:
            self.set_exception(error)
            return
        self._conclude(failure)

    def _conclude(self, failure: BaseException | None) -> None:
        if isinstance(failure, JobCancelled):
            super().cancel()
            self.set_running_or_notify_cancel()
        elif failure is not None:
            self.set_exception(passable(failure))
        else:
            self.set_result(self._values.result if self._values else None)

    def _cancel(self) -> bool:
        try:
            self._http.call("DELETE", f"jobs/{segment(self.id)}")
        except FailedPrecondition:
            return False
        return True

    def _cancel_quietly(self) -> None:
        try:
            self._cancel()
        except CumulusError:
            pass
