"""Runs a cell where IPython is not installed; also what every shell here has in common."""

from __future__ import annotations

import builtins
import sys
import types
from typing import TYPE_CHECKING, Any, Coroutine, Dict, List, Optional, Tuple

from .compiling import compile_cell, filename_of, remember_lines
from .streams import Console

if TYPE_CHECKING:
    from cumulus_jupyter.protocol.program import Program

#: Flag of code that awaits; ``inspect`` has it too.
_CO_COROUTINE = 0x80
#: Paths of frames that are ours and not the user's.
_OURS = ("/cumulus_runner/", "/cumulus_jupyter/values/")


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
        from . import display

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
            try:
                cell = compile_cell(source, filename)
            except SyntaxError:
                pass  # It may be a magic.
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
        if code.co_flags & _CO_COROUTINE:
            return run_awaitable(value)
        return value

    def is_magic(self, source: str) -> bool:
        """True: though it is plain Python, it may mean something else here."""
        return False

    def transform(self, source: str) -> str:
        """The cell as plain Python. Raises ``SyntaxError`` where it is none because of its magics."""
        for number, line in enumerate(source.splitlines(), start=1):
            if line.lstrip().startswith(("%", "!")):
                place = (None, number, None, line)
                raise SyntaxError("magics and !commands need IPython, which this Python does not have", place)
        return source

    def finish(self) -> None:
        """What comes after a cell: figures that have not been shown."""
        if "matplotlib.pyplot" in sys.modules:
            from .display import show_figures

            show_figures(self.console)

    def format_error(self, error: BaseException) -> List[str]:
        """The traceback as texts to put one below the other, from the cell's own frame on."""
        import traceback

        return unended(traceback.format_exception(type(error), error, user_traceback(error)))

    def bundle_of(self, value: object) -> Dict[str, Any]:
        """How a value shows itself."""
        from .display import bundle_of

        return bundle_of(value)[0]


def unended(lines: List[str]) -> List[str]:
    """Python's traceback without its line ends. IPython's ends a frame with a blank line, which is meant."""
    return [line.rstrip("\n") for line in lines]


def user_traceback(error: BaseException) -> Optional[types.TracebackType]:
    """The traceback from the user's first frame to the last that is not the runner's."""
    trace = error.__traceback__
    while trace is not None and (_is_ours(trace) or _is_in(trace, "/asyncio/")):
        trace = trace.tb_next
    last = step = trace
    while step is not None:
        if not _is_ours(step):
            last = step
        step = step.tb_next
    if last is not None:
        last.tb_next = None
    return trace


def _is_ours(trace: types.TracebackType) -> bool:
    return any(_is_in(trace, part) for part in _OURS)


def _is_in(trace: types.TracebackType, part: str) -> bool:
    return part in "/" + trace.tb_frame.f_code.co_filename.replace("\\", "/")


def run_awaitable(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine of the cell's top level; when interrupted, its ``finally`` blocks run first."""
    import asyncio

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
