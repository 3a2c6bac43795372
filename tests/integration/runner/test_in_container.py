"""The runner in a container as narrow as a job's: read-only but for /tmp, and a user without a name."""

from __future__ import annotations

import ipaddress
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cumulus_server.executors.luggage import pack_zip
from tests.fakes.runner_relay import FakeJob, FakeRelay
from tests.fakes.single_runner import assignment
from tests.integration.image.containers import Ended, run

USER = "4321:4321"
NOWHERE = (
    "--read-only",
    "--volume",
    "/tmp",
    "--workdir",
    "/tmp",
    "--init",
    "--cap-drop",
    "ALL",
    "--user",
    USER,
)
INSIDE = "/run/cumulus"
MEMORY_MIB = 160


@pytest.fixture(scope="module")
def bridge(engine: None) -> str:
    """This machine's address as its containers see it."""
    asked = ["docker", "network", "inspect", "bridge"]
    told = json.loads(subprocess.run(asked, capture_output=True, text=True, check=True).stdout)
    (addresses,) = told[0]["IPAM"]["Config"]
    return str(addresses.get("Gateway") or ipaddress.ip_network(addresses["Subnet"])[1])


@pytest.fixture(scope="module")
def relay(bridge: str) -> Iterator[FakeRelay]:
    relay = FakeRelay(host=bridge)
    yield relay
    relay.stop()


