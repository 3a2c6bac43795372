"""Tells of tqdm's bars as Progress events, beside the text that tqdm writes.

Every bar of tqdm's is of the class that ``tqdm.std`` has, those of ``tqdm.auto``, ``tqdm.rich`` and pandas
too, and comes through the three methods that are followed here. How often the relay hears of a bar, and which
bar is looked at where there are several, is ``progress_pace``'s to decide. Nothing here may break a bar: what
goes wrong is left untold.

A bar that is disabled is none, and one whose ``delay`` has not passed is none yet. A process that the job
forks tells of its own bars, not of those that it has from its parent.
"""

from __future__ import annotations

import functools
import itertools
import math
import os
import re
import sys
import time
from typing import Any, Dict, Optional, Tuple

from .streams import Console

#: A bar that moves without a pause between (``mininterval=0``) is told of no more often than this.
_INTERVAL_S = 0.02
_LABEL_CHARACTERS = 200
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_PREFIXES = ("", "k", "M", "G", "T", "P")
#: Where a bar keeps what has been told of it.
_TOLD = "_cumulus_told"


class _Told:
    """What has been told of a bar, and by which process."""

    def __init__(self, number: int) -> None:
        self.pid = os.getpid()
        self.id = f"tqdm-{self.pid}-{number}"
        self.at_s = float("-inf")
        self.fields: Optional[Dict[str, Any]] = None
        self.finished = False


class Bars:
    """Sends the events."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._numbers = itertools.count(1)

    def follow(self, bar_class: Any) -> None:
        """Have every bar of this class, and of those derived from it, told of."""
        begin, refresh, close = bar_class.__init__, bar_class.refresh, bar_class.close

        @functools.wraps(begin)
        def __init__(bar: Any, *arguments: Any, **named: Any) -> None:
            begin(bar, *arguments, **named)
            if _TOLD not in vars(bar) and getattr(bar, "gui", False) and not bar.delay:
                self.moved(bar)  # It draws itself first when it moves; it may be the outer one of others.

        @functools.wraps(refresh)
        def refreshed(bar: Any, *arguments: Any, **named: Any) -> Any:
            drawn = refresh(bar, *arguments, **named)
            self.moved(bar)
            return drawn

        @functools.wraps(close)
        def closed(bar: Any, *arguments: Any, **named: Any) -> Any:
            try:
                return close(bar, *arguments, **named)
            finally:
                self.ended(bar)

        bar_class.__init__, bar_class.refresh, bar_class.close = __init__, refreshed, closed

    def moved(self, bar: Any) -> None:
        """Tell how far it has come."""
        try:
            if bar.disable:
                return
            told = vars(bar).get(_TOLD)
            if told is None:
                told = vars(bar)[_TOLD] = _Told(next(self._numbers))
            now_s = time.monotonic()
            if now_s - told.at_s >= _INTERVAL_S:
                told.at_s = now_s
                self._tell(bar, told)
        except Exception:
            pass

    def ended(self, bar: Any) -> None:
        """Tell that it is over, once, if it was ever told of."""
        try:
            told = vars(bar).get(_TOLD)
            if told is not None and not told.finished:
                told.finished = True
                self._tell(bar, told)
        except Exception:
            pass

    def _tell(self, bar: Any, told: _Told) -> None:
        if told.pid != os.getpid():
            return
        fields = fields_of(bar)
        if told.finished or fields != told.fields:
            told.fields = fields
            self._console.event({"type": "progress", "id": told.id, **fields, "finished": told.finished})


def fields_of(bar: Any) -> Dict[str, Any]:
    """Label, done, total and unit of a Progress event, as a person would read them.

    Large numbers of a bar with ``unit_scale`` are scaled as tqdm scales them. tqdm's "it" is no unit.
    """
    label = _COLOURS.sub("", str(bar.desc or "")).strip()
    done, total, prefix = _scaled(bar)
    return {
        "label": (label[:-1] if label.endswith(":") else label)[:_LABEL_CHARACTERS],
        "done": done,
        "total": total,
        "unit": prefix + ("" if bar.unit == "it" else str(bar.unit or "")),
    }


def _scaled(bar: Any) -> Tuple[float, Optional[float], str]:
    done = float(bar.n)
    total = None if bar.total is None else float(bar.total)
    scale, prefix = bar.unit_scale, ""
    if scale is True:
        size, by, divisor = total or done, 1.0, float(bar.unit_divisor)
        step = 0
        while abs(size) / by >= divisor > 1 and step < len(_PREFIXES) - 1:
            step, by = step + 1, by * divisor
        prefix = _PREFIXES[step]
        done, total = round(done / by, 2), None if total is None else round(total / by, 2)
    elif scale:
        done, total = done * float(scale), None if total is None else total * float(scale)
    if not math.isfinite(done) or not (total is None or math.isfinite(total)):
        raise ValueError("no number that JSON has")
    return done, total, prefix


def follow(console: Console) -> None:
    """Tell of the bars of ``tqdm.std``, which has just been imported."""
    try:
        std: Any = sys.modules["tqdm.std"]
        Bars(console).follow(std.tqdm)
    except Exception:
        pass  # It is not the tqdm that this was written for: there is the text.


def without_widgets() -> None:
    """Let the bars of ``tqdm.notebook``, which has just been imported, be of text: here are no widgets."""
    try:
        notebook: Any = sys.modules["tqdm.notebook"]
        text_bar: Any = notebook.std_tqdm

        # Its base is known only here, where tqdm has been imported by somebody else.
        class tqdm_notebook(text_bar):  # type: ignore[misc]
            """A bar of text that takes what tqdm's bar of widgets takes."""

            def __init__(self, *arguments: Any, **named: Any) -> None:
                named.pop("display", None)
                if isinstance(named.get("ncols"), str):  # "100%" and "500px" are widths of widgets
                    named["ncols"] = int(named["ncols"]) if named["ncols"].isdigit() else None
                named["disable"] = bool(named.get("disable", False))
                super().__init__(*arguments, **named)

            def __repr__(self) -> str:
                return str(self)

            @property
            def container(self) -> Any:
                """What to display where it does not display itself: this, which shows as its text."""
                return self

            def display(self, msg: Optional[str] = None, pos: Optional[int] = None, **of_widgets: Any) -> Any:
                """Draw it."""
                return super().display(msg, pos)

        notebook.tqdm_notebook = notebook.tqdm = tqdm_notebook
        # Others ask for it before they take this module's bars, and warn where it is not there.
        notebook.IProgress = notebook.IProgress or object
    except Exception:
        pass
