"""Requirements of jobs in containers: installed once by a builder, shared by all, written by none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.package_index import NOWHERE, package_index
from tests.fakes.runner_relay import FakeJob

from .conftest import Containers

USE = "import sample_of_cumulus\nprint(sample_of_cumulus.__file__)"
SHARED = "/run/cumulus/environments/"


@pytest.fixture
def index(containers: Containers, tmp_path: Path) -> Iterator[dict[str, str]]:
    """An installer's settings by which it finds one distribution, and nothing else."""
    host = containers.world.relay.url.split("/")[2].split(":")[0]
    with package_index(tmp_path, host) as settings:
        yield settings


def builders(containers: Containers) -> list[str]:
    return [said for said in containers.told if said.startswith("installing")]


async def use(containers: Containers, *requirements: str) -> FakeJob:
    return await containers.run(USE, requirements=requirements)


async def test_they_are_installed_once_and_shared(containers: Containers, index: dict[str, str]) -> None:
    await containers.open(env=index)
    jobs = await asyncio.gather(*(use(containers, "sample_of_cumulus") for _ in range(3)))
    jobs.append(await use(containers, "sample_of_cumulus"))
    assert all(job.text("stdout").startswith(SHARED) for job in jobs)
    assert not any(job.of_type("progress") for job in jobs)  # no runner had to install anything
    assert set(builders(containers)) == {"installing sample_of_cumulus"} and len(builders(containers)) == 3
    assert containers.world.left() == []


async def test_what_is_there_survives_the_relay(containers: Containers, index: dict[str, str]) -> None:
    await containers.open(env=index)
    await use(containers, "sample_of_cumulus")
    await containers.open(env={"PIP_INDEX_URL": NOWHERE})  # it can't be installed any more
    job = await use(containers, "sample_of_cumulus")
    assert job.text("stdout").startswith(SHARED)


async def test_a_job_cannot_write_into_what_is_shared(containers: Containers, index: dict[str, str]) -> None:
    await containers.open(env=index)
    source = f"open({SHARED!r} + 'x', 'w')"
    job = await containers.run(source, requirements=["sample_of_cumulus"])
    assert "Read-only file system" in str(job.error)
    plain = await containers.run(f"import os\nprint(os.path.exists({SHARED!r}))")
    assert plain.text("stdout") == "False\n"  # jobs without requirements have no business there


async def test_what_cannot_be_installed_is_told_by_the_job(
    containers: Containers, index: dict[str, str]
) -> None:
    await containers.open(env=index)
    for _ in range(2):
        job = await use(containers, "no_such_distribution_of_cumulus")
        assert job.outcome is not None and job.outcome["state"] == "FAILED"
        assert "no_such_distribution_of_cumulus" in str(job.outcome)
    assert len(builders(containers)) == 1  # it is not tried for every job
    assert containers.world.left() == []
