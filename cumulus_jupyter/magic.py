"""``%%cumulus`` and ``%cumulus``: read the line, hand the work on, show errors short.

Loaded by ``%load_ext``; what runs a job is imported with the first cell that needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core import magic

from .protocol.errors import CumulusError

if TYPE_CHECKING:
    from .cell import Session

# IPython's decorators promise less about types than they keep.
_cell_magic: Any = magic.cell_magic
_line_magic: Any = magic.line_magic
_can_be_silenced: Any = magic.output_can_be_silenced


@magic.magics_class
class CumulusMagics(magic.Magics):
    """The magics of one shell."""

    _session: Session | None = None

    @property
    def session(self) -> Session:
        """This shell's connection and settings."""
        if self._session is None:
            from .cell import Session

            self._session = Session(self.shell)
        return self._session

    # IPython declares no types for its decorators.
    @_can_be_silenced  # type: ignore[untyped-decorator]
    @_cell_magic("cumulus")  # type: ignore[untyped-decorator]
    def run(self, line: str, cell: str) -> Any:
        """Run this cell elsewhere, as if it ran here. ``%cumulus --help`` lists the options."""
        return self._shortly(lambda: self._run(line, cell))

    @_line_magic("cumulus")  # type: ignore[untyped-decorator]
    def command(self, line: str) -> Any:
        """Show the relay, jobs and workers. ``%cumulus --help`` lists the commands."""
        return self._shortly(lambda: self._command(line))

    def _run(self, line: str, cell: str) -> Any:
        from .cell import run_cell

        return run_cell(self.session, line, cell)

    def _command(self, line: str) -> Any:
        from .commands import run_command

        return run_command(self.session, line)

    def _shortly(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except BaseException as error:
            from .view.failure import fit, shorten, stopped_early

            if isinstance(error, CumulusError):
                shorten(error)
            elif isinstance(error, SyntaxError):
                self._show_syntax_errors_short(type(error))
            elif isinstance(error, KeyboardInterrupt):
                stopped_early(error)
            fit(error, self.shell)
            raise

    def _show_syntax_errors_short(self, kind: type[SyntaxError]) -> None:
        """IPython asks an exception how to show it, but not a syntax error; so tell it beforehand."""
        from .client.errors import CellSyntaxError
        from .view.failure import show_syntax_error

        shell: Any = self.shell
        if issubclass(kind, CellSyntaxError) and not shell.custom_exceptions:
            shell.set_custom_exc((CellSyntaxError,), show_syntax_error)


def register(shell: Any) -> None:
    """Give a shell the magics and their completions."""
    if shell is None:
        return
    shell.register_magics(CumulusMagics(shell))
    from .completion import complete
    from .settings import settings_of

    settings_of(shell)
    for trigger in ("%%cumulus", "%cumulus"):
        shell.set_hook("complete_command", complete, str_key=trigger)


def unregister(shell: Any) -> None:
    """Take the magics back."""
    for kind in ("cell", "line"):
        shell.magics_manager.magics[kind].pop("cumulus", None)
    from .settings import Cumulus

    shell.configurables[:] = [each for each in shell.configurables if not isinstance(each, Cumulus)]
