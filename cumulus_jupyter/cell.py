"""One cell: package it, submit it, follow it, show it, write back what it left."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from .client.api import CumulusClient
from .client.errors import JobCancelled
from .client.follow import follow
from .client.http import segment
from .client.interrupts import InterruptGate, kernel_ends
from .client.job import Job
from .client.options import checked, requirements_file
from .client.outcome import Home, Outcome, exception_from, read_values
from .client.packing import CellRequest, Packed, cell_number, pack_cell
from .client.reach import RelayedJob
from .client.stream import EventStream
from .client.submission import JobOptions, submit
from .options import Parsed, check_name, help_text, parse
from .protocol.errors import CumulusError, InvalidArgument
from .settings import Cumulus, settings_of
from .view.cell_view import View, make_view, tell_detached
from .view.failure import JobInterrupted
from .view.tables import Text

#: How long a stopped cell still shows what its job says.
LAST_WORDS_S = 0.75
#: How long a stopped cell tries to tell the relay.
CANCEL_LIMIT_S = 0.5


class Session:
    """One shell's connection and settings; made when the extension is loaded."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.settings = settings_of(shell)
        self._client: CumulusClient | None = None
        #: Job id -> where its values live, of the jobs this shell detached.
        self.homes: dict[str, Home] = {}
        self._options: dict[str, tuple[Parsed, JobOptions]] = {}
        self.settings.observe(lambda change: self._options.clear())
        self.settings.observe(lambda change: self._forget_client(), ["url", "token", "autostart"])

    @property
    def client(self) -> CumulusClient:
        """The client of this shell, made at first use."""
        if self._client is None:
            self.connect(self.settings.url or None, self.settings.token or None)
        assert self._client is not None
        return self._client

    def connect(self, url: str | None, token: str | None) -> CumulusClient:
        """Use this relay from now on; without a URL the one that is found."""
        self._client = CumulusClient(url, token, autostart=self.settings.autostart)
        return self._client

    def _forget_client(self) -> None:
        self._client = None

    def restore(self, client: CumulusClient) -> None:
        """Use this client again, after another one could not be reached."""
        self._client = client

    @property
    def namespace(self) -> dict[str, Any]:
        """The notebook's names."""
        namespace: dict[str, Any] = self.shell.user_ns
        return namespace

    def home_of(self, job_id: str) -> Home:
        """Where the values of a job live that was submitted before, here or by another kernel."""
        return self.homes.get(job_id) or Home(self.namespace)

    def options(self, line: str) -> tuple[Parsed, JobOptions]:
        """What a line of options asks for, the defaults included. Raises ``InvalidArgument``."""
        known = self._options.get(line)
        if known is None:
            parsed = parse(line)
            known = parsed, merged_options(self.settings, parsed)
            if parsed.get("requirements") is None:  # A file may change.
                self._options[line] = known
        parsed, options = known
        name = options.name or parsed.get("detach") or f"In[{cell_number(self.shell)}]"
        return parsed, replace(options, name=name)

    def view(self, name: str, **how: Any) -> View:
        """The view for the cell that is running; ``how`` as ``make_view`` takes it."""
        limit = self.settings.output_lines, self.settings.output_kib
        return make_view(self.shell, self.settings.effective_view, name=name, limit=limit, **how)

    def reach(self, job_id: str) -> RelayedJob:
        """A job at this session's relay."""
        return RelayedJob(self.client.http, job_id, self.client.found.health.relay_id)


def run_cell(session: Session, line: str, source: str) -> Any:
    """Run one cell elsewhere; returns its last expression.

    Raises what the cell raised, ``CumulusError`` where it could not be run, ``JobInterrupted`` where it
    was stopped. Called by the cell magic.
    """
    parsed, options = session.options(line)
    if parsed.get("help"):
        return Text(help_text())
    if not source.strip():
        raise InvalidArgument("The cell is empty", next="Write the code to run below the line of the magic.")
    detach = parsed.get("detach")
    if detach is not None:
        check_name(detach, "--detach", next="Give a variable's name: --detach job.")
    request = CellRequest(
        source=source,
        shell=session.shell,
        inputs=parsed.names("input"),
        outputs=parsed.names("output"),
        value_limit_bytes=session.settings.value_limit_bytes,
    )
    client = session.client
    packed = pack_cell(request, options, client.found.health, dry_run=bool(parsed.get("dry_run")))
    if packed.submission is None:
        return Text(str(packed.report), packed.report)
    quiet = bool(parsed.get("quiet", session.settings.quiet))
    if detach is not None:
        job = session.namespace[detach] = _detached(session, packed, options)
        if not quiet:
            tell_detached(session.shell, session.settings.effective_view, (job.id, job.name), detach)
        return None
    view = session.view(options.name, quiet=quiet, duration_s=options.duration_s)
    outcome = Outcome()
    with InterruptGate() as gate:
        job_id, opened = submit(client.http, packed.submission, gate=gate)
        view.reached(session.reach(job_id))
        stream = EventStream(client.http, job_id, opened=opened, gate=gate, on_away=view.away)
        try:
            follow(stream, view, outcome)
        except KeyboardInterrupt:
            _stop(session, stream, view, outcome, options.pickle, packed)
        finally:
            view.end()
    return conclude(session, job_id, outcome, options.pickle, packed.home)


