"""Local processes for real: what jobs can see, what survives the relay, what is left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cumulus_server.executors.base import StartFailed, StartRequest
from cumulus_server.executors.process import ProcessExecutor, procfs
from cumulus_server.executors.process.adopted import read_note
from tests.contract.harness import Ends, ProcessHarness, until
from tests.contract.work import STUBBORN


@pytest.fixture
def harness(tmp_path: Path) -> ProcessHarness:
    return ProcessHarness(tmp_path)


class Local:
    """An open process executor that is taken down with all it has."""

    def __init__(self, harness: ProcessHarness, **settings: object) -> None:
        self.harness = harness
        self.executor: ProcessExecutor = harness.make(**settings)
        self.ends = Ends()

    async def __aenter__(self) -> Local:
        await self.executor.open(self.ends, lambda: None)
        return self

    async def __aexit__(self, *exc: object) -> None:
        for owned in await self.executor.list_owned():
            await self.executor.destroy(owned.handle)
        runners = [runner.pid for runner in self.runners()]
        await self.executor.close()
        for pid in runners:  # idle ones end as soon as they are let go
            await until(lambda pid=pid: _gone(pid))  # type: ignore[misc]

    def runners(self) -> list[procfs.Stat]:
        assert self.executor._pool is not None
        found = (procfs.stat(runner.pid) for runner in self.executor._pool.runners())
        return [stat for stat in found if stat is not None]

    def idle(self) -> bool:
        """Whether every runner is ready for a job."""
        assert self.executor._pool is not None
        ready = [runner for idle in self.executor._pool._idle.values() for runner in idle]
        return len(ready) == len(self.executor._pool.runners())

    async def run(self, source: str, **more: object) -> str:
        """Run a cell to its end; what it printed."""
        request = self.harness.request(source=source, **more)  # type: ignore[arg-type]
        handle = await self.executor.start(request)
        await asyncio.to_thread(self.harness.job(request).wait_for_end)
        await self.executor.destroy(handle, ended=True)
        return self.harness.job(request).text("stdout")


def _gone(pid: int) -> bool:
    found = procfs.stat(pid)
    return found is None or found.state in "ZX"


@pytest.fixture
async def local(harness: ProcessHarness) -> AsyncIterator[Local]:
    async with Local(harness) as made:
        yield made
    harness.close()


def folder_of(harness: ProcessHarness, request: StartRequest) -> Path:
    return harness.folder / "process" / "jobs" / request.job_id / str(request.attempt)


async def test_a_job_runs_in_its_folder_and_leaves_nothing(harness: ProcessHarness, local: Local) -> None:
    said = await local.run("import os\nopen('left', 'w').close()\nprint(os.getcwd())")
    assert Path(said.strip()).is_relative_to(harness.folder)
    assert list((harness.folder / "process" / "jobs").iterdir()) == []


async def test_jobs_share_a_runner_and_never_a_process(local: Local) -> None:
    ask = "import os\nprint(os.getppid(), os.getpid())"
    answers = []
    for _ in range(4):
        await until(local.idle)
        answers.append((await local.run(ask)).split())
    assert len({runner for runner, _ in answers}) <= 2
    assert len({job for _, job in answers}) == 4


async def test_no_secret_reaches_a_job(harness: ProcessHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"JPY_API_TOKEN": "s3cret-1", "JUPYTER_TOKEN": "s3cret-2", "CUMULUS_TOKEN": "s3cret-3",
               "AWS_SECRET_ACCESS_KEY": "s3cret-4", "PYTHONSTARTUP": "s3cret-5"}  # fmt: skip
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    async with Local(harness) as local:
        request = harness.request(
            source="import os, json\nppid = os.getppid()\n"
            "print(json.dumps([dict(os.environ), open(f'/proc/{ppid}/environ').read(),"
            " open(f'/proc/{ppid}/cmdline').read(), open('/proc/self/cmdline').read()]))"
        )
        handle = await local.executor.start(request)
        await asyncio.to_thread(harness.job(request).wait_for_end)
        await local.executor.destroy(handle, ended=True)
        said = harness.job(request).text("stdout")
    assert "s3cret" not in said
    assert request.claim_token not in said and harness.job(request).session_key not in said
    env = json.loads(said)[0]
    assert env["HTTPS_PROXY"] == "http://proxy.example:3128" and env["PATH"] and env["HOME"]
    harness.close()


async def test_the_partition_decides_which_devices_are_seen(harness: ProcessHarness, local: Local) -> None:
    request = harness.request(source="import os\nprint(repr(os.environ['CUDA_VISIBLE_DEVICES']))")
    seen = StartRequest(**{**vars(request), "env": {"CUDA_VISIBLE_DEVICES": "GPU-1,GPU-2"}})
    handle = await local.executor.start(seen)
    await asyncio.to_thread(harness.job(request).wait_for_end)
    await local.executor.destroy(handle, ended=True)
    assert harness.job(request).text("stdout") == "'GPU-1,GPU-2'\n"


async def test_destroy_ends_children_that_left_the_family(harness: ProcessHarness, local: Local) -> None:
    request = harness.request(
        source="import os, subprocess, sys, time\n"
        "pids = [subprocess.Popen(['sleep', '600'], start_new_session=fresh).pid for fresh in (0, 1)]\n"
        "print('begun', *pids, os.getpid(), flush=True)\ntime.sleep(600)"
    )
    handle = await local.executor.start(request)
    await harness.running(request)
    pids = [int(pid) for pid in harness.job(request).text("stdout").split()[1:]]
    assert not any(_gone(pid) for pid in pids)
    await local.executor.destroy(handle)
    assert all(_gone(pid) for pid in pids)


async def test_what_a_killed_runner_leaves_is_ended_with_the_job(
    harness: ProcessHarness, local: Local
) -> None:
    request = harness.request(
        source="import subprocess, time\n"
        "print('begun', subprocess.Popen(['sleep', '600'], start_new_session=True).pid, flush=True)\n"
        "time.sleep(600)"
    )
    handle = await local.executor.start(request)
    await harness.running(request)
    (pid,) = (int(pid) for pid in harness.job(request).text("stdout").split()[1:])
    await harness.kill(request)
    await local.ends.of(request)
    await local.executor.destroy(handle)
    assert _gone(pid)


async def test_runners_are_kept_warm_and_surplus_ones_are_let_go(
    harness: ProcessHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cumulus_server.executors.process.pool.LINGER_S", 0.2)
    async with Local(harness, warm=2, slots=6) as local:
        await until(lambda: len(local.runners()) == 2)
        await asyncio.gather(*(local.run("pass") for _ in range(6)))
        assert len(local.runners()) <= 8
        await until(lambda: len(local.runners()) == 2)
        await local.run("pass")
        assert len(local.runners()) == 2
    harness.close()


async def test_an_interpreter_that_cannot_start_a_runner_says_why(
    harness: ProcessHarness, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'no such library' >&2\nexit 7\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    async with Local(harness) as local:
        with pytest.raises(StartFailed, match="exited with status 7: no such library"):
            await local.executor.start(harness.request())
    harness.close()


def other_pythons() -> list[str]:
    """Interpreters of other minor versions on this machine, oldest first."""
    roots = [Path(sys.base_prefix).parent, Path("/usr/bin")]
    found = {}
    for minor in (9, 10, 12, 13, 14):
        for root in roots:
            for path in [*root.glob(f"3.{minor}.*/bin/python"), root / f"python3.{minor}"]:
                if os.access(path, os.X_OK):
                    found[minor] = str(path)
    return [found[minor] for minor in sorted(found) if minor != sys.version_info.minor]


async def test_jobs_run_on_other_interpreters_that_have_nothing_of_ours(harness: ProcessHarness) -> None:
    pythons = (*other_pythons(), "/nonexistent/python", "/bin/false")
    async with Local(harness, pythons=pythons) as local:
        (worker,) = await local.executor.fingerprint()
        assert len(worker.pythons) == 1 + len(pythons) - 2
        for minor in worker.pythons:
            said = await local.run("import sys\nprint('%d.%d' % sys.version_info[:2])", python=minor)
            assert said.strip() == minor
    harness.close()


_RELAY = """
import asyncio, json, sys
from pathlib import Path
from cumulus_server.executors.base import StartRequest
from cumulus_server.executors.process import ProcessConfig, ProcessExecutor

