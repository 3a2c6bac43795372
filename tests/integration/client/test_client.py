"""``CumulusClient`` for scripts."""

from __future__ import annotations

import concurrent.futures
from pathlib import Path

import pytest

from cumulus_jupyter import remote
from cumulus_jupyter.client.api import CumulusClient, JobTimeout
from tests.patience import LIMIT_S


def add(a: int, b: int = 0) -> int:
    return a + b


def fail(key: str) -> None:
    raise KeyError(key)


def say_and_wait(seconds: float) -> str:
    import time

    print("waiting", flush=True)
    time.sleep(seconds)
    return "done"


def test_run(client: CumulusClient) -> None:
    assert client.run(add, 1, b=2) == 3


def test_what_it_prints_is_printed_here(client: CumulusClient, capsys: pytest.CaptureFixture[str]) -> None:
    assert client.run(say_and_wait, 0) == "done"
    assert capsys.readouterr().out == "waiting\n"
    client.run(say_and_wait, 0, show_output=False)
    assert capsys.readouterr().out == ""


def test_an_exception_of_the_function_is_raised(client: CumulusClient) -> None:
    with pytest.raises(KeyError) as caught:
        client.run(fail, "k")
    assert caught.value.args == ("k",) and "fail" in str(caught.value.__cause__)


def test_the_seeds_spelling_of_the_gpu_amount(client: CumulusClient) -> None:
    client.simulate_gpus(1)
    assert client.run(add, 1, gpu_memory=0.5, duration=60, requirements=[]) == 1
    assert client.jobs(limit=1)[0].view.resources.gpu == 0.5


def test_submit_takes_the_arguments_as_they_are(client: CumulusClient) -> None:
    values = [1, 2]
    job = client.submit(sum, values)
    values.append(3)
    assert job.result(LIMIT_S) == 3


def test_map_keeps_the_order(client: CumulusClient) -> None:
    assert list(client.map(add, range(12), range(12))) == [2 * n for n in range(12)]


def test_futures_of_both_kinds_can_be_waited_for(client: CumulusClient) -> None:
    jobs = [client.submit(add, n) for n in range(4)]
    done, waiting = concurrent.futures.wait(jobs, LIMIT_S)
    assert sorted(job.result() for job in done) == [0, 1, 2, 3] and not waiting


def test_a_limit_of_patience_cancels(client: CumulusClient) -> None:
    with pytest.raises(JobTimeout, match="being cancelled") as caught:
        client.run(say_and_wait, 600, timeout=0.5, show_output=False)
    assert caught.value.job_id
    job = client.job(caught.value.job_id)
    with pytest.raises(concurrent.futures.CancelledError):
        job.result(LIMIT_S)


def test_cancel(client: CumulusClient) -> None:
    job = client.submit(say_and_wait, 600)
    said = ""
    for event in job.events():
        text = getattr(event, "text", "")
        said += text
        if text and said == "waiting\n":
            assert job.cancel()
    with pytest.raises(concurrent.futures.CancelledError):
        job.result(LIMIT_S)
    assert job.cancelled() and not job.cancel()


def test_a_line_is_seen_before_the_next_is_printed(client: CumulusClient, tmp_path: Path) -> None:
    """Each line is answered from here; without the answer, the job prints no more."""

    def ask(folder: str) -> None:
        import os
        import time

        for n in range(20):
            print(n, flush=True)
            while not os.path.exists(f"{folder}/{n}"):
                time.sleep(0.002)

    job = client.submit(ask, str(tmp_path))
    said = ""
    for event in job.events():
        said += getattr(event, "text", "")
        if said.endswith("\n"):
            (tmp_path / said.split()[-1]).touch()
    assert said.split() == [str(n) for n in range(20)]


def test_remote_functions(client: CumulusClient) -> None:
    @remote(client=client, name="doubled")
    def double(n: int) -> int:
        return 2 * n

    assert double(4) == 8 and double.local(4) == 8
    assert list(double.map([1, 2])) == [2, 4]
    assert double.submit(5).result(LIMIT_S) == 10
    assert client.job("doubled").view.name == "doubled"


def test_what_the_relay_knows(client: CumulusClient) -> None:
    client.run(add, 1, labels={"set": "labels"})
    assert client.health().status == "ok"
    assert "local" in [worker.id for worker in client.workers()]
    assert client.stats().completed >= 1
    assert len(client.jobs(label="set=labels")) == 1
    assert repr(client.jobs(limit=1)[0]).endswith("COMPLETED>")


def test_a_large_argument_and_a_large_result(client: CumulusClient) -> None:
    import numpy

    data = numpy.arange(3_000_000)
    back = client.run(lambda array: array * 2, data)
    assert (back == data * 2).all()
