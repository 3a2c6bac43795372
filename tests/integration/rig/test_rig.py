"""The rig does to its hosts what it says, and leaves nothing behind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.homes import wait_for
from tests.patience import LIMIT_S
from tests.rig import Rig
from tests.rig.docker import answers, docker, image_id, lines
from tests.rig.rig import LABEL, run_name

#: Not to be mistaken for what another run of the tests has on this machine.
_OWN = os.getpid()
_TICKING = f"import itertools, time\nfor n in itertools.count({_OWN}): print(n, flush=True); time.sleep(0.05)"


@pytest.fixture(scope="module")
def small(job_image: str) -> Iterator[Rig]:
    """A rig with one worker, beside any other."""
    rig = Rig(f"{run_name()}-small", workers=1)
    rig.up()
    rig.load(job_image)
    yield rig
    rig.down()


@pytest.fixture(scope="module")
def ticking(small: Rig, job_image: str) -> str:
    """A container on the worker that prints ever on."""
    return docker("run", "--detach", job_image, "python3", "-c", _TICKING, host=small.engine("worker1"))


def _ticks(rig: Rig, container: str) -> int:
    return len(lines("logs", container, host=rig.engine("worker1")))


def test_a_rig_that_is_up_stays_as_it_is(small: Rig, job_image: str) -> None:
    before = docker("ps", "--no-trunc", "--filter", f"label={LABEL}={small.name}", "--quiet")
    small.up()
    assert docker("ps", "--no-trunc", "--filter", f"label={LABEL}={small.name}", "--quiet") == before
    assert small.is_up()
    assert small.status() == {"manager": "ready", "worker1": "ready"}
    assert image_id(job_image, small.engine("worker1")) == image_id(job_image)


def test_a_paused_host_freezes_its_containers(small: Rig, ticking: str) -> None:
    small.pause("worker1")
    # The container's own processes, seen from this machine: a frozen one uses no processor time.
    tasks = [path for path in Path("/proc").glob("[0-9]*/cmdline") if _TICKING.encode() in _read(path)]
    assert tasks
    before = {task: _read(task.parent / "stat").split()[13:15] for task in tasks}
    time.sleep(0.5)
    assert {task: _read(task.parent / "stat").split()[13:15] for task in tasks} == before
    small.unpause("worker1")
    ticks = _ticks(small, ticking)
    assert wait_for(lambda: _ticks(small, ticking) > ticks, LIMIT_S)


def test_a_host_that_is_cut_off_or_killed_is_seen_to_be_down_and_comes_back(small: Rig, ticking: str) -> None:
    small.cut("worker1")
    assert wait_for(lambda: "worker1" not in small.ready(), LIMIT_S)
    ticks = _ticks(small, ticking)
    assert wait_for(lambda: _ticks(small, ticking) > ticks, LIMIT_S), "what runs there goes on"
    small.mend("worker1")
    assert wait_for(lambda: "worker1" in small.ready(), LIMIT_S)

    small.kill("worker1")
    assert not answers(small.engine("worker1"))
    small.start("worker1")
    assert wait_for(small.is_up, LIMIT_S)


def test_nothing_is_left_of_a_rig(small: Rig) -> None:
    small.pause("worker1")
    small.down()
    small.down()
    mine = ("--quiet", "--filter", f"label={LABEL}={small.name}")
    assert not lines("ps", "--all", *mine)
    assert not lines("volume", "ls", *mine)
    assert not lines("network", "ls", *mine)
    assert small.status() == {}


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""
