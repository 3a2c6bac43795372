"""Faults in random order around jobs with shares of GPUs; ``python -m tests.acceptance.gpu_faults COUNT``."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.homes import Home
from tests.rig import Rig
from tests.rig.fixtures import image

from .gpu_relay import Shared, shared_gpus

WORKERS = ("worker1", "worker2")
_JOBS, _FAULTS = 4, 3
#: What a job may fail with where its workers could not book for it, as often as it may be tried.
_EXCUSES = ("Failed to create Chronos partition on worker", "Chronos partition creation failed")


class Faults:
    """What can go wrong, and how it is put right again."""

    def __init__(self, shared: Shared, chance: random.Random) -> None:
        self._shared, self._chance = shared, chance
        self._mend: list[Callable[[], object]] = []
        #: In words, for whoever has to find out what went wrong.
        self.history: list[str] = []

    def strike(self) -> None:
        """Let something go wrong."""
        name = self._chance.choice(("sshd", "chronosd", "refusal", "relay", "pause"))
        worker = self._chance.choice(WORKERS)
        self.history.append(f"{name} of {worker}")
        getattr(self, f"_{name}")(worker)

    def mend(self) -> None:
        """Put everything right."""
        while self._mend:
            self._mend.pop()()

    def _sshd(self, worker: str) -> None:
        self._shared.workers.stop_sshd(worker)
        self._mend.append(lambda: self._shared.workers.start_sshd(worker))

    def _chronosd(self, worker: str) -> None:
        self._shared.workers.kill_chronosd(worker)
        self._mend.append(lambda: self._shared.workers.start_chronosd(worker))

    def _refusal(self, worker: str) -> None:
        workers = self._shared.workers
        try:
            partition = workers.book(worker, 0, 0.1)
        except Exception:  # the daemon is away, or all is taken
            return
        self._mend.append(lambda: workers.release(worker, partition))

    def _relay(self, worker: str) -> None:
        self._shared.relay.kill()
        self._shared.relay.start()

    def _pause(self, worker: str) -> None:
        self._shared.workers.rig.pause(worker)
        time.sleep(self._chance.uniform(0.2, 2.0))
        self._shared.workers.rig.unpause(worker)


def run_sequence(shared: Shared, seed: int) -> None:
    """Jobs and faults as the seed says. Each job ends well or with an excuse, and nothing stays booked."""
    chance = random.Random(seed)
    faults = Faults(shared, chance)
    jobs = []
    for _ in range(_JOBS):
        source = f"import time; time.sleep({chance.uniform(0.0, 0.6):.2f})"
        jobs.append(shared.submit(chance.choice((0.1, 0.3, 0.5, 1)), source, retries=5))
        time.sleep(chance.uniform(0.0, 0.4))
        if len(faults.history) < _FAULTS:
            faults.strike()
    time.sleep(chance.uniform(0.0, 1.0))
    faults.mend()
    for job_id in jobs:
        job = shared.relay.wait_end(job_id)
        excused = job["state"] == "FAILED" and job["error"]["message"].startswith(_EXCUSES)
        assert job["state"] == "COMPLETED" or excused, (seed, faults.history, job, shared.relay.log[-4000:])
    shared.nothing_booked(*WORKERS)


def main(count: int) -> int:
    """Run so many sequences on a rig of their own."""
    rig = Rig("cumulus-faults")
    rig.up()
    try:
        rig.load(image("job_image"))
        with tempfile.TemporaryDirectory() as folder:
            with shared_gpus(Home(Path(folder)), rig, image("job_image")) as shared:
                for worker in WORKERS:
                    shared.workers.add(worker, 1)
                for seed in range(count):
                    began = time.monotonic()
                    run_sequence(shared, seed)
                    print(f"sequence {seed}: {time.monotonic() - began:.1f} s", flush=True)
    finally:
        rig.down()
    print(f"faults: {count} sequences, every job ended, no booking left")
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50))
