"""Plain view: the job's own output, where and how it would be locally."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from cumulus_jupyter.protocol.events import ClearOutput, Display, Log, State, UpdateDisplay
from cumulus_jupyter.view.plain import PlainView


class Publisher:
    """Notes what an IPython shell would publish."""

    def __init__(self) -> None:
        self.published: list[tuple[Any, ...]] = []
        self.display_pub = self

    def publish(self, data: Any, metadata: Any, *, transient: Any, update: bool) -> None:
        self.published.append((data["text/plain"], transient.get("display_id"), update))

    def clear_output(self, wait: bool) -> None:
        self.published.append(("clear", wait))


def test_displays_and_their_updates_keep_their_ids() -> None:
    shell = Publisher()
    view = PlainView(shell)
    view.show(Display({"text/plain": "a"}, display_id="x"))
    view.show(UpdateDisplay("x", {"text/plain": "b"}))
    view.show(Display({"text/plain": "c"}))
    view.show(ClearOutput(wait=True))
    assert shell.published == [("a", "x", False), ("b", "x", True), ("c", None, False), ("clear", True)]


def test_shown_once_more_the_ids_are_others() -> None:
    shell = Publisher()
    PlainView(shell, prefix="again-").show(Display({"text/plain": "a"}, display_id="x"))
    assert shell.published == [("a", "again-x", False)]


def test_states_are_not_output(capsys: pytest.CaptureFixture[str]) -> None:
    PlainView(None).show(State("RUNNING"))
    assert capsys.readouterr() == ("", "")


def test_the_two_streams_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    class Stream(io.StringIO):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def write(self, text: str) -> int:
            order.append(f"{self.name}:{text}")
            return len(text)

        def flush(self) -> None:
            order.append(f"{self.name} seen")

    monkeypatch.setattr(sys, "stdout", Stream("out"))
    monkeypatch.setattr(sys, "stderr", Stream("err"))
    view = PlainView(None)
    for event in (Log("stdout", "1"), Log("stdout", "2"), Log("stderr", "3"), Log("stdout", "4")):
        view.show(event)
    view.flush()
    assert order == ["out:1", "out:2", "out seen", "err:3", "err seen", "out:4", "out seen"]


def test_text_that_the_terminal_cannot_show_does_not_end_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    view = PlainView(None)
    view.show(Log("stdout", "naïve\n"))
    view.flush()
    assert raw.getvalue() == b"na?ve\n"


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    PlainView(None, quiet=True).show(Log("stdout", "x"))
    assert capsys.readouterr().out == ""


def test_a_new_attempt_is_told_for_its_output_begins_anew(capsys: pytest.CaptureFixture[str]) -> None:
    view = PlainView()
    view.show(State("QUEUED", message="waiting for its turn", position=1))
    view.show(Log("stdout", "0 1 "))
    view.show(State("QUEUED", message="the worker w1 is down; trying again", attempt=1))
    view.show(State("QUEUED", message="waiting for its turn", attempt=1, position=1))
    view.flush()
    captured = capsys.readouterr()
    assert captured.out == "0 1 "
    assert captured.err == "[the worker w1 is down; trying again]\n"


def test_what_ends_attempts_alike_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    view = PlainView()
    for attempt in (1, 2):
        view.show(State("QUEUED", message="no such image; trying again", attempt=attempt))
        view.show(State("RUNNING", attempt=attempt))
    view.show(Log("stdout", "0"))
    view.show(State("QUEUED", message="no such image; trying again", attempt=3))
    view.flush()
    assert capsys.readouterr().err == "[no such image; trying again]\n" * 2
