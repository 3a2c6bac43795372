"""Where a job comes from: the notebook, the cell and the kernel of this process, where there are such."""

from __future__ import annotations

import os
import re
import sys
from functools import cache
from typing import Any

from ..protocol.jobs import ORIGIN_LIMITS, Origin

#: As Jupyter servers name the connection files of their kernels.
_CONNECTION_FILE = re.compile(r"kernel-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.json")


def origin_of(shell: Any) -> Origin:
    """The cell that an IPython shell runs now; empty without one, and where its frontend does not say.

    Never raises: a job is not refused for where it comes from.
    """
    if shell is None:
        return Origin()
    cell = _cell(shell)
    return Origin(**_fitting(notebook=_notebook(shell, cell), cell=cell, kernel=_kernel()))


def _cell(shell: Any) -> str:
    request = shell.get_parent() if hasattr(shell, "get_parent") else None
    metadata = request.get("metadata") if isinstance(request, dict) else None
    cell = metadata.get("cellId") if isinstance(metadata, dict) else None
    return cell if isinstance(cell, str) else ""


def _notebook(shell: Any, cell: str) -> str:
    # A console has a name here as well; it has no cells.
    session = os.environ.get("JPY_SESSION_NAME", "")
    if session and (cell or session.endswith(".ipynb")):
        return session
    file = shell.user_ns.get("__vsc_ipynb_file__")
    return file if isinstance(file, str) else ""


@cache
def _kernel() -> str:
    module = sys.modules.get("ipykernel.kernelapp")
    if module is None or not module.IPKernelApp.initialized():
        return ""
    file = str(getattr(module.IPKernelApp.instance(), "connection_file", ""))
    found = _CONNECTION_FILE.fullmatch(os.path.basename(file))
    return found[1] if found else ""


def _fitting(**parts: str) -> dict[str, str]:
    """Without what a relay would refuse."""
    return {
        name: text for name, text in parts.items() if len(text) <= ORIGIN_LIMITS[name] and text.isprintable()
    }
