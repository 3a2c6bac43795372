"""What moves jobs, put together."""

from __future__ import annotations

from cumulus_jupyter.protocol.jobs import JobSpec, WorkerView

from .relay.contract import Placement
from .relay.service import Moving, Relay


class _NoWorkers:
    def check(self, spec: JobSpec) -> None:
        pass

    def workers(self) -> list[WorkerView]:
        return []

    def pythons(self) -> list[str]:
        return []

    def executors(self) -> list[str]:
        return []

    def real_gpus(self) -> bool:
        return False

    def simulate(self, count: int) -> None:
        pass


class _Still:
    placement: Placement = _NoWorkers()

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    def wake(self, job_id: str) -> None:
        pass


def build_moving(relay: Relay) -> Moving:
    """Nothing moves yet."""
    return _Still()
