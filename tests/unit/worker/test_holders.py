"""Bookings held by libchronos: by a stand-in of its Python package, which counts as it does."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable

import pytest

from cumulus_worker import holders
from cumulus_worker.devices import Device
from cumulus_worker.ledger_file import Booking
from cumulus_worker.refusal import Refusal

DEVICES = (Device(0, "GPU-a"), Device(1, "GPU-b"))


class FakePartitioner:
    """One device; floating point, names and complaints as upstream's."""

    def __init__(self) -> None:
        self.total = 8_350_000_127
        self.free = self.total
        self.held: dict[str, tuple[int, int]] = {}

    def get_available(self, device: int) -> float:
        if device != 0:
            raise RuntimeError("Failed to get available percentage: Invalid device index")
        return 100.0 * self.free / self.total

    def create_raw(self, device: int, memory: float, duration: int) -> str:
        wanted = int(self.total * memory)
        if wanted > self.free:
            raise RuntimeError("Failed to create partition: Failed to create partition")
        self.free -= wanted
        name = f"partition_1_2_{len(self.held):04d}"
        self.held[name] = (wanted, duration)
        return name

    def release(self, name: str) -> bool:
        if name not in self.held:
            raise RuntimeError("Failed to release partition: Failed to release partition")
        self.free += self.held.pop(name)[0]
        return True


def booking(name: str, tenths: int, device: int = 0) -> Booking:
    return Booking(name, device, DEVICES[device].uuid, tenths, 0)


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Callable[[object], None]:
    def install(partitioner: object) -> None:
        package = types.ModuleType("chronos")
        package.Partitioner = partitioner  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "chronos", package)

    return install


def test_all_of_a_device_can_be_held_in_parts() -> None:
    for parts in ([1] * 10, [7, 3], [5, 5], [6, 4], [10], [9, 1]):
        held = holders.LibChronos(FakePartitioner())
        for number, tenths in enumerate(parts):
            held.hold(booking(str(number), tenths), 60)


def test_it_holds_longer_than_the_ledger_and_lets_go_when_told() -> None:
    upstream = FakePartitioner()
    held = holders.LibChronos(upstream)
    held.hold(booking("a", 5), 60)
    assert [seconds for _, seconds in upstream.held.values()] == [120]
    held.hold(booking("a", 5), 600)
    assert [seconds for _, seconds in upstream.held.values()] == [660]
    held.drop(booking("a", 5))
    held.drop(booking("a", 5))
    assert upstream.held == {} and upstream.free == upstream.total


def test_what_it_refuses_is_refused() -> None:
    upstream = FakePartitioner()
    upstream.create_raw(0, 0.8, 60)
    with pytest.raises(Refusal, match=r"Chronos refused 0\.5 of device 0"):
        holders.LibChronos(upstream).hold(booking("a", 5), 60)


def test_what_it_does_not_know_is_the_ledgers_alone() -> None:
    upstream = FakePartitioner()
    held = holders.LibChronos(upstream)
    held.hold(booking("a", 5, device=1), 60)
    assert upstream.held == {}


def test_one_that_it_ended_by_itself_can_be_dropped() -> None:
    upstream = FakePartitioner()
    held = holders.LibChronos(upstream)
    held.hold(booking("a", 5), 60)
    upstream.held.clear()
    held.drop(booking("a", 5))


def test_it_is_used_where_it_loads(upstream: Callable[[object], None]) -> None:
    upstream(FakePartitioner)
    assert holders.best(DEVICES).name == "chronos"
    assert holders.best(DEVICES, wanted="ledger").name == "ledger"
    assert holders.best(DEVICES, exclusive=True).name == "ledger"


def test_it_is_left_out_where_it_does_not(upstream: Callable[[object], None]) -> None:
    def stub() -> None:
        raise RuntimeError("Failed to load native library: GLIBC_2.38 not found\n\nTo fix: ...")

    upstream(stub)
    assert holders.best(DEVICES).name == "ledger"
    upstream(FakePartitioner)
    assert holders.best((Device(1, "GPU-b"),)).name == "ledger"
