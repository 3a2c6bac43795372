"""``kill -9`` of the relay at every commit and at random moments: what it had acknowledged still holds."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.homes import Home
from tests.patience import LIMIT_S

from .relays import RelayProcess

#: Commits after each start at which the relay is killed: one job makes about eight.
COMMITS = [*range(1, 13), 15, 19, 24, 30]
RANDOM_KILLS = 12
SEED = 20260101
LINES = 6
#: Seconds that a job may take whose relay is killed again and again: each start moves it on by little.
SLOW_S = 5 * LIMIT_S
#: Leaves a mark outside, then prints slowly enough to be met by a kill.
SOURCE = """
import os, time
with open({marks!r}, "a") as marks:
    marks.write("{key}\\n")
for line in range({lines}):
    print("line", line, flush=True)
    time.sleep({pause})
"""


class Submitter(threading.Thread):
    """Keeps a few jobs going until it is told to stop; notes what was acknowledged."""

    def __init__(self, relay: RelayProcess, marks: Path, at_once: int = 3) -> None:
        super().__init__(name="submitter", daemon=True)
        self.relay, self.marks, self.at_once = relay, marks, at_once
        self.acknowledged: dict[str, str] = {}
        self.enough = threading.Event()
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Called by the thread."""
        try:
            for number in itertools.count():
                if self.enough.is_set():
                    return
                self.submit(f"job-{number}")
                if len(self.acknowledged) >= self.at_once:
                    self.relay.wait_end(list(self.acknowledged.values())[-self.at_once], SLOW_S)
        except BaseException as error:
            self.failure = error

    def submit(self, key: str) -> None:
        """One job; sent again under its key until it is acknowledged."""
        pause = random.choice([0, 0.01, 0.05])
        source = SOURCE.format(marks=str(self.marks), key=key, lines=LINES, pause=pause)
        self.acknowledged[key] = self.relay.submit(source, key)


def failpoints() -> Iterator[str]:
    """Each commit, just before it and just after."""
    for count in COMMITS:
        yield f"before-commit:{count}"
        yield f"after-commit:{count}"


@pytest.fixture
def killed(home: Home) -> Iterator[RelayProcess]:
    """A relay that is started by the test, again and again."""
    relay = RelayProcess(home)
    yield relay
    relay.stop()


def check(relay: RelayProcess, submitter: Submitter) -> None:
    """Nothing acknowledged is lost, nothing ran twice, no event is missing or doubled."""
    submitter.enough.set()
    submitter.join(2 * LIMIT_S)
    assert submitter.failure is None, submitter.failure
    assert not submitter.is_alive()
    assert submitter.acknowledged
    assert len(set(submitter.acknowledged.values())) == len(submitter.acknowledged)
    for key, job_id in submitter.acknowledged.items():
        job = relay.wait_end(job_id)
        events = relay.events(job_id)
        assert job["state"] == "COMPLETED", (key, job, relay.log[-3000:])
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1)), key
        text = "".join(event["text"] for event in events if event["type"] == "log")
        assert text == "".join(f"line {line}\n" for line in range(LINES)), key
        assert sum(event["type"] == "result" for event in events) == 1, key
        marks_of_all_attempts = Counter(event["state"] for event in events if event["type"] == "state")
        assert marks_of_all_attempts["COMPLETED"] == 1, key
    marks = Counter(submitter.marks.read_text().split())
    doubled = {key: count for key, count in marks.items() if count > 1}
    assert not doubled, doubled
    assert set(marks) == set(submitter.acknowledged)


def test_killed_at_each_commit(killed: RelayProcess, tmp_path: Path) -> None:
    submitter = Submitter(killed, tmp_path / "marks")
    submitter.start()
    for failpoint in failpoints():
        killed.start(CUMULUS_FAILPOINT=failpoint)
        assert killed.process is not None
        assert killed.process.wait(LIMIT_S) == -9, killed.log[-3000:]
    killed.start()
    check(killed, submitter)


def test_killed_at_random_moments(killed: RelayProcess, tmp_path: Path) -> None:
    moments = random.Random(SEED)
    submitter = Submitter(killed, tmp_path / "marks", at_once=6)
    submitter.start()
    for _ in range(RANDOM_KILLS):
        killed.start()
        killed.wait_ready()
        time.sleep(moments.uniform(0.0, 0.8))
        killed.kill()
    killed.start()
    check(killed, submitter)
