"""What is held between two flushes comes out in order, and no more of it than would stay on the screen."""

from __future__ import annotations

import pytest

from cumulus_jupyter.protocol.events import ClearOutput, Display, Event, Log, State, UpdateDisplay
from cumulus_jupyter.view.held_output import HeldOutput, collapsed


def released(*events: Event) -> list[Event]:
    held = HeldOutput()
    for event in events:
        held.add(event)
    found = held.release()
    assert not held
    return found


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("one\ntwo\n", "one\ntwo\n"),
        ("\r 1%\r 2%\r 3%", "\r 3%"),
        ("begun\r1\r2", "begun\r2"),
        ("one\n10%\r20%\rdone\n", "one\ndone\n"),
        ("one\nlonger\rab", "one\nabnger"),
        ("windows\r\nlines\r\n", "windows\nlines\n"),
        ("one\nhalf\r", "one\nhalf\r"),
        ("one\n\x1b[1m10%\x1b[0m\r\x1b[1m20%\x1b[0m", "one\n\x1b[1m20%\x1b[0m"),
    ],
)
def test_a_rewritten_line_is_its_last_state(text: str, shown: str) -> None:
    assert collapsed(text) == shown


def test_text_of_one_stream_is_one_and_the_order_stays() -> None:
    first, picture = Log("stdout", "a"), Display({"text/plain": "p"})
    assert released(first, Log("stdout", "b"), Log("stderr", "c"), picture, Log("stdout", "d")) == [
        Log("stdout", "ab"),
        Log("stderr", "c"),
        picture,
        Log("stdout", "d"),
    ]


def test_many_updates_are_the_last_one() -> None:
    updates = [UpdateDisplay("x", {"text/plain": str(n)}) for n in range(100)]
    assert released(*updates) == [updates[-1]]


def test_a_display_that_nobody_has_seen_is_shown_as_it_is_now() -> None:
    found = released(
        Display({"text/plain": "old"}, display_id="x"), UpdateDisplay("x", {"text/plain": "new"})
    )
    assert found[0] == Display({"text/plain": "new"}, display_id="x")


def test_displays_are_never_dropped() -> None:
    displays: list[Event] = [Display({"text/plain": str(n)}) for n in range(500)]
    assert released(*displays) == displays


def test_what_was_cleared_unseen_is_not_shown() -> None:
    assert released(Log("stdout", "a"), ClearOutput(), Log("stdout", "b")) == [
        ClearOutput(),
        Log("stdout", "b"),
    ]
    waiting = ClearOutput(wait=True)
    assert released(Log("stdout", "a"), waiting, Log("stdout", "b")) == [waiting, Log("stdout", "b")]


def test_what_is_to_be_cleared_by_the_next_output_stays_until_then() -> None:
    waiting: list[Event] = [Log("stdout", "a"), ClearOutput(wait=True)]
    assert released(*waiting) == waiting


def test_a_clearing_does_not_take_updates_of_displays_elsewhere() -> None:
    update = UpdateDisplay("x", {"text/plain": "new"})
    assert released(update, ClearOutput()) == [update, ClearOutput()]


def test_what_ends_attempts_alike_is_told_once() -> None:
    again = [State("QUEUED", message="no such image; trying again", attempt=attempt) for attempt in (1, 2)]
    assert released(*again) == [Log("stderr", "[no such image; trying again]\n")]


def test_a_new_attempt_is_told_in_its_place() -> None:
    again = State("QUEUED", message="the worker is down; trying again", attempt=1)
    assert released(Log("stdout", "a"), again, State("RUNNING", attempt=1), Log("stdout", "a")) == [
        Log("stdout", "a"),
        Log("stderr", "[the worker is down; trying again]\n"),
        Log("stdout", "a"),
    ]
