"""Requirements of a job are installed once, shared, and told about when they can't be."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.runner_relay import FakeJob, FakeRelay
from tests.fakes.served_runner import ServedRunner, result_values


@pytest.fixture(scope="module")
def runner(relay: FakeRelay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedRunner]:
    """A runner whose installer asks no registry."""
    runner = ServedRunner(relay, tmp_path_factory.mktemp("runner"), UV_OFFLINE="1", PIP_NO_INDEX="1")
    yield runner
    runner.close()


def make_wheel(folder: Path, name: str, version: str = "1.0") -> str:
    """A distribution with one module, as a file; answers its path."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text)}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return str(wheel)


def test_installed_then_shared(runner: ServedRunner, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "cumulus_sample")
    first = runner.run("import cumulus_sample\ncumulus_sample.version", requirements=[wheel])
    assert result_values(first)["@result"] == "1.0"
    steps = first.of_type("progress")
    assert steps[0]["label"].startswith("installing") and steps[-1]["finished"]
    second = runner.run("import cumulus_sample\ncumulus_sample.version", requirements=[wheel])
    assert result_values(second)["@result"] == "1.0" and not second.of_type("progress")
    assert (
        runner.run("import importlib.util\nimportlib.util.find_spec('cumulus_sample')").result["json"] is None
    )


def test_programs_that_the_job_starts_have_them_too(runner: ServedRunner, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "cumulus_inherited")
    job = runner.run(
        "import subprocess, sys\n"
        "code = 'import cumulus_inherited; print(cumulus_inherited.version)'\n"
        "subprocess.run([sys.executable, '-c', code], check=True);",
        requirements=[wheel],
    )
    assert job.text("stdout") == "1.0\n"


def test_what_is_there_is_not_installed(runner: ServedRunner) -> None:
    job = runner.run("import cloudpickle", requirements=["cloudpickle"])
    assert not job.of_type("progress")


def test_a_requirement_that_does_not_exist(runner: ServedRunner) -> None:
    job = runner.run("print('never')", requirements=["cumulus-no-such-distribution"])
    assert job.outcome is not None and job.outcome["state"] == "FAILED"
    assert job.outcome["error"]["code"] == "INVALID_ARGUMENT" and job.outcome["error"]["next"]
    assert job.error["name"] == "RequirementsError"
    assert "cumulus-no-such-distribution" in job.error["value"]
    assert not job.of_type("log")


def test_two_builds_of_the_same_at_once(runner: ServedRunner, relay: FakeRelay, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "cumulus_twice")
    other = ServedRunner(relay, tmp_path / "..", UV_OFFLINE="1", PIP_NO_INDEX="1")
    shared = str(runner.folder / "shared-environments")
    jobs = [
        one.assign(
            FakeJob({"source": "import cumulus_twice\ncumulus_twice.__file__"}, requirements=[wheel]),
            environments_dir=shared,
        )
        for one in (runner, other)
    ]
    for job, one in zip(jobs, (runner, other), strict=True):
        job.wait_for_end()
        assert one.read()["done"] == job.id
    assert jobs[0].result["json"] == jobs[1].result["json"]
    installing = [e for job in jobs for e in job.of_type("progress") if e["label"].startswith("installing")]
    assert len(installing) == 1
    other.close()


def test_cancelled_while_installing(runner: ServedRunner, tmp_path: Path) -> None:
    """The lock of another build is held, so that this one waits."""
    import fcntl

    from cumulus_runner.environment import environment_key

    wheel = make_wheel(tmp_path, "cumulus_waiting")
    folder = tmp_path / "environments"
    folder.mkdir()
    with open(folder / (environment_key([wheel]) + ".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        job = runner.assign(
            FakeJob({"source": "print('never')"}, requirements=[wheel]), environments_dir=str(folder)
        )
        job.wait_for(lambda: bool(job.of_type("progress")))
        job.cancel.set()
        job.wait_for_end()
    assert job.outcome is not None and job.outcome["state"] == "CANCELLED"
    assert runner.read()["done"] == job.id