class Runners:
    """Runs jobs by containers of one image."""

    def __init__(self, relay: FakeRelay, image: str, folder: Path) -> None:
        self._relay, self._image, self._folder = relay, image, folder
        pack_zip(folder / "runner.zip")

    def command(
        self, job: FakeJob, *options: str, **assigned: Any
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The options and the command of the container for a job."""
        self._relay.add(job)
        told = {**assignment(self._relay, job, Path("/tmp")), "workdir": "/tmp/workspace", **assigned}
        file = self._folder / f"{job.id}.json"
        file.write_text(json.dumps(told))
        mounts = [
            f"{self._folder / 'runner.zip'}:{INSIDE}/runner.zip:ro",
            f"{file}:{INSIDE}/assignment.json:ro",
        ]
        volumes = [word for mount in mounts for word in ("--volume", mount)]
        given = (*NOWHERE, *volumes, "--env", "HOME=/tmp/home", "--entrypoint", "python3", *options)
        return given, (f"{INSIDE}/runner.zip", "--assignment", f"{INSIDE}/assignment.json")

    def run(self, source: str, *options: str, **assigned: Any) -> tuple[FakeJob, Ended]:
        """Run a cell to its end and the container's."""
        job = FakeJob({"source": source})
        given, command = self.command(job, *options, **assigned)
        return job, self.start(*command, options=given)

    def start(self, *command: str, options: tuple[str, ...]) -> Ended:
        """Run a container to its end."""
        return run(self._image, *command, options=options)


@pytest.fixture(scope="module")
def runners(relay: FakeRelay, job_image: str, tmp_path_factory: pytest.TempPathFactory) -> Runners:
    return Runners(relay, job_image, tmp_path_factory.mktemp("containers"))


def test_a_job_has_a_home_and_a_name_and_few_threads(runners: Runners) -> None:
    source = (
        "import getpass, os, tempfile\n"
        "print(getpass.getuser(), os.path.expanduser('~'), os.getcwd(), tempfile.gettempdir(), os.getuid())\n"
        "open(os.path.expanduser('~/kept'), 'w').close()\n"
        "print(os.environ['OMP_NUM_THREADS'], open('/proc/self/oom_score_adj').read().strip())\n"
    )
    job, ended = runners.run(source, "--cpus", "1.5")
    assert job.text("stdout") == "cumulus /tmp/home /tmp/workspace /tmp 4321\n1 1000\n"
    assert (ended.status, ended.out, ended.err) == (0, "", "")


def test_ipython_works_without_a_place_of_its_own(runners: Runners) -> None:
    job, ended = runners.run("%time x = 1\n!id -u\ndisplay(x)\n1/0")
    assert "4321\n" in job.text("stdout") and job.error["name"] == "ZeroDivisionError"
    assert job.text("stderr") == "" and (ended.status, ended.err) == (0, "")


def test_pip_in_a_cell_installs_what_can_be_imported_at_once(runners: Runners) -> None:
    source = (
        "import os, pathlib, zipfile\n"
        "name = 'tiny_thing-1.0'\n"
        "with zipfile.ZipFile(f'{name}-py3-none-any.whl', 'w') as wheel:\n"
        "    wheel.writestr('tiny_thing.py', 'here = 1')\n"
        "    wheel.writestr(f'{name}.dist-info/METADATA', "
        "'Metadata-Version: 2.1\\nName: tiny-thing\\nVersion: 1.0')\n"
        "    wheel.writestr(f'{name}.dist-info/WHEEL', "
        "'Wheel-Version: 1.0\\nGenerator: us\\nRoot-Is-Purelib: true\\nTag: py3-none-any')\n"
        "    wheel.writestr(f'{name}.dist-info/entry_points.txt', "
        "'[console_scripts]\\ntiny = tiny_thing:here')\n"
        "    wheel.writestr(f'{name}.dist-info/RECORD', '')\n"
        "!pip install --no-index ./*.whl\n"
        "import tiny_thing, shutil\n"
        "print('there', tiny_thing.here, shutil.which('tiny'))"
    )
    job, _ = runners.run(source)
    assert job.text("stdout").endswith("there 1 /tmp/home/.local/bin/tiny\n"), job.text("stdout")
    assert "WARNING" not in job.text("stderr")


def test_who_cannot_write_is_told_where(runners: Runners) -> None:
    job, _ = runners.run("open('/data.csv', 'w')")
    assert job.error["name"] == "OSError" and "bring results back" in job.error["traceback"][-1]


def test_full_shared_memory_is_told(runners: Runners) -> None:
    source = (
        "import mmap, os\n"
        "file = os.open('/dev/shm/large', os.O_RDWR | os.O_CREAT)\n"
        "os.ftruncate(file, 2**21)\n"
        "mmap.mmap(file, 2**21)[:] = bytes(2**21)"
    )
    job, _ = runners.run(source, "--shm-size", "1m")
    assert job.outcome is not None and "SIGBUS" in job.outcome["message"]
    assert "/dev/shm has 1 MiB" in job.outcome["error"]["next"]


def test_out_of_memory_is_told_with_the_limit(runners: Runners) -> None:
    limits = ("--memory", f"{MEMORY_MIB}m", "--memory-swap", f"{MEMORY_MIB}m")
    job, ended = runners.run("print('on')\nx = b'x' * 2**30", *limits, memory_mib=MEMORY_MIB)
    assert job.text("stdout") == "on\n" and job.outcome is not None
    assert job.outcome["message"] == f"out of memory (limit {MEMORY_MIB} MiB)"
    assert job.outcome["error"]["code"] == "RESOURCE_EXHAUSTED" and "--memory" in job.outcome["error"]["next"]
    assert ended.status == 0


def test_killed_is_not_out_of_memory(runners: Runners) -> None:
    job, _ = runners.run("import os\nos.kill(os.getpid(), 9)")
    assert job.outcome is not None and job.outcome["message"].startswith(
        "the job's process was killed by SIGKILL"
    )


def test_a_relay_that_nobody_finds_is_told(runners: Runners, relay: FakeRelay) -> None:
    job = FakeJob({"source": "x = 1"})
    given, command = runners.command(job, "--network", "none")
    script = (
        "import subprocess, sys\n"
        f"runner = subprocess.Popen([sys.executable, *{command!r}], stderr=subprocess.PIPE, text=True)\n"
        "sys.stderr.write(runner.stderr.readline())\n"
        "try:\n"
        "    runner.wait(2)\n"
        "except subprocess.TimeoutExpired:\n"
        "    runner.kill()\n"
        "sys.stderr.write(runner.stderr.read())"
    )
    ended = runners.start("-c", script, options=given)
    assert ended.err.splitlines() == [
        f"cumulus: cannot reach the relay at {relay.url}: network is unreachable"
    ]
