"""The quickstart, unchanged, wherever jobs can run: its outputs are the same everywhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.homes import Home, wait_for
from tests.rig import Rig
from tests.rig.docker import copy_image

from .containers import TIDY_S, Belongings, docker_settings, of_rig, settle, swarm_settings, token_files
from .notebooks import ROOT, check_output
from .relays import RelayProcess

QUICKSTART = ROOT / "notebooks" / "quickstart.ipynb"


def run_quickstart(home: Home, executor: str) -> None:
    """Compare the outputs, and see that the jobs ran where they should."""
    check_output(QUICKSTART, home)
    jobs = RelayProcess(home).request("GET", "jobs").json["jobs"]
    assert jobs
    assert {job["executor"] for job in jobs} == {executor}
    assert {job["state"] for job in jobs} == {"COMPLETED"}


def nothing_left(home: Home, look: Callable[[], Belongings], before: Belongings) -> None:
    """A while after the last job, nothing of it is there."""
    assert wait_for(lambda: not look().beyond(before), TIDY_S, 0.5), look().beyond(before)
    assert not token_files(home)


def test_quickstart_on_process(home: Home) -> None:
    settle(home, executors=["process"])
    run_quickstart(home, "process")


@pytest.mark.timeout(1800)
def test_quickstart_on_docker(home: Home, engine: str, full_job_image: str) -> None:
    settle(home, **docker_settings(engine, full_job_image))

    def look() -> Belongings:
        return Belongings.on({"engine": engine})

    before = look()
    run_quickstart(home, "docker")
    nothing_left(home, look, before)


@pytest.mark.timeout(1800)
def test_quickstart_on_swarm(home: Home, rig: Rig, full_job_image: str) -> None:
    copy_image(full_job_image, [rig.engine(worker) for worker in rig.workers])
    settle(home, **swarm_settings(rig, full_job_image))
    before = of_rig(rig)
    run_quickstart(home, "swarm")
    nothing_left(home, lambda: of_rig(rig), before)
