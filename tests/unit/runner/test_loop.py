"""The supervisor's loop: timers, descriptors, coroutines."""

from __future__ import annotations

import os

import pytest

from cumulus_runner.loop import Future, Loop, spawn


def test_timers_in_order_and_cancelled() -> None:
    loop, seen = Loop(), []
    loop.after(0.002, lambda: seen.append("second"))
    loop.after(0.001, lambda: seen.append("first"))
    loop.after(0.0015, lambda: seen.append("never")).cancel()
    loop.after(0.003, loop.stop)
    loop.run()
    assert seen == ["first", "second"]
    loop.close()


def test_descriptors() -> None:
    loop = Loop()
    reading, writing = os.pipe()
    seen = []

    def readable() -> None:
        seen.append(os.read(reading, 10))
        loop.forget(reading)
        loop.stop()

    loop.watch(reading, readable)
    os.write(writing, b"x")
    loop.run()
    assert seen == [b"x"]
    loop.close()
    os.close(reading)
    os.close(writing)


def test_coroutines_wait_for_futures() -> None:
    first: Future[int] = Future()
    second: Future[int] = Future()

    async def add() -> int:
        return await first + await second

    result = spawn(add())
    second.set(2)
    assert not result.done
    first.set(1)
    first.set(100)
    assert result.done

    async def look() -> None:
        assert await result == 3

    assert spawn(look()).done


def test_failures_are_raised_where_they_are_awaited() -> None:
    broken: Future[None] = Future()

    async def work() -> str:
        with pytest.raises(KeyError):
            await broken
        return "went on"

    result = spawn(work())
    broken.fail(KeyError("x"))
    assert result.done
