"""A share booked on a worker over SSH, as the relay does it, against `ssh true` on the same open connection.

The worker is a container with sshd and chronosd; its ledger is written and synced to disk for each booking.
Both go through the gate that is all the relay's key may use there. The aim is a ratio of 1.5.
"""

from __future__ import annotations

import asyncio
import time

from cumulus_server.partitions.base import BookingRequest
from cumulus_server.partitions.chronos import ChronosPartition
from cumulus_server.scheduling.model import Device, Share
from tests.contract.partition_harness import NODE, HostHarness
from tests.rig import provision

from .measure import latency

ROUNDS, WARM_UP = 300, 20


async def measure(harness: HostHarness) -> tuple[list[float], list[float]]:
    """Milliseconds of both, in turns."""
    harness.connect()
    partition = ChronosPartition(harness.remote, "bench")
    device = Device("GPU-a", index=0)
    await partition.list(NODE)
    connection = harness.remotes.connection(NODE)
    assert connection is not None
    ours: list[float] = []
    peer: list[float] = []
    for number in range(WARM_UP + ROUNDS):
        begin = time.perf_counter()
        done = await connection.run("true")
        peer.append((time.perf_counter() - begin) * 1e3)
        assert done.exit_status == 0, done.stderr
        request = BookingRequest(f"job-{number}", 1, "w", [Share(device.id, 5)], [device], 600, NODE)
        begin = time.perf_counter()
        booking = await partition.create(request)
        ours.append((time.perf_counter() - begin) * 1e3)
        await partition.release(NODE, request.job_id, 1, booking)
    harness.clear()
    return ours[WARM_UP:], peer[WARM_UP:]


def main() -> None:
    """Print the measurement."""
    provision.engine()
    harness = HostHarness()
    try:
        ours, peer = asyncio.run(measure(harness))
    finally:
        harness.close()
    print(latency("partition", ours, peer, "ssh true", aim=1.5).line())


if __name__ == "__main__":
    main()
