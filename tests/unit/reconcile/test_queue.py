"""The work queue: one handler a key, wakes merged, failures later."""

from __future__ import annotations

import asyncio

from cumulus_server.reconcile.queue import KeyedQueue
from tests.fakes.virtual_time import run_virtual


def test_wakes_of_a_busy_key_become_one_more_round() -> None:
    async def test() -> None:
        rounds: list[str] = []
        active: list[str] = []

        async def handle(key: str) -> None:
            assert key not in active
            active.append(key)
            await asyncio.sleep(1)
            active.remove(key)
            rounds.append(key)

        queue = KeyedQueue(handle)
        queue.wake("a")
        queue.open()
        await asyncio.sleep(0.1)
        for _ in range(5):
            queue.wake("a")
            queue.wake("b")
        await asyncio.sleep(10)
        assert sorted(rounds) == ["a", "a", "b"] and not queue.busy
        await queue.close()

    run_virtual(test())


def test_a_handler_that_fails_is_tried_again_slower_each_time() -> None:
    async def test() -> None:
        times: list[float] = []

        async def handle(key: str) -> None:
            times.append(asyncio.get_running_loop().time())
            if len(times) < 5:
                raise OSError("not now")

        queue = KeyedQueue(handle, backoff_s=1, backoff_limit_s=3)
        queue.open()
        queue.wake("a")
        await asyncio.sleep(100)
        assert [round(b - a) for a, b in zip(times, times[1:], strict=False)] == [1, 2, 3, 3]
        await queue.close()

    run_virtual(test())


def test_a_handler_names_the_time_of_its_next_round_and_a_wake_comes_before() -> None:
    async def test() -> None:
        times: list[float] = []

        async def handle(key: str) -> float | None:
            times.append(asyncio.get_running_loop().time())
            return 10 if len(times) < 3 else None

        queue = KeyedQueue(handle)
        queue.open()
        queue.wake("a")
        start = asyncio.get_running_loop().time()
        await asyncio.sleep(4)
        queue.wake("a")
        await asyncio.sleep(100)
        assert [round(time - start) for time in times] == [0, 4, 14]
        await queue.close()

    run_virtual(test())


def test_no_more_run_at_once_than_allowed() -> None:
    async def test() -> None:
        running = most = served = 0

        async def handle(key: str) -> None:
            nonlocal running, most, served
            running += 1
            most = max(most, running)
            await asyncio.sleep(1)
            running -= 1
            served += 1

        queue = KeyedQueue(handle, concurrency=3)
        queue.open()
        for at in range(10):
            queue.wake(str(at))
        await asyncio.sleep(20)
        assert (most, served) == (3, 10)
        await queue.close()

    run_virtual(test())


def test_closing_ends_what_runs_and_begins_nothing() -> None:
    async def test() -> None:
        begun = 0

        async def handle(key: str) -> None:
            nonlocal begun
            begun += 1
            await asyncio.sleep(1000)

        queue = KeyedQueue(handle, concurrency=1)
        queue.open()
        queue.wake("a")
        queue.wake("b")
        await asyncio.sleep(1)
        await queue.close()
        queue.wake("c")
        await asyncio.sleep(10)
        assert begun == 1

    run_virtual(test())