async def main():
    root, requests = Path(sys.argv[1]), json.loads(sys.argv[2])
    config = ProcessConfig(root / "process", root / "environments", slots=4, warm=2, grace_s=1.0)
    executor = ProcessExecutor(config)
    await executor.open(lambda ended: None, lambda: None)
    for request in requests:
        await executor.start(StartRequest(**request))
    await asyncio.sleep(1.0)
    print(json.dumps([runner.pid for runner in executor._pool.runners()]), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


async def test_running_jobs_survive_a_relay_that_is_killed(harness: ProcessHarness) -> None:
    stubborn = harness.request(STUBBORN)
    gate = harness.folder / "gate"
    finishing = harness.request(
        source="import os, time\nprint('begun', flush=True)\nfor at in range(30):\n"
        "    time.sleep(0.02)\n    print(at, flush=True)\n"
        f"    while at == 10 and not os.path.exists({str(gate)!r}): time.sleep(0.01)"
    )
    wire = [
        {
            key: getattr(request, key)
            for key in ("job_id", "attempt", "claim_token", "url", "relay_file", "worker")
        }
        for request in (stubborn, finishing)
    ]
    relay = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _RELAY, str(harness.folder), json.dumps(wire), stdout=subprocess.PIPE
    )
    assert relay.stdout is not None
    runners = json.loads(await relay.stdout.readline())
    await harness.running(stubborn)
    await harness.running(finishing)
    relay.send_signal(signal.SIGKILL)
    await relay.wait()

    busy = {read_note(folder_of(harness, request)).pid for request in (stubborn, finishing)}  # type: ignore[union-attr]
    for pid in set(runners) - busy:
        await until(lambda pid=pid: _gone(pid))  # type: ignore[misc]
    assert not any(_gone(pid) for pid in busy)

    async with Local(harness) as local:
        owned = await local.executor.list_owned()
        assert all(instance.alive for instance in owned) and len(owned) == 2
        for instance in owned:
            assert (await local.executor.recover(instance.handle)).alive
        gate.touch()
        await local.ends.of(finishing)
        assert harness.job(finishing).outcome == {"state": "COMPLETED", "message": "", "error": None}
        assert harness.job(finishing).text("stdout").split() == ["begun", *map(str, range(30))]
        for request in (stubborn, finishing):
            await local.executor.destroy(local.executor.handle_for(request))
        assert await local.executor.list_owned() == []
    for pid in busy:
        await until(lambda pid=pid: _gone(pid))  # type: ignore[misc]
    harness.close()


async def test_a_pid_that_was_given_to_somebody_else_is_left_alone(
    harness: ProcessHarness, local: Local
) -> None:
    stranger = await asyncio.create_subprocess_exec("sleep", "600")
    request = harness.request()
    folder = folder_of(harness, request)
    folder.mkdir(parents=True)
    note = {"pid": stranger.pid, "start_ticks": 1, "job_id": request.job_id, "attempt": 1}
    (folder / "runner.json").write_text(json.dumps(note))
    handle = local.executor.handle_for(request)
    assert not (await local.executor.recover(handle)).alive
    await local.executor.stop(handle, 1.0)
    await local.executor.destroy(handle)
    assert not folder.exists() and stranger.returncode is None
    stranger.kill()
    await stranger.wait()
