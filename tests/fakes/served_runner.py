"""A runner process that takes assignments from a test, and what its jobs' results hold."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.fakes.runner_relay import FakeJob, FakeRelay
from tests.patience import LIMIT_S


class ServedRunner:
    """A runner process that takes assignments from this one."""

    def __init__(self, relay: FakeRelay, folder: Path, python: str = sys.executable, **env: str) -> None:
        self.relay = relay
        self.folder = folder
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._socket.settimeout(LIMIT_S)
        self.log = folder / "runner.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [python, "-m", "cumulus_runner", "--serve", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, **env},
                start_new_session=True,
            )
        theirs.close()
        self._lines = ours.makefile("rb")
        self.pid: int = self.read()["ready"]

    def read(self) -> dict[str, Any]:
        """The next line it says."""
        line = self._lines.readline()
        if not line:
            raise EOFError(self.log.read_text())
        said: dict[str, Any] = json.loads(line)
        return said

    def assign(self, job: FakeJob, **options: Any) -> FakeJob:
        """Hand it a job."""
        self.relay.add(job)
        workdir = self.folder / "jobs" / job.id / str(job.attempt) / "work"
        workdir.mkdir(parents=True)
        assignment = {
            "job_id": job.id,
            "attempt": job.attempt,
            "claim_token": job.claim_token,
            "url": self.relay.url,
            "workdir": str(workdir),
            "environments_dir": str(self.folder / "environments"),
            "grace_s": 5.0,
            **options,
        }
        self._socket.sendall(json.dumps(assignment).encode() + b"\n")
        return job

    def run(self, source: str, timeout_s: float = LIMIT_S, **options: Any) -> FakeJob:
        """Run a cell to its end."""
        given = {k: options.pop(k) for k in ("memory_mib", "cpu", "env_", "grace_s") if k in options}
        program = {"source": source, **options.pop("program", {})}
        job = self.assign(FakeJob(program, **options), **given)
        job.wait_for_end(timeout_s)
        assert self.read() == {"done": job.id, "attempt": job.attempt}
        return job

    def close(self) -> None:
        """Hang up, wait for its end."""
        self._lines.close()
        self._socket.close()
        self.process.wait(LIMIT_S)


def result_values(job: FakeJob) -> dict[str, Any]:
    """The names that a job's Result brings, decoded."""
    from cumulus_jupyter import values

    result = job.result
    if result["graph"] is None and not result["stored_blobs"]:
        return {}
    blobs = {name: base64.b64decode(text) for name, text in result["inline_blobs"].items()}
    return dict(values.apply_changes(result["graph"], blobs, {}, allow_pickle=False, namespace={}))
