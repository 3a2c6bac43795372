"""How wheels and sdists of this project are built: by hatchling, with the JupyterLab extension in them.

This is the project's build backend, and hatchling's build hook. An editable install gets no extension, and
needs no Node: there ``scripts/lab`` builds it. With ``CUMULUS_WITHOUT_LAB=1`` in the environment a wheel gets
none either.
"""

from __future__ import annotations

import os
from typing import Any

from hatchling.build import (
    build_editable,
    build_sdist,
    build_wheel,
    get_requires_for_build_editable,
)
from hatchling.build import get_requires_for_build_sdist as _requires_of_sdist
from hatchling.build import get_requires_for_build_wheel as _requires_of_wheel
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

import build_lab

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
]

LEAVE_OUT = "CUMULUS_WITHOUT_LAB"
_DESTINATION = "share/jupyter/labextensions/cumulus-lab"


def _left_out() -> bool:
    return os.environ.get(LEAVE_OUT, "") not in ("", "0")


def _node() -> list[str]:
    """Node as a package, where the extension must be built and there is no Node."""
    if _left_out() or build_lab.is_current() or build_lab.find_node():
        return []
    return [build_lab.NODE_PACKAGE]


def get_requires_for_build_wheel(config_settings: dict[str, Any] | None = None) -> list[str]:
    """Called by pip and its like; hatchling's own way to say this would say it for editable installs too."""
    return [*_requires_of_wheel(config_settings), *_node()]


def get_requires_for_build_sdist(config_settings: dict[str, Any] | None = None) -> list[str]:
    """Called by pip and its like."""
    return [*_requires_of_sdist(config_settings), *_node()]


class LabExtension(BuildHookInterface[Any]):
    """Builds the extension, and puts it where JupyterLab looks."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it packs."""
        if version == "editable" or _left_out():
            return
        try:
            build_lab.build()
        except build_lab.BuildFailed as failed:
            raise SystemExit(
                f"The JupyterLab extension cannot be built: {failed}\n"
                f"To install without it, set {LEAVE_OUT}=1; all else works as with it."
            ) from None
        if self.target_name == "wheel":
            here = build_lab.HERE
            build_data["shared_data"] |= {
                str(build_lab.BUILT): _DESTINATION,
                str(here / "install.json"): f"{_DESTINATION}/install.json",
            }
