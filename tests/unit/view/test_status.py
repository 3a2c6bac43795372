"""The status line: when it appears, what it says, how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from cumulus_jupyter.protocol.events import ClearOutput, Progress, State
from cumulus_jupyter.view import status
from cumulus_jupyter.view.cell_view import CellView, is_watched
from cumulus_jupyter.view.plain import PlainView
from cumulus_jupyter.view.status import StatusLine


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class Notebook:
    """A kernel's shell, as far as the view uses it."""

    kernel = object()

    def __init__(self, allow_stdin: bool = True) -> None:
        self.published: list[tuple[str, bool]] = []
        self.display_pub: Any = self
        self._parent = {"content": {"allow_stdin": allow_stdin}}

    def get_parent(self) -> dict[str, Any]:
        return self._parent

    def publish(self, data: Any, metadata: Any, *, transient: Any, update: bool) -> None:
        self.published.append((data["text/plain"], update))

    def clear_output(self, wait: bool) -> None: ...


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(status, "time", clock)
    return clock


def test_a_quick_job_has_no_line(clock: Clock) -> None:
    shell = Notebook()
    line = StatusLine(shell, "fit")
    clock.now += 0.4
    line.tick()
    line.end()
    assert shell.published == []


def test_a_slow_job_has_one_and_it_ends_quietly(clock: Clock) -> None:
    shell = Notebook()
    line = StatusLine(shell, "fit")
    line.take(State("QUEUED", position=3))
    clock.now += 0.6
    line.tick()
    clock.now += 1.0
    line.take(State("RUNNING", worker="local", devices=[{"name": "A100", "simulated": True}]))
    line.tick()
    line.take(State("COMPLETED", worker="local"))
    line.end()
    assert shell.published == [
        ("[fit · queued, place 3 · 0.6 s]", False),
        ("[fit · running · 1.6 s · on local · A100 (simulated)]", True),
        ("[fit · done · 1.6 s · on local]", True),
    ]


def test_it_is_repainted_four_times_a_second_at_most(clock: Clock) -> None:
    shell = Notebook()
    line = StatusLine(shell)
    for _ in range(100):
        clock.now += 0.05
        line.tick()
    assert len(shell.published) <= 20


def test_a_relay_that_is_away_is_mentioned_after_a_second(clock: Clock) -> None:
    line = StatusLine(Notebook())
    line.away(0.5)
    assert "away" not in line.text()
    line.away(2.0)
    assert "the relay has been away for 2 s" in line.text()
    line.away(None)
    assert "away" not in line.text()


def test_progress_is_a_bar() -> None:
    line = StatusLine(Notebook())
    line.take(Progress("p", "installing", 5, 10))
    assert line.text().endswith("installing ██████████░░░░░░░░░░ 50%")
    line.take(Progress("p", finished=True))
    assert "installing" not in line.text()


def test_output_that_is_cleared_takes_the_line_with_it(clock: Clock) -> None:
    shell = Notebook()
    view = CellView(PlainView(shell), StatusLine(shell))
    clock.now += 0.6
    view.tick()
    view.show(ClearOutput())
    clock.now += 1.0
    view.tick()
    view.end()
    assert len(shell.published) == 1


def test_what_runs_notebooks_is_no_person() -> None:
    assert is_watched(Notebook(allow_stdin=True))
    assert not is_watched(Notebook(allow_stdin=False))
    assert not is_watched(None)


def test_a_line_does_not_break_into_output_unless_it_has_news(clock: Clock) -> None:
    shell = Notebook()
    line = StatusLine(shell)
    line.take(State("RUNNING", worker="local"))
    line.erase()
    clock.now += 1.0
    line.tick()
    assert shell.published == []
    line.take(Progress("p", label="epochs", done=1, total=2))
    clock.now += 1.0
    line.tick()
    assert len(shell.published) == 1


def test_a_start_that_waits_for_an_image_says_so(clock: Clock) -> None:
    shell = Notebook()
    line = StatusLine(shell)
    line.take(State("SCHEDULING", worker="w1"))
    clock.now += 1
    line.tick()
    line.take(State("SCHEDULING", message="pulling the image mine:2", worker="w1"))
    clock.now += 1
    line.tick()
    line.take(State("QUEUED", message="waiting for a worker to come up: w1 is down", position=1))
    clock.now += 1
    line.tick()
    assert [text for text, _ in shell.published] == [
        "[starting · 1.0 s · on w1]",
        "[pulling the image mine:2 · 2.0 s · on w1]",
        "[queued, place 1: waiting for a worker to come up: w1 is down · 3.0 s]",
    ]
