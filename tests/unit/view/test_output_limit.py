"""A cell takes so much printed text; what is more is left out, but for its end."""

from __future__ import annotations

from cumulus_jupyter.protocol.events import Log
from cumulus_jupyter.view.output_limit import OutputLimit


def passed(limit: OutputLimit, *texts: str) -> str:
    found = [limit.take(Log("stdout", text)) for text in texts]
    return "".join(log.text for log in found if log is not None)


def numbered(first: int, end: int) -> str:
    return "".join(f"{n}\n" for n in range(first, end))


def last(limit: OutputLimit) -> str:
    return "".join(log.text for log in limit.last())


def test_lines_up_to_the_limit_and_the_last_ones() -> None:
    limit = OutputLimit(lines=3)
    assert passed(limit, numbered(0, 2), numbered(2, 100), numbered(100, 110)) == numbered(0, 3)
    assert limit.cut and limit.left_out == 107
    assert last(limit) == numbered(90, 110)


def test_as_much_as_there_is_room_for_is_not_cut() -> None:
    limit = OutputLimit(lines=3)
    assert passed(limit, numbered(0, 3)) == numbered(0, 3)
    assert not limit.cut and limit.last() == []


def test_bytes_up_to_the_limit() -> None:
    limit = OutputLimit(lines=0, kib=1)
    assert passed(limit, *["é" * 255 + "\n"] * 10) == ("é" * 255 + "\n") * 2
    assert limit.left_out == 8


def test_no_limit() -> None:
    text = numbered(0, 5000)
    assert passed(OutputLimit(0, 0), text) == text


def test_a_line_that_is_rewritten_counts_once() -> None:
    limit = OutputLimit(lines=2, kib=1)
    for step in range(1000):
        assert passed(limit, f"\r{step:4} of 1000")
    assert not limit.cut


def test_a_flood_of_one_line_keeps_its_end() -> None:
    limit = OutputLimit(lines=1)
    passed(limit, "one\n")
    for _ in range(1000):
        passed(limit, "." * 1000)
    assert limit.cut and 0 < len(last(limit)) < 20_000


def test_the_last_lines_keep_their_streams() -> None:
    limit = OutputLimit(lines=1)
    passed(limit, "one\n", "two\nthr")
    limit.take(Log("stderr", "oops\n"))
    passed(limit, "ee\n")
    assert limit.last() == [
        Log("stdout", "two\n"),
        Log("stdout", "thr"),
        Log("stderr", "oops\n"),
        Log("stdout", "ee\n"),
    ]


def test_after_a_clearing_there_is_room_again() -> None:
    limit = OutputLimit(lines=1)
    passed(limit, "one\ntwo\n")
    limit.clear()
    assert not limit.cut and passed(limit, "three\n") == "three\n" and limit.last() == []
