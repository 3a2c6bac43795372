"""Show a job in a cell, event by event, to its end."""

from __future__ import annotations

import os
import sys
from typing import Any

from ..protocol.jobs import JobView
from ..view.cell_view import View, make_view
from .outcome import Outcome
from .stream import EventStream


def follow(stream: EventStream, view: View, outcome: Outcome) -> None:
    """Show a job's events as they come; ``outcome`` notes how it ended."""
    while stream.end is None:
        events = stream.read(view.next_tick_s())
        if not events:
            view.tick()
            continue
        for seq, event in events:
            if event is not None:
                view.show(event, seq)
        outcome.take(event for _, event in events)
        if stream.end is None:
            view.settle()


def view_here(name: str, prefix: str, seen: JobView) -> View:
    """The view for the cell that is running, or for a script's output."""
    module: Any = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return make_view(shell, os.environ.get("CUMULUS_VIEW", "auto"), name=name, prefix=prefix, seen=seen)
