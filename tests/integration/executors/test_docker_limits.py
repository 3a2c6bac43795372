"""The limits of a container hold, and what they end is told as what it is."""

from __future__ import annotations

from cumulus_jupyter.protocol.resources import Resources

from .conftest import Containers

SMALL = Resources(memory_mib=128)


async def test_a_job_that_takes_too_much_memory_is_told_so(containers: Containers) -> None:
    job = await containers.run("x = bytearray(10**9)", resources=SMALL)
    assert job.outcome is not None and job.outcome["state"] == "FAILED"
    assert "out of memory" in str(job.outcome) and "128 MiB" in str(job.outcome)


async def test_a_runner_without_room_for_itself_is_told_so(containers: Containers) -> None:
    request = await containers.start("print(1)", resources=Resources(memory_mib=8))
    ended = await containers.end_of(request)
    assert ended.status.message == "the container was killed: out of memory (limit 8 MiB)"


async def test_a_fork_bomb_stays_in_its_container(containers: Containers) -> None:
    await containers.open(pids=64)
    job = await containers.run(
        "import os, signal\ncount = 0\n"
        "try:\n"
        "    while count < 1000:\n"
        "        if os.fork() == 0:\n"
        "            signal.pause()\n"
        "        count += 1\n"
        "except BlockingIOError:\n"
        "    print('refused', count < 64)"
    )
    assert "refused True" in job.text("stdout")


async def test_a_job_gets_the_cpu_it_asked_for(containers: Containers) -> None:
    job = await containers.run(
        "import time\nbegun, used = time.monotonic(), time.process_time()\n"
        "while time.monotonic() < begun + 2: pass\n"
        "print('share', (time.process_time() - used) / 2)",
        resources=Resources(cpu=0.2),
    )
    share = float(job.text("stdout").split()[1])
    assert share < 0.35  # it may be less where the machine is busy


async def test_a_job_that_asks_for_nothing_has_the_setting_s_memory(containers: Containers) -> None:
    await containers.open(memory_mib=300)
    request = await containers.start("print('begun', flush=True)\nimport time\ntime.sleep(600)")
    assert containers.inspect(request)["HostConfig"]["Memory"] == 300 * 2**20
