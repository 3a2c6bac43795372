"""The terminal's status line: when it appears, and how it makes room."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest

from cumulus_jupyter.protocol.events import ClearOutput, Log, Progress, State
from cumulus_jupyter.view import plain, status
from cumulus_jupyter.view.cell_view import TextView, is_watched, make_view
from cumulus_jupyter.view.facts import JobFacts
from cumulus_jupyter.view.plain import PlainView
from cumulus_jupyter.view.status import StatusLine

from .conftest import Clock, Shell


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def taken(self) -> str:
        """What was written since."""
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return text


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    terminal = Terminal()
    for module in (plain, status):
        monkeypatch.setattr(module, "sys", SimpleNamespace(stdout=terminal, stderr=terminal))
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return terminal


@pytest.fixture
def view(clock: Clock, terminal: Terminal) -> TextView:
    facts = JobFacts("fit")
    return TextView(PlainView(), facts, StatusLine(facts))


def test_a_quick_job_has_no_line(clock: Clock, terminal: Terminal, view: TextView) -> None:
    clock.now += 0.4
    view.tick()
    view.end()
    assert terminal.taken() == ""


def test_a_slow_job_has_one_that_makes_room_and_goes(
    clock: Clock, terminal: Terminal, view: TextView
) -> None:
    view.show(State("RUNNING", worker="w1"))
    clock.now += 0.6
    view.tick()
    assert terminal.taken() == "\r\x1b[2K\x1b[2mfit · running · 0.6 s · on w1\x1b[0m"
    view.show(Log("stdout", "one\n"))
    view.settle()
    assert terminal.taken() == "\r\x1b[2Kone\n"
    clock.now += 0.3
    view.settle()
    assert "0.9 s" in terminal.taken()
    view.end()
    assert terminal.taken() == "\r\x1b[2K"


def test_it_does_not_wipe_out_a_line_that_was_begun(clock: Clock, terminal: Terminal, view: TextView) -> None:
    view.show(Log("stdout", "loading"))
    clock.now += 0.6
    view.tick()
    assert terminal.taken() == "loading"


def test_it_comes_back_after_the_output_was_cleared(clock: Clock, terminal: Terminal, view: TextView) -> None:
    clock.now += 0.6
    view.tick()
    view.show(ClearOutput())
    assert terminal.taken().endswith("\r\x1b[2K")
    clock.now += 0.6
    view.tick()
    assert "fit" in terminal.taken()


def test_it_is_repainted_four_times_a_second_at_most(
    clock: Clock, terminal: Terminal, view: TextView
) -> None:
    for _ in range(100):
        clock.now += 0.05
        view.tick()
    assert terminal.taken().count("fit") <= 20


def test_it_is_no_wider_than_the_terminal(clock: Clock, terminal: Terminal, view: TextView) -> None:
    view.show(State("QUEUED", "x" * 200))
    clock.now += 1
    view.tick()
    assert len(terminal.taken()) < 60 + len("\r\x1b[2K\x1b[2m\x1b[0m")


def test_a_bar_that_is_called_strangely_stays_on_its_line(
    clock: Clock, terminal: Terminal, view: TextView
) -> None:
    view.show(State("RUNNING"))
    view.show(Progress("1", "two\nlines\x1b[2J", 1, 2))
    clock.now += 1
    view.tick()
    painted = terminal.taken().removeprefix("\r\x1b[2K\x1b[2m").removesuffix("\x1b[0m")
    assert "two lines" in painted and painted.isprintable()


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [("abcdef", 4, "abcd"), ("日本語", 5, "日本"), ("a\tb", 9, "a b"), ("a", 0, "")],
)
def test_what_fits_a_terminal(text: str, columns: int, shown: str) -> None:
    assert status.fitting(text, columns) == shown


def test_who_wants_no_colour_gets_none(
    clock: Clock, terminal: Terminal, view: TextView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    clock.now += 1
    view.tick()
    assert terminal.taken().startswith("\r\x1b[2Kfit")


def test_what_runs_notebooks_is_no_person() -> None:
    assert is_watched(Shell(allow_stdin=True))
    assert not is_watched(Shell(allow_stdin=False))
    assert not is_watched(None)


@pytest.mark.parametrize("mode", ["plain", "auto"])
def test_where_nobody_looks_on_there_is_the_output_alone(mode: str) -> None:
    view: Any = make_view(Shell(allow_stdin=False), mode)
    assert isinstance(view, TextView) and view.next_tick_s() is None
