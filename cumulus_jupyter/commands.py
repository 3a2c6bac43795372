"""``%cumulus``: the state of things, and its commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Any

from .cell import Session, attach, conclude
from .client.outcome import Outcome
from .completion import COMMANDS
from .options import help_text
from .protocol.errors import CumulusError, FailedPrecondition, InvalidArgument
from .protocol.jobs import END_STATES
from .view.tables import Table, Text, job_table, jobs_table, workers_table

_HELP = """\
%cumulus                        where the relay is, and the defaults
%cumulus jobs                   the newest; [-n COUNT] [--state STATE] [--label KEY=VALUE]
%cumulus job ID                 one job; ID may be the beginning of it, or a name
%cumulus logs ID                what it has printed; [--stdout | --stderr]
%cumulus attach ID              show a job here, from its first event
%cumulus cancel ID              end it
%cumulus result ID              its last expression; names it assigned are bound
%cumulus workers                where jobs can run, and what runs there
%cumulus add-worker             the line that makes another host a worker
%cumulus config [KEY=VALUE ...] show the defaults, or set them for this notebook
%cumulus connect [URL]          use this relay, or the one that is found; [--token TOKEN]

"""


def run_command(session: Session, line: str) -> Any:
    """Run one line of ``%cumulus``. Raises ``CumulusError``."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise InvalidArgument(f"The line cannot be read: {error}", next="Close the quotation mark.") from None
    if not words:
        return state(session)
    name, rest = words[0], words[1:]
    if name in ("--help", "-h", "help"):
        return Text(_HELP + help_text())
    command = _COMMANDS.get(name)
    if command is None:
        from difflib import get_close_matches

        close = get_close_matches(name, COMMANDS, 1)
        hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(COMMANDS)}."
        raise InvalidArgument(f"There is no command {name}", next=hint)
    return command(session, rest)


def state(session: Session) -> Table:
    """Where the relay is, how it was found and why, how it is, and the defaults."""
    from . import __version__

    client = session.client
    found = client.found
    health = client.health()
    rows: list[tuple[str, object]] = [
        ("relay", found.endpoint.url),
        ("found by", found.candidate.source),
        *(("", step) for step in found.trail),
        ("health", f"{health.status} {health.message}".strip()),
        ("versions", f"relay {health.version}, here {__version__}, protocol {health.protocol}"),
        ("python of jobs", ", ".join(health.pythons)),
        ("executors", ", ".join(health.executors)),
    ]
    return Table("Cumulus", ["", ""], rows + _changed(session), [found, health])


def _changed(session: Session) -> list[tuple[str, object]]:
    settings = session.settings
    names = sorted(settings.class_trait_names(config=True))
    shown = [
        (name, "(set)" if name == "token" else getattr(settings, name))
        for name in names
        if getattr(settings, name) != settings.traits()[name].default()
    ]
    return [(f"default {name}", value) for name, value in shown] or [("defaults", "none changed")]


def _jobs(session: Session, words: list[str]) -> Table:
    taken = _flags(words, {"-n": "20", "--state": "", "--label": ""})
    if not taken["-n"].isdigit():
        raise InvalidArgument(f"-n needs a count, found {taken['-n']}", next="Write -n 20.")
    views = session.client.views(
        state=taken["--state"].upper(), label=taken["--label"], limit=int(taken["-n"])
    )
    return jobs_table(views)


def _job(session: Session, words: list[str]) -> Table:
    return job_table(session.client.find(_one(words, "job")))


def _logs(session: Session, words: list[str]) -> None:
    stream = None
    for flag in ("--stdout", "--stderr"):
        if flag in words:
            words = [word for word in words if word != flag]
            stream = flag[2:]
    print(session.client.job(_one(words, "logs")).logs(stream), end="")


def _attach(session: Session, words: list[str]) -> Any:
    return attach(session, _one(words, "attach"))


