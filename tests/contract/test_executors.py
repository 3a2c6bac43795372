"""What every executor promises the reconcile loop. The fake promises it too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cumulus_server.executors.base import Executor, StartFailed

from .harness import HARNESSES, Ends, Harness
from .swarm_harness import SwarmHarness
from .work import PATIENT, SHORT, STUBBORN

#: What of the machine an executor is tested with.
_MARKS = {"docker": pytest.mark.needs_engine, "swarm": pytest.mark.needs_rig}


@pytest.fixture(params=[pytest.param(name, marks=_MARKS.get(name, ())) for name in (*HARNESSES, "swarm")])
async def harness(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Harness]:
    made: Harness
    if request.param == "swarm":
        image = request.getfixturevalue("job_image")
        made = SwarmHarness(tmp_path, request.getfixturevalue("rig"), image)
    else:
        made = HARNESSES[request.param](tmp_path)
    yield made
    made.close()


class Opened:
    """An open executor and what it tells."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.ends = Ends()

    async def open(self) -> Executor:
        await self.executor.open(self.ends, lambda: None)
        await self.executor.settled.wait()
        return self.executor


async def opened(harness: Harness) -> Opened:
    made = Opened(harness.make())
    await made.open()
    return made


@pytest.fixture
async def relay(harness: Harness) -> AsyncIterator[Opened]:
    """An executor as a relay has it; whatever it owns is destroyed afterwards."""
    made = await opened(harness)
    yield made
    for owned in await made.executor.list_owned():
        await made.executor.destroy(owned.handle)
    await made.executor.close()


async def test_it_tells_its_workers(relay: Opened) -> None:
    workers = await relay.executor.fingerprint()
    assert workers and all(worker.executor == relay.executor.name for worker in workers)
    assert all(worker.slots > 0 and worker.pythons and worker.memory_mib > 0 for worker in workers)


async def test_the_handle_is_known_before_the_start_and_is_json(harness: Harness, relay: Opened) -> None:
    request = harness.request(SHORT)
    handle = relay.executor.handle_for(request)
    assert json.loads(json.dumps(handle)) == handle
    assert handle["version"] >= 1 and handle["executor"] == relay.executor.name
    assert await relay.executor.start(request) == handle
    assert request.claim_token not in json.dumps(handle)


async def test_an_instance_that_ends_by_itself_is_told_once(harness: Harness, relay: Opened) -> None:
    request = harness.request(SHORT)
    handle = await relay.executor.start(request)
    ended = await relay.ends.of(request)
    assert not ended.status.alive and ended.status.message
    assert not (await relay.executor.inspect(handle)).alive
    await relay.executor.destroy(handle, ended=True)
    assert len(relay.ends.told) == 1
    assert await relay.executor.list_owned() == []


async def test_an_instance_is_alive_and_owned_while_it_runs(harness: Harness, relay: Opened) -> None:
    request = harness.request()
    handle = await relay.executor.start(request)
    await harness.running(request)
    assert (await relay.executor.inspect(handle)).alive
    (owned,) = await relay.executor.list_owned()
    assert (owned.job_id, owned.attempt, owned.alive) == (request.job_id, 1, True)
    assert owned.handle == handle


async def test_starting_what_runs_changes_nothing(harness: Harness, relay: Opened) -> None:
    request = harness.request()
    assert await relay.executor.start(request) == await relay.executor.start(request)
    await harness.running(request)
    assert len(await relay.executor.list_owned()) == 1


async def test_stop_lets_the_code_end(harness: Harness, relay: Opened) -> None:
    request = harness.request(PATIENT)
    handle = await relay.executor.start(request)
    await harness.running(request)
    await relay.executor.stop(handle, 1.0)
    await relay.executor.stop(handle, 1.0)
    await relay.ends.of(request)
    await relay.executor.destroy(handle, ended=True)
    assert await relay.executor.list_owned() == []


