"""What a cell says where containers can't do what it asks: the code, what is wrong, what to do, the job."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.homes import Home, fresh_home, wait_for
from tests.rig import Rig

from .containers import TIDY_S, all_removed, docker_settings, settle, swarm_settings
from .images import with_old_python, without_python
from .kernels import Kernel
from .relays import RelayProcess

JOB = re.compile(r"^job j[0-9a-z]{15}$", re.MULTILINE)
NOBODY = 65534


def refused(kernel: Kernel, line: str, *said: str, code: str, job: bool, cell: str = "1 + 1") -> str:
    """Run a cell that can't run; all that was shown of its error."""
    shown = kernel.run(f"%%cumulus {line}\n{cell}").traceback
    assert shown.startswith(f"{code}: "), shown
    for words in said:
        assert words in shown, shown
    assert bool(JOB.search(shown)) is job, shown
    what_to_do = JOB.sub("", shown).strip().splitlines()[1:]
    assert what_to_do, f"it does not say what to do: {shown}"
    return shown


def opened(home: Home, **settings: object) -> Kernel:
    """A kernel whose relay has these settings."""
    settle(home, **settings)
    kernel = Kernel(home)
    shown = kernel.run("%load_ext cumulus_jupyter")
    assert not shown.error, shown.traceback
    return kernel


@pytest.fixture(scope="module")
def kernel(engine: str, job_image: str) -> Iterator[Kernel]:
    """A kernel whose jobs run in containers of this machine's engine."""
    with fresh_home() as home:
        kernel = opened(home, **docker_settings(engine, job_image))
        yield kernel
        kernel.close()
        assert wait_for(lambda: all_removed(home, engine), TIDY_S)


@pytest.mark.parametrize("line", ["", "--executor docker"], ids=["any executor", "docker"])
def test_no_engine(home: Home, tmp_path: Path, line: str) -> None:
    kernel = opened(home, executors=["docker"], docker_host=f"unix://{tmp_path}/no.sock")
    said = ("There is no Docker Engine at", f"{tmp_path}/no.sock", "Start it", "docker_host")
    refused(kernel, line, *said, code="UNAVAILABLE", job=False)
    kernel.close()


def test_an_engine_that_has_stopped(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    kernel = opened(home, executors=["docker"], docker_host=f"unix://{path}")
    refused(kernel, "", "No Docker Engine answers at", "Start it", code="UNAVAILABLE", job=False)
    kernel.close()


def test_a_socket_without_permission(home: Home, tmp_path: Path) -> None:
    path = tmp_path / "others.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        wrapper: tuple[str, ...] = ()
        if os.getuid() == 0:
            # Root may use every socket, unless it lacks the right to pass over who owns it.
            os.chown(path, NOBODY, NOBODY)
            wrapper = (shutil.which("setpriv") or "setpriv", "--bounding-set", "-dac_override", "--inh-caps")
            wrapper += ("-dac_override",)
        path.chmod(0o600 if wrapper else 0)
        settle(home, executors=["docker"], docker_host=f"unix://{path}")
        relay = RelayProcess(home, wrapper=wrapper)
        relay.start()
        relay.wait_ready()
        kernel = Kernel(home)
        kernel.run("%load_ext cumulus_jupyter")
        said = ("No permission to use the Docker Engine", "usermod -aG docker")
        refused(kernel, "", *said, code="UNAVAILABLE", job=False)
        kernel.close()
        relay.stop()


def test_not_a_manager_of_a_swarm(home: Home, rig: Rig, job_image: str) -> None:
    settings = {**swarm_settings(rig, job_image), "swarm_host": rig.engine("worker1")}
    kernel = opened(home, **settings)
    refused(kernel, "", "manager", code="UNAVAILABLE", job=False)
    kernel.close()


def test_a_label_that_nobody_offers(kernel: Kernel) -> None:
    said = "No worker offers moonlight. Offered: container, docker, images"
    refused(kernel, "--label moonlight", said, code="INVALID_ARGUMENT", job=False)


def test_an_executor_that_is_not_there(kernel: Kernel) -> None:
    said = "The executor swarm is not configured"
    refused(kernel, "--executor swarm", said, "docker", code="INVALID_ARGUMENT", job=False)


def test_more_memory_than_any_worker_has(kernel: Kernel) -> None:
    said = "requested: 9216000 MiB, max available: "
    refused(kernel, "--memory 9000G", said, code="RESOURCE_EXHAUSTED", job=False)


def test_more_cores_than_any_worker_has(kernel: Kernel) -> None:
    refused(kernel, "--cpu 4000", "requested: 4000", code="RESOURCE_EXHAUSTED", job=False)


def test_a_pickled_value_for_another_python(kernel: Kernel, other_job_image: str) -> None:
    minor = other_job_image.partition(":py")[2].partition("-")[0]
    kernel.run("import ast; tree = ast.parse('1 + 1')")
    said = (f"The image {other_job_image} has Python {minor}", "pickled values", "Use an image with Python")
    line = f"--image {other_job_image}"
    refused(kernel, line, *said, code="INVALID_ARGUMENT", job=True, cell="type(tree)")
    shown = kernel.run(f"%%cumulus {line}\nimport sys\n'%d.%d' % sys.version_info[:2]")
    assert shown.result == f"'{minor}'", "what needs no pickle runs there"


def test_an_image_that_is_not_there(kernel: Kernel) -> None:
    shown = refused(
        kernel, "--image cumulus-no-such-image:1", "cumulus-no-such-image:1", code="UNAVAILABLE", job=True
    )
    assert "Run it again" not in shown


def test_no_name_of_an_image(kernel: Kernel) -> None:
    refused(kernel, "--image 'Not An Image!'", "Not An Image!", code="INVALID_ARGUMENT", job=False)


def test_an_image_without_python(kernel: Kernel) -> None:
    with without_python() as image:
        said = (f"The image {image} has no python3", "Choose an image with Python 3.9 or newer")
        shown = refused(kernel, f"--image {image}", *said, code="UNAVAILABLE", job=True)
    assert "Run it again" not in shown


def test_an_image_with_an_old_python(kernel: Kernel, job_image: str) -> None:
    with with_old_python(job_image) as image:
        said = (f"The image {image} has Python 3.6", "3.9 or newer", "Choose an image")
        shown = refused(kernel, f"--image {image}", *said, code="UNAVAILABLE", job=True)
    assert "Run it again" not in shown


def test_out_of_memory(kernel: Kernel) -> None:
    said = ("out of memory (limit 150 MiB)", "--memory")
    source = "hog = []\nwhile True: hog.append(bytearray(b'x') * (10 << 20))"
    refused(kernel, "--memory 150M", *said, code="RESOURCE_EXHAUSTED", job=True, cell=source)


def test_the_next_cell_runs(kernel: Kernel) -> None:
    assert kernel.run("%%cumulus\n6 * 7").result == "42"
