"""Images: those of the user's own, and what is told of those that do not work."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

import docker
import pytest

from cumulus_server.executors.base import StartFailed

from .conftest import Containers

EMPTY, OLD, PLAIN = (f"cumulus-test-{kind}:latest" for kind in ("empty", "old", "plain"))
_OLD_PYTHON = "cumulus: this image has Python 3.6; jobs need 3.9 or newer"


def build(client: docker.DockerClient, name: str, *lines: str) -> None:
    client.images.build(fileobj=io.BytesIO("\n".join(lines).encode()), tag=name, rm=True)


@pytest.fixture(scope="module")
def images(engine: str, job_image: str) -> Iterator[None]:
    """Three images: nothing in it; a Python that is too old; a Python with nothing of ours."""
    client = docker.DockerClient()
    nothing = io.BytesIO()
    tarfile.open(fileobj=nothing, mode="w").close()
    client.api.import_image_from_data(nothing.getvalue(), *EMPTY.split(":"))
    script = f"#!/bin/sh\\necho \\'{_OLD_PYTHON}\\' >&2\\nexit 78\\n".replace("\\'", '"')
    build(
        client, OLD, f"FROM {job_image}", "USER root",
        f"RUN printf '{script}' >/usr/local/bin/python3 && chmod 755 /usr/local/bin/python3",
    )  # fmt: skip
    build(
        client, PLAIN, f"FROM {job_image}", "USER root", "RUN rm -rf /opt/cumulus", "LABEL io.cumulus.python="
    )
    yield
    for name in (EMPTY, OLD, PLAIN):
        client.images.remove(name, force=True)
    client.close()


async def failure(containers: Containers, **asked: str) -> StartFailed:
    request = containers.world.request(source="print(1)", **asked)
    with pytest.raises(StartFailed) as caught:
        await containers.executor.prepare(request, containers.told.append)
        await containers.executor.start(request)
    await containers.executor.destroy(containers.executor.handle_for(request))
    assert containers.world.left() == []
    return caught.value


async def test_the_engine_s_own_images_are_found(containers: Containers, job_image: str) -> None:
    await containers.open(images={})
    (worker,) = await containers.executor.fingerprint()
    assert "3.11" in worker.pythons and worker.ready and not worker.message
    assert worker.capabilities == {"docker", "container", "images"}
    request = await containers.start("print(1)", python="3.11")
    label = containers.world.client.api.inspect_image(containers.inspect(request)["Config"]["Image"])
    assert label["Config"]["Labels"]["io.cumulus.python"] == "3.11"


async def test_an_image_of_the_user_s_own_needs_nothing_but_python(
    containers: Containers, images: None
) -> None:
    job = await containers.run("open('/tmp/file', 'w').write('x')\nprint('begun')", image=PLAIN)
    assert job.text("stdout") == "begun\n" and containers.told == []


async def test_an_image_without_python_is_told(containers: Containers, images: None) -> None:
    request = await containers.start("print(1)", image=EMPTY)
    ended = await containers.end_of(request)
    assert ended.status.message == f"The image {EMPTY} has no python3 on its PATH" and ended.status.next


async def test_an_image_with_an_old_python_is_told(containers: Containers, images: None) -> None:
    request = await containers.start("print(1)", image=OLD)
    handle = containers.executor.handle_for(request)
    ended = await containers.ends.of(request)
    assert ended.status.message == f"The image {OLD} has Python 3.6; jobs need 3.9 or newer"
    assert await containers.executor.explain(handle) == _OLD_PYTHON


async def test_an_image_that_cannot_be_pulled_is_told(containers: Containers) -> None:
    error = await failure(containers, image="registry.invalid/nobody/nothing:1")
    assert error.message.startswith("The image registry.invalid/nobody/nothing:1 could not be pulled")
    assert containers.told == ["pulling the image registry.invalid/nobody/nothing:1"] and error.next


async def test_what_is_no_name_of_an_image_is_told(containers: Containers) -> None:
    error = await failure(containers, image="Not A Name")
    assert error.message == "This is no name of an image: Not A Name" and error.permanent


async def test_a_python_that_no_image_has_is_told(containers: Containers) -> None:
    error = await failure(containers, python="2.7")
    assert error.message == "There is no job image with Python 2.7 on the engine"
    assert "make image" in error.next and "job_images" in error.next


async def test_a_job_image_that_is_missing_is_told(containers: Containers) -> None:
    await containers.open(images={"3.11": "cumulus-test-removed:latest"})
    error = await failure(containers)
    assert error.message == "The image cumulus-test-removed:latest is not there"
    assert "make image" in error.next
