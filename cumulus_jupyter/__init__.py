"""Run a notebook cell on another machine's GPU as if it ran here.

Nothing heavy is imported until it is used: ``import cumulus_jupyter`` stays under 50 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .client.api import CumulusClient
    from .client.job import Job
    from .progress_bar import progress
    from .remote_function import remote
    from .values.remote_value import RemoteValue

_HOMES = {
    "CumulusClient": ".client.api",
    "Job": ".client.job",
    "RemoteValue": ".values.remote_value",
    "progress": ".progress_bar",
    "remote": ".remote_function",
}

__all__ = ["CumulusClient", "Job", "RemoteValue", "progress", "remote"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def load_ipython_extension(ipython: Any) -> None:
    """``%load_ext cumulus_jupyter``."""
    from .magic import register

    register(ipython)


def unload_ipython_extension(ipython: Any) -> None:
    """``%unload_ext cumulus_jupyter``."""
    from .magic import unregister

    unregister(ipython)

