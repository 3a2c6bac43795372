"""An engine that is away: said in words, waited for, and nothing lost meanwhile."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from cumulus_server.executors.base import ExecutorUnavailable
from cumulus_server.executors.docker import DockerExecutor
from tests.contract.harness import until
from tests.fakes.engine_gate import EngineGate

from .conftest import Containers

# What docker-py leaves open where the engine hangs up on it.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

WAIT = "print('begun', flush=True)\nimport time\ntime.sleep(600)"


@pytest.fixture
async def gate(engine: str, tmp_path: Path, containers: Containers) -> AsyncIterator[EngineGate]:
    made = EngineGate(tmp_path / "engine.sock", engine)
    made.open()
    yield made
    await containers.executor.close()
    made.cut()
    gc.collect()


async def _away(executor: DockerExecutor) -> None:
    await until(lambda: bool(executor.trouble))


async def _back(executor: DockerExecutor) -> None:
    await until(lambda: not executor.trouble)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "There is no Docker Engine at unix://{path}"),
        (lambda path: path.write_text(""), "No Docker Engine answers at unix://{path}"),
        (
            lambda path: socket.socket(socket.AF_UNIX).bind(str(path)),
            "No Docker Engine answers at unix://{path}",
        ),
    ],
    ids=["nothing", "a plain file", "a stale socket"],
)
async def test_no_engine_is_told(
    containers: Containers, tmp_path: Path, make: Callable[[Path], object], said: str
) -> None:
    path = tmp_path / "nobody.sock"
    make(path)
    executor = await containers.open(host=f"unix://{path}")
    assert executor.trouble.startswith(said.format(path=path) + ". Start it")
    assert await executor.fingerprint() == []
    request = containers.world.request()
    for asked in (
        executor.list_owned(),
        executor.prepare(request),
        executor.start(request),
        executor.recover(executor.handle_for(request)),
        executor.inspect(executor.handle_for(request)),
        executor.stop(executor.handle_for(request), 1.0),
        executor.destroy(executor.handle_for(request)),
    ):
        with pytest.raises(ExecutorUnavailable):
            await asked
    assert await executor.explain(executor.handle_for(request)) == ""


@pytest.mark.parametrize("host", ["nonsense://x", "hello world", "tcp://", "tcp://host-without-port"])
async def test_an_address_that_is_none_is_told(containers: Containers, host: str) -> None:
    executor = await containers.open(host=host)
    assert executor.trouble.startswith(
        f"This is no address of a Docker Engine: {host}. Write one such as unix:"
    )


async def test_an_engine_that_comes_is_used(containers: Containers, gate: EngineGate) -> None:
    gate.cut()
    executor = await containers.open(host=gate.host)
    assert executor.trouble
    gate.open()
    await _back(executor)
    (worker,) = await executor.fingerprint()
    assert worker.ready
    assert (await containers.run("print('begun')")).text("stdout") == "begun\n"


@pytest.mark.parametrize("stale", [False, True])
async def test_a_job_outlives_an_engine_that_goes_and_comes(
    containers: Containers, gate: EngineGate, stale: bool
) -> None:
    executor = await containers.open(host=gate.host)
    request = await containers.start(WAIT)
    handle = executor.handle_for(request)
    await containers.world.running(request)
    gate.cut(stale=stale)
    await _away(executor)
    (worker,) = await executor.fingerprint()
    assert not worker.ready and worker.message == executor.trouble
    with pytest.raises(ExecutorUnavailable):
        await executor.inspect(handle)
    gate.open()
    await _back(executor)
    assert (await executor.inspect(handle)).alive and not containers.ends.told
    await containers.world.kill(request)
    assert "SIGKILL" in (await containers.end_of(request)).status.message


async def test_an_end_while_the_engine_is_away_is_told_afterwards(
    containers: Containers, gate: EngineGate
) -> None:
    executor = await containers.open(host=gate.host)
    killed, removed = await containers.start(WAIT), await containers.start(WAIT)
    for request in (killed, removed):
        await containers.world.running(request)
    gate.cut()
    await _away(executor)
    await containers.world.kill(killed)
    api = containers.world.client.api
    await asyncio.to_thread(lambda: api.remove_container(containers.name(removed), v=True, force=True))
    gate.open()
    assert "SIGKILL" in (await containers.end_of(killed)).status.message
    assert "not there any more" in (await containers.end_of(removed)).status.message
    assert len(containers.ends.told) == 2


async def test_a_job_that_starts_while_the_engine_is_looked_at_has_not_ended(containers: Containers) -> None:
    """It was not among the containers when these were listed."""
    request = await containers.start(WAIT)
    await containers.world.running(request)
    await containers.executor.connected([])
    assert not containers.ends.told
    await containers.world.kill(request)
    assert "SIGKILL" in (await containers.end_of(request)).status.message
