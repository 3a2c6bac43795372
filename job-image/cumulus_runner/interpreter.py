"""What every job's process has from its birth: the shell, built once and inherited by forks."""

from __future__ import annotations

import builtins
import faulthandler
import gc
import importlib.util
import sys
from typing import TYPE_CHECKING, NoReturn

from cumulus_jupyter.progress_bar import set_hook

from . import fork_hooks, program_run, rehearsal
from .plain_shell import PlainShell
from .streams import Console

if TYPE_CHECKING:
    from .zygote import Commands


class Interpreter:
    """A Python that is ready to become a job; it never runs a job's code before it is forked."""

    def __init__(self) -> None:
        self.console = Console()
        # Replaced by the shell's; without a reference its globals would go.
        self._own_main = sys.modules["__main__"]
        self.shell = self._make_shell()
        builtins.input = _nobody_to_ask
        set_hook(self.console.event)
        import asyncio  # noqa: F401  (for cells that await; the import would cost each job)

        rehearsal.rehearse(self.shell)
        self._take_streams()

    def _take_streams(self) -> None:
        """Let ``sys`` have the streams of a job, which work once there is one."""
        sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # type: ignore[misc]
        sys.stdout = sys.__stdout__ = self.console.stdout  # type: ignore[misc, assignment]
        sys.stderr = sys.__stderr__ = self.console.stderr  # type: ignore[misc, assignment]
        faulthandler.enable(file=2)

    def _make_shell(self) -> PlainShell:
        if importlib.util.find_spec("IPython") is None:
            return PlainShell(self.console)
        from .shell import IPythonShell

        return IPythonShell(self.console)

    def settle(self) -> None:
        """Before the first fork: what exists now stays, so the collector need not touch it."""
        gc.collect()
        gc.freeze()

    def live(self, commands: Commands, frames_fd: int) -> int:
        """In a forked child: wait for a job, run it. Returns the exit status."""
        fork_hooks.take_up()
        self.console.open(frames_fd)
        return program_run.run(commands, self.shell, self.console)


def _nobody_to_ask(prompt: object = "") -> NoReturn:
    raise EOFError(
        "input() has nobody to ask: this cell runs elsewhere. Set a variable in the notebook and use it here."
    )
