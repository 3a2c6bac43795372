"""A relay that is reached by https: the runner trusts the one certificate it was given."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.certificates import Certificate, certificate
from tests.fakes.runner_relay import FakeJob, FakeRelay
from tests.fakes.served_runner import result_values
from tests.fakes.single_runner import SingleRunner, run_alone
from tests.patience import LIMIT_S


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def relay(own: Certificate) -> Iterator[FakeRelay]:
    relay = FakeRelay(tls=own.context)
    yield relay
    relay.stop()


def test_job_with_large_values_both_ways(relay: FakeRelay, own: Certificate, tmp_path: Path) -> None:
    job = run_alone(
        relay,
        tmp_path,
        "print('over')\nx = 'x' * 3_000_000\nfor n in range(5): print(n)",
        assigned={"relay_certificate": own.pem},
    )
    assert job.text("stdout") == "over\n0\n1\n2\n3\n4\n" and "@outputs" in job.values
    assert job.outcome is not None and job.outcome["state"] == "COMPLETED"


def test_cancelled_over_the_control_stream(relay: FakeRelay, own: Certificate, tmp_path: Path) -> None:
    job = FakeJob({"source": "import time\nprint('on')\ntime.sleep(600)"})
    runner = SingleRunner(relay, tmp_path, job, relay_certificate=own.pem)
    job.wait_for_text("on\n")
    job.cancel.set()
    assert job.wait_for_end()["state"] == "CANCELLED"
    assert runner.wait() == 0


def test_another_certificate_is_refused_and_told_once(relay: FakeRelay, tmp_path: Path) -> None:
    """Also where it is the system's authorities that count."""
    for pem in (certificate(tmp_path).pem, ""):
        job = FakeJob({"source": "x = 1"})
        runner = SingleRunner(relay, tmp_path, job, relay_certificate=pem)
        told = _wait_for_line(runner)
        assert told.startswith(f"cumulus: cannot reach the relay at {relay.url}: its certificate is not")
        runner.process.kill()
        runner.wait()
        assert not job.claims and runner.said.count("cumulus:") == 1


def test_nobody_listens_then_the_relay_comes(tmp_path: Path, own: Certificate) -> None:
    relay = FakeRelay(tls=own.context)
    port, url = relay.port, relay.url
    job = FakeJob({"source": "x = 7"})
    relay.stop()
    runner = SingleRunner(relay, tmp_path, job, relay_certificate=own.pem, url=url)
    assert _wait_for_line(runner) == f"cumulus: cannot reach the relay at {url}: connection refused"
    again = FakeRelay(port, tls=own.context)
    again.add(job)
    job.wait_for_end()
    assert runner.wait() == 0 and result_values(job) == {"x": 7}
    assert runner.said.count("connection refused") == 1
    again.stop()


def _wait_for_line(runner: SingleRunner) -> str:
    """The first line that it says; it says nothing while all is well."""
    until = time.monotonic() + LIMIT_S
    while "\n" not in runner.said:
        assert time.monotonic() < until and runner.process.poll() is None, runner.said
        time.sleep(0.02)
    return runner.said.splitlines()[0]
