"""The states of a job and the moves between them, as one literal table."""

from __future__ import annotations

from cumulus_jupyter.protocol.errors import FailedPrecondition
from cumulus_jupyter.protocol.jobs import (
    CANCELLED,
    COMPLETED,
    CREATING_PARTITION,
    END_STATES,
    FAILED,
    QUEUED,
    RUNNING,
    SCHEDULING,
)

#: Every move there is. QUEUED again: the runner was lost and a retry is left.
TRANSITIONS: dict[str, frozenset[str]] = {
    QUEUED: frozenset({SCHEDULING, FAILED, CANCELLED}),
    SCHEDULING: frozenset({CREATING_PARTITION, RUNNING, QUEUED, FAILED, CANCELLED}),
    CREATING_PARTITION: frozenset({RUNNING, QUEUED, FAILED, CANCELLED}),
    RUNNING: frozenset({QUEUED, COMPLETED, FAILED, CANCELLED}),
    COMPLETED: frozenset(),
    FAILED: frozenset(),
    CANCELLED: frozenset(),
}

#: For each state, the states it can be entered from.
SOURCES: dict[str, frozenset[str]] = {
    to: frozenset(state for state, targets in TRANSITIONS.items() if to in targets) for to in TRANSITIONS
}


class IllegalTransition(FailedPrecondition):
    """The job is not in a state that allows this."""


def check_transition(status: str, to: str) -> None:
    """Raise ``IllegalTransition`` unless a job may go from ``status`` to ``to``."""
    if to not in TRANSITIONS[status]:
        raise IllegalTransition(
            f"A job that is {status} cannot become {to}",
            next="Ask for the job's state; it has moved on." if status in END_STATES else "",
        )
