"""Which image a job gets. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..base import StartFailed, StartRequest

#: The label of job images: the Python minor version inside, such as "3.11".
PYTHON = "io.cumulus.python"
#: The label that says how much is installed in it: "full" or "slim".
VARIANT = "io.cumulus.variant"
#: What ``make image`` calls the images it builds.
OWN_NAME = "cumulus-job"
HOW_TO_GET_ONE = "Build one with `make image`, or name yours in the setting job_images."


def job_images(listed: Iterable[Mapping[str, Any]], configured: Mapping[str, str]) -> dict[str, str]:
    """Image per Python minor version, the default version first.

    ``listed`` is what ``GET /images/json`` answers for the label ``PYTHON``. Of several, a full image
    goes before a slim one, ours before others, and a new one before an old one.
    """
    best: dict[str, tuple[tuple[bool, bool, int], str]] = {}
    for image in listed:
        marks = image.get("Labels") or {}
        minor, slim = str(marks.get(PYTHON, "")), marks.get(VARIANT) == "slim"
        for name in image.get("RepoTags") or ():
            if not minor or name == "<none>:<none>":
                continue
            rank = (not slim, name.startswith(f"{OWN_NAME}:"), int(image.get("Created", 0)))
            best[minor] = max(best.get(minor, (rank, name)), (rank, name))
    found = {minor: name for minor, (_, name) in best.items()} | dict(configured)
    return {minor: found[minor] for minor in sorted(found, key=_preference)}


def image_for(request: StartRequest, images: Mapping[str, str]) -> str:
    """The image for this job: its own, else the one with its Python, else the default.

    Raises ``StartFailed`` where there is none.
    """
    if request.image:
        return request.image
    if request.python in images:
        return images[request.python]
    if images and not request.python:
        return next(iter(images.values()))
    which = f" with Python {request.python}" if request.python else ""
    raise StartFailed(f"There is no job image{which} on the engine", next=HOW_TO_GET_ONE, permanent=True)


def with_tag(image: str) -> str:
    """The image's name with the tag that is meant where it has neither tag nor digest."""
    return image if "@" in image or ":" in image.rpartition("/")[2] else f"{image}:latest"


def names_of(listed: Sequence[Mapping[str, Any]]) -> set[str]:
    """Every name in an engine's list of images, by tag and by digest."""
    return {name for image in listed for key in ("RepoTags", "RepoDigests") for name in image.get(key) or ()}


def _preference(minor: str) -> tuple[bool, list[int]]:
    """The relay's own version first, then the newest."""
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return minor != own, [-int(part) for part in minor.split(".") if part.isdigit()]
