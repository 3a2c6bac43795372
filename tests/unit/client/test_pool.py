"""Threads of the pool: as many as are needed, and never more than allowed."""

from __future__ import annotations

import threading

from cumulus_jupyter.client.pool import Pool
from tests.homes import wait_for
from tests.patience import LIMIT_S


def test_tasks_run_side_by_side_up_to_the_limit() -> None:
    pool, together, done = Pool(limit=4), threading.Barrier(4), threading.Semaphore(0)

    def task() -> None:
        together.wait(LIMIT_S)
        done.release()

    for _ in range(8):
        pool.run(task)
    for _ in range(8):
        assert done.acquire(timeout=LIMIT_S)
    assert pool._threads == 4


def test_an_idle_thread_is_used_again() -> None:
    pool = Pool()
    for _ in range(20):
        ran = threading.Event()
        pool.run(ran.set)
        assert ran.wait(LIMIT_S)
        assert wait_for(lambda: pool._idle == 1, LIMIT_S)
    assert pool._threads == 1


def test_it_is_full_once_every_thread_has_a_task() -> None:
    pool, gate = Pool(limit=2), threading.Event()
    for _ in range(2):
        assert not pool.full
        pool.run(gate.wait)
    assert pool.full
    gate.set()
    assert wait_for(lambda: not pool.full, LIMIT_S)


def test_the_end_of_the_process_waits_for_submissions() -> None:
    pool, order = Pool(), []
    pool.begin_submission()

    def submission() -> None:
        order.append("sent")
        pool.end_submission()

    pool.run(submission)
    pool.flush()
    assert order == ["sent"]
