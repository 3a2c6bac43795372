"""What is known of a job: as the card takes it, and as one line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cumulus_jupyter.protocol.events import Error, Log, Progress, State, Usage
from cumulus_jupyter.protocol.jobs import JobView
from cumulus_jupyter.protocol.resources import Resources
from cumulus_jupyter.view.facts import JobFacts

from .conftest import Clock

HALF = {"id": "GPU-a", "name": "NVIDIA H100", "used_tenths": 5}


def test_a_running_job_in_a_line(clock: Clock) -> None:
    facts = JobFacts("fit", duration_s=3600)
    facts.take(State("QUEUED", "waiting for its turn", position=3))
    clock.now += 4
    assert facts.line() == "fit · queued, place 3: waiting for its turn · 4.0 s"
    facts.take(State("RUNNING", worker="w1", devices=[HALF], enforced_by="mps"))
    clock.now += 12
    facts.take(Usage(memory_bytes=512 * 2**20, gpu_percent=83, gpu_memory_bytes=3 * 2**30))
    assert facts.line() == (
        "fit · running · 12.0 s of at most 1 h · on w1 · 0.5 of NVIDIA H100, held by mps"
        " · 512 MiB · GPU 83 %, 3.0 GiB"
    )
    facts.take(Progress("p", "epochs", 0, 10))
    clock.now += 20
    facts.take(Progress("p", "epochs", 5, 10))
    assert "32.0 s, about 20 s left" in facts.line()
    assert facts.line().endswith("epochs ██████████░░░░░░░░░░ 50%")
    facts.take(State("COMPLETED", worker="w1", devices=[HALF], enforced_by="mps"))
    facts.settle()
    assert facts.line() == "fit · done · 32.0 s · on w1 · 0.5 of NVIDIA H100, held by mps · peak 512 MiB"


def test_a_running_job_for_the_card(clock: Clock) -> None:
    facts = JobFacts("fit", duration_s=3600)
    facts.job_id = "j1"
    facts.take(State("RUNNING", worker="w1", devices=[HALF], enforced_by="mps"))
    facts.take(Usage(memory_bytes=7, gpu_percent=83, gpu_memory_bytes=9))
    facts.take(Progress("p", "epochs", 1, 10, "it"))
    facts.take(Log("stdout", "one\ntwo\nthr"))
    assert facts.snapshot() == {
        "id": "j1",
        "name": "fit",
        "state": "RUNNING",
        "message": "",
        "position": None,
        "worker": "w1",
        "share": "0.5 of NVIDIA H100, held by mps",
        "created_ms": 1_000_000,
        "started_ms": 1_000_000,
        "ended_ms": None,
        "duration_s": 3600,
        "progress": {"label": "epochs", "done": 1, "total": 10, "unit": "it"},
        "memory_bytes": 7,
        "gpu_percent": 83,
        "gpu_memory_bytes": 9,
        "note": "",
        "error": None,
        "log_lines": 2,
        "log_only": False,
    }


def test_a_start_that_waits_for_an_image_says_so() -> None:
    facts = JobFacts()
    facts.take(State("SCHEDULING", message="pulling the image mine:2", worker="w1"))
    assert facts.line().startswith("pulling the image mine:2 · ")
    facts.take(State("QUEUED", message="waiting for a worker to come up: w1 is down", position=1))
    assert facts.line().startswith("queued, place 1: waiting for a worker to come up: w1 is down · ")
    assert facts.snapshot()["worker"] == ""


def test_a_relay_that_is_away_is_mentioned_after_a_second() -> None:
    facts = JobFacts()
    facts.away(0.5)
    assert facts.note == ""
    facts.away(2.0)
    assert "the relay has been away for 2 s" in facts.line()
    facts.away(None)
    assert facts.note == ""


def test_what_was_last_said_of_a_job_gives_way_to_its_end() -> None:
    facts = JobFacts()
    facts.say("being cancelled")
    facts.settle()
    assert facts.doing() == "being cancelled"
    facts.take(State("CANCELLED"))
    facts.settle()
    assert facts.doing() == "cancelled"


def test_a_finished_bar_goes() -> None:
    facts = JobFacts()
    facts.take(Progress("p", "installing", 5, 10))
    facts.take(Progress("p", finished=True))
    assert facts.progress() is None


def test_a_failure_is_one_line_and_what_to_do() -> None:
    facts = JobFacts()
    facts.take(Error("ValueError", "bad\nand more", ["..."], "builtins"))
    ended = State("FAILED", error={"code": "INTERNAL", "message": "it raised", "next": "Mend it."})
    facts.take(ended)
    assert facts.snapshot()["error"] == {"message": "ValueError: bad", "next": "Mend it."}


def test_an_end_without_an_exception_of_its_own_says_why() -> None:
    facts = JobFacts()
    facts.take(State("FAILED", error={"message": "The worker is gone", "next": "Try again."}))
    assert facts.snapshot()["error"] == {"message": "The worker is gone", "next": "Try again."}


def test_a_new_attempt_begins_anew(clock: Clock) -> None:
    facts = JobFacts()
    facts.take(State("RUNNING", worker="w1"))
    facts.take(Usage(memory_bytes=1))
    facts.take(State("QUEUED", "the worker is down; trying again", attempt=1))
    assert facts.started_ms is None and facts.usage is None


VIEW = JobView(
    "j1", "COMPLETED", "fit", "me", 1_000, 1, Resources(duration_s=60), started_ms=21_000, ended_ms=24_000
)


@pytest.mark.parametrize(("attempt", "took"), [(1, "3.0 s after 20.0 s of waiting"), (0, "0 ms after")])
def test_a_job_of_before_keeps_its_times(clock: Clock, attempt: int, took: str) -> None:
    facts = JobFacts("fit", seen=replace(VIEW, attempt=1))
    facts.take(State("RUNNING", attempt=attempt))
    facts.take(State("COMPLETED", attempt=attempt))
    assert facts.took().startswith(took)
