"""What a notebook keeps of a job: one quiet line, and under it the end of the log where it is not shown.

It must read well where nothing runs: on GitHub, which drops styles, in nbconvert, in a text editor.
"""

from __future__ import annotations

import html
from typing import Any

from ..protocol.jobs import CANCELLED, COMPLETED, FAILED
from .ansi import ansi_html
from .facts import JobFacts
from .held_output import collapsed
from .log_tail import Piece
from .words import memory

JOB_MIME = "application/vnd.cumulus.job+json"
WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
#: How much of the log is kept in the notebook.
KEPT_CHARS = 16_384
KEPT_LINES = 200
# Each is legible on white and on near black.
_COLOURS = {COMPLETED: "#1f883d", FAILED: "#d1242f", CANCELLED: "#9a6700"}
_OTHER_COLOUR = "#777777"


def running_bundle(facts: JobFacts) -> dict[str, Any]:
    """What stands for the card where no card can be drawn."""
    line = facts.line()
    return {
        "text/html": f'<div style="opacity:.8">{html.escape(line)}</div>',
        "text/plain": f"[{line}]",
    }


def card_bundle(facts: JobFacts, relay_id: str, widget: dict[str, Any] | None) -> dict[str, Any]:
    """The card, for whoever can draw one."""
    bundle = running_bundle(facts)
    if widget is not None:
        words = f"{facts.name} · running" if facts.name else "running"
        bundle = {
            WIDGET_MIME: widget,
            "text/html": f'<div style="opacity:.8">{html.escape(words)}</div>',
            "text/plain": f"[{words}]",
        }
    job = {"job_id": facts.job_id, "relay_id": relay_id, "final": False}
    if facts.log_only:
        job["log_only"] = True
    return {JOB_MIME: job, **bundle} if facts.job_id else bundle


def final_bundle(facts: JobFacts, log: Piece | None) -> dict[str, Any]:
    """The quiet line at the end; ``log``: the log's end, where the notebook shall keep it.

    What a job has failed of is not in it: the cell raises that, and shows it below.
    """
    text = [f"[{facts.line()}]"]
    if log is not None:
        text.append(f"The whole log: %cumulus logs {facts.job_id}")
    return {"text/html": _html(facts, log), "text/plain": "\n".join(text)}


def detached_bundle(job_id: str, name: str, handle: str) -> dict[str, Any]:
    """What a cell says of a job that it does not wait for; ``handle`` is the variable that has it."""
    ways = (
        (f"{handle}.logs()", "what it prints"),
        (f"{handle}.result()", "waits for it"),
        (f"%cumulus attach {job_id}", "shows it here"),
    )
    text = " · ".join([name, f"sent as {job_id}", *(f"{way}: {what}" for way, what in ways)])
    told = [f"<b>sent</b> · {html.escape(name)} · {job_id}"]
    told += [f"<code>{html.escape(way)}</code> {what}" for way, what in ways]
    return {
        "text/html": f'<div style="font-size:.9em;line-height:1.6">{" · ".join(told)}</div>',
        "text/plain": f"[{text}]",
    }


def _html(facts: JobFacts, log: Piece | None) -> str:
    colour = _COLOURS.get(facts.state.state, _OTHER_COLOUR)
    dot = f'<span style="color:{colour}" aria-hidden="true">●</span>'
    parts = [f"<b>{html.escape(facts.doing())}</b>", html.escape(facts.name), html.escape(facts.took())]
    parts += map(html.escape, facts.place())
    if facts.peak_bytes:
        parts.append(f"peak {memory(facts.peak_bytes)}")
    lines = [f"<div>{dot} {' · '.join(part for part in parts if part)}</div>"]
    if log is not None:
        lines.append(_details(facts, log))
    return f'<div style="font-size:.9em;line-height:1.6">{"".join(lines)}</div>'


def _details(facts: JobFacts, log: Piece) -> str:
    lines = collapsed(log.text).splitlines(keepends=True)
    kept = "".join(lines[-KEPT_LINES:])
    left_out = log.skipped + max(0, len(lines) - KEPT_LINES)
    count = f"{facts.log_lines:,} line{'' if facts.log_lines == 1 else 's'}"
    head = ""
    if left_out:
        head = f"<div>Its end; the whole log: <code>%cumulus logs {html.escape(facts.job_id)}</code></div>"
    style = "max-height:24em;overflow:auto"
    return (
        f"<details><summary>log · {count}</summary>{head}"
        f'<pre style="{style}">{ansi_html(kept)}</pre></details>'
    )
