"""What the ledger promises: tenths, names, times, and that a restart changes none of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cumulus_worker.devices import Device
from cumulus_worker.ledger_file import LedgerFile
from cumulus_worker.refusal import Refusal

from .ledgers import DEVICES, Host


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def refusal(host: Host, line: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        host.create(line)
    return caught.value


def test_a_share_counts_until_it_is_released(host: Host) -> None:
    booking = host.create("0 0.7 60")
    assert booking.partition == "partition_644_1795298200394_0001"
    assert (host.ledger.left(0), host.ledger.left(1)) == (3, 10)
    host.ledger.release(booking.partition)
    assert host.ledger.left(0) == 10


def test_ten_tenths_are_exactly_one_device(host: Host) -> None:
    for _ in range(10):
        host.create("0 0.1 60")
    assert host.ledger.left(0) == 0
    refused = refusal(host, "0 0.1 60")
    assert (refused.code, refused.message) == ("REFUSED", "Device 0 has 0.0 left, not 0.1")
    host.create("1 1.0 60")


def test_a_refusal_names_what_is_left(host: Host) -> None:
    host.create("0 0.7 60")
    assert refusal(host, "0 0.5 60").message == "Device 0 has 0.3 left, not 0.5"


def test_a_device_that_is_not_there_is_named(host: Host) -> None:
    refused = refusal(host, "7 0.5 60")
    assert refused.code == "INVALID"
    assert refused.message == "Invalid device index: 7 (there are: 0, 1)"


def test_time_ends_a_booking(host: Host) -> None:
    booking = host.create("0 1.0 60")
    host.clock.pass_s(59.999)
    assert host.partitions() == [booking.partition] and host.ledger.next_deadline_s() == 0.001
    host.clock.pass_s(0.001)
    assert host.partitions() == [] and host.holder.held == {}
    with pytest.raises(Refusal, match="not found or already released"):
        host.ledger.release(booking.partition)
    host.create("0 1.0 60")


def test_a_clock_that_is_set_ends_nothing(host: Host) -> None:
    host.create("0 0.5 60")
    host.clock.epoch_ms += 3_600_000
    assert len(host.partitions()) == 1
    host.clock.epoch_ms -= 7_200_000
    host.create("0 0.5 60")
    assert len(set(host.partitions())) == 2


def test_the_same_key_is_the_same_partition_and_is_renewed(host: Host) -> None:
    first = host.create("0 0.5 60 --owner relay --key job-1")
    host.clock.pass_s(50)
    again = host.create("0 0.5 60 --owner relay --key job-1")
    assert again.partition == first.partition
    assert host.ledger.remaining_s(again) == 60 and host.ledger.left(0) == 5
    assert host.holder.held == {first.partition: 60}
    shorter = host.create("0 0.5 10 --owner relay --key job-1")
    assert host.ledger.remaining_s(shorter) == 60
    assert host.partitions("relay") == [first.partition]


def test_another_owner_or_device_is_another_partition(host: Host) -> None:
    lines = ("0 0.2 60 --owner a --key k", "0 0.2 60 --owner b --key k", "1 0.2 60 --owner a --key k")
    assert len({host.create(line).partition for line in lines}) == 3
    assert len({host.create("0 0.1 60 --owner a").partition for _ in range(2)}) == 2


def test_a_key_cannot_change_its_share(host: Host) -> None:
    first = host.create("0 0.5 60 --owner relay --key job-1")
    refused = refusal(host, "0 0.3 60 --owner relay --key job-1")
    assert refused.message == "job-1 has 0.5 of device 0 already, not 0.3"
    assert first.partition in refused.next


def test_a_renewal_needs_no_room(host: Host) -> None:
    host.create("0 0.5 60 --owner relay --key job-1")
    host.create("0 0.5 60")
    host.create("0 0.5 600 --owner relay --key job-1")


def test_bookings_survive_the_daemon(host: Host) -> None:
    booking = host.create("0 0.5 60 --owner relay --key job-1")
    host.clock.pass_s(20)
    host.start()
    assert host.ledger.bookings() == [booking]
    assert host.ledger.remaining_s(booking) == 40
    assert host.holder.held == {booking.partition: 40}
    assert host.create("0 0.5 60 --owner relay --key job-1").partition == booking.partition


def test_what_ended_while_the_daemon_was_away_is_over(host: Host) -> None:
    host.create("0 0.5 60")
    host.clock.pass_s(61)
    host.start()
    assert host.partitions() == [] and host.holder.held == {}


def test_after_the_host_was_started_again_the_time_left_at_the_last_save_goes_on(host: Host) -> None:
    host.create("0 0.5 600")
    host.clock.pass_s(100)
    host.ledger.keep()
    host.clock.pass_s(30)
    host.clock.start_again()
    host.start()
    [booking] = host.ledger.bookings()
    assert host.ledger.remaining_s(booking) == 500
    # From then on it is known by the new boot.
    host.clock.pass_s(100)
    host.start()
    assert host.ledger.remaining_s(host.ledger.bookings()[0]) == 400


def test_a_clock_behind_its_last_save_is_another_boot(host: Host) -> None:
    host.create("0 0.5 600")
    host.clock.boot_ms = 1000
    host.start()
    assert host.ledger.remaining_s(host.ledger.bookings()[0]) == 600


def test_names_are_not_used_twice_though_process_and_clock_are_the_same(host: Host) -> None:
    names = []
    for _ in range(3):
        names.append(host.create("0 0.1 60").partition)
        host.ledger.release(names[-1])
        host.start()
    assert len(set(names)) == 3


def test_a_booking_stays_with_its_device_when_indices_move(host: Host) -> None:
    host.create("0 0.9 60")
    kept = host.create("1 0.6 60")
    host.devices = (Device(0, "GPU-b", "B"),)
    host.start()
    assert host.ledger.left(0) == 4
    assert [booking.device for booking in host.ledger.bookings() if booking.uuid == "GPU-b"] == [0]
    host.devices = DEVICES
    host.start()
    assert (host.ledger.left(0), host.ledger.left(1)) == (1, 4)
    host.ledger.release(kept.partition)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"version": 2, "issued": 7, "bookings": []}',
        b'{"version": 1, "boot_id": "x", "saved_ms": 1, "issued": 7, "bookings": [{"partition": 1}]}',
        b'{"version": 1, "boot_id": "x", "saved_ms": 1, "issued": 7, "bookings": [{"partition": "p",'
        b' "device": 0, "uuid": "u", "tenths": 11, "deadline_ms": 9}]}',
        b'{"partition": "partition_644_1795298200394_0007", "issued": 3',
        b"[" * 100_000,
    ],
)
def test_a_ledger_that_cannot_be_read_is_told_and_kept_aside(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ledger.json").write_bytes(content)
    host = Host(tmp_path)
    assert "could not be read" in host.ledger.warning
    [aside] = [path for path in tmp_path.iterdir() if "unreadable" in path.name]
    assert aside.read_bytes() == content and str(aside) in host.ledger.warning
    booking = host.create("0 0.5 60")
    # Its number goes on after the last one that could be made out.
    assert booking.partition.endswith("_0008" if b"7" in content else "_0001")
    host.start()
    assert host.partitions() == [booking.partition] and not host.ledger.warning


def test_one_kept_aside_is_never_replaced(tmp_path: Path) -> None:
    for content in (b"one", b"two"):
        (tmp_path / "ledger.json").write_bytes(content)
        Host(tmp_path)
    asides = [path.read_bytes() for path in tmp_path.iterdir() if "unreadable" in path.name]
    assert sorted(asides) == [b"one", b"two"]


def test_a_ledger_that_may_not_be_read_ends_the_start(tmp_path: Path) -> None:
    (tmp_path / "ledger.json").mkdir()
    with pytest.raises(IsADirectoryError):
        Host(tmp_path)


def test_nothing_is_booked_that_cannot_be_kept(host: Host) -> None:
    host.create("0 0.5 60")
    host.file.full = True
    refused = refusal(host, "0 0.5 60")
    assert refused.code == "UNAVAILABLE" and "No space left on device" in refused.message
    assert host.ledger.left(0) == 5 and len(host.holder.held) == 1
    refused = refusal(host, "0 0.5 600 --owner a --key b")
    assert refused.code == "UNAVAILABLE"
    host.file.full = False
    host.create("0 0.5 60")


def test_a_renewal_that_cannot_be_kept_changes_nothing(host: Host) -> None:
    booking = host.create("0 0.5 60 --owner a --key b")
    host.file.full = True
    assert refusal(host, "0 0.5 600 --owner a --key b").code == "UNAVAILABLE"
    assert host.ledger.remaining_s(host.ledger.bookings()[0]) == 60
    assert host.holder.held == {booking.partition: 60}


def test_a_release_needs_no_room_on_the_disk(host: Host) -> None:
    first, second = host.create("0 0.5 60"), host.create("0 0.5 60")
    host.file.full = True
    host.ledger.release(first.partition)
    assert host.partitions() == [second.partition]
    host.file.full = False
    host.ledger.keep()
    host.start()
    assert host.partitions() == [second.partition]


def test_a_write_that_fails_leaves_what_was_there(host: Host, tmp_path: Path) -> None:
    host.create("0 0.5 60")
    before = (tmp_path / "ledger.json").read_bytes()
    (tmp_path / "ledger.json.new").mkdir()
    with pytest.raises(Refusal, match="cannot be written"):
        host.create("0 0.5 60")
    assert (tmp_path / "ledger.json").read_bytes() == before
    (tmp_path / "ledger.json.new").rmdir()
    host.create("0 0.5 60")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ledger.json"]


def test_what_was_half_written_when_the_power_went_is_not_read(host: Host, tmp_path: Path) -> None:
    booking = host.create("0 0.5 60")
    (tmp_path / "ledger.json.new").write_text('{"version": 1, "boo')
    host.start()
    assert host.partitions() == [booking.partition] and not host.ledger.warning


def test_a_share_that_chronos_refuses_is_refused(host: Host) -> None:
    host.holder.refuses = True
    assert refusal(host, "0 0.5 60").message == "libfake says no"
    assert host.partitions() == [] and host.ledger.left(0) == 10
    host.start()
    assert host.partitions() == []


def test_what_was_promised_stands_though_chronos_refuses_it_later(host: Host) -> None:
    host.create("0 0.5 60 --owner a --key b")
    host.holder.refuses = True
    host.create("0 0.5 600 --owner a --key b")
    assert host.ledger.left(0) == 5


def test_the_end_of_the_daemon_leaves_bookings_and_drops_holds(host: Host) -> None:
    booking = host.create("0 0.5 60")
    host.ledger.close()
    assert host.holder.held == {}
    host.start()
    assert host.partitions() == [booking.partition]


def test_a_ledger_reads_back_as_it_was_written(host: Host, tmp_path: Path) -> None:
    host.create("0 0.5 60 --owner relay --key job-1 --user alice")
    record = LedgerFile(tmp_path / "ledger.json").read()
    assert record is not None and record.bookings == tuple(host.ledger.bookings())
    assert json.loads((tmp_path / "ledger.json").read_text())["version"] == 1
