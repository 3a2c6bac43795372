"""How matplotlib's figures are shown, decided before anybody imports it."""

from __future__ import annotations

import os

_INLINE_BACKEND = "module://matplotlib_inline.backend_inline"


def choose_backend() -> None:
    """Let matplotlib draw into the notebook, unless the job's environment says otherwise."""
    os.environ.setdefault("MPLBACKEND", _INLINE_BACKEND)
