"""The transition table, against a model that makes every move there is and tries every one there is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from cumulus_jupyter.protocol.jobs import END_STATES, STATES
from cumulus_server.lifecycle import SOURCES, TRANSITIONS, IllegalTransition, check_transition
from cumulus_server.store import Transaction, attempts, events, jobs
from cumulus_server.store.database import open_database


def test_the_table_names_every_state() -> None:
    assert set(TRANSITIONS) == set(STATES) == set(SOURCES)
    assert {state for state, targets in TRANSITIONS.items() if not targets} == END_STATES


def test_every_state_can_be_reached_and_left_towards_an_end() -> None:
    def beyond(state: str) -> set[str]:
        found: set[str] = set()
        fresh = {state}
        while fresh:
            found |= fresh
            fresh = {to for at in fresh for to in TRANSITIONS[at]} - found
        return found

    assert beyond("QUEUED") == set(STATES)
    assert all(beyond(state) & END_STATES for state in STATES)


@pytest.mark.parametrize("state", sorted(END_STATES))
def test_an_end_is_an_end(state: str) -> None:
    for to in STATES:
        with pytest.raises(IllegalTransition):
            check_transition(state, to)


class Job(RuleBasedStateMachine):
    """One job in a store, and what it must be."""

    tx: Transaction

    @initialize()
    def submit(self) -> None:
        self.tx = open_database(Path(":memory:"))
        self.state, self.attempt, self.released, self.target = "QUEUED", 0, True, "COMPLETED"
        self.written = 1
        self.in_transaction(lambda: jobs.insert(self.tx, jobs.NewJob("j", "me", b'{"program":{}}', b"{}")))

    def in_transaction(self, run: Any) -> Any:
        self.tx.execute("BEGIN")
        try:
            result = run()
        except BaseException:
            self.tx.execute("ROLLBACK")
            raise
        self.tx.execute("COMMIT")
        return result

    @rule(to=st.sampled_from(STATES), attempt=st.sampled_from([None, 0, 1]))
    def move(self, to: str, attempt: int | None) -> None:
        named = None if attempt is None else max(0, self.attempt - attempt)
        legal = to in TRANSITIONS[self.state] and named in (None, self.attempt)

        def run() -> jobs.Moved:
            return jobs.transition(self.tx, "j", to, attempt=named)

        if legal:
            moved = self.in_transaction(run)
            self.state = to
            self.written += 1
            assert json.loads(moved.events[0].body)["state"] == to
            assert moved.job.last_seq == self.written
        else:
            with pytest.raises(IllegalTransition):
                self.in_transaction(run)

    @rule()
    def begin(self) -> None:
        def run() -> Any:
            return attempts.begin_attempt(
                self.tx, "j", executor="e", worker="w", claim_hash="h", leases=[("g", 5)]
            )

        if self.state == "QUEUED" and self.released and self.target == "COMPLETED":
            assert self.in_transaction(run).attempt == self.attempt + 1
            self.attempt, self.released = self.attempt + 1, False
        else:
            with pytest.raises(IllegalTransition):
                self.in_transaction(run)

    @rule(old=st.booleans())
    def release(self, old: bool) -> None:
        attempt = self.attempt - old
        self.in_transaction(lambda: attempts.mark_released(self.tx, "j", attempt))
        self.released = self.released or attempt == self.attempt

    @rule(wanted=st.sampled_from(["CANCELLED", "FAILED"]))
    def want(self, wanted: str) -> None:
        self.in_transaction(lambda: jobs.set_target(self.tx, "j", wanted))
        if self.state not in END_STATES and self.target == "COMPLETED":
            self.target = wanted

    @invariant()
    def row_and_events_agree(self) -> None:
        job = jobs.get(self.tx, "j")
        assert (job.status, job.attempt, job.released, job.target) == (
            self.state, self.attempt, self.released, self.target,
        )  # fmt: skip
        assert job.ended == (self.state in END_STATES) == (job.ended_ms is not None)
        stored = events.after(self.tx, job.number, 0, 1000)
        assert [event.seq for event in stored] == list(range(1, self.written + 1))
        assert job.last_seq == self.written
        assert json.loads(stored[-1].body)["state"] == self.state
        assert stored[-1].ends == job.ended
        assert len(attempts.leases(self.tx)) == (not self.released)

    def teardown(self) -> None:
        if hasattr(self, "tx"):
            self.tx.close()


Job.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
TestJob = Job.TestCase
