"""Threads that follow jobs in the background.

They are daemons: a script or kernel that ends does not wait for its jobs. It does wait for their
submission, so that what ``submit`` returned from is never lost.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
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
        self._tasks: deque[Task] = deque()
        self._threads = 0
        #: Threads that wait for a task, those among them that were told of one and have not taken it yet.
        self._idle = 0
        self._lock = threading.Lock()
        self._waiting = threading.Condition(self._lock)
        self._unsent = 0
        self._all_sent = threading.Condition(self._lock)

    @property
    def full(self) -> bool:
        """True: one more task would wait until another has ended."""
        with self._lock:
            return self._threads >= self._limit and self._idle <= len(self._tasks)

    def run(self, task: Task) -> None:
        """Run ``task`` on a thread of the pool; it must not raise."""
        with self._lock:
            self._tasks.append(task)
            if self._idle >= len(self._tasks):
                self._waiting.notify()
                return
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
            with self._lock:
                while not self._tasks:
                    self._idle += 1
                    self._waiting.wait()
                    self._idle -= 1
                task = self._tasks.popleft()
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
