"""The description of the API, generated from the wire types."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import msgspec

from cumulus_jupyter import __version__
from cumulus_jupyter.protocol import API_PATH
from cumulus_jupyter.protocol.channel import Acknowledged, Claim, Claimed, Outcome
from cumulus_jupyter.protocol.enrolment import (
    Enrol,
    Enrolled,
    Leave,
    Ready,
    WorkerLeft,
    WorkerReady,
    WorkerToken,
)
from cumulus_jupyter.protocol.events import EVENT_TYPES
from cumulus_jupyter.protocol.jobs import (
    ORIGIN_LIMITS,
    STATES,
    Health,
    JobList,
    JobResult,
    JobSpec,
    JobView,
    LogPage,
    RelayPlace,
    SimulatedDevices,
    Stats,
    WorkerList,
)
from cumulus_jupyter.protocol.resources import DURATION_MAX_S, DURATION_MIN_S, PRIORITY_MAX

_REF = "#/components/schemas/{name}"
_JSON, _SSE, _TEXT, _BYTES = "application/json", "text/event-stream", "text/plain", "application/octet-stream"
_ZIP, _TAR = "application/zip", "application/x-tar"
_STRING: dict[str, Any] = {"type": "string"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": 2**32 - 2}


_TOKENS = {
    "server": "The Jupyter server's token",
    "claim": "A runner's one-time claim token",
    "session": "The session key that a runner made itself and showed when it claimed",
    "worker": "The one-time token of the line that adds a worker, or the session key that has used it up."
    " Like all of /enrolment: where runners on other machines reach the relay, and not at this address",
    "host": "The session key that a new worker made itself and showed with its one-time token",
}


@dataclass(frozen=True)
class Operation:
    """One method of one route."""

    method: str
    path: str
    summary: str
    #: Answers by media type; a type, or a schema.
    answers: dict[str, Any]
    statuses: tuple[int, ...] = (200,)
    #: Bodies by media type.
    bodies: dict[str, Any] | None = None
    #: Names of the query string and of the headers, with their schemas.
    query: dict[str, dict[str, Any]] | None = None
    headers: dict[str, dict[str, Any]] | None = None
    #: The token it takes: one of ``_TOKENS``.
    token: str = "server"


_SPEC_OR_FORM = {
    _JSON: JobSpec,
    "multipart/form-data": {
        "type": "object",
        "properties": {
            "spec": {"$ref": _REF.format(name="JobSpec")},
            "bundle": {**_STRING, "format": "binary"},
        },
        "required": ["spec"],
    },
}
_EVENTS_PAGE = {
    "type": "object",
    "properties": {"events": {"type": "array", "items": {"$ref": _REF.format(name="Event")}}},
    "required": ["events"],
}
_KEY = {"Idempotency-Key": {**_STRING, "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"}}

OPERATIONS = (
    Operation("post", "/jobs", "Submit a job", {_JSON: JobView, _SSE: _STRING}, (200, 201), _SPEC_OR_FORM,
              headers=_KEY),
    Operation("get", "/jobs", "List jobs, newest first", {_JSON: JobList}, query={
        "state": {"type": "string", "enum": list(STATES)},
        "label": {**_STRING, "description": "KEY or KEY=VALUE"},
        "cursor": {"type": "integer", "minimum": 1, "maximum": 2**62},
        "limit": {"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
    }),
    Operation("get", "/jobs/{job_id}", "Look at a job", {_JSON: JobView}),
    Operation("delete", "/jobs/{job_id}", "Cancel a job", {_JSON: JobView}),
    Operation("get", "/jobs/{job_id}/events", "Follow a job's events, or read a page of them",
              {_SSE: _STRING, _JSON: _EVENTS_PAGE}, query={
                  "after": _COUNT,
                  "limit": {"type": "integer", "minimum": 1, "maximum": 5000, "default": 500},
              }, headers={"Last-Event-ID": _COUNT}),
    Operation("get", "/jobs/{job_id}/logs", "Read what a job wrote", {_TEXT: _STRING},
              query={"stream": {"type": "string", "enum": ["stdout", "stderr"]}}),
    Operation("get", "/jobs/{job_id}/log", "Read the newest page of a log, whole or within bounds",
              {_JSON: LogPage}, query={"after": _COUNT, "before": _COUNT}),
    Operation("get", "/jobs/{job_id}/result", "Read what a job left", {_JSON: JobResult}),
    Operation("get", "/jobs/{job_id}/values/{name}", "Fetch a stored value", {_BYTES: _STRING}),
    Operation("get", "/watch", "Follow all that changes: the relay, your jobs, the workers", {_SSE: _STRING}),
    Operation("get", "/relay", "Where the relay is, and whether it is well", {_JSON: RelayPlace}),
    Operation("get", "/workers", "List the workers", {_JSON: WorkerList}),
    Operation("post", "/workers/tokens", "Get the line that adds a worker", {_JSON: WorkerToken}),
    Operation("put", "/workers/local/simulated-devices", "Declare simulated GPUs", {_JSON: SimulatedDevices},
              bodies={_JSON: SimulatedDevices}),
    Operation("get", "/health", "The relay's own state", {_JSON: Health}),
    Operation("get", "/stats", "Counts over the kept history", {_JSON: Stats}),
    Operation("get", "/openapi.json", "This description", {_JSON: {"type": "object"}}),
    Operation("post", "/runner/claim", "Take an attempt", {_JSON: Claimed}, bodies={_JSON: Claim},
              token="claim"),
    Operation("post", "/runner/events", "Report events", {_JSON: Acknowledged},
              bodies={_JSON: {"$ref": _REF.format(name="Batch")}}, token="session"),
    Operation("get", "/runner/bundle", "Fetch the job's bundle", {_BYTES: _STRING}, token="session"),
    Operation("get", "/runner/control", "Commands for the runner", {_SSE: _STRING}, token="session"),
    Operation("put", "/runner/values/{name}", "Store a value", {_JSON: {"type": "object"}},
              bodies={_BYTES: {**_STRING, "format": "binary"}}, token="session"),
    Operation("get", "/runner/values/{job_id}/{name}", "Fetch another job's value", {_BYTES: _STRING},
              token="session"),
    Operation("post", "/enrolment", "Use a one-time token up; what to do", {_JSON: Enrolled},
              bodies={_JSON: Enrol}, token="worker"),
    Operation("get", "/enrolment/package", "Fetch the worker's package", {_ZIP: _STRING}, token="host"),
    Operation("get", "/enrolment/images/{name}", "Fetch a job image", {_TAR: _STRING}, token="host"),
    Operation("post", "/enrolment/ready", "Become a worker", {_JSON: WorkerReady}, bodies={_JSON: Ready},
              token="host"),
    Operation("post", "/enrolment/leave", "Be no worker any more", {_JSON: WorkerLeft}, bodies={_JSON: Leave},
              token="host"),
)  # fmt: skip

_ERROR = {
    "type": "object",
    "properties": {
        "code": _STRING,
        "message": _STRING,
        "job_id": {"type": ["string", "null"]},
        "next": {**_STRING, "description": "What to do"},
    },
    "required": ["code", "message", "job_id", "next"],
}


def _components() -> dict[str, Any]:
    """The schemas of every wire type, with the limits that the types alone do not tell."""
    types = [Acknowledged, Claim, Claimed, Outcome, Health, JobList, JobResult, JobSpec, JobView]
    types += [LogPage, RelayPlace, SimulatedDevices, Stats, WorkerList, *EVENT_TYPES.values()]
    types += [Enrol, Enrolled, Leave, Ready, WorkerLeft, WorkerReady, WorkerToken]
    _, schemas = msgspec.json.schema_components(types, ref_template=_REF)
    schemas["ErrorBody"] = _ERROR
    stored = {"seq": {"type": "integer"}, "time_ms": {"type": "integer"}, "type": _STRING}
    schemas["Event"] = {"type": "object", "properties": stored, "required": ["seq", "time_ms", "type"]}
    schemas["Batch"] = {
        "type": "object",
        "properties": {
            "first": {"type": "integer", "minimum": 1},
            "events": {"type": "array", "items": {"type": "object"}},
            "outcome": {"anyOf": [{"type": "null"}, {"$ref": _REF.format(name="Outcome")}]},
        },
        "required": ["first", "events"],
    }
    _limit_submission(schemas)
    return dict(schemas)


def _limit_submission(schemas: dict[str, Any]) -> None:
    spec, resources = schemas["JobSpec"], schemas["Resources"]
    spec["additionalProperties"] = False
    shares = [tenth / 10 for tenth in range(1, 10)] + list(range(1, 9))
    resources["properties"]["gpu"] = {"enum": [None, *shares], "default": None}
    resources["properties"]["duration_s"].update(minimum=DURATION_MIN_S, maximum=DURATION_MAX_S)
    limits: dict[str, dict[str, Any]] = {
        "name": {"maxLength": 200},
        "executor": {"maxLength": 100},
        "image": {"maxLength": 500},
        "retries": {"minimum": 0, "maximum": 10},
        "priority": {"minimum": -PRIORITY_MAX, "maximum": PRIORITY_MAX},
        "python": {"pattern": r"^(\d+\.\d+)?$"},
        "requirements": {"maxItems": 500},
        "labels": {"maxProperties": 64},
        "needs": {"maxItems": 64},
    }
    for name, limit in limits.items():
        spec["properties"][name].update(limit)
    for name, length in ORIGIN_LIMITS.items():
        schemas["Origin"]["properties"][name]["maxLength"] = length


def _schema(kind: Any) -> dict[str, Any]:
    return dict(kind) if isinstance(kind, dict) else {"$ref": _REF.format(name=kind.__name__)}


def _content(kinds: dict[str, Any]) -> dict[str, Any]:
    return {media: {"schema": _schema(kind)} for media, kind in kinds.items()}


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    inside = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    named = {**_STRING, "minLength": 1}
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": named} for name in inside
    ]
    for place, schemas in (("query", operation.query), ("header", operation.headers)):
        found += [{"name": name, "in": place, "schema": schema} for name, schema in (schemas or {}).items()]
    return found


def _describe(operation: Operation) -> dict[str, Any]:
    error = {"description": "What went wrong, and what to do", "content": _content({_JSON: _schema_of_error})}
    done = {"description": "Done", "content": _content(operation.answers)}
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": f"{operation.method} {operation.path}",
        "parameters": _parameters(operation),
        "responses": {
            **{str(code): done for code in operation.statuses},
            "default": error,
        },
        "security": [{operation.token: []}],
    }
    if operation.bodies is not None:
        described["requestBody"] = {"required": True, "content": _content(operation.bodies)}
    return described


_schema_of_error = {"$ref": _REF.format(name="ErrorBody")}


@functools.cache
def document(base_url: str) -> dict[str, Any]:
    """The OpenAPI document of a relay whose server has this base URL."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _describe(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Cumulus", "version": __version__},
        "servers": [{"url": f"{base_url.rstrip('/')}/{API_PATH}"}],
        "paths": paths,
        "components": {
            "schemas": _components(),
            "securitySchemes": {
                name: {"type": "http", "scheme": "bearer", "description": text}
                for name, text in _TOKENS.items()
            },
        },
    }
