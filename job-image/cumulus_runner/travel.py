"""Packs what a runner needs into a folder, for interpreters that have none of it."""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import Optional

#: Packages and modules, and which of their parts travel (all where empty).
_LUGGAGE = {
    "cumulus_jupyter": ("__init__.py", "progress.py", "protocol", "values"),
    "cumulus_runner": (),
    "cloudpickle": (),
}


def pack(folder: str) -> None:
    """Copy the runner and what it imports into ``folder``, to be put on ``PYTHONPATH``.

    Called by executors. What is there already is replaced. Raises ``OSError``.
    """
    for package, parts in _LUGGAGE.items():
        home = _home(package)
        if home is None:
            continue
        for part in parts or sorted(os.listdir(home)):
            source, target = os.path.join(home, part), os.path.join(folder, package, part)
            if os.path.isdir(source):
                if part != "__pycache__":
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(source, target, ignore=ignored, dirs_exist_ok=True)
            else:
                os.makedirs(os.path.dirname(target), exist_ok=True)
                shutil.copyfile(source, target)


def _home(package: str) -> Optional[str]:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return next(iter(spec.submodule_search_locations))
