"""A small event loop for one thread: file descriptors, timers, and coroutines that wait for them.

What jobs' processes are forked from has imported this, and may have neither threads nor an event loop that
the user's own ``asyncio`` would find running. Coroutines here are plain ``async def`` functions that await
``Future`` objects; ``spawn`` drives them.
"""

from __future__ import annotations

import heapq
import itertools
import selectors
import signal
import socket
import sys
import time
from typing import Any, Callable, Coroutine, Dict, Generator, Generic, List, Optional, Tuple, TypeVar

T = TypeVar("T")


class Future(Generic[T]):
    """A value that comes later. Setting it twice is harmless: the first one counts."""

    __slots__ = ("_callbacks", "_error", "_value", "done")

    def __init__(self) -> None:
        self.done = False
        self._value: Any = None
        self._error: Optional[BaseException] = None
        self._callbacks: List[Callable[[], None]] = []

    def set(self, value: T) -> None:
        """Fulfil it, and go on with whoever waits."""
        self._finish(value, None)

    def fail(self, error: BaseException) -> None:
        """Raise ``error`` in whoever waits."""
        self._finish(None, error)

    def _finish(self, value: Any, error: Optional[BaseException]) -> None:
        if self.done:
            return
        self.done, self._value, self._error = True, value, error
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def then(self, callback: Callable[[], None]) -> None:
        """Call back once it is done; at once if it is."""
        if self.done:
            callback()
        else:
            self._callbacks.append(callback)

    def result(self) -> T:
        """What it was set to; raises what it failed with. Only once it is done."""
        if self._error is not None:
            raise self._error
        value: T = self._value
        return value

    def __await__(self) -> Generator[Future[T], None, T]:
        if not self.done:
            yield self
        return self.result()


class Timer:
    """A call that comes later, unless cancelled."""

    __slots__ = ("action",)

    def __init__(self, action: Callable[[], None]) -> None:
        self.action: Optional[Callable[[], None]] = action

    def cancel(self) -> None:
        """Forget the call; harmless after it came."""
        self.action = None


class Loop:
    """Waits for file descriptors, timers and signals; calls back one at a time."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._timers: List[Tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._stopped = False
        self._signals: Dict[int, Callable[[], None]] = {}
        self._wake_read, self._wake_write = socket.socketpair()
        for end in (self._wake_read, self._wake_write):
            end.setblocking(False)

    def watch(
        self,
        fd: int,
        readable: Optional[Callable[[], None]] = None,
        writable: Optional[Callable[[], None]] = None,
    ) -> None:
        """Call back whenever ``fd`` is readable or writable; replaces what was asked before."""
        events = (selectors.EVENT_READ if readable else 0) | (selectors.EVENT_WRITE if writable else 0)
        known = fd in self._selector.get_map()
        if not events:
            if known:
                self._selector.unregister(fd)
        elif known:
            self._selector.modify(fd, events, (readable, writable))
        else:
            self._selector.register(fd, events, (readable, writable))

    def forget(self, fd: int) -> None:
        """Stop watching; call this before closing ``fd``."""
        self.watch(fd)

    def after(self, delay_s: float, action: Callable[[], None]) -> Timer:
        """Call ``action`` after a delay."""
        timer = Timer(action)
        heapq.heappush(self._timers, (time.monotonic() + delay_s, next(self._order), timer))
        return timer

    def sleep(self, delay_s: float) -> Future[None]:
        """A future that is done after a delay."""
        future: Future[None] = Future()
        self.after(delay_s, lambda: future.set(None))
        return future

    def on_signal(self, number: int, action: Callable[[], None]) -> None:
        """Call ``action`` from the loop when the signal comes."""
        if not self._signals:
            signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
            self.watch(self._wake_read.fileno(), self._wake)
        self._signals[number] = action
        signal.signal(number, _noted)

    def _wake(self) -> None:
        try:
            numbers = self._wake_read.recv(4096)
        except BlockingIOError:
            return
        for number in sorted(set(numbers)):
            action = self._signals.get(number)
            if action is not None:
                action()

    def stop(self) -> None:
        """Leave ``run`` after the callback that runs now."""
        self._stopped = True

    def run(self) -> None:
        """Serve callbacks until ``stop``."""
        self._stopped = False
        timers = self._timers
        while not self._stopped:
            timeout: Optional[float] = None
            while timers and timers[0][2].action is None:
                heapq.heappop(timers)
            if timers:
                timeout = max(0.0, timers[0][0] - time.monotonic())
            for key, mask in self._selector.select(timeout):
                readable, writable = key.data
                if self._selector.get_map().get(key.fd) is not key:
                    continue
                if mask & selectors.EVENT_WRITE and writable is not None:
                    writable()
                if mask & selectors.EVENT_READ and readable is not None:
                    readable()
            if timers:
                self._run_timers()

    def _run_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            timer = heapq.heappop(self._timers)[2]
            action, timer.action = timer.action, None
            if action is not None:
                action()

    def close(self) -> None:
        """Let go of what the loop itself holds."""
        if self._signals:
            signal.set_wakeup_fd(-1)
        self._selector.close()
        self._wake_read.close()
        self._wake_write.close()


def _noted(number: int, frame: object) -> None:
    """The wake-up descriptor has the signal already."""


def spawn(work: Coroutine[Any, Any, T]) -> Future[T]:
    """Drive a coroutine; the future has what it returns or raises."""
    result: Future[T] = Future()

    def step() -> None:
        while True:
            try:
                waiting = work.send(None)
            except StopIteration as stop:
                result.set(stop.value)
                return
            except BaseException as error:
                result.fail(error)
                return
            if not waiting.done:
                waiting.then(step)
                return

    step()
    return result


def report_failure(future: Future[Any], name: str) -> None:
    """Write to stderr if a coroutine that nobody awaits has failed."""

    def look() -> None:
        if future._error is not None:
            print(f"cumulus_runner: {name} failed", file=sys.stderr)
            import traceback

            traceback.print_exception(type(future._error), future._error, future._error.__traceback__)

    future.then(look)
