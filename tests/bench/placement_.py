"""Placement: what a decision takes as clusters and queues grow, and how full a mixed day's load fills one.

Everything is in virtual time and from one seed. A decision is a round of planning after a job has ended or
come: who starts on what has become free. The day's load is shares and whole GPUs, for minutes to hours,
more of it by day than by night; jobs end before the time they asked for.
"""

from __future__ import annotations

import gc
import heapq
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cumulus_server.scheduling.model import DEVICE_TENTHS, Ask, Device, Worker
from cumulus_server.scheduling.packing import BEST_FIT, FIRST_FIT
from cumulus_server.scheduling.scheduler import Scheduler

from .measure import Measurement, p50, p99

GPUS = 8
#: Tenths that jobs ask for, and how often.
AMOUNTS = {1: 14, 2: 14, 3: 10, 5: 16, 7: 4, 10: 22, 20: 9, 40: 6, 80: 5}
#: Longest run times that people ask for, in seconds.
DURATIONS = (600, 1200, 1800, 3600, 5400, 7200, 14400, 28800)
#: What else is asked for: (CPU cores, memory in MiB).
BESIDES = ((0.0, 0), (1.0, 4096), (2.0, 16384))
#: The part of the day's jobs that comes evenly; the rest comes around one o'clock.
ROUND_THE_CLOCK = 0.6
DAY_S = 24 * 3600
AIM = 0.95


@dataclass(frozen=True)
class Job:
    """One job of the load: when it comes, what it asks for, and how long it really takes."""

    ask: Ask
    takes_ms: int

    @property
    def work(self) -> int:
        """Tenths times milliseconds."""
        return self.ask.tenths * self.takes_ms


def fleet(count: int) -> Iterator[Worker]:
    """Workers of eight GPUs."""
    for at in range(count):
        devices = tuple(Device(f"w{at}-{gpu}", index=gpu) for gpu in range(GPUS))
        yield Worker(f"w{at:05}", "swarm", slots=96, cpu=128.0, memory_mib=1 << 20, devices=devices)


def job(dice: random.Random, number: int, at_ms: int) -> Job:
    """One of the mix."""
    (tenths,) = dice.choices(list(AMOUNTS), list(AMOUNTS.values()))
    cpu, memory_mib = dice.choice(BESIDES)
    duration_s = dice.choice(DURATIONS)
    ask = Ask(
        f"j{number:07}", tenths=tenths, cpu=cpu, memory_mib=memory_mib, duration_s=duration_s, number=number,
        created_ms=at_ms,
    )  # fmt: skip
    return Job(ask, int(duration_s * 1000 * dice.uniform(0.2, 1.0)))


@dataclass
class Cluster:
    """A scheduler with the jobs that run there, in virtual time."""

    scheduler: Scheduler
    jobs: dict[str, Job] = field(default_factory=dict)
    ends: list[tuple[int, str]] = field(default_factory=list)
    now_ms: int = 0
    #: Tenths times milliseconds that were held.
    held: int = 0
    started: int = 0
    waits_ms: dict[int, list[int]] = field(default_factory=dict)
    spent_s: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, workers: int, placement: str = BEST_FIT) -> Cluster:
        """An empty one."""
        made = cls(Scheduler(placement=placement))
        for worker in fleet(workers):
            made.scheduler.capacity.set_worker(worker)
        return made

    def join(self, job: Job) -> None:
        """A job comes."""
        self.jobs[job.ask.job_id] = job
        self.scheduler.line.add(job.ask)

    def plan(self) -> None:
        """One decision."""
        begin = time.perf_counter()
        placements = self.scheduler.plan(self.now_ms)
        self.spent_s.append(time.perf_counter() - begin)
        for placement in placements:
            job = self.jobs[placement.job_id]
            self.started += 1
            self.waits_ms.setdefault(job.ask.tenths, []).append(self.now_ms - job.ask.created_ms)
            heapq.heappush(self.ends, (self.now_ms + job.takes_ms, placement.job_id))

    def end_next(self) -> None:
        """The next job ends."""
        self.now_ms, job_id = heapq.heappop(self.ends)
        self.held += self.jobs.pop(job_id).work
        begin = time.perf_counter()
        self.scheduler.capacity.give_back(job_id)
        given_back_s = time.perf_counter() - begin
        self.plan()
        self.spent_s[-1] += given_back_s

    def held_until(self, end_ms: int) -> int:
        """Tenths times milliseconds held, with what runs counted up to that time."""
        running = sum(
            self.jobs[id].ask.tenths * (self.jobs[id].takes_ms - (at_ms - end_ms)) for at_ms, id in self.ends
        )
        return self.held + running


