"""The runner serves interpreters that have neither our packages nor IPython."""

from __future__ import annotations

import venv
from collections.abc import Iterator

import pytest

from cumulus_server.executors.luggage import pack
from tests.fakes.runner_relay import FakeRelay
from tests.fakes.served_runner import ServedRunner, result_values


@pytest.fixture(scope="module")
def bare_runner(relay: FakeRelay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedRunner]:
    """A runner in an empty virtual environment."""
    folder = tmp_path_factory.mktemp("bare")
    venv.EnvBuilder(symlinks=True).create(folder / "venv")
    pack(folder / "packed")
    runner = ServedRunner(
        relay, folder, python=str(folder / "venv" / "bin" / "python"), PYTHONPATH=str(folder / "packed")
    )
    yield runner
    runner.close()


def test_cell_in_a_bare_interpreter(bare_runner: ServedRunner) -> None:
    job = bare_runner.run(
        "import asyncio, sys\n"
        "async def f(): return 2\n"
        "print('IPython' in sys.modules, 'PYTHONPATH' in __import__('os').environ)\n"
        "display('shown')\n"
        "await f()"
    )
    assert job.text("stdout") == "False False\n"
    assert job.of_type("display")[0]["data"] == {"text/plain": "'shown'"}
    assert result_values(job)["@result"] == 2


def test_error_in_a_bare_interpreter(bare_runner: ServedRunner) -> None:
    job = bare_runner.run("def f():\n    return 1/0\nf()")
    text = "".join(job.error["traceback"])
    assert "line 3" in text and "return 1/0" in text and "cumulus_runner" not in text


def test_magics_in_a_bare_interpreter_are_refused_as_what_they_are(bare_runner: ServedRunner) -> None:
    job = bare_runner.run("x = 1\n!ls\nprint(x)")
    assert job.error["name"] == "SyntaxError" and "need IPython" in job.error["value"]
    assert "line 2" in "".join(job.error["traceback"])
    assert not any(line.endswith("\n") for line in job.error["traceback"])


def test_cancel_in_a_bare_interpreter(bare_runner: ServedRunner) -> None:
    from tests.fakes.runner_relay import FakeJob

    source = (
        "import asyncio\ntry:\n    print('on')\n    await asyncio.sleep(600)\nfinally:\n    print('cleaned')"
    )
    job = bare_runner.assign(FakeJob({"source": source}))
    job.wait_for_text("on\n")
    job.cancel.set()
    job.wait_for_end()
    assert job.outcome is not None and job.outcome["state"] == "CANCELLED"
    assert "cleaned" in job.text("stdout")
    assert bare_runner.read()["done"] == job.id
