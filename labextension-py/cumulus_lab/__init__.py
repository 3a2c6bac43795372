"""Cumulus in JupyterLab and Notebook: says where the built extension lies."""

from __future__ import annotations


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Called by JupyterLab's tools."""
    return [{"src": "labextension", "dest": "cumulus-lab"}]
