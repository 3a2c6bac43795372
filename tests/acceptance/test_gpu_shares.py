"""Shares of GPUs on a real Swarm: booked over SSH, waited for, given back, whatever comes in between."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.homes import Home, wait_for
from tests.rig import Rig

from .containers import Gate, gate
from .gpu_faults import WORKERS, run_sequence
from .gpu_relay import Shared, shared_gpus


@pytest.fixture
def shared(home: Home, rig: Rig, job_image: str) -> Iterator[Shared]:
    """A relay with the rig's Swarm; its workers have no GPUs yet."""
    with shared_gpus(home, rig, job_image) as made:
        yield made


@pytest.fixture
def held(rig: Rig) -> Iterator[Gate]:
    """Holds jobs up until the test lets them go on."""
    with gate(rig.runner_host) as opened:
        yield opened


def test_shares_fill_devices_and_wait_for_one_another(shared: Shared, held: Gate, rig: Rig) -> None:
    shared.workers.add("worker1", 1)
    half, third = shared.submit(0.5, held.question), shared.submit(0.3, held.question)
    assert {shared.until(half)["worker"], shared.until(third)["worker"]} == {"worker1"}
    assert shared.workers.taken("worker1") == 0.8

    second = shared.submit(0.5, held.question)
    shared.waiting(second, "0.2 free")
    assert shared.relay.job(second)["position"] == 1
    refused = shared.relay.insist(
        "POST", "jobs", {"program": {"kind": "cell", "source": "1"}, "resources": {"gpu": 0.5}, "wait": False}
    )
    assert refused.status == 503 and refused.json["code"] == "RESOURCE_EXHAUSTED", refused.body

    shared.workers.add("worker2", 1)
    assert shared.until(second)["worker"] == "worker2", "what one device cannot hold goes to the next worker"
    whole = shared.submit(1)
    shared.waiting(whole, "whole GPU")

    held.open()
    assert [shared.completed(job)["attempt"] for job in (half, third, second, whole)] == [1, 1, 1, 1]
    shared.nothing_booked("worker1", "worker2")

    for words in ("resources", "0.5"):
        assert words in str(shared.relay.job(half)), "the job still tells what it had"
    too_much = shared.relay.insist(
        "POST", "jobs", {"program": {"kind": "cell", "source": "1"}, "resources": {"gpu": 2}}
    )
    assert too_much.status == 503 and "max available: 1" in too_much.json["message"], too_much.body


def test_ten_tenths_share_a_device_and_the_eleventh_waits(shared: Shared, held: Gate) -> None:
    shared.workers.add("worker1", 1)
    jobs = [shared.submit(0.1, held.question) for _ in range(10)]
    for job in jobs:
        assert shared.until(job)["worker"] == "worker1"
    assert shared.workers.taken("worker1") == 1.0 and len(shared.workers.bookings("worker1")) == 10
    eleventh = shared.submit(0.1)
    shared.waiting(eleventh, "none free")
    held.open()
    for job in [*jobs, eleventh]:
        shared.completed(job)
    shared.nothing_booked("worker1")


def test_a_worker_that_cannot_book_is_passed_over(shared: Shared) -> None:
    shared.workers.add("worker1", 1)
    shared.workers.add("worker2", 1)
    assert shared.completed(shared.submit(0.5))["worker"] in ("worker1", "worker2")

    shared.workers.stop_sshd("worker1")
    assert shared.completed(shared.submit(1))["worker"] == "worker2"
    assert shared.completed(shared.submit(1))["worker"] == "worker2"
    shared.workers.start_sshd("worker1")
    shared.bookable("worker1")

    shared.workers.kill_chronosd("worker2")
    assert shared.completed(shared.submit(1))["worker"] == "worker1"
    shared.workers.start_chronosd("worker2")
    shared.bookable("worker2")

    shared.nothing_booked("worker1")
    foreign = shared.workers.book("worker1", 0, 0.8)
    assert shared.completed(shared.submit(0.9))["worker"] == "worker2"
    shared.workers.release("worker1", foreign)
    shared.nothing_booked("worker1", "worker2")


def test_a_job_that_nobody_can_book_for_fails_with_the_reason(shared: Shared) -> None:
    shared.workers.add("worker1", 1)
    shared.workers.book("worker1", 0, 0.8)
    job = shared.relay.wait_end(shared.submit(0.5))
    assert job["state"] == "FAILED", job
    assert "Chronos partition creation failed" in job["error"]["message"], job
    assert job["error"]["job_id"] == job["id"] and job["error"]["next"], job


def test_a_relay_that_is_killed_leaves_no_booking(shared: Shared) -> None:
    shared.workers.add("worker1", 1)
    jobs = [shared.submit(0.2, "import time; time.sleep(0.5); 7", retries=2) for _ in range(8)]
    for _ in range(4):
        wait_for(lambda: bool(shared.workers.bookings("worker1")), 20.0, 0.02)
        shared.relay.kill()
        shared.relay.start()
        shared.relay.wait_ready()
    for job in jobs:
        shared.completed(job)
    shared.nothing_booked("worker1")


def test_faults_in_random_order_lose_no_job_and_leave_no_booking(shared: Shared) -> None:
    for worker in WORKERS:
        shared.workers.add(worker, 1)
    for seed in range(4):
        run_sequence(shared, seed)
