"""Where this relay is and how it does, in words for a page."""

from __future__ import annotations

from collections.abc import Sequence

from cumulus_jupyter import __version__
from cumulus_jupyter.protocol.errors import CumulusError
from cumulus_jupyter.protocol.jobs import EMBEDDED, RelayPlace, WorkerView


def away(url: str, fault: CumulusError) -> RelayPlace:
    """A relay that does not serve, and why."""
    return RelayPlace(EMBEDDED, url, False, fault.message, fault.next, __version__)


def live(url: str, relay_id: str, workers: Sequence[WorkerView], looking: bool) -> RelayPlace:
    """A relay that serves; without a worker that is ready, it is not well."""
    message, advice = ("", "") if any(worker.state == "ready" for worker in workers) else _nobody(workers)
    if message and looking:
        message, advice = "Its workers are being looked for", ""
    return RelayPlace(EMBEDDED, url, not message or looking, message, advice, __version__, relay_id)


def _nobody(workers: Sequence[WorkerView]) -> tuple[str, str]:
    if not workers:
        return "It has no workers, so nothing can run", "Add one: %cumulus add-worker prints the line for it."
    why = next((worker.message for worker in workers if worker.message), "")
    return (
        f"None of its workers is ready{f': {why}' if why else ''}",
        "Put right what the workers say, or add one: %cumulus add-worker prints the line for it.",
    )
