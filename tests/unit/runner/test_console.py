"""What a program writes past its own streams is taken before what it writes by them next."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from cumulus_runner import streams
from cumulus_runner.streams import Console
from tests.patience import LIMIT_S


@pytest.fixture
def pipes() -> Iterator[list[int]]:
    """The reading and the writing end of the supervisor's pipe, and of the job's descriptor 1."""
    made = [*os.pipe(), *os.pipe()]
    yield made
    for fd in made:
        os.close(fd)


def test_a_supervisor_that_is_late_reads_it_all_the_same(pipes: list[int]) -> None:
    frames, to_frames, raw, to_raw = pipes
    console = Console()
    console._fd, console._raw = to_frames, (to_raw,)
    os.write(to_raw, b"raw")
    seen: list[bytes] = []
    # As where the machine has much else to do.
    late = threading.Timer(0.2, lambda: seen.append(os.read(raw, 100)))
    late.start()
    console.stdout.write("after")
    assert seen == [b"raw"]
    late.join(LIMIT_S)
    assert os.read(frames, 100).endswith(b"after")


def test_another_process_that_writes_ever_on_holds_nobody_up(
    pipes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console()
    console._fd, console._raw = pipes[1], (pipes[3],)
    waiting = iter([5, 9, 4, 8, 3, 7])
    monkeypatch.setattr(streams, "unread_bytes", lambda fd: next(waiting))
    monkeypatch.setattr(streams, "_RAW_PATIENCE_S", LIMIT_S)
    console.stdout.write("after")
    # It was read twice, the second time with all that had been there at first.
    assert next(waiting) == 7
