"""What a relay finds of the one before it, however that ended."""

from __future__ import annotations

import asyncio
from functools import partial

import docker.api.container
import pytest

from cumulus_server.executors.base import ExecutorUnavailable, StartRequest
from cumulus_server.executors.docker import instances
from cumulus_server.supervisor import Supervisor

from .conftest import Containers

WAIT = "print('begun', flush=True)\nimport time\ntime.sleep(600)"


async def test_a_container_that_was_made_and_not_started_is_found(
    containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay was cut off between the engine's two calls."""

    def killed(self: object, name: str) -> None:
        raise ConnectionResetError

    request = containers.world.request()
    with monkeypatch.context() as patched:
        patched.setattr(docker.api.container.ContainerApiMixin, "start", killed)
        with pytest.raises(ExecutorUnavailable):
            await containers.executor.start(request)
    second = await containers.open()
    (owned,) = await second.list_owned()
    assert (owned.job_id, owned.alive) == (request.job_id, False)
    status = await second.recover(owned.handle)
    assert (status.alive, status.message) == (False, "the container was never started")
    await second.destroy(owned.handle)
    assert containers.world.left() == []


async def test_a_start_that_is_cancelled_leaves_nothing(
    containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine is still busy making the container when nobody wants it any more."""
    loop, begun = asyncio.get_running_loop(), asyncio.Event()
    make = instances.start

    def slow(*args: object) -> bool:
        loop.call_soon_threadsafe(begun.set)
        return make(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(instances, "start", slow)
    request = containers.world.request()
    handle = containers.executor.handle_for(request)
    supervisor = Supervisor()

    async def start() -> None:
        await containers.executor.start(request)

    supervisor.start("start", start)
    await begun.wait()
    await supervisor.stop()
    await containers.executor.destroy(handle)
    assert containers.world.left() == []
    assert not (await containers.executor.inspect(handle)).alive


async def test_what_ended_while_no_relay_was_there_is_not_started_again(containers: Containers) -> None:
    request = await containers.start("print(1)")
    await containers.ends.of(request)
    await containers.executor.close()
    second = await containers.open()
    assert not (await second.recover(second.handle_for(request))).alive
    await second.start(request)
    assert len(containers.ends.told) == 2  # told again at once, instead of a second run
    assert containers.world.job(request).claims == 1


async def test_a_container_that_somebody_else_removes_is_told(containers: Containers) -> None:
    request = await containers.start(WAIT)
    await containers.world.running(request)
    await asyncio.to_thread(
        partial(containers.world.client.api.remove_container, containers.name(request), force=True, v=True)
    )
    ended = await containers.ends.of(request)
    assert not ended.status.alive and ended.status.message


async def test_a_name_that_somebody_else_has_is_no_container_of_ours(
    containers: Containers, job_image: str
) -> None:
    request: StartRequest = containers.world.request()
    api = containers.world.client.api
    theirs = api.create_container_from_config({"Image": job_image}, containers.name(request))["Id"]
    try:
        assert await containers.executor.list_owned() == []
    finally:
        api.remove_container(theirs)
