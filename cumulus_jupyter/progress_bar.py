"""A progress bar that the notebook shows while the cell runs elsewhere.

    for batch in progress(batches, label="training"):
        ...

    with progress(total=100, label="download", unit="MB") as bar:
        bar.advance(10)

In a job, the bar travels as Progress events; anywhere else it is one line on stderr.
"""

from __future__ import annotations

import itertools
import sys
import time
from types import TracebackType
from typing import (
    Any,
    Callable,
    Generic,
    Iterable,
    Iterator,
    Mapping,
    Optional,
    Sized,
    Type,
    TypeVar,
)

T = TypeVar("T")

_INTERVAL_S = 0.1
#: To the runner more often, which passes on what came last: a bar must not seem to lag in a long pause.
_TELL_INTERVAL_S = 0.02
_hook: Optional[Callable[[Mapping[str, Any]], None]] = None
_numbers = itertools.count(1)


def set_hook(hook: Optional[Callable[[Mapping[str, Any]], None]]) -> None:
    """Send Progress events to ``hook`` instead of writing a line. Called by the runner."""
    global _hook
    _hook = hook


class ProgressBar(Generic[T]):
    """A bar: iterate over it, or move it by hand with ``advance`` and ``update``."""

    def __init__(
        self, iterable: Optional[Iterable[T]], label: str, total: Optional[float], unit: str
    ) -> None:
        if total is None and isinstance(iterable, Sized):
            total = len(iterable)
        self._iterable = iterable
        self._id = f"progress-{next(_numbers)}"
        self._shown_s = float("-inf")
        self._finished = False
        self.label = label
        self.total = total
        self.unit = unit
        self.done: float = 0

    def __iter__(self) -> Iterator[T]:
        if self._iterable is None:
            raise TypeError("this progress bar has nothing to iterate over: use advance() or update()")
        self._show()
        try:
            for item in self._iterable:
                yield item
                self.advance()
        finally:
            self.finish()

    def advance(self, amount: float = 1) -> None:
        """Move on by ``amount``."""
        self.update(self.done + amount)

    def update(self, done: float, label: Optional[str] = None) -> None:
        """Move to ``done``, and say something else if ``label`` is given."""
        self.done = done
        if label is not None:
            self.label = label
        if time.monotonic() - self._shown_s >= (_INTERVAL_S if _hook is None else _TELL_INTERVAL_S):
            self._show()

    def finish(self) -> None:
        """It has come as far as it will."""
        if not self._finished:
            self._finished = True
            self._show()

    def __enter__(self) -> ProgressBar[T]:
        self._show()
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.finish()

    def _show(self) -> None:
        self._shown_s = time.monotonic()
        if _hook is None:
            end = "\n" if self._finished else ""
            sys.stderr.write(f"\r{self._line()}{end}")
            sys.stderr.flush()
            return
        _hook(
            {
                "type": "progress",
                "id": self._id,
                "label": self.label,
                "done": self.done,
                "total": self.total,
                "unit": self.unit,
                "finished": self._finished,
            }
        )

    def _line(self) -> str:
        name = f"{self.label}: " if self.label else ""
        unit = f" {self.unit}" if self.unit else ""
        if not self.total:
            return f"{name}{self.done:g}{unit}"
        share = min(1.0, self.done / self.total)
        bar = "#" * round(share * 20)
        return f"{name}{share:4.0%} [{bar:<20}] {self.done:g}/{self.total:g}{unit}"


def progress(
    iterable: Optional[Iterable[T]] = None,
    *,
    label: str = "",
    total: Optional[float] = None,
    unit: str = "",
) -> ProgressBar[T]:
    """A progress bar over ``iterable``, or without one to be moved by hand.

    ``total`` is how far it goes, where the iterable does not tell.
    """
    return ProgressBar(iterable, label, total, unit)
