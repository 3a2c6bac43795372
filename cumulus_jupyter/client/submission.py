"""Hand a job to the relay: the specification as JSON, and beside it what is too large for that."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..protocol.jobs import Origin
from ..protocol.program import Program
from ..protocol.resources import DURATION_DEFAULT_S
from .connection import Part
from .http import Http
from .interrupts import InterruptGate
from .stream import Opened

#: The Python minor version of this process, such as "3.11".
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
#: How long a submission keeps trying while the relay is away.
SUBMIT_AWAY_LIMIT_S = 20.0
_NOWHERE = Origin()


@dataclass(frozen=True)
class JobOptions:
    """What a user asks for beside the code. Amounts are checked already."""

    gpu: float | None = None
    cpu: float | None = None
    memory_mib: int | None = None
    duration_s: int = DURATION_DEFAULT_S
    name: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    #: Capabilities that the worker must offer.
    needs: list[str] = field(default_factory=list)
    requirements: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    image: str = ""
    executor: str = ""
    retries: int = 0
    #: Higher goes first in the queue; -100 ... 100.
    priority: int = 0
    #: False: fail at once where nothing has room now.
    wait: bool = True
    #: True: values without a safe encoding come back pickled.
    pickle: bool = False


@dataclass(frozen=True)
class Submission:
    """Everything the relay is sent for one job."""

    spec: bytes
    #: The bundle's bytes in order; empty for no bundle.
    bundle: Sequence[Part] = ()
    #: Makes asking twice harmless.
    key: str = field(default_factory=lambda: os.urandom(16).hex())


def make_submission(
    program: Program,
    options: JobOptions,
    bundle: Sequence[Part] = (),
    *,
    python_exact: bool = False,
    origin: Origin = _NOWHERE,
) -> Submission:
    """The wire form of a job. ``python_exact``: the program holds pickled values."""
    spec: dict[str, Any] = {
        "program": vars(program),
        "resources": {
            "gpu": options.gpu,
            "cpu": options.cpu,
            "memory_mib": options.memory_mib,
            "duration_s": options.duration_s,
        },
        "name": options.name,
        "labels": options.labels,
        "needs": options.needs,
        "requirements": options.requirements,
        "env": options.env,
        "executor": options.executor,
        "image": options.image,
        "retries": options.retries,
        "priority": options.priority,
        "wait": options.wait,
        "python": PYTHON,
        "python_exact": python_exact,
    }
    if origin != _NOWHERE:
        spec["origin"] = vars(origin)
    return Submission(json.dumps(spec, separators=(",", ":")).encode(), bundle)


def submit(
    http: Http, submission: Submission, *, events: bool = True, gate: InterruptGate | None = None
) -> tuple[str, Opened | None]:
    """Post a job; returns once it is acknowledged, that is, once the relay has it on disk.

    With ``events`` the second value is the answer on which the job's events follow. Raises what the
    relay answered as ``CumulusError``; ``KeyboardInterrupt`` through the gate.
    """
    headers = {"Idempotency-Key": submission.key}
    if events:
        headers["Accept"] = "text/event-stream"
    if submission.bundle:
        boundary = f"cumulus-{submission.key}"
        headers["Content-Type"] = f"multipart/form-data; boundary={boundary}"
        body = _multipart(boundary, submission)
    else:
        headers["Content-Type"] = "application/json"
        body = [submission.spec]

    endpoint, connection, response = http.open(
        "POST",
        "jobs",
        body,
        headers,
        away_limit_s=SUBMIT_AWAY_LIMIT_S,
        gate=gate,
    )
    job_id = response.headers.get("location", "").rstrip("/").rpartition("/")[2]
    if events:
        return job_id, (endpoint, connection, response)
    body_json = json.loads(response.read())
    endpoint.put_back(connection)
    return str(body_json.get("id") or job_id), None


def _multipart(boundary: str, submission: Submission) -> list[Part]:
    spec_head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="spec"\r\n'
        "Content-Type: application/json\r\n\r\n"
    )
    bundle_head = (
        f"\r\n--{boundary}\r\n"
        'Content-Disposition: form-data; name="bundle"; filename="bundle.zip"\r\n'
        "Content-Type: application/zip\r\n\r\n"
    )
    return [
        spec_head.encode() + submission.spec + bundle_head.encode(),
        *submission.bundle,
        f"\r\n--{boundary}--\r\n".encode(),
    ]
