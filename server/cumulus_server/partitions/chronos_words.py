"""The words of ``chronos_cli``, this project's and upstream's: what is asked, what an answer says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .base import Entry
from .remote import Answer

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
#: Upstream's ids: "partition_0001", "partition_<pid>_<ms>_<n>", "stub_partition_<n>".
_ID = re.compile(r"\b(?:stub_)?partition_[A-Za-z0-9_]+\b")
#: "Created partition ID", with decoration around and between.
_CREATED = re.compile(r"\bcreated\s+partition\b[\s:='\"`*]*([A-Za-z0-9][\w.-]*)", re.IGNORECASE)
_LAST_LINES = 3
_LONGEST = 400


def create_words(index: int, tenths: int, seconds: int) -> list[str]:
    """The command that books so many tenths of a device."""
    return ["create", str(index), f"{tenths / 10:g}", str(seconds)]


def key_of(job_id: str, attempt: int) -> str:
    """What names an attempt's bookings on a node."""
    return f"{job_id}-{attempt}"


def attempt_of(key: str) -> tuple[str, int]:
    """The attempt that a key names; ``("", 0)`` where it names none."""
    job_id, _, attempt = key.rpartition("-")
    return (job_id, int(attempt)) if job_id and attempt.isascii() and attempt.isdigit() else ("", 0)


def created_id(answer: Answer) -> str:
    """The id of the partition that a successful ``create`` has made; empty where the answer names none."""
    if answer.body is not None:
        return str(answer.body.get("partition") or "")
    text = _ESCAPES.sub("", answer.stdout)
    created = _CREATED.search(text)
    if created is not None and created[1].lower() != "id":
        return created[1].rstrip(".")
    named = _ID.search(text)
    return named[0] if named is not None else ""


def entries(answer: Answer) -> list[Entry] | None:
    """What a ``list`` has told; ``None`` where the command line cannot tell whose bookings those are."""
    if answer.body is None:
        return None
    return [_entry(each) for each in answer.body.get("partitions") or ()]


def _entry(told: Mapping[str, Any]) -> Entry:
    job_id, attempt = attempt_of(str(told.get("key") or ""))
    return Entry(
        id=str(told["partition"]),
        job_id=job_id,
        attempt=attempt,
        index=int(told["device"]),
        tenths=round(float(told["fraction"]) * 10),
        remaining_s=float(told["remaining_s"]),
    )


def error_code(answer: Answer) -> str:
    """The code of an answer that is an error; empty where it has none."""
    return str(_error(answer).get("code") or "")


def error_message(answer: Answer) -> str:
    """Why a command failed, in the command line's own words."""
    message = str(_error(answer).get("message") or "")
    if not message:
        said = _ESCAPES.sub("", answer.stderr).strip() or _ESCAPES.sub("", answer.stdout).strip()
        message = "; ".join(line.strip() for line in said.splitlines()[-_LAST_LINES:] if line.strip())
    message = message.removeprefix("Error:").strip()[:_LONGEST]
    return message or f"chronos_cli ended with status {answer.exit}"


def error_next(answer: Answer) -> str:
    """What to do about it; empty where the command line does not say."""
    return str(_error(answer).get("next") or "")


def is_gone(answer: Answer) -> bool:
    """Whether a ``release`` failed because there is no such partition (any more)."""
    code = error_code(answer)
    return code == "NOT_FOUND" or (not code and "not found" in error_message(answer).lower())


def _error(answer: Answer) -> Mapping[str, Any]:
    error = (answer.body or {}).get("error")
    return error if isinstance(error, Mapping) else {}
