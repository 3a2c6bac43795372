"""Whatever is asked in whatever order: never more than ten tenths, a name twice, or a booking lost."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cumulus_worker.ledger_file import Booking
from cumulus_worker.refusal import Refusal

from .ledgers import Host

_PLACES = st.integers(min_value=0, max_value=1)
_TENTHS = st.integers(min_value=1, max_value=10)
_SECONDS = st.integers(min_value=1, max_value=100)


class Bookings(RuleBasedStateMachine):
    """A ledger beside a model of it: what was accepted, and until when."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.host = Host(Path(self._folder.name))
        #: Name -> (device, tenths, deadline, key), of what was accepted and not released.
        self.model: dict[str, tuple[int, int, int, str]] = {}
        self.names: set[str] = set()

    def teardown(self) -> None:
        self._folder.cleanup()

    @rule(device=_PLACES, tenths=_TENTHS, seconds=_SECONDS, key=st.sampled_from(["", "a", "b"]))
    def create(self, device: int, tenths: int, seconds: int, key: str) -> None:
        named = f" --owner relay --key {key}" if key else ""
        before = self._live()
        same = [name for name, (d, _, _, k) in before.items() if key and (d, k) == (device, key)]
        left = 10 - sum(t for d, t, _, _ in before.values() if d == device)
        try:
            booking = self.host.create(f"{device} {tenths / 10} {seconds}{named}")
        except Refusal as refusal:
            different = bool(same) and before[same[0]][1] != tenths
            full = self.host.file.full
            assert different or full or (not same and tenths > left), refusal
            return
        self._accepted(booking, seconds, same, left)

    def _accepted(self, booking: Booking, seconds: int, same: list[str], left: int) -> None:
        deadline_ms = self.host.clock.boot_ms + seconds * 1000
        if same:
            assert booking.partition == same[0]
            deadline_ms = max(deadline_ms, self.model[same[0]][2])
        else:
            assert booking.tenths <= left
            assert booking.partition not in self.names
        self.names.add(booking.partition)
        self.model[booking.partition] = (booking.device, booking.tenths, deadline_ms, booking.key)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        if not self.names:
            return
        name = data.draw(st.sampled_from(sorted(self.names)))
        live = name in self._live()
        try:
            self.host.ledger.release(name)
        except Refusal as refusal:
            assert refusal.code == "NOT_FOUND" and not live
        else:
            assert live
        self.model.pop(name, None)

    @rule(seconds=_SECONDS)
    def time_passes(self, seconds: int) -> None:
        self.host.clock.pass_s(seconds)

    @rule(seconds=st.integers(min_value=-10_000, max_value=10_000))
    def clock_is_set(self, seconds: int) -> None:
        self.host.clock.epoch_ms += seconds * 1000

    @rule()
    def daemon_is_killed(self) -> None:
        if not self.host.file.full:
            self.host.ledger.keep()
            self.host.start()

    @rule()
    def daemon_is_stopped(self) -> None:
        if not self.host.file.full:
            self.host.ledger.close()
            self.host.pid += 1
            self.host.start()

    @rule()
    def host_is_started_again(self) -> None:
        if self.host.file.full:
            return
        self.host.ledger.keep()
        before_ms = self.host.clock.boot_ms
        live = self._live()
        self.host.clock.start_again()
        gone_by_ms = self.host.clock.boot_ms - before_ms
        self.model = {name: (d, t, end + gone_by_ms, k) for name, (d, t, end, k) in live.items()}
        self.host.start()

    @rule(full=st.booleans())
    def disk(self, full: bool) -> None:
        self.host.file.full = full

    @invariant()
    def never_more_than_ten_tenths(self) -> None:
        for device in (0, 1):
            booked = sum(b.tenths for b in self.host.ledger.bookings() if b.device == device)
            assert booked <= 10 and self.host.ledger.left(device) == 10 - booked

    @invariant()
    def what_was_accepted_is_there(self) -> None:
        there = {b.partition: (b.device, b.tenths, b.deadline_ms, b.key) for b in self.host.ledger.bookings()}
        assert there == self._live()

    @invariant()
    def what_is_on_disk_is_never_too_much(self) -> None:
        record = self.host.file.read()
        for device in ("GPU-a", "GPU-b"):
            assert sum(b.tenths for b in record.bookings if b.uuid == device) <= 10 if record else True

    def _live(self) -> dict[str, tuple[int, int, int, str]]:
        now_ms = self.host.clock.boot_ms
        return {name: told for name, told in self.model.items() if told[2] > now_ms}


TestBookings = Bookings.TestCase
TestBookings.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
