"""Runs a cell where IPython is not installed; also what every shell here has in common."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import inspect
import sys
import traceback
import types
from typing import Any, Coroutine, Dict, List, Optional, Tuple

from cumulus_jupyter.protocol.program import Program

from . import display
from .compiling import compile_cell, filename_of, remember_lines
from .streams import Console

#: Paths of frames that are ours and not the user's.
_OURS = ("/cumulus_runner/",)


class PlainShell:
    """A namespace, and what runs a cell in it."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.namespace = self._make_namespace()

    def _make_namespace(self) -> Dict[str, Any]:
        module = types.ModuleType("__main__", "The cell's own module.")
        sys.modules["__main__"] = module
        namespace = module.__dict__
        namespace["__builtins__"] = builtins
        vars(builtins)["display"] = display.Displayer(self.console).display
        return namespace

    def configure(self, program: Program) -> None:
        """Get ready for this program."""

    def run(self, program: Program) -> Tuple[bool, Any]:
        """Run the cell. Returns whether it ends in an expression, and its value.

        Raises whatever the cell raises.
        """
        filename = filename_of(program.title)
        above = "\n" * program.line_offset
        cell = None
        if not self.is_magic(program.source):
            source = above + program.source
            with contextlib.suppress(SyntaxError):
                cell = compile_cell(source, filename)
        if cell is None:
            source = above + self.transform(program.source)
        remember_lines(source, filename)
        if cell is None:
            cell = compile_cell(source, filename)
        if cell.body is not None:
            self._execute(cell.body)
        if cell.last is None:
            return False, None
        return True, self._execute(cell.last)

    def _execute(self, code: types.CodeType) -> Any:
        value = eval(code, self.namespace)
        if code.co_flags & inspect.CO_COROUTINE:
            return run_awaitable(value)
        return value

    def is_magic(self, source: str) -> bool:
        """True: though it is plain Python, it may mean something else here."""
        return False

    def transform(self, source: str) -> str:
        """The cell as plain Python."""
        return source

    def finish(self) -> None:
        """What comes after a cell: figures that have not been shown."""
        display.show_figures(self.console)

    def format_error(self, error: BaseException) -> List[str]:
        """The traceback as lines, from the cell's own frame on."""
        return traceback.format_exception(type(error), error, user_traceback(error))

    def bundle_of(self, value: object) -> Dict[str, Any]:
        """How a value shows itself."""
        return display.bundle_of(value)[0]


def user_traceback(error: BaseException) -> Optional[types.TracebackType]:
    """The traceback without the frames above the user's code."""
    trace = error.__traceback__
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename.replace("\\", "/")
        if not any(part in path for part in _OURS) and "/asyncio/" not in path:
            return trace
        trace = trace.tb_next
    return None


def run_awaitable(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine of the cell's top level; when interrupted, its ``finally`` blocks run first."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    task = loop.create_task(work)
    try:
        return loop.run_until_complete(task)
    except KeyboardInterrupt:
        if not task.done():
            task.cancel()
            try:
                loop.run_until_complete(task)
            except asyncio.CancelledError:
                pass
        raise
    finally:
        asyncio.set_event_loop(None)
        loop.close()
