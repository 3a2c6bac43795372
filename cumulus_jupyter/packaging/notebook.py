"""The notebook that a shell runs: its transformer, its history, its folder."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from .options import Notebook

_notebooks: WeakKeyDictionary[Any, Notebook] = WeakKeyDictionary()


def notebook_of(shell: Any) -> Notebook:
    """The ``Notebook`` of an IPython shell; the same one for every cell, so that it keeps what it parsed."""
    notebook = _notebooks.get(shell)
    if notebook is None:
        notebook = Notebook(
            transform=shell.transform_cell,
            history=lambda: _cells(shell),
            title=lambda filename: _title(shell, filename),
        )
        _notebooks[shell] = notebook
    notebook.folder = _folder(shell)
    return notebook


def _title(shell: Any, filename: str) -> str:
    """``<Cell In[3]>`` for the file a kernel keeps for that cell, as tracebacks shall say elsewhere too."""
    kind, name = shell.compile.format_code_name(filename) or ("", "")
    return f"<{kind} {name}>" if kind == "Cell" else filename


def _cells(shell: Any) -> Iterable[str]:
    """Cells run so far, as plain Python, those inside ``%%cumulus`` included."""
    return [_inner(shell, cell) for cell in list(shell.history_manager.input_hist_parsed)]


def _inner(shell: Any, cell: str) -> str:
    """What a ``%%cumulus`` or ``%%time`` cell ran."""
    if not cell.startswith("get_ipython().run_cell_magic("):
        return cell
    import ast

    try:
        call: Any = ast.parse(cell, mode="eval").body
        body = call.args[2].value
        # The magic's own line is the cell's first.
        return "\n" + str(shell.input_transformer_manager.transform_cell(body))
    except (SyntaxError, ValueError, AttributeError, IndexError):
        return cell


def _folder(shell: Any) -> Path:
    session = os.environ.get("JPY_SESSION_NAME", "")
    if session.endswith(".ipynb") and os.path.isabs(session) and os.path.isdir(os.path.dirname(session)):
        return Path(session).parent
    notebook = shell.user_ns.get("__vsc_ipynb_file__")
    if isinstance(notebook, str) and os.path.isdir(os.path.dirname(notebook)):
        return Path(notebook).parent
    return Path.cwd()
