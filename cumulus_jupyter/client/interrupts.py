"""Ctrl-C and the Stop button, let in only where nothing is half done.

While a gate is entered on the main thread, SIGINT raises ``KeyboardInterrupt`` only inside a wait for
the network. Anywhere else it is remembered, and raised by the next wait: no event is lost or shown
twice, and no answer is read by halves. A second one that finds the first still remembered is raised
on the spot.
"""

from __future__ import annotations

import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType, TracebackType
from typing import Any

from .connection import wait_readable

#: How long the answer to a submission is still waited for after an interrupt.
ANSWER_GRACE_S = 0.6
#: How long after an interrupt Jupyter may take to say that it was the first part of a shutdown.
SHUTDOWN_NEWS_S = 0.2
_SLICE_S = 0.1


def letting_through(gate: InterruptGate | None) -> AbstractContextManager[None]:
    """Inside, interrupts come through anywhere, whether there is a gate or not."""
    return nullcontext() if gate is None else gate.lifted()


def kernel_ends(shell: Any) -> bool:
    """Whether an interrupt just now was no Stop: Jupyter interrupts a kernel that it ends or restarts."""
    give_up = time.monotonic() + SHUTDOWN_NEWS_S
    while hasattr(shell, "kernel") and time.monotonic() < give_up:
        if shell.exit_now:
            return True
        time.sleep(0.01)
    return False


class InterruptGate:
    """A context manager around submitting and following one job."""

    def __init__(self) -> None:
        self._previous: Any = None
        self._waiting = False
        self._remembered = False

    def __enter__(self) -> InterruptGate:
        # Only Python's own handler is taken over: an event loop's or a debugger's knows better.
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        ):
            self._previous = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None

    def wait(self, poll: select.poll, timeout_s: float | None) -> bool:
        """Wait for the network; the one place where an interrupt comes through."""
        self._waiting = True
        try:
            self.check()
            return wait_readable(poll, timeout_s)
        finally:
            self._waiting = False

    def wait_for_answer(self, poll: select.poll, timeout_s: float | None) -> bool:
        """Wait for the answer to a submission: an interrupted one still has a moment to arrive.

        With it comes the job's id, without which the job could not be cancelled.
        """
        interrupted_at = None
        end = None if timeout_s is None else time.monotonic() + timeout_s
        while not wait_readable(poll, _SLICE_S):
            now = time.monotonic()
            if end is not None and now >= end:
                return False
            if self._remembered:
                interrupted_at = interrupted_at or now
                if now - interrupted_at >= ANSWER_GRACE_S:
                    self.check()
        return True

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """Inside, interrupts come through anywhere: nothing there is lost by them."""
        self._waiting = True
        try:
            self.check()
            yield
        finally:
            self._waiting = False

    def check(self) -> None:
        """Raise the remembered interrupt, if there is one."""
        if self._remembered:
            self._remembered = False
            raise KeyboardInterrupt

    def _interrupted(self, signum: int, frame: FrameType | None) -> None:
        if self._waiting or self._remembered:
            self._waiting = self._remembered = False
            raise KeyboardInterrupt
        self._remembered = True
