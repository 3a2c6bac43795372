"""Threads that follow jobs in the background.

They are daemons: a script or kernel that ends does not wait for its jobs. It does wait for their
submission, so that what ``submit`` returned from is never lost.
"""

from __future__ import annotations

import atexit
import os
import queue
import threading
import time
from collections.abc import Callable

THREADS_MAX = 128
#: How long the end of the process waits for submissions on their way.
FLUSH_LIMIT_S = 15.0

Task = Callable[[], None]


class Pool:
    """Up to ``limit`` threads, started as they are needed."""

    def __init__(self, limit: int = THREADS_MAX) -> None:
        self._limit = limit
        self._pid = os.getpid()
        self._tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads = 0
        self._lock = threading.Lock()
        self._unsent = 0
        self._all_sent = threading.Condition(self._lock)

    def run(self, task: Task) -> None:
        """Run ``task`` on a thread of the pool; it must not raise."""
        self._tasks.put(task)
        if self._idle.acquire(blocking=False):
            return
        with self._lock:
            if self._threads >= self._limit:
                return
            self._threads += 1
            number = self._threads
        threading.Thread(target=self._work, name=f"cumulus-{number}", daemon=True).start()

    def begin_submission(self) -> None:
        """Note that a submission is on its way; the end of the process waits for it."""
        with self._lock:
            self._unsent += 1

    def end_submission(self) -> None:
        """Note that a submission was acknowledged or refused."""
        with self._lock:
            self._unsent -= 1
            if not self._unsent:
                self._all_sent.notify_all()

    def flush(self) -> None:
        """Wait until every submission was acknowledged or refused."""
        if os.getpid() != self._pid:
            return
        give_up = time.monotonic() + FLUSH_LIMIT_S
        with self._lock:
            while self._unsent and (left := give_up - time.monotonic()) > 0:
                self._all_sent.wait(left)

    def _work(self) -> None:
        while True:
            try:
                task = self._tasks.get_nowait()
            except queue.Empty:
                self._idle.release()
                task = self._tasks.get()
            task()


_shared: Pool | None = None
_shared_lock = threading.Lock()


def shared_pool() -> Pool:
    """The pool of this process."""
    global _shared
    with _shared_lock:
        if _shared is None:
            _shared = Pool()
            atexit.register(_shared.flush)
        return _shared


def _forget() -> None:
    """In the child of a fork: the pool's threads have stayed with the parent."""
    global _shared, _shared_lock
    _shared, _shared_lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
