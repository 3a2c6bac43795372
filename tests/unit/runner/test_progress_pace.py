"""Of what a job's bars tell, so much is passed on that the right one is seen, and no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from cumulus_runner import progress_pace
from cumulus_runner.loop import Timer
from cumulus_runner.progress_pace import ProgressPace


class Clock:
    """Time, and a loop's timers."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.timers: list[tuple[float, Timer]] = []

    def monotonic(self) -> float:
        return self.now_s

    def after(self, delay_s: float, action: Callable[[], None]) -> Timer:
        timer = Timer(action)
        self.timers.append((self.now_s + delay_s, timer))
        return timer

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds
        for at_s, timer in self.timers:
            action = timer.action
            if action is not None and at_s <= self.now_s + 1e-9:
                timer.action = None
                action()


class Told:
    """A pace, and what it has passed on."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.events: list[dict[str, Any]] = []
        self.times = 0
        self.pace = ProgressPace(clock, self.events.append, self._passed_on)  # type: ignore[arg-type]

    def _passed_on(self) -> None:
        self.times += 1

    def bar(self, name: str, done: float, total: float | None = 10, finished: bool = False) -> None:
        event = {"type": "progress", "id": name, "label": "", "done": done, "total": total, "unit": ""}
        self.pace.take(json.dumps({**event, "finished": finished}).encode())

    def taken(self) -> list[tuple[str, float, bool]]:
        """What has been passed on since this was last asked."""
        seen = [(event["id"], event["done"], event["finished"]) for event in self.events]
        self.events.clear()
        return seen


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    clock = Clock()
    monkeypatch.setattr(progress_pace, "time", clock)
    return Told(clock)


def test_the_first_at_once_and_then_the_newest_four_times_a_second(told: Told) -> None:
    told.bar("a", 0)
    assert told.taken() == [("a", 0, False)]
    for done in range(1, 8):
        told.clock.pass_s(0.03)
        told.bar("a", done)
    assert told.taken() == []
    told.clock.pass_s(0.04)
    assert told.taken() == [("a", 7, False)] and told.times == 1
    told.clock.pass_s(5)
    assert told.taken() == []


def test_of_nested_bars_the_outer_one_comes_last(told: Told) -> None:
    told.bar("epochs", 0)
    told.bar("batches", 0)
    told.clock.pass_s(0.25)
    assert told.taken()[-2:] == [("batches", 0, False), ("epochs", 0, False)]
    told.bar("batches", 5)
    told.clock.pass_s(0.25)
    assert told.taken() == [("batches", 5, False), ("epochs", 0, False)]
    told.bar("batches", 10, finished=True)
    told.bar("epochs", 1)
    told.bar("batches of the second", 1)
    told.clock.pass_s(0.25)
    assert told.taken() == [
        ("batches", 10, True),
        ("batches of the second", 1, False),
        ("epochs", 1, False),
    ]


def test_an_outer_bar_without_a_total_gives_way(told: Told) -> None:
    told.bar("rounds", 3, total=None)
    told.bar("part", 1)
    told.clock.pass_s(0.25)
    assert told.taken()[-1] == ("part", 1, False)
    told.bar("part", 10, finished=True)
    told.clock.pass_s(0.25)
    assert told.taken() == [("part", 10, True), ("rounds", 3, False)]


def test_a_full_bar_that_nobody_closes_is_not_in_the_way(told: Told) -> None:
    told.bar("old", 10)
    told.bar("new", 1)
    told.clock.pass_s(0.25)
    assert told.taken()[-1] == ("new", 1, False)


def test_a_bar_between_two_times_is_not_told_of(told: Told) -> None:
    told.bar("first", 0)
    told.bar("first", 10, finished=True)
    for name in range(1000):
        told.bar(f"short {name}", 0)
        told.bar(f"short {name}", 10, finished=True)
    told.bar("last", 0)
    told.clock.pass_s(0.25)
    assert told.taken() == [("first", 0, False), ("first", 10, True), ("last", 0, False)]


def test_the_end_waits_for_nothing(told: Told) -> None:
    told.bar("a", 0)
    told.bar("a", 10, finished=True)
    told.pace.hurry()
    assert told.taken() == [("a", 0, False), ("a", 10, True)]
    told.clock.pass_s(1)
    assert not told.events and not told.times


def test_any_number_of_bars_costs_what_a_few_cost(told: Told) -> None:
    for name in range(1000):
        told.bar(f"bar {name}", 1)
    told.clock.pass_s(0.25)
    assert len(told.taken()) < 20
    told.bar("bar 0", 10)  # It is full, and makes room; nobody is left to wonder what became of it.
    told.clock.pass_s(0.25)
    told.bar("new", 1)
    told.clock.pass_s(0.25)
    seen = told.taken()
    assert ("bar 0", 10, True) in seen and ("new", 1, False) in seen and seen[-1] == ("bar 1", 1, False)


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"id": 1}', b'{"id": 1, "done": "a", "total": 2}'])
def test_what_is_no_bar(told: Told, body: bytes) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        told.pace.take(body)
    with pytest.raises(ValueError):
        told.bar("a", float("nan"))
    assert not told.events
