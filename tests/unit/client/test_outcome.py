"""What decides how a job has ended, by its events."""

from __future__ import annotations

from cumulus_jupyter.client.outcome import Outcome, exception_from
from cumulus_jupyter.protocol.errors import Unavailable
from cumulus_jupyter.protocol.events import Error, Result, State

INTERRUPT = Error("KeyboardInterrupt", "", ["KeyboardInterrupt"], "builtins")
LOST = {"code": "UNAVAILABLE", "message": "The job's runner was lost", "next": "Run it again"}


def test_a_lost_runner_says_more_than_how_its_code_was_ended() -> None:
    outcome = Outcome()
    outcome.take([State("RUNNING", attempt=1), INTERRUPT, State("FAILED", error=LOST)])
    raised = exception_from(outcome, "j1")
    assert isinstance(raised, Unavailable) and "lost" in str(raised)


def test_a_new_attempt_starts_afresh() -> None:
    outcome = Outcome()
    outcome.take([State("RUNNING", attempt=1), INTERRUPT, Result(json=1), State("QUEUED", attempt=1)])
    outcome.take([State("RUNNING", attempt=2)])
    assert outcome.error is None and outcome.result is None
    outcome.take([Result(json=2), State("COMPLETED", attempt=2)])
    assert outcome.result == Result(json=2) and exception_from(outcome, "j1") is None
