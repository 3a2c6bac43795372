"""A job's options as people write them, checked and in their units."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from ..protocol.errors import InvalidArgument
from ..protocol.resources import (
    DURATION_DEFAULT_S,
    cpu_cores,
    duration_s,
    gpu_amount,
    gpu_tenths,
    memory_mib,
    priority,
)
from .submission import JobOptions

#: Keywords that ``CumulusClient`` takes for the job, not for the function.
NAMES = (
    "gpu",
    "gpu_memory",
    "cpu",
    "memory",
    "duration",
    "name",
    "labels",
    "needs",
    "requirements",
    "env",
    "image",
    "executor",
    "retries",
    "priority",
    "wait",
    "pickle",
)
RETRIES_MAX = 10
_YES = frozenset({"1", "true", "yes", "on"})
_NO = frozenset({"0", "false", "no", "off"})
_COMMENT = re.compile(r"(^|\s)#.*$")


def job_options(keywords: MutableMapping[str, Any]) -> tuple[JobOptions, dict[str, Any]]:
    """Split keywords into the job's options and the function's own. Raises ``InvalidArgument``."""
    asked = {key: keywords[key] for key in NAMES if key in keywords}
    return checked(asked), {key: value for key, value in keywords.items() if key not in asked}


def checked(asked: Mapping[str, Any]) -> JobOptions:
    """The options in their units; what is missing or ``None`` has its default.

    Raises ``InvalidArgument`` naming the value and what it should be.
    """
    given = {key: value for key, value in asked.items() if value is not None}
    gpu = given.get("gpu", given.get("gpu_memory"))
    labels, needs = labels_and_needs(given.get("labels", {}))
    return JobOptions(
        gpu=None if gpu is None or is_none(gpu) else gpu_amount(gpu_tenths(gpu)),
        cpu=_unless_none(given.get("cpu"), cpu_cores),
        memory_mib=_unless_none(given.get("memory"), memory_mib),
        duration_s=duration_s(given.get("duration", DURATION_DEFAULT_S)),
        name=str(given.get("name", "")),
        labels=labels,
        needs=list(dict.fromkeys([*requirement_list(given.get("needs", [])), *needs])),
        requirements=requirement_list(given.get("requirements", [])),
        env=pairs(given.get("env", {}), "environment variable"),
        image=str(given.get("image", "")),
        executor=str(given.get("executor", "")),
        retries=retries(given.get("retries", 0)),
        priority=priority(given.get("priority", 0)),
        wait=yes_or_no(given.get("wait", True), "wait"),
        pickle=yes_or_no(given.get("pickle", False), "pickle"),
    )


def is_none(value: object) -> bool:
    """True for the word that takes a default back, as in ``--gpu none``."""
    return isinstance(value, str) and value.strip().lower() == "none"


def pairs(given: Mapping[str, Any] | Iterable[str], what: str) -> dict[str, str]:
    """``KEY=VALUE`` items, or a mapping, as a dictionary. Raises ``InvalidArgument``."""
    if isinstance(given, Mapping):
        return {str(key): str(value) for key, value in given.items()}
    found = {}
    for item in [given] if isinstance(given, str) else given:
        key, equals, value = str(item).partition("=")
        if not key or not equals:
            raise InvalidArgument(f"Invalid {what}: {item}", next="Write it as KEY=VALUE.")
        found[key] = value
    return found


def labels_and_needs(given: Mapping[str, Any] | Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """``KEY=VALUE`` items are labels of the job, bare words the capabilities it asks for.

    A mapping holds labels only. Raises ``InvalidArgument``.
    """
    if isinstance(given, Mapping):
        return pairs(given, "label"), []
    items = [given] if isinstance(given, str) else [str(item) for item in given]
    words = [item.strip() for item in items if "=" not in item]
    if not all(words):
        raise InvalidArgument(
            "Invalid label: it is empty", next="Write KEY=VALUE, or a capability such as docker."
        )
    return pairs((item for item in items if "=" in item), "label"), words


def requirement_list(given: str | Iterable[str]) -> list[str]:
    """Requirement lines without blanks; one string is one line."""
    lines = given.splitlines() if isinstance(given, str) else [str(line) for line in given]
    return [line.strip() for line in lines if line.strip()]


def requirements_file(path: str) -> list[str]:
    """The requirement lines of a file, with those of the files it names by ``-r``.

    Raises ``InvalidArgument`` for a file that cannot be read and for an installer's options.
    """
    try:
        text = Path(path).expanduser().read_text()
    except (OSError, ValueError) as error:
        raise InvalidArgument(
            f"The requirements file {path} cannot be read: {getattr(error, 'strerror', None) or error}",
            next="Give the path of a file; --require NAME takes a package itself.",
        ) from None
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        line = _COMMENT.sub("", line).strip()
        if line.startswith(("-r ", "--requirement ")):
            found += requirements_file(str(Path(path).parent / line.split(None, 1)[1]))
        elif line.startswith("-"):
            raise InvalidArgument(
                f"{path} has an installer's option: {line}",
                next="List only distributions; where they come from is the relay's configuration.",
            )
        elif line:
            found.append(line)
    return found


def retries(value: object) -> int:
    """How often a lost job may be started again. Raises ``InvalidArgument``."""
    try:
        count = int(str(value))
        if isinstance(value, bool) or not 0 <= count <= RETRIES_MAX:
            raise ValueError
    except ValueError:
        raise InvalidArgument(
            f"Invalid retries: {value}. Must be a whole number 0-{RETRIES_MAX}", next="Write one such as 2."
        ) from None
    return count


def yes_or_no(value: object, what: str) -> bool:
    """A switch as people write it. Raises ``InvalidArgument``."""
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise InvalidArgument(f"Invalid {what}: {value}. Must be true or false", next=f"Write {what}=true.")


def _unless_none(value: Any, check: Any) -> Any:
    return None if value is None or is_none(value) else check(value)
