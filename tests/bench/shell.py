"""An IPython shell in this process, as a notebook's kernel has one."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from IPython.core.interactiveshell import InteractiveShell


def new_shell() -> InteractiveShell:
    """The process's shell, without history on disk, with the magic loaded."""
    shell: InteractiveShell = InteractiveShell.instance()
    shell.history_manager.enabled = False  # type: ignore[union-attr]
    run(shell, "%load_ext cumulus_jupyter")
    return shell


def run(shell: InteractiveShell, source: str, quiet: bool = True) -> Any:
    """Execute one cell and return its value. Raises what the cell raised."""
    with contextlib.redirect_stdout(io.StringIO()) if quiet else contextlib.nullcontext():
        done = shell.run_cell(source, store_history=False)
    done.raise_error()
    return done.result