def decisions(workers: int, waiting: int, count: int = 3000) -> dict[str, float]:
    """A full cluster with a queue: microseconds for each job that ends, or comes, or is told."""
    dice = random.Random(1)
    cluster = Cluster.of(workers)
    number = 0
    begin = time.perf_counter()
    while len(cluster.scheduler.line) < waiting:
        for _ in range(1000):
            number += 1
            cluster.join(job(dice, number, number))
        cluster.plan()
    filling_s = time.perf_counter() - begin
    for _ in range(count):
        cluster.end_next()
        number += 1
        cluster.join(job(dice, number, cluster.now_ms))
    cluster.spent_s.clear()
    started = cluster.started
    gc.collect()
    gc.freeze()
    ends, comes = [], []
    for _ in range(count):
        cluster.end_next()
        ends.append(cluster.spent_s[-1] * 1e6)
        number += 1
        begin = time.perf_counter()
        cluster.join(job(dice, number, cluster.now_ms))
        cluster.plan()
        comes.append((time.perf_counter() - begin) * 1e6)
    gc.unfreeze()
    begin = time.perf_counter()
    cluster.scheduler.waiting(0, 20)
    told_us = (time.perf_counter() - begin) * 1e6
    return {
        "us_end": p50(ends), "us_end_mean": sum(ends) / count, "us_end_p99": p99(ends),
        "us_come": p50(comes), "us_come_p99": p99(comes), "us_first_20_told": told_us,
        "us_each_of_the_first": filling_s / number * 1e6, "started": cluster.started - started,
    }  # fmt: skip


def day(dice: random.Random, workers: int, load: float) -> list[Job]:
    """A day's jobs that ask for ``load`` times what the cluster has, most of it by day."""
    capacity = workers * GPUS * DEVICE_TENTHS * DAY_S * 1000
    jobs: list[Job] = []
    asked = 0
    while asked < load * capacity:
        hour = dice.uniform(0, 24) if dice.random() < ROUND_THE_CLOCK else dice.gauss(13, 3) % 24
        jobs.append(job(dice, 0, int(hour * 3_600_000)))
        asked += jobs[-1].work
    jobs.sort(key=lambda each: each.ask.created_ms)
    renumbered = []
    for number, each in enumerate(jobs):
        fields = {**each.ask.__dict__, "job_id": f"j{number:07}", "number": number}
        renumbered.append(Job(Ask(**fields), each.takes_ms))
    return renumbered


def bound(jobs: Iterable[Job], workers: int, end_ms: int) -> int:
    """More than this no placement can hold until then, whatever it knew of the day.

    For every moment: until it, no job has held more than its own width since it came; after it, the cluster
    holds no more than itself.
    """
    capacity = workers * GPUS * DEVICE_TENTHS
    loads = [(each.ask.created_ms, each.ask.tenths, each.takes_ms) for each in jobs]
    moments = range(0, end_ms + 1, end_ms // 288)
    return min(
        capacity * (end_ms - moment_ms)
        + sum(
            tenths * min(takes_ms, moment_ms - came_ms)
            for came_ms, tenths, takes_ms in loads
            if came_ms < moment_ms
        )
        for moment_ms in moments
    )


def utilisation(workers: int, load: float, placement: str) -> dict[str, float]:
    """What is held over a day, as a part of the bound; and how long jobs waited, by amount."""
    jobs = day(random.Random(2), workers, load)
    cluster = Cluster.of(workers, placement)
    end_ms = DAY_S * 1000
    for each in jobs:
        while cluster.ends and cluster.ends[0][0] <= each.ask.created_ms:
            cluster.end_next()
        cluster.now_ms = each.ask.created_ms
        cluster.join(each)
        cluster.plan()
    while cluster.ends and cluster.ends[0][0] <= end_ms:
        cluster.end_next()
    most = bound(jobs, workers, end_ms)
    waits = {
        f"wait_h_{tenths / 10:g}": max(each) / 3.6e6 for tenths, each in sorted(cluster.waits_ms.items())
    }
    spent = sorted(cluster.spent_s)
    return {
        "share_of_bound": cluster.held_until(end_ms) / most,
        "share_of_cluster": cluster.held_until(end_ms) / (workers * GPUS * DEVICE_TENTHS * end_ms),
        "jobs": len(jobs), "started": cluster.started, "us_mean": sum(spent) / len(spent) * 1e6, **waits,
    }  # fmt: skip


def main() -> None:
    """Decisions at four sizes, then a day's load at three, with best-fit beside first-fit."""
    sizes = [(1_000, 10_000), (1_000, 100_000), (10_000, 10_000), (10_000, 100_000)]
    small: dict[str, float] = {}
    for workers, waiting in sizes:
        seen = decisions(workers, waiting)
        small = small or seen
        peer = f"{sizes[0][0]} workers, {sizes[0][1]} waiting"
        more = {"workers": workers, "waiting": waiting, **seen}
        ours, theirs = seen["us_end_mean"], small["us_end_mean"]
        print(Measurement("placement-decision", ours, theirs, peer, "us", more).line(), flush=True)
    for workers, load in ((10, 1.0), (10, 1.3), (100, 1.0), (100, 1.3)):
        best = utilisation(workers, load, BEST_FIT)
        first = utilisation(workers, load, FIRST_FIT)
        more = {"workers": workers, "load": load, "aim": AIM, **best, "first_fit": first["share_of_bound"]}
        held = best["share_of_bound"]
        print(Measurement("placement-day", held, 1.0, "no placement holds more", "part", more).line())


if __name__ == "__main__":
    main()
