"""What a job is told that no worker could hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cumulus_jupyter.protocol.errors import CumulusError, InvalidArgument, ResourceExhausted, Unavailable
from cumulus_server.scheduling.capacity import Capacity
from cumulus_server.scheduling.model import Ask, Device, Worker
from cumulus_server.scheduling.refusal import refusal
from cumulus_server.scheduling.waiting import waiting_reason

PLAIN = Worker(
    "local",
    "process",
    slots=4,
    cpu=2.0,
    memory_mib=8192,
    pythons=("3.11",),
    capabilities=frozenset({"process"}),
)
TWO_GPUS = Worker(
    "gpu", "process", slots=4, memory_mib=4096, pythons=("3.11", "3.12"), devices=(Device("0"), Device("1"))
)


def told(ask: Ask, *workers: Worker) -> CumulusError:
    error = refusal(Capacity(workers), ask, {"process"})
    assert error is not None and error.next
    return error


@pytest.mark.parametrize(
    ("ask", "kind", "message"),
    [
        (Ask("j", tenths=5), Unavailable, "No GPU workers available"),
        (Ask("j", executor="nimbus"), InvalidArgument, "Unknown executor: nimbus"),
        (Ask("j", executor="swarm"), InvalidArgument, "The executor swarm is not configured"),
        (Ask("j", needs=frozenset({"gpux"})), InvalidArgument, "No worker offers gpux. Offered: process"),
        (Ask("j", cpu=9), ResourceExhausted,
         "No workers with sufficient CPU cores (requested: 9, max available: 2)"),
        (Ask("j", needs=frozenset({"images"})), InvalidArgument,
         "No worker offers a container image of its own (--image). Offered: process"),
        (Ask("j", memory_mib=9000), ResourceExhausted,
         "No workers with sufficient memory (requested: 9000 MiB, max available: 8192 MiB)"),
        (Ask("j", python="3.13"), InvalidArgument, "No worker has Python 3.13"),
    ],
)  # fmt: skip
def test_without_a_gpu(ask: Ask, kind: type[CumulusError], message: str) -> None:
    error = told(ask, PLAIN)
    assert type(error) is kind and error.message.startswith(message)


def test_more_gpus_than_any_worker_has() -> None:
    error = told(Ask("j", tenths=40), PLAIN, TWO_GPUS)
    assert error.message == "No workers with sufficient GPU capacity (requested: 4, max available: 2)"
    assert error.code == "RESOURCE_EXHAUSTED"


def test_all_there_but_on_no_worker_together() -> None:
    assert type(told(Ask("j", tenths=5, memory_mib=8000), PLAIN, TWO_GPUS)) is Unavailable


def test_what_could_be_held_is_not_refused_though_it_is_taken_or_down() -> None:
    down = Worker("w", "process", slots=1, memory_mib=1, devices=(Device("0"),), ready=False)
    capacity = Capacity([down])
    assert refusal(capacity, Ask("j", tenths=10), {"process"}) is None
    assert waiting_reason(capacity, Ask("j", tenths=10)) == "waiting for a worker to come up: w is down"


def test_who_is_down_and_why_is_told() -> None:
    one = Worker("w1", "swarm", slots=1, ready=False, message="heartbeat failure")
    other = Worker("w2", "swarm", slots=1, ready=False, message="drained")
    said = "waiting for a worker to come up: w1 is down: heartbeat failure"
    assert waiting_reason(Capacity([one]), Ask("j")) == said
    assert waiting_reason(Capacity([one, other]), Ask("j")) == f"{said}; w2 is down: drained"
    alike = replace(other, message="no Swarm")
    everywhere = Capacity([alike, replace(alike, id="w3")])
    assert waiting_reason(everywhere, Ask("j")) == "waiting for a worker to come up: no Swarm"


def test_what_is_waited_for_is_named() -> None:
    capacity = Capacity([TWO_GPUS])
    placement = capacity.fit(Ask("a", tenths=20))
    assert placement is not None
    capacity.take(placement)
    assert waiting_reason(capacity, Ask("b", tenths=3)) == "waiting for 0.3 of a GPU, none free now"
    assert waiting_reason(capacity, Ask("b", tenths=20)) == "waiting for 2 whole GPUs, none free now"


MIXED = Worker(
    "mixed", "swarm", slots=4, memory_mib=4096,
    devices=(
        Device("0", memory_mib=24_000, capabilities=frozenset({"gpu", "sm_80"})),
        Device("1", memory_mib=80_000, capabilities=frozenset({"gpu", "sm_90"})),
    ),
)  # fmt: skip


def test_what_gpus_offer_is_for_jobs_that_get_one() -> None:
    capacity = Capacity([MIXED])
    assert refusal(capacity, Ask("j", tenths=5, needs=frozenset({"gpu", "sm_90"})), {"swarm"}) is None
    for ask in (Ask("j", needs=frozenset({"sm_90"})), Ask("j", needs=frozenset({"gpu"}))):
        error = refusal(capacity, ask, {"swarm"})
        assert isinstance(error, InvalidArgument) and "--gpu" in error.next
    both = refusal(capacity, Ask("j", tenths=20, needs=frozenset({"sm_90"})), {"swarm"})
    assert both is not None and both.message.endswith("(requested: 2, max available: 1)")
    memory = refusal(capacity, Ask("j", tenths=5, gpu_memory_mib=90_000), {"swarm"})
    assert memory is not None and "GPU memory (requested: 90000 MiB, max" in memory.message
    together = refusal(capacity, Ask("j", tenths=5, needs=frozenset({"sm_80", "sm_90"})), {"swarm"})
    assert isinstance(together, Unavailable)


def test_devices_that_are_away_take_no_job_and_others_do() -> None:
    capacity = Capacity([replace(MIXED, devices_message="no SSH")])
    ask = Ask("j", tenths=5)
    assert refusal(capacity, ask, {"swarm"}) is None and capacity.fit(ask) is None
    assert waiting_reason(capacity, ask) == "waiting for GPUs that take no new job: mixed: no SSH"
    assert capacity.fit(Ask("j")) is not None
