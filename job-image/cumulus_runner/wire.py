"""What comes as JSON, as objects.

They have the fields of the dataclasses in ``protocol``, without those modules: a runner that has just been
started would spend longer on them than its relay on the claim.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Dict, Mapping, cast

if TYPE_CHECKING:
    from cumulus_jupyter.protocol.channel import Assignment
    from cumulus_jupyter.protocol.program import Program


def assignment_from_wire(body: Mapping[str, Any]) -> Assignment:
    """The assignment a JSON object stands for; unknown fields do no harm."""
    defaults: Dict[str, Any] = {
        "relay_file": "",
        "environments_dir": "",
        "env": {},
        "memory_mib": None,
        "cpu": None,
        "grace_s": 5.0,
        "by_line": False,
        "relay_certificate": "",
        "contained": False,
        "gpu_fraction": 0.0,
        "gpu_memory_mib": 0,
    }
    return cast("Assignment", SimpleNamespace(**{**defaults, **body}))


def program_from_wire(body: Mapping[str, Any]) -> Program:
    """The program a JSON object stands for; unknown fields do no harm."""
    defaults: Dict[str, Any] = {
        "source": "",
        "title": "Cell",
        "line_offset": 0,
        "imports": [],
        "graph": None,
        "inline_blobs": {},
        "outputs": None,
        "assigned": [],
        "pickle_results": False,
        "value_limit_bytes": 64 * 2**20,
        "figure_format": "png",
        "figure_dpi": None,
    }
    return cast("Program", SimpleNamespace(**{**defaults, **body}))
