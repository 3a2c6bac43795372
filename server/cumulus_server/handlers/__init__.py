"""HTTP to submissions and runs, one file a resource; ``ROUTES`` lists every one of them."""

from __future__ import annotations

from typing import Any

from cumulus_jupyter.protocol import API_PATH
from cumulus_jupyter.protocol.enrolment import SCRIPT_PATH

from . import enrolment, events, jobs, runner, unknown, watch, workers

_JOB = r"/jobs/(?P<job_id>[^/]+)"

#: Path below the API's root, as a pattern, and who serves it.
ROUTES: list[tuple[str, type[Any]]] = [
    (r"/jobs", jobs.JobsHandler),
    (_JOB, jobs.JobHandler),
    (_JOB + r"/events", events.JobEventsHandler),
    (_JOB + r"/logs", events.JobLogsHandler),
    (_JOB + r"/log", events.JobLogPageHandler),
    (_JOB + r"/result", jobs.JobResultHandler),
    (_JOB + r"/values/(?P<name>[^/]+)", jobs.JobValueHandler),
    (r"/watch", watch.WatchHandler),
    (r"/relay", watch.RelayHandler),
    (r"/workers", workers.WorkersHandler),
    (r"/workers/tokens", workers.WorkerTokensHandler),
    (r"/workers/local/simulated-devices", workers.SimulatedDevicesHandler),
    (r"/health", workers.HealthHandler),
    (r"/stats", workers.StatsHandler),
    (r"/openapi.json", workers.OpenApiHandler),
    (r"/runner/claim", runner.ClaimHandler),
    (r"/runner/events", runner.BatchHandler),
    (r"/runner/bundle", runner.BundleHandler),
    (r"/runner/control", runner.ControlHandler),
    (r"/runner/values/(?P<name>[^/]+)", runner.PutValueHandler),
    (r"/runner/values/(?P<job_id>[^/]+)/(?P<name>[^/]+)", runner.GetValueHandler),
]

#: Those of hosts that are becoming workers: served where runners on other machines reach the relay.
ENROLMENT_ROUTES: list[tuple[str, type[Any]]] = [
    (r"/enrolment", enrolment.EnrolHandler),
    (r"/enrolment/package", enrolment.PackageHandler),
    (r"/enrolment/images/(?P<name>[^/]+)", enrolment.ImageHandler),
    (r"/enrolment/ready", enrolment.ReadyHandler),
    (r"/enrolment/leave", enrolment.LeaveHandler),
]


def routes(relay: Any) -> list[tuple[str, type[Any], dict[str, Any]]]:
    """The routes as an extension adds them, below the server's base URL.

    Where the setting ``runner_url`` leads others here, there is no other listener for them.
    """
    more = enrolment_routes(relay) if relay.config.runner_url else []
    all_routes: list[tuple[str, type[Any]]] = [*ROUTES, (r"(?:/.*)?", unknown.UnknownHandler)]
    return [*more, *((rf"/{API_PATH}{path}", handler, {"relay": relay}) for path, handler in all_routes)]


def runner_routes(relay: Any) -> list[tuple[str, type[Any], dict[str, Any]]]:
    """The runners' routes alone, for a server without a base URL."""
    return [
        (rf"/{API_PATH}{path}", handler, {"relay": relay})
        for path, handler in ROUTES
        if path.startswith("/runner/")
    ]


def enrolment_routes(relay: Any) -> list[tuple[str, type[Any], dict[str, Any]]]:
    """The routes of hosts that are becoming workers, the script among them."""
    script = (rf"/{SCRIPT_PATH}", enrolment.ScriptHandler, {"relay": relay})
    return [
        script,
        *((rf"/{API_PATH}{path}", handler, {"relay": relay}) for path, handler in ENROLMENT_ROUTES),
    ]


def network_routes(relay: Any) -> list[tuple[str, type[Any], dict[str, Any]]]:
    """All routes for other machines, for a server without a base URL."""
    return [*runner_routes(relay), *enrolment_routes(relay)]
