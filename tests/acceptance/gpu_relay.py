"""A relay whose jobs have shares of GPUs on the rig."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from tests.homes import Home, wait_for
from tests.patience import LIMIT_S
from tests.rig import Rig

from .containers import settle, swarm_settings
from .gpu_workers import GpuWorkers
from .relays import RelayProcess


class Shared:
    """A relay with workers that have GPUs."""

    def __init__(self, home: Home, rig: Rig) -> None:
        self.relay = RelayProcess(home)
        self.workers = GpuWorkers(rig, self.relay)

    def submit(self, gpu: float, source: str = "1", **spec: Any) -> str:
        """Submit a job with this share."""
        return self.relay.submit(source, resources={"gpu": gpu, "duration_s": 600}, **spec)

    def until(self, job_id: str, state: str = "RUNNING") -> Any:
        """The job, once it is in this state."""
        assert wait_for(lambda: self.relay.job(job_id)["state"] == state, LIMIT_S, 0.1), self.relay.job(
            job_id
        )
        return self.relay.job(job_id)

    def waiting(self, job_id: str, words: str) -> None:
        """The job waits, and is told so in these words."""

        def told() -> bool:
            job = self.relay.job(job_id)
            return job["state"] == "QUEUED" and words in job["message"]

        assert wait_for(told, LIMIT_S, 0.1), self.relay.job(job_id)

    def completed(self, job_id: str) -> Any:
        """The job, which ends well."""
        job = self.relay.wait_end(job_id)
        assert job["state"] == "COMPLETED", (job, self.relay.log[-4000:])
        return job

    def bookable(self, worker: str) -> None:
        """The relay has seen that shares can be booked on this worker again."""

        def is_so() -> bool:
            listed = self.relay.insist("GET", "workers").json["workers"]
            return any(each["id"] == worker and not each["message"] for each in listed)

        assert wait_for(is_so, LIMIT_S, 0.1), self.relay.log[-4000:]

    def nothing_booked(self, *workers: str) -> None:
        """Soon nothing of the relay's is booked: at its next look at the hosts at the latest."""
        held: dict[str, Any] = {}

        def free() -> bool:
            held.update({worker: self.workers.bookings(worker) for worker in workers})
            return not any(held.values())

        assert wait_for(free, LIMIT_S, 0.2), (held, self.relay.log[-4000:])


@contextlib.contextmanager
def shared_gpus(home: Home, rig: Rig, image: str) -> Iterator[Shared]:
    """Such a relay; its workers have no GPUs yet, and none afterwards."""
    settle(home, **swarm_settings(rig, image, container_slots=20))
    made = Shared(home, rig)
    made.relay.start()
    made.relay.wait_ready()
    yield made
    made.relay.stop()
    made.workers.whole()
    made.workers.forget()
