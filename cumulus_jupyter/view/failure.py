"""Errors of Cumulus as people see them in a cell: what, what next, which job. No stack of ours."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from ..protocol.errors import CumulusError

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_RED, _BOLD, _DIM, _END = "\x1b[31m", "\x1b[1m", "\x1b[2m", "\x1b[0m"


class ShortError:
    """Lines for an exception; set as its ``_render_traceback_``, which IPython calls."""

    def __init__(self, head: str, message: str, next: str = "", job_id: str | None = None) -> None:
        self.head = head
        self.message = message
        self.next = next
        self.job_id = job_id

    def __call__(self) -> list[str]:
        lines = [f"{_RED}{_BOLD}{self.head}{_END}{_RED}: {self.message}{_END}"]
        if self.next:
            lines.append(self.next)
        if self.job_id:
            lines.append(f"{_DIM}job {self.job_id}{_END}")
        return lines


def shorten(error: CumulusError) -> CumulusError:
    """Make IPython show this error in a few lines. One that brought its own traceback keeps it."""
    if "_render_traceback_" not in error.__dict__:
        head = getattr(error, "head", error.code)
        error.__dict__["_render_traceback_"] = ShortError(head, error.message, error.next, error.job_id)
    return error


class Uncoloured:
    """The lines of another rendering, for a shell without colours."""

    def __init__(self, render: Callable[[], list[str]]) -> None:
        self._render = render

    def __call__(self) -> list[str]:
        return [_COLOUR.sub("", line) for line in self._render()]


def fit(error: BaseException, shell: Any) -> None:
    """Show an exception as this shell shows its own: in colours, or without, also where none are wanted."""
    render = error.__dict__.get("_render_traceback_")
    plain = str(getattr(shell, "colors", "")).lower() == "nocolor" or os.environ.get("NO_COLOR")
    if render is not None and plain:
        error.__dict__["_render_traceback_"] = Uncoloured(render)


def show_syntax_error(
    shell: Any, kind: type[BaseException], error: SyntaxError, traceback: Any, tb_offset: int | None = None
) -> None:
    """Show a cell's syntax error as IPython shows one of its own; a custom exception handler of IPython."""
    render = getattr(error, "_render_traceback_", None)
    lines = render() if render else list(shell.SyntaxTB.structured_traceback(kind, error, []))
    if not render and lines and error.filename:
        _, newline, rest = lines[0].partition("\n")
        lines[0] = f"  {error.filename}, line {error.lineno}{newline}{rest}"
    shell._showtraceback(kind, error, lines)


class JobInterrupted(KeyboardInterrupt):
    """The cell was stopped; its job was asked to end, or goes on alone."""

    def __init__(self, message: str, next: str = "", job_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.job_id = job_id
        self.__dict__["_render_traceback_"] = ShortError("Stopped", message, next, job_id)


def stopped_early(error: KeyboardInterrupt) -> None:
    """Show an interrupt that came while nothing of the cell was running, or nothing any more."""
    if "_render_traceback_" not in error.__dict__:
        error.__dict__["_render_traceback_"] = ShortError("KeyboardInterrupt", "The cell was stopped")