def attach(session: Session, reference: str) -> Any:
    """Show a job in this cell from its first event, follow it to its end, and bind what it left.

    Stopping this cell leaves the job alone. Called by ``%cumulus attach``.
    """
    client = session.client
    job = client.find(reference)
    view = session.view(job.name, prefix=f"{job.id}-{cell_number(session.shell)}-", seen=job)
    view.reached(session.reach(job.id))
    outcome = Outcome()
    with InterruptGate() as gate:
        stream = EventStream(client.http, job.id, gate=gate, on_away=view.away)
        try:
            follow(stream, view, outcome)
        except KeyboardInterrupt:
            stream.close()
            view.say("no longer followed here")
            raise JobInterrupted(
                "The job goes on; this cell no longer follows it",
                f"%cumulus cancel {job.id} ends it.",
                job.id,
            ) from None
        finally:
            view.end()
    return conclude(session, job.id, outcome, session.settings.pickle, session.home_of(job.id))


def conclude(session: Session, job_id: str, outcome: Outcome, allow_pickle: bool, home: Home) -> Any:
    """Write an ended job's values into the notebook and return the last expression, or raise its error."""
    try:
        values = read_values(session.client.http, job_id, outcome.result, home, allow_pickle=allow_pickle)
    except CumulusError:
        failure = exception_from(outcome, job_id, home)
        if failure is not None:
            raise failure from None
        raise
    except KeyboardInterrupt:
        said = "The job has ended; what it left was not brought here"
        hint = f"%cumulus result {job_id} brings it."
        raise JobInterrupted(said, hint, job_id) from None
    for name in values.deleted:
        session.namespace.pop(name, None)
    if values.names:
        session.shell.push(values.names)
    # Only now: the exception's class may be one that this very cell defined.
    failure = exception_from(outcome, job_id, home)
    if failure is not None:
        raise failure
    return values.result


def merged_options(settings: Cumulus, parsed: Parsed) -> JobOptions:
    """The job's options: what the line says, else the notebook's defaults. Raises ``InvalidArgument``."""
    asked = settings.job_defaults()
    for key in "gpu cpu memory duration name image executor retries priority pickle".split():
        if parsed.get(key) is not None:
            asked[key] = parsed.get(key)
    required = [*asked["requirements"], *parsed.get("require", [])]
    for path in parsed.get("requirements", []):
        required += requirements_file(path)
    asked["requirements"] = list(dict.fromkeys(required))
    labels = checked({"labels": parsed.get("label", [])})
    asked["labels"], asked["needs"] = {**asked["labels"], **labels.labels}, labels.needs
    asked["env"] = {**asked["env"], **checked({"env": parsed.get("env", [])}).env}
    asked["wait"] = not parsed.get("no_wait", False)
    return checked(asked)


def _detached(session: Session, packed: Packed, options: JobOptions) -> Job:
    assert packed.submission is not None
    client = session.client
    job_id, _ = submit(client.http, packed.submission, events=False)
    home = replace(packed.home, originals=None)
    session.homes[job_id] = home
    return Job(
        client.http,
        job_id,
        name=options.name,
        allow_pickle=options.pickle,
        home=home,
    )


def _stop(
    session: Session,
    stream: EventStream,
    view: View,
    outcome: Outcome,
    allow_pickle: bool,
    packed: Packed,
) -> None:
    """Cancel the job and show its last words; returns where it ended in time on its own terms."""
    job_id = stream.job_id
    if kernel_ends(session.shell):
        stream.close()
        view.leave()
        raise JobInterrupted(
            "The kernel is ending; the job goes on", f"%cumulus attach {job_id} shows it again.", job_id
        ) from None
    give_up = time.monotonic() + LAST_WORDS_S
    view.say("cancelling")
    told = _cancel(session, job_id)
    hint = f"%cumulus attach {job_id} shows how it ends."
    try:
        while stream.end is None and (left := give_up - time.monotonic()) > 0:
            events = stream.read(left)
            for seq, event in events:
                if event is not None:
                    view.show(event, seq)
            outcome.take(event for _, event in events)
            view.settle()
    except KeyboardInterrupt:
        stream.close()
        view.say("being cancelled")
        raise JobInterrupted("The job is being cancelled, and is no longer followed", hint, job_id) from None
    if stream.end is None:
        stream.close()
        view.say("being cancelled" if told is None else "not cancelled: the relay could not be told")
        if told is not None:
            raise JobInterrupted(
                f"The relay could not be told to cancel the job: {told.message}",
                f"When it is back: %cumulus cancel {job_id}",
                job_id,
            ) from None
        raise JobInterrupted(
            "The job is being cancelled; its code has a moment to clean up", hint, job_id
        ) from None
    failure = exception_from(outcome, job_id, packed.home)
    if isinstance(failure, JobCancelled):
        _raise_stopped(session, outcome, job_id, allow_pickle, packed)


def _raise_stopped(
    session: Session, outcome: Outcome, job_id: str, allow_pickle: bool, packed: Packed
) -> None:
    """End the cell as a local one ends: with a KeyboardInterrupt, and the traceback where there is one."""
    stopped = JobInterrupted("The job was cancelled", "", job_id)
    if outcome.error is not None and outcome.error.traceback:
        from .client.errors import Rendered

        stopped.__dict__["_render_traceback_"] = Rendered(list(outcome.error.traceback))
    try:
        conclude(session, job_id, outcome, allow_pickle, packed.home)
    except CumulusError:
        pass
    raise stopped from None


def _cancel(session: Session, job_id: str) -> CumulusError | None:
    try:
        session.client.http.call(
            "DELETE", f"jobs/{segment(job_id)}", away_limit_s=0, timeout_s=CANCEL_LIMIT_S
        )
    except CumulusError as error:
        return error
    return None
