"""Workers and jobs of any kind, by a dice."""

from __future__ import annotations

from random import Random

from cumulus_server.scheduling.model import Ask, Device, Worker

KINDS = ("sm_80", "sm_90", "cuda-12")


def a_worker(dice: Random, id: str) -> Worker:
    """Of up to eight GPUs, which may be of several kinds."""
    devices = tuple(
        Device(
            f"{id}-{at}",
            index=at,
            memory_mib=dice.choice([16_000, 24_000]),
            capabilities=frozenset({"gpu", *dice.sample(KINDS, dice.choice([0, 1, 3]))}),
        )
        for at in range(dice.choice([0, 1, 2, 4, 8]))
    )
    return Worker(
        id, "swarm", slots=dice.choice([2, 6, 40]), cpu=float(dice.choice([2, 16])), devices=devices,
        memory_mib=dice.choice([100, 1000]), capabilities=frozenset(dice.sample(["zone:a", "zone:b"], 1)),
    )  # fmt: skip


def an_ask(dice: Random, number: int, now_ms: int, workers: list[str]) -> Ask:
    """Of any amount, some of them for some kind of GPU or worker, or urgent."""
    tenths = dice.choice([0, *range(1, 10), 10, 10, 20, 40, 80])
    needs = [dice.choice(KINDS)] if tenths and dice.random() < 0.3 else []
    needs += ["zone:a"] if dice.random() < 0.1 else []
    return Ask(
        f"j{number:05}", tenths=tenths, cpu=dice.choice([0.0, 0.0, 1.0, 2.0]),
        memory_mib=dice.choice([0, 50, 90]), duration_s=dice.choice([60, 300, 600, 3600]),
        needs=frozenset(needs), number=number, created_ms=now_ms,
        gpu_memory_mib=20_000 if tenths and dice.random() < 0.1 else 0,
        avoid=frozenset(dice.sample(workers, 1)) if workers and dice.random() < 0.1 else frozenset(),
        priority=dice.choice([0, 0, 0, 0, 1, 5, -3]),
    )  # fmt: skip
