"""The handle of a job is a future."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading

import pytest

from cumulus_jupyter.client.http import Http
from cumulus_jupyter.client.job import Job
from cumulus_jupyter.client.pool import Pool
from cumulus_jupyter.client.submission import JobOptions, make_submission
from cumulus_jupyter.protocol.errors import DeadlineExceeded, InvalidArgument
from cumulus_jupyter.protocol.program import Program
from tests.fakes.client_relay import FakeRelay, completed, log, result, state
from tests.patience import LIMIT_S


def started(http: Http) -> Job:
    job = Job(http, name="fit")
    job.start(make_submission(Program("cell"), JobOptions()))
    return job


def test_a_result_and_the_names_it_left(relay: FakeRelay, http: Http) -> None:
    relay.default = completed(42, log("hello\n"), x=1)
    job = started(http)
    assert job.result(LIMIT_S) == 42
    assert job.values() == {"x": 1}
    assert job.exception() is None
    assert job.done() and not job.running() and not job.cancelled()
    assert job.logs() == "hello\n" and job.logs("stderr") == ""
    assert repr(job) == "<Job name-of-job1 job1 COMPLETED>"


def test_a_job_of_another_process_is_followed_when_it_is_asked(relay: FakeRelay, http: Http) -> None:
    relay.jobs["a"] = completed("there")
    job = Job(http, "a")
    assert relay.asked == []
    assert job.result(LIMIT_S) == "there"


def test_an_exception_has_its_own_type(relay: FakeRelay, http: Http) -> None:
    error = {
        "type": "error",
        "name": "KeyError",
        "value": "'k'",
        "module": "builtins",
        "qualname": "KeyError",
    }
    args = {"version": 1, "nodes": [{"t": "tuple", "v": ["k"]}], "roots": {"args": [0]}}
    failed = state("FAILED", error={"code": "FAILED_PRECONDITION", "message": "KeyError: 'k'"})
    relay.default = [
        state("RUNNING"),
        {**error, "traceback": ["Traceback", "KeyError"], "args": args},
        failed,
    ]
    job = started(http)
    with pytest.raises(KeyError) as caught:
        job.result(LIMIT_S)
    assert caught.value.args == ("k",)
    assert "Traceback\nKeyError" in str(caught.value.__cause__)


def test_a_failure_without_an_exception_is_the_relays_error(relay: FakeRelay, http: Http) -> None:
    error = {"code": "DEADLINE_EXCEEDED", "message": "Job exceeded allocated duration of 60 seconds"}
    relay.default = [state("RUNNING"), state("FAILED", error=error)]
    job = started(http)
    with pytest.raises(DeadlineExceeded, match="60 seconds") as caught:
        job.result(LIMIT_S)
    assert caught.value.job_id == "job1"


def test_a_refused_submission_is_the_jobs_exception(relay: FakeRelay, http: Http) -> None:
    relay.refuse = (400, {"code": "INVALID_ARGUMENT", "message": "no", "next": "", "job_id": None})
    job = started(http)
    with pytest.raises(InvalidArgument):
        job.result(LIMIT_S)
    with pytest.raises(InvalidArgument):
        _ = job.id


def test_cancelling_asks_the_relay_and_is_over_when_it_says_so(relay: FakeRelay, http: Http) -> None:
    relay.default = [state("RUNNING")]
    job = started(http)
    assert job.id == "job1"
    assert job.cancel()
    assert relay.cancelled == ["job1"] and not job.done()
    relay.add("job1", state("CANCELLED"))
    with pytest.raises(concurrent.futures.CancelledError):
        job.result(LIMIT_S)
    assert job.cancelled() and job.done()
    assert job.cancel() is False


def test_waiting_has_a_limit(relay: FakeRelay, http: Http) -> None:
    relay.default = [state("RUNNING")]
    job = started(http)
    with pytest.raises(TimeoutError):
        job.result(0.01)
    relay.add("job1", result(1), state("COMPLETED"))
    assert job.result(LIMIT_S) == 1


def test_the_standard_librarys_waits_know_it(relay: FakeRelay, http: Http) -> None:
    relay.next_jobs = [completed(n) for n in range(4)]
    jobs = [started(http) for _ in range(4)]
    done = concurrent.futures.as_completed(jobs, timeout=LIMIT_S)
    assert sorted(job.result() for job in done) == [0, 1, 2, 3]
    called = threading.Event()
    jobs[0].add_done_callback(lambda job: called.set())
    assert called.is_set()


def test_waiting_for_a_job_of_another_process_follows_it(relay: FakeRelay, http: Http) -> None:
    relay.jobs["a"] = completed("there")
    done, waiting = concurrent.futures.wait([Job(http, "a")], LIMIT_S)
    assert [job.result() for job in done] == ["there"] and not waiting


def test_a_job_is_sent_though_every_thread_follows_another(relay: FakeRelay, http: Http) -> None:
    relay.next_jobs = [[state("RUNNING")], completed(2)]
    pool = Pool(limit=1)
    jobs = [Job(http, pool=pool) for _ in range(2)]
    for job, known in zip(jobs, ("job1", "job2"), strict=True):
        job.start(make_submission(Program("cell"), JobOptions()))
        # The first is sent by the thread, the second from here: neither waits for the other.
        assert job.id == known
    relay.refuse = (400, {"code": "INVALID_ARGUMENT", "message": "no", "next": "", "job_id": None})
    refused = Job(http, pool=pool)
    refused.start(make_submission(Program("cell"), JobOptions()))
    assert isinstance(refused.exception(LIMIT_S), InvalidArgument)
    relay.add("job1", result(1), state("COMPLETED"))
    assert [job.result(LIMIT_S) for job in jobs] == [1, 2]


def test_an_exception_that_no_event_loop_passes_on_ends_an_await(relay: FakeRelay, http: Http) -> None:
    error = {"type": "error", "name": "StopIteration", "value": "", "module": "builtins"}
    ended = state("FAILED", error={"code": "FAILED_PRECONDITION", "message": "StopIteration"})
    relay.default = [{**error, "qualname": "StopIteration", "traceback": ["there"]}, ended]

    async def last() -> None:
        await asyncio.wait_for(started(http), LIMIT_S)

    with pytest.raises(RuntimeError, match="StopIteration") as caught:
        asyncio.run(last())
    assert isinstance(caught.value.__cause__, StopIteration)


def test_it_can_be_awaited(relay: FakeRelay, http: Http) -> None:
    relay.next_jobs = [completed(1), completed(2)]

    async def both() -> list[int]:
        return await asyncio.gather(started(http), started(http))

    assert sorted(asyncio.run(both())) == [1, 2]


def test_an_await_that_is_given_up_cancels_the_job(relay: FakeRelay, http: Http) -> None:
    relay.default = [state("RUNNING")]
    relay.on_cancel = lambda job_id: relay.add(job_id, state("CANCELLED"))
    job = started(http)

    async def impatient() -> None:
        await asyncio.wait_for(job, 0.01)

    with pytest.raises(TimeoutError):
        asyncio.run(impatient())
    concurrent.futures.wait([job], LIMIT_S)
    assert relay.cancelled == ["job1"]


def test_attach_shows_it_from_its_first_event(
    relay: FakeRelay, http: Http, capsys: pytest.CaptureFixture[str]
) -> None:
    relay.jobs["a"] = completed(5, log("one\n"), log("two\n"))
    assert Job(http, "a").attach() == 5
    assert capsys.readouterr().out == "one\ntwo\n"
