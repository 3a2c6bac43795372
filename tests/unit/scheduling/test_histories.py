"""Random histories of clusters, jobs, ends, and workers that come and go: what holds at every moment."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cumulus_server.scheduling.capacity import Capacity
from cumulus_server.scheduling.model import DEVICE_TENTHS, PRIORITY_STEP_MS, Ask, Device, Placement, Worker
from cumulus_server.scheduling.packing import PLACEMENTS
from cumulus_server.scheduling.plan import WORKERS_PER_RESERVATION, Reservation, leaves_room
from cumulus_server.scheduling.scheduler import Scheduler
from cumulus_server.scheduling.suiting import able

from .random_clusters import a_worker, an_ask

MINUTE_MS = 60_000


@dataclass
class History:
    """One seed's story, told to a scheduler in virtual time."""

    dice: Random
    placement: str
    scheduler: Scheduler = field(init=False)
    now_ms: int = 0
    number: int = 0
    workers: int = 0
    asks: dict[str, Ask] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    choices: list[Placement] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.scheduler = Scheduler(placement=self.placement)
        for at in range(self.dice.choice([1, 2, 5, 9])):
            self.scheduler.capacity.set_worker(a_worker(self.dice, f"w{at}"))

    @property
    def capacity(self) -> Capacity:
        """What the scheduler knows of the workers."""
        return self.scheduler.capacity

    def step(self) -> None:
        """Something happens, and the scheduler decides."""
        self.now_ms += self.dice.choice([0, 1, 10, 60]) * 1000
        act = self.dice.choice(["come"] * 6 + ["end"] * 4 + ["cancel", "worker"])
        if act == "come":
            self.come()
        elif act == "end" and self.ends:
            self.end(self.dice.choice(sorted(self.ends)))
        elif act == "cancel" and self.scheduler.line.asks:
            self.scheduler.line.remove(self.dice.choice(sorted(self.scheduler.line.asks)))
        elif act == "worker":
            self.change_a_worker()
        self.end_those_over()
        self.decide()

    def come(self) -> None:
        """Some jobs are submitted; those that nobody could hold are refused, as by the relay."""
        for _ in range(self.dice.choice([1, 2, 8])):
            self.number += 1
            ask = an_ask(self.dice, self.number, self.now_ms, list(self.capacity.rooms))
            if self.capacity.could_ever(ask):
                self.asks[ask.job_id] = ask
                self.scheduler.line.add(ask)

    def end(self, job_id: str) -> None:
        """A job ends."""
        del self.ends[job_id]
        self.capacity.give_back(job_id)

    def end_those_over(self) -> None:
        """Nobody runs longer than asked for."""
        for job_id in [job_id for job_id, at_ms in self.ends.items() if at_ms <= self.now_ms]:
            self.end(job_id)

    def change_a_worker(self) -> None:
        """One comes, goes, goes down, is up again, or its devices are away or back."""
        ids = list(self.capacity.rooms)
        act = self.dice.choice(["come", "go", "down", "up", "away", "back", "up", "back"])
        if act == "come" or len(ids) < 2:
            self.workers += 1
            self.capacity.set_worker(a_worker(self.dice, f"x{self.workers}"))
            return
        id = self.dice.choice(ids)
        room = self.capacity.rooms[id]
        if act == "go":
            for job_id in room.holds:
                del self.ends[job_id]
            self.capacity.remove_worker(id)
        elif act in ("down", "up"):
            self.capacity.set_worker(replace(room.worker, ready=act == "up"))
        else:
            self.capacity.set_worker(replace(room.worker, devices_message="" if act == "back" else "no SSH"))

    def decide(self) -> list[Placement]:
        """Plan; what was chosen is checked against what was asked for."""
        made = list(self.scheduler.plan(self.now_ms))
        for placement in made:
            self.check(placement)
            self.ends[placement.job_id] = self.now_ms + self.asks[placement.job_id].duration_s * 1000
        self.choices += made
        return made

    def check(self, placement: Placement) -> None:
        """A share is on one device, whole GPUs are neighbours, all are what was asked for and take jobs."""
        ask, room = self.asks[placement.job_id], self.capacity.rooms[placement.worker]
        at = [room.index[share.device] for share in placement.shares]
        assert sum(share.tenths for share in placement.shares) == ask.tenths
        assert at == list(range(at[0], at[0] + len(at))) if at else not ask.tenths
        assert len(at) == (1 if 0 < ask.tenths < DEVICE_TENTHS else ask.tenths // DEVICE_TENTHS)
        assert room.takes(ask) and all(able(room.worker, ask)[each] for each in at)
        assert placement.worker not in self.capacity.avoided(ask)


def told(capacity: Capacity) -> dict[str, tuple[object, ...]]:
    """All that capacity has counted."""
    return {
        id: (room.free, room.slots, room.cpu, room.memory_mib, sorted(room.holds))
        for id, room in capacity.rooms.items()
    }


def rebuilt(capacity: Capacity, placement: str) -> Capacity:
    """The same workers and leases, counted from scratch."""
    made = Capacity((room.worker for room in capacity.rooms.values()), placement=placement)
    for id, room in capacity.rooms.items():
        for hold in room.holds.values():
            made.take(
                Placement(hold.job_id, id, hold.shares),
                cpu=hold.cpu,
                memory_mib=hold.memory_mib,
                ends_ms=hold.ends_ms,
            )
    return made


def check_amounts(capacity: Capacity) -> None:
    """Never more than ten tenths on a device, nor more of anything than there is."""
    for room in capacity.rooms.values():
        used = [share for hold in room.holds.values() for share in hold.shares]
        for device, free in zip(room.worker.devices, room.free, strict=True):
            held = sum(share.tenths for share in used if share.device == device.id)
            assert 0 <= held <= DEVICE_TENTHS and free == DEVICE_TENTHS - held
        assert room.slots >= 0 and room.cpu >= 0 and room.memory_mib >= 0


seeds = st.integers(0, 2**32 - 1)
placements = st.sampled_from(PLACEMENTS)


@settings(max_examples=25, deadline=None)
@given(seeds, placements)
def test_what_is_counted_and_chosen_is_right_at_every_moment(seed: int, placement: str) -> None:
    history = History(Random(seed), placement)
    for _ in range(60):
        history.step()
        check_amounts(history.capacity)
        fresh = rebuilt(history.capacity, placement)
        assert told(fresh) == told(history.capacity)
        kept = history.scheduler.kept
        for ask in history.scheduler.line.in_order():
            assert fresh.could_ever(ask) == history.capacity.could_ever(ask)
            found, again = history.capacity.fit(ask), fresh.fit(ask)
            assert (found is None) == (again is None)
            if found is not None and again is not None:
                if placement == "best-fit" and not ask.needs and not ask.gpu_memory_mib:
                    rooms = fresh.rooms[again.worker], history.capacity.rooms[found.worker]
                    assert rooms[0].fullness(ask.tenths) == rooms[1].fullness(ask.tenths)
                # Who waits though there is room waits for somebody ahead, and not for longer than that.
                assert found.worker in kept and kept[found.worker].ask.order <= ask.order
        assert not history.scheduler.plan(history.now_ms), "what could have been chosen was not"


@settings(max_examples=10, deadline=None)
@given(seeds, placements)
def test_the_same_history_gives_the_same_choices(seed: int, placement: str) -> None:
    first, second = History(Random(seed), placement), History(Random(seed), placement)
    for _ in range(80):
        first.step()
        second.step()
    assert first.choices == second.choices and first.scheduler.kept == second.scheduler.kept
    assert first.scheduler.waiting() == second.scheduler.waiting()


@settings(max_examples=40, deadline=None)
@given(seeds, placements)
def test_nobody_behind_puts_off_the_one_a_place_is_kept_for(seed: int, placement: str) -> None:
    """Whoever has a reservation starts by then, unless somebody ahead or a worker's failure is in the way."""
    history = History(Random(seed), placement)
    for _ in range(60):
        history.step()
        workers = {id: room.worker for id, room in history.capacity.rooms.items()}
        promised = dict(history.scheduler.kept)
        history.come()
        history.decide()
        promised = {worker: each for worker, each in promised.items() if not given_up(history, each)}
        history.now_ms += history.dice.choice([1, 30, 600]) * 1000
        history.end_those_over()
        started = {each.job_id: history.now_ms for each in history.decide()}
        assert workers == {id: room.worker for id, room in history.capacity.rooms.items()}
        for each in promised.values():
            if each.ask.job_id not in history.scheduler.line or each.ask.job_id in started:
                continue
            assert history.now_ms <= each.at_ms or passed_by_somebody_ahead(history, each)


def given_up(history: History, reservation: Reservation) -> bool:
    """Whether the worker, or every one that is kept, is kept for somebody ahead now."""
    kept = history.scheduler.kept
    ahead = {worker for worker, each in kept.items() if each.ask.order < reservation.ask.order}
    all_there_are = 1 + len(history.capacity.rooms) // WORKERS_PER_RESERVATION
    return reservation.worker in ahead or len(ahead) == all_there_are


def passed_by_somebody_ahead(history: History, reservation: Reservation) -> bool:
    """Whether somebody ahead in the line holds or keeps something on the worker."""
    room = history.capacity.rooms[reservation.worker]
    there = [history.asks[job_id] for job_id in room.holds]
    ahead = [ask for ask in there if ask.order < reservation.ask.order]
    keeper = history.scheduler.kept.get(reservation.worker)
    return bool(ahead) or (keeper is not None and keeper.ask.order < reservation.ask.order)


@pytest.mark.parametrize("placement", PLACEMENTS)
@settings(max_examples=20, deadline=None)
@given(seed=seeds)
def test_nobody_is_passed_over_forever(placement: str, seed: int) -> None:
    """Under a stream that fills the cluster, of higher priority, everybody starts in bounded time."""
    dice = Random(seed)
    history = History(dice, placement)
    history.come()
    before = [replace(ask, priority=-1) for ask in history.scheduler.line.in_order()]
    for ask in before:
        history.asks[ask.job_id] = ask
        history.scheduler.line.add(ask)
    # Who comes this long after them with priority 1 stands behind them.
    last_ahead_ms = history.now_ms + 2 * PRIORITY_STEP_MS
    longest_ms = 3600 * 1000
    limit_ms = 0
    while any(ask.job_id in history.scheduler.line for ask in before):
        history.now_ms += 4 * MINUTE_MS
        history.number += 1
        stream = an_ask(dice, history.number, history.now_ms, [])
        stream = replace(stream, priority=1, needs=frozenset())
        if history.capacity.could_ever(stream):
            history.asks[stream.job_id] = stream
            history.scheduler.line.add(stream)
        history.end_those_over()
        history.decide()
        ahead = len([ask for ask in history.asks.values() if ask.created_ms < last_ahead_ms])
        limit_ms = last_ahead_ms + ahead * longest_ms
        assert history.now_ms < limit_ms


def test_priority_counts_as_so_much_age() -> None:
    old = Ask("old", number=1, created_ms=0)
    soon = Ask("soon", number=2, created_ms=3 * PRIORITY_STEP_MS - 1, priority=3)
    late = Ask("late", number=3, created_ms=3 * PRIORITY_STEP_MS + 1, priority=3)
    assert soon.order < old.order < late.order


def test_a_place_is_kept_from_those_behind_only() -> None:
    capacity = Capacity([Worker("w", "swarm", slots=9, devices=(Device("0"),))])
    capacity.take(Placement("runs", "w", ()), ends_ms=10_000)
    big = Ask("big", tenths=10, number=5)
    kept = {"w": Reservation(big, "w", 10_000)}
    room = capacity.rooms["w"]

    def may_go(ask: Ask) -> bool:
        placement = capacity.fit(ask)
        return placement is not None and leaves_room(capacity, kept, ask, 0, room, placement)

    assert may_go(Ask("short", tenths=3, number=6, duration_s=10))
    assert not may_go(Ask("long", tenths=3, number=6, duration_s=11))
    assert may_go(Ask("ahead", tenths=3, number=4, duration_s=11))
