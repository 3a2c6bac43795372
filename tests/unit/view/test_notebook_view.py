"""A cell in a notebook: its card, its output under it, and what is left of both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cumulus_jupyter.protocol.events import ClearOutput, Display, Event, Log, State, UpdateDisplay
from cumulus_jupyter.view import card, notebook_view
from cumulus_jupyter.view.facts import JobFacts
from cumulus_jupyter.view.notebook_view import NotebookView
from cumulus_jupyter.view.output_limit import OutputLimit
from cumulus_jupyter.view.static import JOB_MIME

from .conftest import Clock, Shell

DONE = State("COMPLETED", worker="w1")
CARD = ("display", "[fit · running]")


class Widget:
    """Stands for the real one."""

    def __init__(self, snapshot: dict[str, Any], heard: Callable[[dict[str, Any]], None]) -> None:
        self.snapshot, self.heard = snapshot, heard
        self.sent: list[dict[str, Any]] = []
        self.closed = False

    def view(self) -> dict[str, Any]:
        return {"model_id": "m1"}

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    def close(self) -> None:
        self.closed = True


class Reach:
    """Stands for the relay."""

    job_id, relay_id = "j1", "r1"

    def __init__(self) -> None:
        self.cancelled = 0
        self.failure = ""
        self.pages: dict[int, tuple[int, str]] = {}

    def cancel(self) -> str:
        self.cancelled += 1
        return self.failure

    def log_before(self, seq: int) -> tuple[int, str] | None:
        return self.pages.get(seq)


class Cell:
    """One cell that shows a job."""

    def __init__(self, clock: Clock, shell: Shell, limit: OutputLimit) -> None:
        self.clock, self.shell, self.reach = clock, shell, Reach()
        self.facts = JobFacts("fit")
        self.view = NotebookView(shell, self.facts, limit)
        self.view.reached(self.reach)
        self.seq = 0

    def show(self, *events: Event, after_s: float = 0.0) -> list[tuple[str, Any]]:
        """What is shown by these events, which come at once; whatever ends a job ends the cell."""
        self.clock.now += after_s
        self.view.tick()
        for event in events:
            self.seq += 1
            self.view.show(event, self.seq)
        if self.facts.ended:
            self.view.end()
        else:
            self.view.settle()
        return self.taken()

    def taken(self) -> list[tuple[str, Any]]:
        shown, self.shell.shown = self.shell.shown, []
        return shown


@pytest.fixture
def widgets(monkeypatch: pytest.MonkeyPatch) -> list[Widget]:
    made: list[Widget] = []

    def make(snapshot: dict[str, Any], heard: Any) -> Widget:
        made.append(Widget(snapshot, heard))
        return made[-1]

    monkeypatch.setattr(card, "_made", make)
    monkeypatch.setattr(notebook_view, "prepare", lambda: None)
    return made


@pytest.fixture
def cell(clock: Clock, shell: Shell, widgets: list[Widget]) -> Cell:
    return Cell(clock, shell, OutputLimit(lines=5))


def test_a_quick_cell_shows_its_output_and_nothing_else(cell: Cell, widgets: list[Widget]) -> None:
    assert cell.show(State("RUNNING"), Log("stdout", "a\n"), Display({"text/plain": "p"})) == []
    assert cell.show(Log("stderr", "b\n"), DONE, after_s=0.4) == [
        ("stdout", "a\n"),
        ("display", "p"),
        ("stderr", "b\n"),
    ]
    assert widgets == []


def test_a_slow_cell_has_its_card_on_top_and_ends_with_a_quiet_line(
    cell: Cell, widgets: list[Widget]
) -> None:
    assert cell.show(State("RUNNING", worker="w1"), Log("stdout", "a\n")) == []
    assert cell.show(after_s=0.5) == [CARD, ("stdout", "a\n")]
    assert cell.show(Log("stdout", "b\n"), after_s=1) == [("stdout", "b\n")]
    assert cell.show(DONE, after_s=1) == [("update", "[fit · done · 2.5 s · on w1]")]
    assert widgets[0].closed


def test_a_card_is_prepared_for_a_cell_that_is_not_quick(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[bool] = []
    monkeypatch.setattr(notebook_view, "prepare", lambda: prepared.append(True))
    cell.show(State("RUNNING"))
    assert not prepared and cell.view.next_tick_s() == pytest.approx(0.1)
    cell.show(after_s=0.1)
    cell.show(after_s=0.1)
    assert len(prepared) == 1


def test_what_is_held_is_waited_for_no_longer_than_half_a_second(cell: Cell) -> None:
    cell.show(Log("stdout", "a\n"), after_s=0.2)
    assert cell.view.next_tick_s() == pytest.approx(0.3)


def test_a_flood_is_shown_four_times_a_second(cell: Cell, clock: Clock, widgets: list[Widget]) -> None:
    cell.show(after_s=0.5)
    before = widgets[0].snapshot
    shown: list[Any] = []
    snapshots = 0
    for step in range(1000):
        shown += cell.show(Log("stdout", f"\r{step}"), after_s=0.01)
        snapshots += widgets[0].snapshot is not before
        before = widgets[0].snapshot
    assert 35 <= len(shown) <= 41 and snapshots <= 41


def test_the_first_output_after_a_while_is_shown_at_once(cell: Cell) -> None:
    cell.show(after_s=0.5)
    cell.show(after_s=1)
    assert cell.show(Log("stdout", "a")) == [("stdout", "a")]
    assert cell.show(Log("stdout", "b"), after_s=0.1) == []
    assert cell.show(after_s=0.15) == [("stdout", "b")]


def test_beyond_the_limit_a_line_says_so_and_the_end_follows(cell: Cell, widgets: list[Widget]) -> None:
    cell.show(after_s=0.5)
    many = "".join(f"{n}\n" for n in range(100))
    assert cell.show(Log("stdout", many), after_s=1) == [
        ("stdout", "0\n1\n2\n3\n4\n"),
        ("display", "… the output goes on in the log"),
    ]
    # Said in the display as well: pages that draw the card from the relay hear of it there alone.
    assert cell.show(Log("stdout", "more\n"), Display({"text/plain": "p"}), after_s=1) == [
        ("update", "[fit · running]"),
        ("display", "p"),
    ]
    assert cell.shell.bundles[-2][JOB_MIME]["log_only"]
    cell.show(after_s=1)
    assert widgets[0].snapshot["log_only"] and widgets[0].snapshot["log_lines"] == 101
    told, last, quiet = cell.show(DONE)
    assert told == ("update", "… 76 lines are in the log only, and then:")
    assert last == ("stdout", "".join(f"{n}\n" for n in range(81, 100)) + "more\n")
    assert quiet[1].endswith("The whole log: %cumulus logs j1")
    assert "log · 101 lines" in cell.shell.bundles[-1]["text/html"]


def test_a_quick_flood_keeps_a_way_to_its_log(cell: Cell) -> None:
    quiet, *rest = cell.show(Log("stdout", "x\n" * 50), DONE)
    assert quiet[0] == "display" and "%cumulus logs j1" in quiet[1]
    assert [kind for kind, _ in rest] == ["stdout", "display", "update", "stdout"]


def test_after_a_clearing_the_card_is_on_top_again(cell: Cell) -> None:
    cell.show(after_s=0.5)
    cell.show(Log("stdout", "a"), after_s=1)
    assert cell.show(ClearOutput(), after_s=1) == [("clear", False), CARD]
    assert cell.show(ClearOutput(wait=True), after_s=1) == [("clear", True)]
    assert cell.show(Log("stdout", "b"), after_s=1) == [CARD, ("stdout", "b")]
    assert [kind for kind, _ in cell.show(ClearOutput(wait=True), DONE, after_s=1)] == ["clear", "update"]


def test_a_clearing_makes_room_again(cell: Cell, widgets: list[Widget]) -> None:
    cell.show(Log("stdout", "x\n" * 9), after_s=0.6)
    cell.show(ClearOutput(), Log("stdout", "y\n"), after_s=1)
    cell.show(after_s=1)
    assert not widgets[0].snapshot["log_only"]
    assert cell.show(DONE) == [("update", "[fit · done · 2.6 s · on w1]")]


def test_updates_of_a_display_go_through(cell: Cell) -> None:
    cell.show(after_s=0.5)
    cell.show(Display({"text/plain": "1"}, display_id="x"), after_s=1)
    assert cell.show(UpdateDisplay("x", {"text/plain": "2"}), after_s=1) == [("update", "2")]


def test_a_log_that_is_opened_late_has_its_newest_part(cell: Cell, widgets: list[Widget]) -> None:
    cell.show(Log("stdout", "one\n"), Log("stdout", "two\n"), after_s=0.6)
    widgets[0].heard({"kind": "watch", "open": True})
    cell.show(Log("stdout", "three\n"), after_s=0.3)
    cell.show(after_s=0.3)
    assert widgets[0].sent == [
        {"kind": "log", "text": "one\ntwo\n", "skipped": 0},
        {"kind": "log", "text": "three\n", "skipped": 0},
    ]
    widgets[0].heard({"kind": "watch", "open": False})
    cell.show(Log("stdout", "four\n"), after_s=0.3)
    assert len(widgets[0].sent) == 2
    cell.show(DONE)
    assert "log · 4 lines" in cell.shell.bundles[-1]["text/html"]


def test_a_flood_of_log_is_skipped_through(cell: Cell, widgets: list[Widget]) -> None:
    cell.show(after_s=0.6)
    widgets[0].heard({"kind": "watch", "open": True})
    cell.show(after_s=0.3)
    cell.show(Log("stdout", "0123456789\n" * 10_000))
    cell.show(after_s=0.3)
    (message,) = widgets[0].sent
    assert len(message["text"]) <= card.LOG_CHARS
    assert message["skipped"] + message["text"].count("\n") == 10_000


def test_the_text_before_comes_from_the_relay_by_whole_lines(cell: Cell, widgets: list[Widget]) -> None:
    cell.show(after_s=0.6)
    cell.seq = 6
    cell.show(Log("stdout", "of a line\nseven\n"), after_s=0.3)
    widgets[0].heard({"kind": "watch", "open": True})
    cell.show(after_s=0.3)
    cell.reach.pages = {7: (4, "rest\nfour\nfive\nend "), 4: (1, "one\ntwo and the ")}
    for _ in range(3):
        widgets[0].heard({"kind": "earlier"})
    assert [message["text"] for message in widgets[0].sent[1:]] == [
        "four\nfive\nend ",
        "one\ntwo and the rest\n",
        None,
    ]


def test_cancel_is_asked_for_once(cell: Cell, widgets: list[Widget]) -> None:
    cell.show(State("RUNNING"), after_s=0.6)
    for _ in range(3):
        widgets[0].heard({"kind": "cancel"})
    cell.show(after_s=0.3)
    assert cell.reach.cancelled == 1 and widgets[0].snapshot["note"] == "cancelling"


def test_a_cancel_that_failed_says_so_and_can_be_asked_for_again(cell: Cell, widgets: list[Widget]) -> None:
    cell.show(State("RUNNING"), after_s=0.6)
    cell.reach.failure = "the relay is away"
    widgets[0].heard({"kind": "cancel"})
    cell.show(after_s=0.3)
    assert widgets[0].snapshot["note"] == "not cancelled: the relay is away"
    cell.reach.failure = ""
    widgets[0].heard({"kind": "cancel"})
    assert cell.reach.cancelled == 2 and cell.facts.note == "cancelling"


def test_without_widgets_the_line_is_repainted(
    clock: Clock, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(card, "_made", lambda snapshot, heard: None)
    cell = Cell(clock, shell, OutputLimit())
    cell.show(State("RUNNING", worker="w1"), after_s=0.6)
    shown = [found for _ in range(100) for found in cell.show(after_s=0.1)]
    assert 8 <= len(shown) <= 11 and shown[-1][0] == "update" and "running" in shown[-1][1]
    assert "application/vnd.jupyter.widget-view+json" not in shell.bundles[-1]


def test_a_cell_that_is_left_before_its_job_ends_says_so(cell: Cell) -> None:
    cell.show(State("RUNNING", worker="w1"), after_s=0.6)
    cell.view.say("being cancelled")
    cell.view.end()
    assert cell.taken() == [("update", "[fit · being cancelled · 0 ms · on w1]")]


def test_a_relay_that_is_away_is_told_on_the_card(cell: Cell, clock: Clock, widgets: list[Widget]) -> None:
    cell.show(State("RUNNING", worker="w1"), after_s=0.6)
    clock.now += 3
    cell.view.away(3.0)
    assert "away for 3 s" in widgets[0].snapshot["note"]
    clock.now += 1
    cell.view.away(None)
    assert widgets[0].snapshot["note"] == ""
