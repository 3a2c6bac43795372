"""What every job's process has from its birth: the shell, built once and inherited by forks."""

from __future__ import annotations

import builtins
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from .streams import Console

if TYPE_CHECKING:
    from .child import Commands
    from .plain_shell import PlainShell


class Interpreter:
    """A Python that is ready to become a job; it never runs a job's code before it is forked."""

    def __init__(self) -> None:
        from . import rehearsal

        self.console = Console()
        # Replaced by the shell's; without a reference its globals would go.
        self._own_main = sys.modules["__main__"]
        self.shell = self._make_shell()
        _import_ahead()
        rehearsal.rehearse(self.shell)
        settle_in(self.console)

    def _make_shell(self) -> PlainShell:
        import importlib.util

        if importlib.util.find_spec("IPython") is None:
            from .plain_shell import PlainShell

            return PlainShell(self.console)
        from .shell import IPythonShell

        shell = IPythonShell(self.console)
        shell.warm_up()
        return shell

    def settle(self) -> None:
        """Before the first fork: what exists now stays, so the collector need not touch it."""
        import gc

        gc.collect()
        gc.freeze()

    def live(self, commands: Commands, frames_fd: int) -> int:
        """In a forked child: wait for a job, run it. Returns the exit status."""
        from . import fork_hooks, program_run

        fork_hooks.take_up()
        self.console.open(frames_fd)
        return program_run.run(commands, self.console, lambda program: self.shell)


def _import_ahead() -> None:
    """What only some jobs need is imported where it is used: here, once for all of them."""
    import asyncio  # noqa: F401
    import base64  # noqa: F401
    import random  # noqa: F401
    import resource  # noqa: F401
    import tokenize  # noqa: F401

    from cumulus_jupyter.protocol import program  # noqa: F401

    from . import bundle, display, failures  # noqa: F401


def settle_in(console: Console) -> None:
    """Let this process have what a job's has: streams that work once there is a job, and nobody to ask."""
    import faulthandler

    from cumulus_jupyter.progress_bar import set_hook

    builtins.input = _nobody_to_ask
    sys.breakpointhook = _nobody_at_the_breakpoint
    set_hook(console.event)
    sys.argv[:] = [""]
    # Typeshed has the originals as constants, and streams as the interpreter's own class.
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = console.stdout  # type: ignore[misc, assignment]
    sys.stderr = sys.__stderr__ = console.stderr  # type: ignore[misc, assignment]
    faulthandler.enable(file=2)


def _nobody_to_ask(prompt: object = "") -> NoReturn:
    raise EOFError(
        "input() has nobody to ask: this cell runs elsewhere. Set a variable in the notebook and use it here."
    )


def _nobody_at_the_breakpoint(*args: object, **kwargs: object) -> Any:
    """Python's debugger would end the cell at once, and IPython says nothing of that."""
    if os.environ.get("PYTHONBREAKPOINT"):
        return sys.__breakpointhook__(*args, **kwargs)
    raise EOFError(
        "breakpoint() has nobody to ask: this cell runs elsewhere. Run it in the notebook to step through it."
    )
