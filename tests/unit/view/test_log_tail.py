"""The newest of a log, within bounds, with what it leaves out."""

from __future__ import annotations

from cumulus_jupyter.view.log_tail import LogTail, Mark, Piece


def test_all_of_a_short_log() -> None:
    tail = LogTail()
    assert tail.newest(100) is None
    tail.add(3, "one\n")
    tail.add(5, "two\n")
    assert tail.newest(100) == Piece("one\ntwo\n", 0, 3, "")


def test_the_newest_lines_and_how_many_came_before() -> None:
    tail = LogTail()
    tail.add(3, "one\ntwo\n")
    tail.add(4, "three\nfour\n")
    assert tail.newest(8) == Piece("four\n", 3, 4, "three\n")


def test_what_came_after_a_mark() -> None:
    tail = LogTail()
    tail.add(1, "one\ntw")
    mark = tail.end
    assert tail.newest(100, mark) is None
    tail.add(2, "o\nthree\n")
    assert tail.newest(100, mark) == Piece("o\nthree\n", 0, 2, "")
    tail.add(3, "four\n" * 100)
    piece = tail.newest(10, mark)
    assert piece is not None and piece.text == "four\n" * 2 and piece.skipped == 100


def test_a_piece_begins_with_a_line_also_where_the_line_began_in_another_event() -> None:
    tail = LogTail(limit_chars=20)
    tail.add(1, "x" * 30)
    tail.add(2, "end of x\nnext\n")
    piece = tail.newest(14)
    assert piece == Piece("next\n", 1, 2, "end of x\n")


def test_a_flood_stays_within_bounds() -> None:
    tail = LogTail(limit_chars=1000)
    for seq in range(10_000):
        tail.add(seq, "0123456789\n" * 10)
    assert tail.end == Mark(1_100_000, 100_000)
    assert sum(len(entry.text) for entry in tail._entries) < 1200
    piece = tail.newest(10_000)
    assert piece is not None and piece.skipped + piece.text.count("\n") == 100_000


def test_a_line_longer_than_the_piece_is_cut() -> None:
    tail = LogTail()
    tail.add(1, "x" * 100)
    assert tail.newest(10) == Piece("x" * 10, 0, 1, "x" * 90)
