"""Placement: capacity is never exceeded, shares stay on one device, and nobody waits forever."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cumulus_server.scheduling.capacity import Capacity
from cumulus_server.scheduling.line import Line
from cumulus_server.scheduling.model import DEVICE_TENTHS, Ask, Device, Placement, Share, Worker
from cumulus_server.scheduling.plan import plan, reserve
from cumulus_server.scheduling.scheduler import Scheduler


def worker(id: str = "w", gpus: int = 1, slots: int = 20, **more: object) -> Worker:
    devices = tuple(Device(f"{id}-gpu{at}") for at in range(gpus))
    fields: dict[str, object] = {"memory_mib": 1000, "pythons": ("3.11",)} | more
    return Worker(id=id, executor="process", slots=slots, devices=devices, **fields)  # type: ignore[arg-type]


def scheduler(*workers: Worker) -> Scheduler:
    made = Scheduler()
    for each in workers:
        made.capacity.set_worker(each)
    return made


def place(made: Scheduler, *asks: Ask, now_ms: int = 0) -> dict[str, Placement]:
    for ask in asks:
        made.line.add(ask)
    return {placement.job_id: placement for placement in made.plan(now_ms)}


def test_ten_tenths_fill_a_device_and_the_eleventh_waits() -> None:
    made = scheduler(worker())
    asks = [Ask(f"j{at:02}", tenths=1, number=at) for at in range(11)]
    assert list(place(made, *asks)) == [f"j{at:02}" for at in range(10)]
    assert [(waiting.job_id, waiting.position) for waiting in made.waiting()] == [("j10", 1)]
    made.capacity.give_back("j03")
    assert list(place(made)) == ["j10"]


def test_a_share_goes_to_the_device_it_fills_best() -> None:
    made = scheduler(worker(gpus=3))
    first = place(made, Ask("a", tenths=5), Ask("b", tenths=7, number=1))
    assert first["a"].shares[0].device != first["b"].shares[0].device
    assert place(made, Ask("c", tenths=3))["c"].shares == (Share(first["b"].shares[0].device, 3),)
    assert place(made, Ask("d", tenths=5))["d"].shares == (Share(first["a"].shares[0].device, 5),)


def test_a_share_goes_to_the_worker_it_fills_best() -> None:
    made = scheduler(worker("a"), worker("b"))
    where = place(made, Ask("x", tenths=5))["x"].worker
    assert place(made, Ask("y", tenths=5))["y"].worker == where


def test_whole_gpus_are_neighbours_from_the_shortest_run_that_is_long_enough() -> None:
    made = scheduler(worker(gpus=8))
    made.capacity.take(Placement("held", "w", (Share("w-gpu2", 1),)))
    assert [share.device for share in place(made, Ask("two", tenths=20))["two"].shares] == [
        "w-gpu0",
        "w-gpu1",
    ]
    assert len(place(made, Ask("four", tenths=40))["four"].shares) == 4
    assert not place(made, Ask("more", tenths=20))


def test_jobs_without_a_gpu_spread_over_the_workers() -> None:
    made = scheduler(worker("a", gpus=0), worker("b", gpus=0))
    places = place(made, *(Ask(f"j{at}", number=at) for at in range(6)))
    assert sorted(placement.worker for placement in places.values()) == ["a"] * 3 + ["b"] * 3


def test_slots_bound_what_runs_at_once() -> None:
    made = scheduler(worker(slots=2))
    assert len(place(made, *(Ask(f"j{at}", number=at) for at in range(3)))) == 2
    assert made.waiting()[0].reason.startswith("all 2 places for jobs are taken; w is kept for it")


def test_memory_that_is_asked_for_is_booked() -> None:
    made = scheduler(worker(memory_mib=1000))
    assert list(place(made, Ask("a", memory_mib=700), Ask("b", memory_mib=700, number=1))) == ["a"]
    assert made.waiting()[0].reason.startswith("waiting for 700 MiB of memory; w is kept for it")


def test_priority_goes_before_age() -> None:
    made = scheduler(worker(slots=1))
    assert list(place(made, Ask("old", number=1), Ask("urgent", number=2, priority=1))) == ["urgent"]


def test_a_worker_that_is_down_takes_nothing_and_keeps_what_it_has() -> None:
    made = scheduler(worker())
    place(made, Ask("a", tenths=5))
    made.capacity.set_worker(worker(ready=False))
    assert not place(made, Ask("b", tenths=5))
    made.capacity.set_worker(worker())
    assert made.capacity.rooms["w"].free == [5]
    assert list(place(made)) == ["b"]


def test_a_small_job_slips_past_where_it_is_over_in_time() -> None:
    made = scheduler(worker())
    place(made, Ask("runs", tenths=6, duration_s=100))
    slipped = place(
        made,
        Ask("big", tenths=10, number=1),
        Ask("short", tenths=3, number=2, duration_s=90),
        Ask("long", tenths=1, number=3, duration_s=110),
    )
    assert list(slipped) == ["short"]


def test_a_small_job_slips_past_where_it_leaves_the_place_free() -> None:
    made = scheduler(worker(gpus=1))
    place(made, Ask("runs", tenths=6, duration_s=100))
    slipped = place(made, Ask("big", tenths=7, number=1), Ask("long", tenths=3, number=2, duration_s=9999))
    assert list(slipped) == ["long"]


def test_who_comes_to_stand_first_takes_the_place_that_is_kept_for_another() -> None:
    made = scheduler(worker())
    place(made, Ask("long", tenths=5, duration_s=3600), Ask("short", tenths=3, duration_s=60))
    assert not place(made, Ask("older", tenths=5, number=2), Ask("old", tenths=5, number=3))
    assert not place(made, Ask("urgent", tenths=10, number=4, priority=5))
    assert {each.ask.job_id for each in made.kept.values()} == {"urgent"}
    # Neither of those behind would be over in time for it.
    made.capacity.give_back("short")
    assert not place(made, now_ms=1000)
    made.capacity.give_back("long")
    assert list(place(made, now_ms=2000)) == ["urgent"]


def test_a_stream_of_small_jobs_does_not_starve_a_big_one() -> None:
    made = scheduler(worker())
    place(made, *(Ask(f"s{at}", tenths=1, number=at, duration_s=100) for at in range(10)))
    made.line.add(Ask("big", tenths=10, number=10))
    for second in range(1, 200):
        made.line.add(Ask(f"t{second:03}", tenths=1, number=1000 * second, duration_s=100))
        for hold in list(made.capacity.rooms["w"].holds.values()):
            if hold.ends_ms <= second * 1000:
                made.capacity.give_back(hold.job_id)
        if "big" in place(made, now_ms=second * 1000):
            break
    assert second == 100


def test_has_room_is_what_planning_would_do() -> None:
    made = scheduler(worker())
    assert made.has_room(Ask("", tenths=10), 0)
    place(made, Ask("a", tenths=5))
    assert not made.has_room(Ask("", tenths=10), 0)
    place(made, Ask("big", tenths=10, number=1))
    assert not made.has_room(Ask("", tenths=5, number=0, duration_s=7200), 0)


workers = st.lists(
    st.builds(
        worker,
        id=st.uuids().map(str),
        gpus=st.integers(0, 5),
        slots=st.integers(1, 12),
        memory_mib=st.integers(0, 100),
    ),
    min_size=1,
    max_size=4,
)
tenths = st.one_of(st.integers(0, 9), st.sampled_from([10, 20, 30, 40]))
asks = st.builds(
    Ask,
    job_id=st.uuids().map(str),
    tenths=tenths,
    memory_mib=st.integers(0, 60),
    duration_s=st.integers(1, 50),
    priority=st.integers(0, 1),
    number=st.integers(0, 5),
)


@settings(max_examples=300, deadline=None)
@given(workers, st.lists(st.lists(asks, max_size=6), max_size=6), st.randoms(use_true_random=False))
def test_capacity_is_never_exceeded(fleet: list[Worker], rounds: list[list[Ask]], random: object) -> None:
    made = scheduler(*fleet)
    by_id: dict[str, Ask] = {}
    for now, arrivals in enumerate(rounds):
        by_id |= {ask.job_id: ask for ask in arrivals}
        for id, placement in place(made, *arrivals, now_ms=now * 10_000).items():
            held = sum(share.tenths for share in placement.shares)
            assert held == by_id[id].tenths
            if held % DEVICE_TENTHS:
                assert len(placement.shares) == 1
            at = [made.capacity.rooms[placement.worker].index[share.device] for share in placement.shares]
            assert at == list(range(at[0], at[0] + len(at))) if at else True
        for room in made.capacity.rooms.values():
            assert all(0 <= free <= DEVICE_TENTHS for free in room.free)
            assert room.slots >= 0 and room.memory_mib >= 0
            used = [share for hold in room.holds.values() for share in hold.shares]
            for device, free in zip(room.worker.devices, room.free, strict=True):
                assert free == DEVICE_TENTHS - sum(s.tenths for s in used if s.device == device.id)
        running = [id for room in made.capacity.rooms.values() for id in room.holds]
        for id in running:
            if random.random() < 0.4:  # type: ignore[attr-defined]
                made.capacity.give_back(id)


@settings(max_examples=150, deadline=None)
@given(workers, st.lists(asks, min_size=1, max_size=25))
def test_everybody_who_could_be_held_is_served_in_the_end(fleet: list[Worker], line: list[Ask]) -> None:
    """With jobs that end by their time, and small ones that keep coming."""
    made = scheduler(*fleet)
    waiting = {ask.job_id for ask in line if made.capacity.could_ever(ask)}
    for ask in line:
        if ask.job_id in waiting:
            made.line.add(ask)
    now = 0
    while waiting:
        for room in made.capacity.rooms.values():
            for hold in list(room.holds.values()):
                if hold.ends_ms <= now:
                    made.capacity.give_back(hold.job_id)
        made.line.add(Ask(f"late-{now}", tenths=1, duration_s=30, number=10 + now))
        waiting -= {placement.job_id for placement in made.plan(now)}
        now += 5_000
        assert now < 5_000_000


@settings(max_examples=150, deadline=None)
@given(workers, st.lists(asks, min_size=2, max_size=20))
def test_the_first_in_line_starts_by_the_time_it_was_promised(fleet: list[Worker], line: list[Ask]) -> None:
    capacity, queue = Capacity(fleet), Line()
    for ask in line:
        if capacity.could_ever(ask):
            queue.add(ask)
    for promised in plan(capacity, queue, 0).kept.values():
        again = reserve(capacity, promised.ask, 0)
        assert again is not None and again.at_ms <= promised.at_ms
        room = capacity.rooms[promised.worker]
        then = room.without(hold.job_id for hold in room.holds.values() if hold.ends_ms <= promised.at_ms)
        assert then.fits(promised.ask)


def test_the_line_forgets_those_who_left() -> None:
    line = Line()
    for at in range(5):
        line.add(Ask(f"j{at}", number=at))
    line.remove("j0")
    line.remove("j3")
    assert line.remove("j3") is None
    assert [ask.job_id for ask in line.in_order()] == ["j1", "j2", "j4"]
    assert [line.position(job_id) for job_id in ("j1", "j2", "j4")] == [1, 2, 3]
    (group,) = line.groups()
    served = []
    while (head := group.head(line.asks)) is not None:
        served.append(head.job_id)
        line.remove(head.job_id)
    assert served == ["j1", "j2", "j4"] and len(line) == 0
