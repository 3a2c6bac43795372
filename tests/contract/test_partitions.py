"""What a partition that books on nodes promises the reconcile loop, on a fake and on the real daemon."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import pytest

from cumulus_server.partitions.base import BookingRequest, PartitionAway, PartitionFailed
from cumulus_server.partitions.chronos import ChronosPartition
from cumulus_server.scheduling.model import Device, Share

from .partition_harness import NODE, NOWHERE, FakePartitionHarness, HostHarness, PartitionHarness

DEVICES = (Device("GPU-a", index=0), Device("GPU-b", index=1))


@pytest.fixture(scope="module")
def host() -> Iterator[HostHarness]:
    made = HostHarness()
    yield made
    made.close()


@pytest.fixture(params=["fake", pytest.param("chronosd", marks=pytest.mark.needs_engine)])
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[PartitionHarness]:
    made: PartitionHarness = FakePartitionHarness()
    if request.param == "chronosd":
        made = request.getfixturevalue("host")
        assert isinstance(made, HostHarness)
        made.connect()
    yield made
    made.clear()


@pytest.fixture
def partition(harness: PartitionHarness) -> ChronosPartition:
    return ChronosPartition(harness.remote, "relay1", backoff_s=0.05)


def asking(job_id: str, *tenths: int, node: str = NODE, first: int = 0) -> BookingRequest:
    devices = DEVICES[first : first + len(tenths)]
    shares = [Share(device.id, each) for device, each in zip(devices, tenths, strict=True)]
    return BookingRequest(job_id, 1, "w", shares, devices, 600, node)


async def test_what_is_booked_is_told(partition: ChronosPartition) -> None:
    request = asking("job-1", 5)
    assert partition.instant(request) is None
    booking = await partition.create(request)
    assert json.loads(json.dumps(booking)) == booking
    assert (booking["version"], booking["partition"], booking["node"]) == (1, "chronos", NODE)
    (entry,) = await partition.list(NODE) or ()
    assert (entry.job_id, entry.attempt, entry.index, entry.tenths) == ("job-1", 1, 0, 5)
    assert 850 < entry.remaining_s <= 900
    assert partition.enforced_by(booking) in ("mps", "mig", "framework", "none")
    assert partition.environment(booking)["CUDA_VISIBLE_DEVICES"] == "GPU-a"
    assert list(partition.mounts(booking)) == []


async def test_the_same_attempt_again_is_the_same_booking(partition: ChronosPartition) -> None:
    booking = await partition.create(asking("job-1", 5))
    assert await partition.create(asking("job-1", 5)) == booking
    assert len(await partition.list(NODE) or ()) == 1


async def test_whole_devices_are_booked_each(partition: ChronosPartition) -> None:
    booking = await partition.create(asking("job-1", 10, 10))
    assert [share["index"] for share in booking["shares"]] == [0, 1]
    assert sorted(entry.index for entry in await partition.list(NODE) or ()) == [0, 1]
    await partition.release(NODE, "job-1", 1, booking)
    assert not await partition.list(NODE)


async def test_more_than_is_left_is_refused_with_the_reason(partition: ChronosPartition) -> None:
    await partition.create(asking("job-1", 7))
    told: list[str] = []
    with pytest.raises(PartitionFailed, match="Chronos partition creation failed: .*0.3") as raised:
        await partition.create(asking("job-2", 5), told.append)
    assert not raised.value.away and raised.value.next
    assert len(told) == 2 and all("trying again" in words for words in told)
    assert {entry.job_id for entry in await partition.list(NODE) or ()} == {"job-1"}


async def test_what_can_never_be_booked_is_tried_once(partition: ChronosPartition) -> None:
    told: list[str] = []
    beyond = BookingRequest("job-1", 1, "w", [Share("x", 5)], [Device("x", index=7)], 600, NODE)
    with pytest.raises(PartitionFailed, match="Chronos partition creation failed: "):
        await partition.create(beyond, told.append)
    assert not told


async def test_room_that_comes_meanwhile_is_taken(partition: ChronosPartition) -> None:
    first = await partition.create(asking("job-1", 7))
    freeing: list[asyncio.Task[None]] = []

    def free(words: str) -> None:
        release = partition.release(NODE, "job-1", 1, first)
        freeing.append(asyncio.get_running_loop().create_task(release))

    await partition.create(asking("job-2", 5), free)
    await asyncio.gather(*freeing)
    assert {entry.job_id for entry in await partition.list(NODE) or ()} == {"job-2"}


async def test_a_booking_is_released_by_its_ids_and_by_its_name_and_twice(
    partition: ChronosPartition,
) -> None:
    kept = await partition.create(asking("job-2", 1, first=1))
    booking = await partition.create(asking("job-1", 5))
    for given in (booking, booking, None):
        await partition.release(NODE, "job-1", 1, given)
    await partition.create(asking("job-1", 5))
    for _ in range(2):
        await partition.release(NODE, "job-1", 1, None)
    (entry,) = await partition.list(NODE) or ()
    assert entry.id == kept["shares"][0]["id"]
    for _ in range(2):
        await partition.drop(NODE, entry)
    assert not await partition.list(NODE)


async def test_others_bookings_are_not_ours(harness: PartitionHarness, partition: ChronosPartition) -> None:
    other = ChronosPartition(harness.remote, "relay2")
    await other.create(asking("job-1", 5))
    assert not await partition.list(NODE)
    await partition.release(NODE, "job-1", 1, None)
    assert len(await other.list(NODE) or ()) == 1


async def test_what_was_lost_is_booked_again_and_what_is_there_is_kept(partition: ChronosPartition) -> None:
    booking = await partition.create(asking("job-1", 10, 10))
    before = {entry.index: entry for entry in await partition.list(NODE) or ()}
    await partition.drop(NODE, before[0])
    kept = await partition.keep("job-1", 1, booking, 5000)
    after = {entry.index: entry for entry in await partition.list(NODE) or ()}
    assert after[1].id == before[1].id and after[0].id != before[0].id
    assert [share["id"] for share in kept["shares"]] == [after[0].id, after[1].id]
    assert all(5200 < entry.remaining_s <= 5300 for entry in after.values())


async def test_many_at_once_get_no_more_than_there_is(partition: ChronosPartition) -> None:
    asked = [partition.create(asking(f"job-{at}", 2)) for at in range(8)]
    made = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(not isinstance(each, BaseException) for each in made) == 5
    assert sum(entry.tenths for entry in await partition.list(NODE) or ()) == 10


async def test_a_daemon_that_is_away_is_told_and_used_when_it_is_back(
    harness: PartitionHarness, partition: ChronosPartition
) -> None:
    booking = await partition.create(asking("job-1", 5))
    harness.kill()
    with pytest.raises(PartitionFailed, match="Chronos partition creation failed: chronosd") as raised:
        await partition.create(asking("job-2", 5))
    assert "chronosd" in raised.value.away and raised.value.code == "UNAVAILABLE"
    with pytest.raises(PartitionAway, match="chronosd"):
        await partition.list(NODE)
    with pytest.raises(PartitionAway, match="chronosd"):
        await partition.release(NODE, "job-1", 1, booking)
    harness.start()
    (entry,) = await partition.list(NODE) or ()
    assert entry.job_id == "job-1"
    await partition.create(asking("job-2", 5))


async def test_a_node_that_cannot_be_reached_is_told(partition: ChronosPartition) -> None:
    said = "Failed to create Chronos partition on worker: SSH connection failed"
    with pytest.raises(PartitionFailed, match=said) as raised:
        await partition.create(asking("job-1", 5, node=NOWHERE))
    assert raised.value.message == said and raised.value.away and raised.value.next
    with pytest.raises(PartitionAway):
        await partition.list(NOWHERE)