def _cancel(session: Session, words: list[str]) -> Text:
    job = session.client.job(_one(words, "cancel"))
    state = job.view.state
    # In a kernel, where an event loop runs, cancelling does not wait for the relay's answer.
    if state not in END_STATES and job.cancel():
        return Text(f"{job.id} is being cancelled")
    return Text(f"{job.id} had ended: {job.status}")


def _result(session: Session, words: list[str]) -> Any:
    job = session.client.job(_one(words, "result"))
    view = job.view
    if view.state not in END_STATES:
        raise FailedPrecondition(
            f"The job is {view.state}", next=f"%cumulus attach {view.id} waits for it.", job_id=view.id
        )
    outcome = Outcome()
    outcome.take(job.events())
    return conclude(session, view.id, outcome, session.settings.pickle, session.home_of(view.id))


def _workers(session: Session, words: list[str]) -> Table:
    _none(words, "workers")
    return workers_table(session.client.workers())


def _add_worker(session: Session, words: list[str]) -> Text:
    from .view.enrolment import sentence

    _none(words, "add-worker")
    token = session.client.add_worker()
    return Text(f"{token.command}\n\n{sentence(token)}", token)


def _config(session: Session, words: list[str]) -> Table | None:
    if not words:
        return Table("Defaults", ["", ""], _changed(session))
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise InvalidArgument(f"Invalid setting: {word}", next="Write it as KEY=VALUE.")
        if key.replace("-", "_") == "simulated_gpus":
            if not value.isdigit():
                raise InvalidArgument(
                    f"Invalid simulated_gpus: {value}. Must be a whole number",
                    next="Write simulated_gpus=1; 0 takes them back.",
                )
            session.client.simulate_gpus(int(value))
        else:
            session.settings.assign(key, value)
    return None


def _connect(session: Session, words: list[str]) -> Table:
    token = None
    apart = (word.split("=", 1) if word.startswith("--token=") else [word] for word in words)
    words = [word for parts in apart for word in parts]
    if "--token" in words:
        at = words.index("--token")
        token = (words[at + 1 : at + 2] or [""])[0]
        words = words[:at] + words[at + 2 :]
    if len(words) > 1:  # Not told which: one may be a token.
        raise InvalidArgument(
            "%cumulus connect takes one address", next="Write %cumulus connect URL --token TOKEN."
        )
    before = session.client
    url = words[0] if words else None
    if url and "?token=" in url:  # As Jupyter prints it, with the page it opens.
        url, _, token = url.partition("?token=")
        url = re.sub("/(lab|tree)$", "/", url)
    client = session.connect(url, token or session.settings.token or None)
    try:
        _ = client.found
    except CumulusError:
        session.restore(before)
        raise
    return state(session)


def _one(words: list[str], command: str) -> str:
    if len(words) != 1:
        raise InvalidArgument(
            f"%cumulus {command} needs one job, found {' '.join(words) or 'none'}",
            next=f"Write %cumulus {command} ID; %cumulus jobs lists them.",
        )
    return words[0]


def _none(words: list[str], command: str) -> None:
    if words:
        raise InvalidArgument(
            f"%cumulus {command} takes nothing more, found {' '.join(words)}",
            next=f"Write %cumulus {command} alone.",
        )


def _flags(words: list[str], defaults: dict[str, str]) -> dict[str, str]:
    taken = dict(defaults)
    rest = iter(words)
    for word in rest:
        flag, equals, value = word.partition("=")
        if flag not in taken:
            raise InvalidArgument(f"Unknown option: {word}", next=f"There are: {', '.join(defaults)}.")
        taken[flag] = value if equals else next(rest, "")
    return taken


_COMMANDS: dict[str, Callable[[Session, list[str]], Any]] = {
    "jobs": _jobs,
    "job": _job,
    "logs": _logs,
    "attach": _attach,
    "cancel": _cancel,
    "result": _result,
    "workers": _workers,
    "add-worker": _add_worker,
    "config": _config,
    "connect": _connect,
}
