"""Runs a cell in IPython, without what IPython does for a person at a keyboard."""

# IPython's annotations differ from version to version; this module serves them all.
# mypy: disable-error-code="no-untyped-call,union-attr,unused-ignore,override,misc"

from __future__ import annotations

import builtins
import os
import subprocess
import sys
import traceback
from types import ModuleType
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, cast

from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import ExecutionResult, InteractiveShell
from traitlets import Type
from traitlets.config import Config

from .compiling import title_of
from .display import clean_bundle
from .inline_figures import choose_backend
from .plain_shell import PlainShell, unended, user_traceback
from .streams import Console

if TYPE_CHECKING:
    from cumulus_jupyter.protocol.program import Program


class EventPublisher(DisplayPublisher):
    """Turns ``display``, updates and ``clear_output`` into events."""

    console: Console

    # IPython has changed these parameters from one version to the next; this takes what any of them passes.
    def publish(  # type: ignore[override]
        self,
        data: Dict[str, Any],
        metadata: Optional[Dict[str, Any]] = None,
        source: object = None,
        *,
        transient: Optional[Dict[str, Any]] = None,
        update: bool = False,
        **ignored: Any,
    ) -> None:
        """Send a MIME bundle."""
        display_id = (transient or {}).get("display_id")
        kind = "update_display" if update and display_id else "display"
        self.console.event(
            {
                "type": kind,
                "data": clean_bundle(data),
                "metadata": metadata or {},
                "display_id": str(display_id) if display_id else None,
            }
        )

    def clear_output(self, wait: bool = False) -> None:
        """Ask for the output so far to go."""
        self.console.event({"type": "clear_output", "wait": bool(wait)})


class EventDisplayHook(DisplayHook):
    """For values that nested code (``get_ipython().run_cell``) leaves: shown, not remembered."""

    def __call__(self, result: object = None) -> None:
        """Show a value."""
        if result is not None:
            data, metadata = self.compute_format_data(result)
            self.shell.display_pub.publish(data, metadata)


class JobShell(InteractiveShell):
    """IPython's shell, for one cell in a process of its own."""

    display_pub_class = Type(EventPublisher)
    displayhook_class = Type(EventDisplayHook)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        #: An error that a magic such as ``%%time`` has caught and shown.
        self.caught: Optional[BaseException] = None

    def enable_gui(self, gui: Optional[str] = None) -> None:
        """There is no screen; accepted, so that ``%matplotlib`` works."""

    def _showtraceback(self, etype: Any, evalue: Any, stb: List[str]) -> None:
        self.caught = evalue

    def system(self, cmd: str) -> None:
        """``!cmd``: its output is live; when interrupted, so is the cell."""
        with subprocess.Popen(
            self.var_expand(cmd, depth=1), shell=True, executable=os.environ.get("SHELL")
        ) as process:
            try:
                status = process.wait()
            except KeyboardInterrupt:
                try:
                    process.wait(timeout=1)
                except subprocess.TimeoutExpired:
                    process.kill()
                raise
        self.user_ns["_exit_code"] = status


class IPythonShell(PlainShell):
    """A namespace in an IPython shell, and what runs a cell in it.

    The namespace is that of ``module``, where there is one already.
    """

    def __init__(self, console: Console, module: Optional[ModuleType] = None) -> None:
        self._module = module
        super().__init__(console)

    def _make_namespace(self) -> Dict[str, Any]:
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.enable_tip = False
        given = {"user_module": self._module} if self._module is not None else {}
        self._ipython = cast(Any, JobShell.instance(config=config, **given))
        self._ipython.display_pub.console = self.console
        leave = {name: getattr(builtins, name) for name in ("exit", "quit")}
        self._ipython.builtin_trap.__enter__()
        vars(builtins).update(leave)
        sys.displayhook = self._ipython.displayhook
        known_name = self._ipython.compile.format_code_name

        def format_code_name(name: str) -> Any:
            title = title_of(name)
            return tuple(title.split(" ", 1)) if title and " " in title else known_name(name)

        self._ipython.compile.format_code_name = format_code_name
        namespace: Dict[str, Any] = self._ipython.user_ns
        for name in ("exit", "quit"):
            namespace.pop(name, None)
        return namespace

    @property
    def ipython(self) -> Any:
        """What ``get_ipython()`` gives."""
        return self._ipython

    def warm_up(self) -> None:
        """Have everything imported and built before the first fork that an ordinary cell needs."""
        self._ipython.transform_cell("%time 1\n!true\n")
        self._ipython.display_formatter.format([1])
        try:
            raise ValueError("warm")
        except ValueError as error:
            self._ipython.InteractiveTB.structured_traceback(ValueError, error, error.__traceback__, 0)
        self._ipython.caught = None

    def configure(self, program: Program) -> None:
        """Prepare matplotlib's settings, without importing it."""
        choose_backend()
        inline: Dict[str, Any] = {}
        if program.figure_format != "png":
            inline["figure_formats"] = {program.figure_format}
        if program.figure_dpi:
            inline["rc"] = {"figure.dpi": program.figure_dpi}
        if inline:
            self._ipython.config.InlineBackend.update(inline)

    def run(self, program: Program) -> Tuple[bool, Any]:
        """Run the cell. Returns whether it ends in an expression, and its value."""
        self._ipython.events.trigger("pre_execute")
        outcome = super().run(program)
        self.raise_caught()
        return outcome

    def raise_caught(self) -> None:
        """Raise an error that a magic such as ``%%time`` has caught and shown."""
        if self._ipython.caught is not None:
            raise self._ipython.caught

    def is_magic(self, source: str) -> bool:
        """True: a single name, which may be a magic without its percent sign."""
        return source.strip().isidentifier()

    def transform(self, source: str) -> str:
        """The cell as plain Python, with magics and ``!cmd`` as calls."""
        skipped = len(source) - len(source.lstrip("\n"))
        transformed: str = self._ipython.transform_cell(source)
        return "\n" * skipped + transformed

    def finish(self) -> None:
        """What comes after a cell: figures that have not been shown."""
        self._ipython.events.trigger("post_execute")
        self._ipython.events.trigger("post_run_cell", ExecutionResult(None))

    def format_error(self, error: BaseException) -> List[str]:
        """IPython's own traceback, from the cell's own frame on."""
        trace = user_traceback(error)
        if trace is None and not isinstance(error, SyntaxError):
            # It began before the cell did.
            lines = unended(traceback.format_exception_only(type(error), error))
        elif trace is None:
            lines = self._ipython.SyntaxTB.structured_traceback(type(error), error, [])
        elif _has_group(error):
            lines = unended(traceback.format_exception(type(error), error, trace))
        else:
            lines = self._ipython.InteractiveTB.structured_traceback(type(error), error, trace, 0)
        return [str(line) for line in lines]

    def bundle_of(self, value: object) -> Dict[str, Any]:
        """How a value shows itself."""
        return clean_bundle(self._ipython.display_formatter.format(value)[0])


def _has_group(error: Optional[BaseException]) -> bool:
    """True: an exception group is in the chain, which IPython does not format."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if hasattr(error, "exceptions") and "Group" in type(error).__name__:
            return True
        error = error.__cause__ or error.__context__
    return False