async def test_destroy_ends_whatever_runs_and_leaves_nothing(harness: Harness, relay: Opened) -> None:
    request = harness.request(STUBBORN)
    handle = await relay.executor.start(request)
    await harness.running(request)
    await relay.executor.destroy(handle)
    assert not (await relay.executor.inspect(handle)).alive
    assert await relay.executor.list_owned() == []
    await relay.executor.destroy(handle)


async def test_stopping_and_destroying_what_never_was_succeeds(harness: Harness, relay: Opened) -> None:
    handle = relay.executor.handle_for(harness.request())
    await relay.executor.stop(handle, 1.0)
    await relay.executor.destroy(handle)
    await relay.executor.destroy(handle, ended=True)
    assert not (await relay.executor.inspect(handle)).alive
    assert not (await relay.executor.recover(handle)).alive


async def test_an_instance_that_is_killed_is_told(harness: Harness, relay: Opened) -> None:
    request = harness.request(STUBBORN)
    handle = await relay.executor.start(request)
    await harness.running(request)
    await harness.kill(request)
    ended = await relay.ends.of(request)
    assert "SIGKILL" in ended.status.message
    assert not (await relay.executor.inspect(handle)).alive
    await relay.executor.destroy(handle)
    assert await relay.executor.list_owned() == []


async def test_what_cannot_be_started_says_so(harness: Harness) -> None:
    executor, request = harness.impossible()
    await Opened(executor).open()
    with pytest.raises(StartFailed) as caught:
        await executor.start(request)
    assert caught.value.permanent
    await executor.destroy(executor.handle_for(request))
    assert await executor.list_owned() == []
    await executor.close()


async def test_several_run_at_once_and_end_apart(harness: Harness, relay: Opened) -> None:
    requests = [harness.request(STUBBORN) for _ in range(3)]
    handles = await asyncio.gather(*(relay.executor.start(request) for request in requests))
    await asyncio.gather(*(harness.running(request) for request in requests))
    await relay.executor.destroy(handles[1])
    assert [(await relay.executor.inspect(handle)).alive for handle in handles] == [True, False, True]


async def test_another_relay_takes_a_running_instance_over(harness: Harness) -> None:
    first = await opened(harness)
    request = harness.request(PATIENT)
    handle = await first.executor.start(request)
    await harness.running(request)
    await first.executor.close()

    second = await opened(harness)
    (owned,) = await second.executor.list_owned()
    assert (owned.handle, owned.alive) == (handle, True)
    assert (await second.executor.recover(json.loads(json.dumps(handle)))).alive
    assert (await second.executor.recover(handle)).alive
    await second.executor.stop(handle, 1.0)
    assert not (await second.ends.of(request)).status.alive
    assert len(second.ends.told) == 1 and not first.ends.told
    await second.executor.destroy(handle, ended=True)
    assert await second.executor.list_owned() == []
    await second.executor.close()


async def test_another_relay_destroys_what_the_first_has_left(harness: Harness) -> None:
    first = await opened(harness)
    requests = [harness.request(STUBBORN), harness.request(SHORT)]
    handles = [await first.executor.start(request) for request in requests]
    await harness.running(requests[0])
    await first.ends.of(requests[1])
    await first.executor.close()

    second = await opened(harness)
    left = [owned.handle for owned in await second.executor.list_owned()]
    assert handles[0] in left  # what has ended may have put itself away
    await second.executor.destroy(handles[0])
    await second.executor.destroy(handles[1], ended=True)
    assert await second.executor.list_owned() == []
    assert not (await second.executor.inspect(handles[0])).alive
    await second.executor.close()


async def test_it_settles_and_has_no_trouble(relay: Opened) -> None:
    assert relay.executor.settled.is_set()
    assert relay.executor.trouble == ""


async def test_what_never_was_says_nothing(harness: Harness, relay: Opened) -> None:
    assert await relay.executor.explain(relay.executor.handle_for(harness.request())) == ""
