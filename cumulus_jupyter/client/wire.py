"""What the relay answers, as the protocol's types. Fields this version does not know are passed over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from ..protocol.enrolment import WorkerToken
from ..protocol.jobs import DeviceView, Health, Holder, JobList, JobView, Origin, Stats, WorkerView
from ..protocol.resources import Resources

_T = TypeVar("_T")


def _known(cls: type[_T], body: Mapping[str, Any], **nested: Any) -> _T:
    # Called with dataclasses only; the type of those is known to type checkers, not at run time.
    names: Mapping[str, Any] = cls.__dataclass_fields__  # type: ignore[attr-defined]
    return cls(**{key: value for key, value in body.items() if key in names} | nested)


def device_from_wire(body: Mapping[str, Any]) -> DeviceView:
    """A GPU."""
    return _known(DeviceView, body, holders=[_known(Holder, holder) for holder in body.get("holders") or []])


def job_from_wire(body: Mapping[str, Any]) -> JobView:
    """A job as its owner sees it."""
    return _known(
        JobView,
        body,
        resources=_known(Resources, body.get("resources") or {}),
        devices=[device_from_wire(device) for device in body.get("devices") or []],
        origin=_known(Origin, body.get("origin") or {}),
    )


def jobs_from_wire(body: Mapping[str, Any]) -> JobList:
    """One page of jobs."""
    return JobList([job_from_wire(job) for job in body.get("jobs") or []], body.get("next_cursor"))


def worker_from_wire(body: Mapping[str, Any]) -> WorkerView:
    """A place where jobs can run."""
    return _known(
        WorkerView, body, devices=[device_from_wire(device) for device in body.get("devices") or []]
    )


def workers_from_wire(body: Mapping[str, Any]) -> list[WorkerView]:
    """All workers."""
    return [worker_from_wire(worker) for worker in body.get("workers") or []]


def health_from_wire(body: Mapping[str, Any]) -> Health:
    """The relay's own state. Fields an older relay lacks are empty."""
    empty = {
        "status": "",
        "version": "",
        "protocol": 0,
        "relay_id": "",
        "pythons": [],
        "executors": [],
        "bundle_limit_bytes": 0,
    }
    return _known(Health, {**empty, **body})


def stats_from_wire(body: Mapping[str, Any]) -> Stats:
    """Counts over the kept history."""
    return _known(Stats, body)


def worker_token_from_wire(body: Mapping[str, Any]) -> WorkerToken:
    """A one-time token, and the line that uses it."""
    return _known(WorkerToken, body)
